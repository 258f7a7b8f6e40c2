/* The best columns of each row by the product of two matrices of factors, for every SIMD level,
 * behind one table of function pointers. levels.h compiles topn_real.h for each level. */
#ifndef MATFACT_TOPN_DISPATCH_H
#define MATFACT_TOPN_DISPATCH_H
#include "portable.h"
#include <math.h>
#include <string.h>

/* What all rows of a call have in common. Pointers to reals are `void`: the table is the same for
 * both real types. NULL stands for: no biases, columns that are their own numbers, nothing
 * excluded. */
typedef struct {
    ptrdiff_t n_features, n_columns, wanted;
    const void *factors;   /* of the columns, n_features reals each */
    const void *biases;    /* of the columns */
    const void *panels;    /* the factors again, packed by `pack` */
    const void *padded_biases; /* the biases again, up to whole panels */
    const int32_t *columns; /* numbers of the columns, ascending */
    const int64_t *excluded_indptr;
    const int32_t *excluded; /* numbers of columns, ascending in each row */
    const void *rows;      /* factors of the rows, n_features reals each */
    int64_t *counts;       /* results: how many columns a row has got, */
    int32_t *best;         /* their numbers, `wanted` places a row, */
    void *scores;          /* and their scores */
} TopRun;

typedef struct {
    int panel; /* columns of a panel */
    int height; /* rows of a tile; blocks are a multiple of it */
    void (*pack)(ptrdiff_t count, ptrdiff_t n_features, const void *factors, void *panels);
    ptrdiff_t (*scratch)(const TopRun *run, ptrdiff_t block_rows);
    void (*rank_rows)(const TopRun *run, ptrdiff_t first, ptrdiff_t count, void *scratch);
    void (*rank_list)(
        const TopRun *run, ptrdiff_t row, ptrdiff_t count, const int32_t *list, void *scratch);
} TopKernels;

#define TABLE_TYPE TopKernels
#define KERNELS_OF_ONE_REAL "topn_real.h"
#define TABLE(type, bytes) \
    { \
        .panel = 2 * VECTOR_BYTES / (bytes), \
        .height = TILE_VECTORS / 2, \
        .pack = JOIN3(pack, type, LEVEL), \
        .scratch = JOIN3(scratch, type, LEVEL), \
        .rank_rows = JOIN3(rank_rows, type, LEVEL), \
        .rank_list = JOIN3(rank_list, type, LEVEL), \
    }
#include "levels.h"
#endif
