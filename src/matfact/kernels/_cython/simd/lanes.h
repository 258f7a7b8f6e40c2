/* Vectors, and sums over the lanes of four of them at once, for one SIMD level and one real type. */
VECTOR_TYPE(NAME(reals), REAL, VECTOR_BYTES);

#if defined(HAVE_SHUFFLE_VECTOR)
/* FOLD(parts, a, b): parts of `LANES / parts` lanes are folded to half their length, those of a
 * first. Four vectors, folded twice, are one vector of four parts. */
#if LANES == 16
#define LOW_2 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23
#define HIGH_2 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31
#define LOW_4 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27
#define HIGH_4 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31
#define BY_2 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13
#define BY_1 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14
#elif LANES == 8
#define LOW_2 0, 1, 2, 3, 8, 9, 10, 11
#define HIGH_2 4, 5, 6, 7, 12, 13, 14, 15
#define LOW_4 0, 1, 4, 5, 8, 9, 12, 13
#define HIGH_4 2, 3, 6, 7, 10, 11, 14, 15
#define BY_1 1, 0, 3, 2, 5, 4, 7, 6
#elif LANES == 4
#define LOW_2 0, 1, 4, 5
#define HIGH_2 2, 3, 6, 7
#define LOW_4 0, 2, 4, 6
#define HIGH_4 1, 3, 5, 7
#else
#define LOW_2 0, 2
#define HIGH_2 1, 3
#endif
#define FOLD(parts, a, b) \
    (__builtin_shufflevector(a, b, LOW_##parts) + __builtin_shufflevector(a, b, HIGH_##parts))

/* sums[t] = the sum over the lanes of x[t], for t < 4. */
static ALWAYS_INLINE void NAME(sum_lanes)(const NAME(reals) *x, REAL *sums)
{
    const NAME(reals) a = FOLD(2, x[0], x[1]), b = FOLD(2, x[2], x[3]);
#if LANES == 2
    sums[0] = a[0], sums[1] = a[1], sums[2] = b[0], sums[3] = b[1];
#else
    NAME(reals) all = FOLD(4, a, b);
#if LANES == 16
    all += __builtin_shufflevector(all, all, BY_2);
#endif
#if LANES >= 8
    all += __builtin_shufflevector(all, all, BY_1);
#endif
    for (int t = 0; t < 4; t++) sums[t] = all[t * (LANES / 4)];
#endif
}
#undef FOLD
#undef LOW_2
#undef HIGH_2
#undef LOW_4
#undef HIGH_4
#undef BY_2
#undef BY_1
#else
static ALWAYS_INLINE void NAME(sum_lanes)(const NAME(reals) *x, REAL *sums)
{
    for (int t = 0; t < 4; t++) {
        REAL lane[REALS_OF_VECTOR(LANES)];
        memcpy(lane, x + t, sizeof lane);
        for (int half = REALS_OF_VECTOR(LANES) / 2; half; half /= 2)
            for (int i = 0; i < half; i++) lane[i] += lane[i + half];
        sums[t] = lane[0];
    }
}
#endif

/* sum_f x[f] y[f] over whole vectors. */
static ALWAYS_INLINE REAL NAME(dot)(ptrdiff_t padded, const REAL *x, const REAL *y)
{
    enum { REALS = REALS_OF_VECTOR(LANES) };
    NAME(reals) sum[4] = {{0}};
    REAL sums[4];
    ptrdiff_t f = 0;
    for (; f + 4 * REALS <= padded; f += 4 * REALS)
        UNROLL_ALL for (int t = 0; t < 4; t++)
            sum[t] += ((const NAME(reals) *)(x + f))[t] * ((const NAME(reals) *)(y + f))[t];
    for (; f < padded; f += REALS)
        sum[0] += *(const NAME(reals) *)(x + f) * *(const NAME(reals) *)(y + f);
    sum[0] = (sum[0] + sum[1]) + (sum[2] + sum[3]);
    NAME(sum_lanes)(sum, sums);
    return sums[0];
}
