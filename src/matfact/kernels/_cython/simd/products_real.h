/* Products of matrices for one SIMD level and one real type (included by level.h). */
#include "product.h"

#if REAL_BYTES == 8 /* rows of sums are in double precision */

/* sum_j values[j] dense[indices[j], columns] for so many whole vectors of columns, which live in
 * registers over the entries; the last of them is at `last`, and may overlap those before it.
 * `vectors` is a constant at every call. `values` NULL: 1. */
static ALWAYS_INLINE void NAME(sum_vectors)(
    const int vectors, ptrdiff_t last, ptrdiff_t count,
    const int32_t *RESTRICT indices, const double *RESTRICT values,
    const double *RESTRICT dense, ptrdiff_t k, double *RESTRICT out)
{
    enum { REALS = REALS_OF_VECTOR(LANES) };
    NAME(vector) sum[8];
    UNROLL_ALL for (int t = 0; t < vectors; t++) sum[t] = (NAME(vector)){0};
#define ADD_ENTRIES(times) \
    for (ptrdiff_t j = 0; j < count; j++) { \
        const double *one = dense + indices[j] * k; \
        UNROLL_ALL for (int t = 0; t < vectors; t++) \
            sum[t] += times *(const NAME(vector) *)(one + (t < vectors - 1 ? t * REALS : last)); \
    }
    if (values) ADD_ENTRIES(values[j] *) else ADD_ENTRIES()
#undef ADD_ENTRIES
    UNROLL_ALL for (int t = 0; t < vectors; t++)
        *(NAME(vector) *)(out + (t < vectors - 1 ? t * REALS : last)) = sum[t];
}

/* The same for all k columns of a row, up to eight vectors at a time. */
static void NAME(sum_row)(
    ptrdiff_t count, const int32_t *indices, const double *values,
    const double *dense, ptrdiff_t k, double *out)
{
    enum { REALS = REALS_OF_VECTOR(LANES) };
    if (k < REALS) {
        for (ptrdiff_t f = 0; f < k; f++) out[f] = 0;
        for (ptrdiff_t j = 0; j < count; j++)
            for (ptrdiff_t f = 0; f < k; f++)
                out[f] += (values ? values[j] : 1) * dense[indices[j] * k + f];
        return;
    }
    for (ptrdiff_t f = 0; f < k; f += 8 * REALS) {
        const ptrdiff_t vectors = smaller((k - f + REALS - 1) / REALS, 8);
        const ptrdiff_t last = smaller((vectors - 1) * REALS, k - REALS - f);
#define SUM(vectors) \
    case vectors: \
        NAME(sum_vectors)(vectors, last, count, indices, values, dense + f, k, out + f); \
        break
        switch (vectors) {
            SUM(1);
            SUM(2);
            SUM(3);
            SUM(4);
            SUM(5);
            SUM(6);
            SUM(7);
            SUM(8);
        }
#undef SUM
    }
}
#endif
