/* One row of a sweep over listed cells, for one SIMD level and one real type (included after gd_product.h).
 *
 * u: the row's own factors; v_j: the other side's factors of the listed cells j; e_j = r_j - u.v_j with the newest u (r_j = 0
 * when value is NULL); h: linear term (zero when linear is NULL); G: gram matrix of the other side (zero when gram is NULL).
 *
 *     for f in 0 .. n_features - 1:   d = step * (h_f + sign * sum_j e_j v_jf);   u_f += d;   e_j -= d v_jf;   h -= d G[f, :]
 *
 * Observed cells only: sign = 1, no h, no G. Product with a correction: the listed cells are the missing ones, r_j = 0, sign = -1, and
 * h = (R0 V^T - u G) of the row, with R0 = 0 in the missing cells; -sum e_j v_jf gives back what the product took for a zero rating.
 *
 * The factors v_j are gathered once, transposed, into a panel of n_features rows of cells. Two features are treated in one pass over the
 * cells: with a = e.v_f, b = e.v_f+1 and c = v_f.v_f+1 of the same residual, the second feature sees b - d c, which is what it
 * would have found in the residual that the first one left.
 */
#if VECTOR_BYTES > 32 /* half a 64-byte vector: rows are short, and the transpose below is written for up to eight lanes */
#define CELLS (32 / REAL_BYTES)
#else
#define CELLS LANES
#endif

/* panel[f][cell] for CELLS features and CELLS cells: the transpose of CELLS rows of CELLS reals. */
#if defined(HAVE_SHUFFLE_VECTOR)
typedef REAL NAME(lanes) __attribute__((vector_size(CELLS * REAL_BYTES), aligned(REAL_BYTES), may_alias));
/* Step h swaps the off-diagonal blocks of h lanes between rows i and i + h (Eklundh): after h = CELLS/2, ..., 2, 1 the block is transposed. */
#define UPPER(h, l) (((l) & (h)) ? CELLS + (l) - (h) : (l))
#define LOWER(h, l) (((l) & (h)) ? CELLS + (l) : (l) + (h))
#if CELLS == 8
#define LANE_LIST(M, h) M(h, 0), M(h, 1), M(h, 2), M(h, 3), M(h, 4), M(h, 5), M(h, 6), M(h, 7)
#elif CELLS == 4
#define LANE_LIST(M, h) M(h, 0), M(h, 1), M(h, 2), M(h, 3)
#else
#define LANE_LIST(M, h) M(h, 0), M(h, 1)
#endif
#define SWAP_BLOCKS(h) \
    UNROLL_ALL for (int i = 0; i < CELLS; i++) \
        if (!(i & (h))) { \
            const NAME(lanes) upper = row[i], lower = row[i + (h)]; \
            row[i] = __builtin_shufflevector(upper, lower, LANE_LIST(UPPER, h)); \
            row[i + (h)] = __builtin_shufflevector(upper, lower, LANE_LIST(LOWER, h)); \
        }
static ALWAYS_INLINE void NAME(transpose)(const REAL *const *source, ptrdiff_t f, REAL *panel, ptrdiff_t stride)
{
    NAME(lanes) row[CELLS];
    UNROLL_ALL for (int i = 0; i < CELLS; i++) row[i] = *(const NAME(lanes) *)(source[i] + f);
#if CELLS >= 8
    SWAP_BLOCKS(4)
#endif
#if CELLS >= 4
    SWAP_BLOCKS(2)
#endif
    SWAP_BLOCKS(1)
    UNROLL_ALL for (int i = 0; i < CELLS; i++) *(NAME(lanes) *)(panel + (f + i) * stride) = row[i];
}
#undef UPPER
#undef LOWER
#undef LANE_LIST
#undef SWAP_BLOCKS
#else
static void NAME(transpose)(const REAL *const *source, ptrdiff_t f, REAL *panel, ptrdiff_t stride)
{
    for (int i = 0; i < CELLS; i++)
        for (int j = 0; j < CELLS; j++) panel[(f + j) * stride + i] = source[i][f + j];
}
#endif

/* Gathers the panel and sets residual[j] = r_j - u.v_j. Cells beyond `count` get zero factors and a zero residual. */
static void NAME(gather)(ptrdiff_t features, ptrdiff_t count, const int32_t *index, const REAL *value, const REAL *other, const REAL *own,
                         const REAL *zeros, REAL *panel, ptrdiff_t stride, REAL *residual)
{
    for (ptrdiff_t j = 0; j < stride; j += CELLS) {
        const REAL *source[CELLS];
        REAL e[CELLS];
        for (int t = 0; t < CELLS; t++) {
            const int there = j + t < count;
            source[t] = there ? other + index[j + t] * features : zeros;
            e[t] = there && value ? value[j + t] : 0;
        }
        if (j + 2 * CELLS <= count)
            for (int t = 0; t < CELLS; t++) PREFETCH(other + index[j + CELLS + t] * features);
        for (ptrdiff_t f = 0; f < features; f += CELLS) {
            NAME(transpose)(source, f, panel + j, stride);
            for (int i = 0; i < CELLS; i++)
                OMP_SIMD for (int t = 0; t < CELLS; t++) e[t] -= own[f + i] * panel[(f + i) * stride + j + t];
        }
        for (int t = 0; t < CELLS; t++) residual[j + t] = e[t];
    }
}

/* e -= d0 * p0 + d1 * p1, then dots = (e.v0, e.v1, v0.v1). Two sets of sums, so that additions need not wait for each other. */
static ALWAYS_INLINE void NAME(step_and_dots)(ptrdiff_t count, REAL *RESTRICT e, REAL d0, const REAL *p0, REAL d1, const REAL *p1,
                                              const REAL *v0, const REAL *v1, REAL *dots)
{
    REAL a[2 * CELLS] = {0}, b[2 * CELLS] = {0}, c[2 * CELLS] = {0};
    ptrdiff_t j = 0;
#define STEP(width) \
    OMP_SIMD for (int t = 0; t < (width); t++) { \
        const REAL left = e[j + t] - d0 * p0[j + t] - d1 * p1[j + t]; \
        e[j + t] = left; \
        a[t] += left * v0[j + t]; \
        b[t] += left * v1[j + t]; \
        c[t] += v0[j + t] * v1[j + t]; \
    }
    for (; j + 2 * CELLS <= count; j += 2 * CELLS) STEP(2 * CELLS)
    if (j < count) STEP(CELLS)
#undef STEP
    for (int half = CELLS; half; half /= 2)
        for (int t = 0; t < half; t++) { a[t] += a[t + half]; b[t] += b[t + half]; c[t] += c[t + half]; }
    dots[0] = a[0], dots[1] = b[0], dots[2] = c[0];
}

/* `features` is n_features padded to whole vectors; scratch holds cells_scratch(n_features, count) reals. own may equal old. */
static void NAME(cells)(ptrdiff_t n_features, ptrdiff_t features, ptrdiff_t count, const int32_t *index, const void *value, const void *other_,
                        double step_, int sign, const void *linear_, const void *gram_, const void *old_, void *own_, void *scratch)
{
    const REAL *other = other_, *linear = linear_, *gram = gram_, *old = old_, step = (REAL)step_;
    REAL *own = own_, *zeros = scratch, *h = zeros + features, *residual = h + features, dots[3];
    const ptrdiff_t stride = (count + CELLS - 1) / CELLS * CELLS;
    REAL *panel = residual + stride;
    for (ptrdiff_t f = 0; f < features; f++) zeros[f] = 0, h[f] = linear ? linear[f] : 0;
    for (ptrdiff_t f = 0; f < features; f++) own[f] = old[f];
    NAME(gather)(features, count, index, value, other, own, zeros, panel, stride, residual);
    NAME(step_and_dots)(stride, residual, 0, panel, 0, panel, panel, panel + stride, dots);
    for (ptrdiff_t f = 0; f < n_features; f += 2) { /* features is even: an odd last feature is followed by zeros */
        const REAL *p0 = panel + f * stride, *p1 = p0 + stride;
        const REAL d0 = step * (h[f] + (REAL)sign * dots[0]);
        const REAL h1 = gram ? h[f + 1] - d0 * gram[f * features + f + 1] : h[f + 1];
        const REAL d1 = step * (h1 + (REAL)sign * (dots[1] - d0 * dots[2]));
        own[f] += d0;
        own[f + 1] += d1;
        if (f + 2 >= n_features) break;
        if (gram)
            OMP_SIMD for (ptrdiff_t l = f + 2; l < features; l++)
                h[l] -= d0 * gram[f * features + l] + d1 * gram[(f + 1) * features + l];
        NAME(step_and_dots)(stride, residual, d0, p0, d1, p1, p1 + stride, p1 + 2 * stride, dots);
    }
}

/* Sum over the listed cells of (r_j - u.v_j)^2, in double precision, in the order of the cells. */
static double NAME(cells_error)(ptrdiff_t features, ptrdiff_t count, const int32_t *index, const void *value_, const void *other_, const void *own_)
{
    const REAL *value = value_, *other = other_, *own = own_;
    double error = 0;
    for (ptrdiff_t j = 0; j < count; j++) {
        const REAL *v = other + index[j] * features;
        REAL sum[CELLS] = {0};
        for (ptrdiff_t f = 0; f < features; f += CELLS)
            OMP_SIMD for (int t = 0; t < CELLS; t++) sum[t] += own[f + t] * v[f + t];
        for (int half = CELLS / 2; half; half /= 2)
            for (int t = 0; t < half; t++) sum[t] += sum[t + half];
        const double e = (double)value[j] - (double)sum[0];
        error += e * e;
    }
    return error;
}
