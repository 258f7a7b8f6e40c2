/* Stochastic gradient descent for every SIMD level, behind one table of function pointers.
 *
 * The extensions sgd and bpr use it. levels.h compiles sgd_real.h for each level. Pointers to reals are `void` in the table, which is
 * the same for both real types. */
#ifndef MATFACT_SGD_DISPATCH_H
#define MATFACT_SGD_DISPATCH_H
#include <math.h>
#include "portable.h"

/* Everything that the updates of one epoch have in common. A row of factors has `padded` reals:
 * n_features and zeros up to whole vectors. The rest of what is known of a user or item is its
 * State in sgd_real.h. */
typedef struct {
    void *user_rows, *item_rows;
    void *user_states, *item_states;
    ptrdiff_t n_features, padded;
    double mean;
    double learning_rate, bias_learning_rate;
    double regularization, bias_regularization;
    int adaptive;
} SgdRun;

typedef struct {
    int lanes; /* reals in a vector */

    double (*train)(const SgdRun *run, ptrdiff_t count, const void *nodes);  /* on ratings */
    double (*rank)(const SgdRun *run, ptrdiff_t count, const void *triples); /* on triples */

    double (*squared_norm)(ptrdiff_t count, const void *x);
} SgdKernels;

#define TABLE_TYPE SgdKernels
#define KERNELS_OF_ONE_REAL "sgd_real.h"
#define TABLE(type, bytes) \
    { \
        .lanes = VECTOR_BYTES / (bytes), \
        .train = JOIN3(train, type, LEVEL), \
        .rank = JOIN3(rank, type, LEVEL), \
        .squared_norm = JOIN3(squared_norm, type, LEVEL), \
    }
#include "levels.h"
#endif
