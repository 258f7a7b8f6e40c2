/* Factors of the entries of a row, for one SIMD level and one real type. */
#ifndef MATFACT_ALS_GATHER_H
#define MATFACT_ALS_GATHER_H
#define AHEAD 8     /* entries whose factors are on their way while others are treated */
#define ENTRIES 128 /* that are gathered and multiplied at a time */
#define SCALE_ALL 2 /* `panels` are scaled themselves, and so is what is added to b and s */

/* Reals of an array in the scratch, whole cache lines. */
static inline ptrdiff_t whole_lines(ptrdiff_t reals)
{
    return (reals + 15) / 16 * 16;
}
#endif

static ALWAYS_INLINE void NAME(fetch_row)(const REAL *row, ptrdiff_t padded)
{
    for (ptrdiff_t f = 0; f < padded; f += 64 / REAL_BYTES) PREFETCH(row, f);
}

/* Copies `padded` factors of `count` entries, whose rows are `stride` reals apart, into a matrix of
 * panels; with `scale` 1 also times quadratic[j] into `scaled`, with SCALE_ALL in place of them.
 * Adds sum_j linear[j] q_j to `b` and, with `sums`, sum_j quadratic[j] q_j to `s`. `ahead` entries
 * follow in the list. */
static ALWAYS_INLINE void NAME(gather_panels)(
    const int scale, const int sums, ptrdiff_t padded, ptrdiff_t stride,
    ptrdiff_t count, ptrdiff_t ahead, const int32_t *index, const REAL *other,
    const REAL *quadratic, const REAL *linear,
    REAL *panels, REAL *scaled, REAL *b, REAL *s)
{
    ptrdiff_t j = 0;
#define GATHER(n) \
    for (; j + (n) <= count; j += (n)) { \
        const REAL *q[n]; \
        for (int t = 0; t < (n); t++) { \
            q[t] = other + index[j + t] * stride; \
            if (j + t + AHEAD < count + ahead) \
                NAME(fetch_row)(other + index[j + t + AHEAD] * stride, padded); \
        } \
        for (ptrdiff_t start = 0; start < padded; start += PANEL) { \
            const ptrdiff_t width = NAME(panel_width)(start, padded); \
            for (ptrdiff_t f = 0; f < width; f += REALS_OF_VECTOR(LANES)) { \
                const ptrdiff_t to = start * count + j * width + f; \
                NAME(reals) *b_f = (NAME(reals) *)(b + start + f); \
                NAME(reals) *s_f = (NAME(reals) *)(s + start + f); \
                NAME(reals) sum_b = *b_f, sum_s = {0}; \
                if (sums) sum_s = *s_f; \
                UNROLL_ALL for (int t = 0; t < (n); t++) { \
                    NAME(reals) x = *(const NAME(reals) *)(q[t] + start + f); \
                    if (scale == SCALE_ALL) x = quadratic[j + t] * x; \
                    *(NAME(reals) *)(panels + to + t * width) = x; \
                    if (scale == 1) *(NAME(reals) *)(scaled + to + t * width) = quadratic[j + t] * x; \
                    sum_b += linear[j + t] * x; \
                    if (sums) sum_s += quadratic[j + t] * x; \
                } \
                *b_f = sum_b; \
                if (sums) *s_f = sum_s; \
            } \
        } \
    }
    GATHER(4)
    GATHER(1)
#undef GATHER
}
