/* Vectors of reals and their sum, for one SIMD level and one real type (included by sgd_real.h). */
#define VECTOR NAME(Vector)
#define REALS REALS_OF_VECTOR(LANES)
VECTOR_TYPE(VECTOR, REAL, VECTOR_BYTES);

/* The sum of all lanes. Shuffles keep it in a register; a compiler without them gets a loop with
 * the same order of additions. */
static ALWAYS_INLINE REAL NAME(sum_of)(VECTOR x)
{
#if defined(HAVE_SHUFFLE_VECTOR)
#if LANES == 16
    x += __builtin_shufflevector(x, x, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7);
    x += __builtin_shufflevector(x, x, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11);
    x += __builtin_shufflevector(x, x, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13);
    x += __builtin_shufflevector(x, x, 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14);
#elif LANES == 8
    x += __builtin_shufflevector(x, x, 4, 5, 6, 7, 0, 1, 2, 3);
    x += __builtin_shufflevector(x, x, 2, 3, 0, 1, 6, 7, 4, 5);
    x += __builtin_shufflevector(x, x, 1, 0, 3, 2, 5, 4, 7, 6);
#elif LANES == 4
    x += __builtin_shufflevector(x, x, 2, 3, 0, 1);
    x += __builtin_shufflevector(x, x, 1, 0, 3, 2);
#else
    x += __builtin_shufflevector(x, x, 1, 0);
#endif
    return x[0];
#elif defined(__GNUC__)
    REAL sum[LANES];
    for (int j = 0; j < LANES; j++) sum[j] = x[j];
    for (int half = LANES / 2; half > 0; half /= 2)
        for (int j = 0; j < half; j++) sum[j] += sum[j + half];
    return sum[0];
#else
    return x;
#endif
}

/* The product of two rows of n vectors. Four sums, for an addition takes four cycles. */
static ALWAYS_INLINE REAL NAME(dot)(const ptrdiff_t n, const VECTOR *x, const VECTOR *y)
{
    VECTOR a = x[0] * y[0], b = {0}, c = {0}, d = {0};
    ptrdiff_t v = 1;
    for (; v + 3 < n; v += 4) {
        b += x[v] * y[v];
        c += x[v + 1] * y[v + 1];
        d += x[v + 2] * y[v + 2];
        a += x[v + 3] * y[v + 3];
    }
    for (; v < n; v++) b += x[v] * y[v];
    return NAME(sum_of)((a + c) + (b + d));
}
