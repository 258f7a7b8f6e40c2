/* Products of matrices for every SIMD level, behind one table of function pointers.
 *
 * levels.h compiles products_real.h for each level. Calls treat a block of rows, or one compressed
 * row, at a time, so the indirection costs nothing. Pointers to reals are `void`: the table is the
 * same for both real types. */
#ifndef MATFACT_PRODUCTS_DISPATCH_H
#define MATFACT_PRODUCTS_DISPATCH_H
#include "portable.h"

typedef struct {
    int lanes; /* reals in a vector */

    void (*product)(
        ptrdiff_t rows, ptrdiff_t inner, int n_vectors,
        const void *a, ptrdiff_t a_row, ptrdiff_t a_inner,
        const void *b,
        void *c, ptrdiff_t c_stride,
        int accumulate, int upper);

    void (*pack)(
        ptrdiff_t rows, ptrdiff_t columns, int n_vectors,
        const void *a, ptrdiff_t a_row, ptrdiff_t a_column,
        void *packed);

    /* Double precision, whatever the type of the table. */
    void (*sum_row)(
        ptrdiff_t count, const int32_t *indices, const double *values,
        const double *dense, ptrdiff_t k, double *out);
} ProductKernels;

#define TABLE_TYPE ProductKernels
#define KERNELS_OF_ONE_REAL "products_real.h"
#define TABLE(type, bytes) \
    { \
        .lanes = VECTOR_BYTES / (bytes), \
        .product = JOIN3(product, type, LEVEL), \
        .pack = JOIN3(pack, type, LEVEL), \
        .sum_row = JOIN3(sum_row, f64, LEVEL), \
    }
#include "levels.h"
#endif
