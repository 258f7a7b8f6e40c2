/* One row of a sweep over listed cells, for one SIMD level and one real type (after product.h).
 *
 *     u     the row's own factors
 *     v_j   the other side's factors of the listed cells j
 *     e_j   = r_j - u.v_j, always with the newest u
 *     h     linear term
 *     G     gram matrix of the other side
 *
 *     for f in 0 .. n_features - 1:
 *         d = step * (h_f + sign * sum_j e_j v_jf)
 *         u_f += d;   e_j -= d v_jf;   h -= d G[f, :]
 *
 * Where only observed cells are visited, they are listed: sign = 1, h = 0, G = 0.
 *
 * Where a product is corrected, the missing cells are listed: sign = -1, r_j = 0 and h = the row of
 * R0 V^T - U G, with R0 = 0 in the missing cells. That is the gradient of a row without missing
 * cells but zeros in their place; - sum_j e_j v_j gives back what these zeros took.
 *
 * The factors v_j are gathered once, transposed, into a panel of a row a feature. Two features are
 * treated in one pass over the cells: with a = e.v_f, b = e.v_f+1 and c = v_f.v_f+1 of the same
 * residual, the second feature sees b - d c, which is what it would have found in the residual
 * that the first one left.
 */

/* Cells that are gathered at a time: a vector of them, but no more than 32 bytes. Rows are short,
 * and the transpose below is written for up to eight lanes. */
#if VECTOR_BYTES > 32
#define CELLS (32 / REAL_BYTES)
#else
#define CELLS LANES
#endif

VECTOR_TYPE(NAME(lanes), REAL, CELLS * REAL_BYTES);

/* panel[f][cell] for CELLS features and CELLS cells: the transpose of CELLS rows of CELLS reals. */
#if defined(HAVE_SHUFFLE_VECTOR)
/* Step h swaps the off-diagonal blocks of h lanes between rows i and i + h (Eklundh): after
 * h = CELLS / 2, ..., 2, 1 the block is transposed. Lanes of the second row count from CELLS. */
#define UPPER_LANE(h, lane) (((lane) & (h)) ? CELLS + (lane) - (h) : (lane))
#define LOWER_LANE(h, lane) (((lane) & (h)) ? CELLS + (lane) : (lane) + (h))
#if CELLS == 8
#define EACH_LANE(M, h) M(h, 0), M(h, 1), M(h, 2), M(h, 3), M(h, 4), M(h, 5), M(h, 6), M(h, 7)
#elif CELLS == 4
#define EACH_LANE(M, h) M(h, 0), M(h, 1), M(h, 2), M(h, 3)
#else
#define EACH_LANE(M, h) M(h, 0), M(h, 1)
#endif
#define SWAP_BLOCKS(h) \
    UNROLL_ALL for (int i = 0; i < CELLS; i++) \
        if (!(i & (h))) { \
            const NAME(lanes) upper = row[i], lower = row[i + (h)]; \
            row[i] = __builtin_shufflevector(upper, lower, EACH_LANE(UPPER_LANE, h)); \
            row[i + (h)] = __builtin_shufflevector(upper, lower, EACH_LANE(LOWER_LANE, h)); \
        }

static ALWAYS_INLINE void NAME(transpose)(
    const REAL *const *source, ptrdiff_t f, REAL *panel, ptrdiff_t stride)
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
    UNROLL_ALL for (int i = 0; i < CELLS; i++)
        *(NAME(lanes) *)(panel + (f + i) * stride) = row[i];
}
#undef UPPER_LANE
#undef LOWER_LANE
#undef EACH_LANE
#undef SWAP_BLOCKS
#else
static void NAME(transpose)(
    const REAL *const *source, ptrdiff_t f, REAL *panel, ptrdiff_t stride)
{
    for (int i = 0; i < CELLS; i++)
        for (int j = 0; j < CELLS; j++) panel[(f + j) * stride + i] = source[i][f + j];
}
#endif

/* Fills the panel, `stride` cells a row, and sets residual[j] = r_j - u.v_j. Cells from `count` up
 * to the stride get zero factors (from `zeros`) and a zero residual. */
static void NAME(gather)(
    ptrdiff_t padded, ptrdiff_t count, const int32_t *index, const REAL *value,
    const REAL *other, const REAL *own, const REAL *zeros,
    REAL *panel, ptrdiff_t stride, REAL *residual)
{
    for (ptrdiff_t j = 0; j < stride; j += CELLS) {
        const REAL *source[CELLS];
        REAL e[CELLS];
        for (int t = 0; t < CELLS; t++) {
            const int there = j + t < count;
            source[t] = there ? other + index[j + t] * padded : zeros;
            e[t] = there && value ? value[j + t] : 0;
        }
        if (j + 2 * CELLS <= count)
            for (int t = 0; t < CELLS; t++) PREFETCH(other, index[j + CELLS + t] * padded);
        for (ptrdiff_t f = 0; f < padded; f += CELLS) {
            NAME(transpose)(source, f, panel + j, stride);
            for (int i = 0; i < CELLS; i++)
                OMP_SIMD for (int t = 0; t < CELLS; t++)
                    e[t] -= own[f + i] * panel[(f + i) * stride + j + t];
        }
        for (int t = 0; t < CELLS; t++) residual[j + t] = e[t];
    }
}

/* e -= d0 * p0 + d1 * p1, what two features have changed, then dots = (e.v0, e.v1, v0.v1) for the
 * next two. `count` is a multiple of CELLS. Two sets of sums, for additions to overlap. */
static ALWAYS_INLINE void NAME(step_and_dots)(
    ptrdiff_t count, REAL *RESTRICT e,
    REAL d0, const REAL *p0, REAL d1, const REAL *p1,
    const REAL *v0, const REAL *v1, REAL *dots)
{
    enum { ONE = CELLS / REALS_OF_VECTOR(CELLS), TWO = 2 * ONE };
    NAME(lanes) a[TWO], b[TWO], c[TWO];
    ptrdiff_t j = 0;
    UNROLL_ALL for (int t = 0; t < TWO; t++) a[t] = b[t] = c[t] = (NAME(lanes)){0};
#define AT(x) (((const NAME(lanes) *)((x) + j))[t])
#define STEP(width) \
    UNROLL_ALL for (int t = 0; t < (width); t++) { \
        const NAME(lanes) left = AT(e) - d0 * AT(p0) - d1 * AT(p1); \
        ((NAME(lanes) *)(e + j))[t] = left; \
        a[t] += left * AT(v0); \
        b[t] += left * AT(v1); \
        c[t] += AT(v0) * AT(v1); \
    }
    for (; j + 2 * CELLS <= count; j += 2 * CELLS) STEP(TWO)
    if (j < count) STEP(ONE)
#undef STEP
#undef AT
    REAL sums[3][CELLS];
    UNROLL_ALL for (int t = 0; t < ONE; t++) {
        ((NAME(lanes) *)sums[0])[t] = a[t] + a[ONE + t];
        ((NAME(lanes) *)sums[1])[t] = b[t] + b[ONE + t];
        ((NAME(lanes) *)sums[2])[t] = c[t] + c[ONE + t];
    }
    for (int i = 0; i < 3; i++) {
        for (int half = CELLS / 2; half; half /= 2)
            for (int t = 0; t < half; t++) sums[i][t] += sums[i][t + half];
        dots[i] = sums[i][0];
    }
}

/* The sweep above. r_j = 0 when `value` is NULL, h = 0 when `linear` is, G = 0 when `gram` is.
 * `own` receives the row and may be `linear` or `old`; scratch is gd_cells_scratch(...) reals. */
static void NAME(cells)(
    ptrdiff_t n_features, ptrdiff_t padded,
    ptrdiff_t count, const int32_t *index, const void *value, int sign_,
    const void *other, double step_,
    const void *linear_, const void *gram_,
    const void *old_, void *own_, void *scratch)
{
    const REAL *linear = linear_, *gram = gram_, *old = old_;
    const REAL step = (REAL)step_, sign = (REAL)sign_;
    const ptrdiff_t stride = (count + CELLS - 1) / CELLS * CELLS;
    REAL *own = own_, *zeros = scratch, *h = zeros + padded, *residual = h + padded;
    REAL *panel = residual + stride, dots[3];
    for (ptrdiff_t f = 0; f < padded; f++) zeros[f] = 0, h[f] = linear ? linear[f] : 0;
    for (ptrdiff_t f = 0; f < padded; f++) own[f] = old[f];
    NAME(gather)(padded, count, index, value, other, own, zeros, panel, stride, residual);
    NAME(step_and_dots)(stride, residual, 0, panel, 0, panel, panel, panel + stride, dots);
    /* padded is even: an odd last feature is followed by one of zeros */
    for (ptrdiff_t f = 0; f < n_features; f += 2) {
        const REAL *p0 = panel + f * stride, *p1 = p0 + stride;
        const REAL d0 = step * (h[f] + sign * dots[0]);
        const REAL h1 = gram ? h[f + 1] - d0 * gram[f * padded + f + 1] : h[f + 1];
        const REAL d1 = step * (h1 + sign * (dots[1] - d0 * dots[2]));
        own[f] += d0;
        own[f + 1] += d1;
        if (f + 2 >= n_features) break;
        if (gram)
            OMP_SIMD for (ptrdiff_t l = f + 2; l < padded; l++)
                h[l] -= d0 * gram[f * padded + l] + d1 * gram[(f + 1) * padded + l];
        NAME(step_and_dots)(
            stride, residual, d0, p0, d1, p1, p1 + stride, p1 + 2 * stride, dots);
    }
}

/* Sum over the listed cells of (r_j - u.v_j)^2, in double precision, in the order of the cells. */
static double NAME(cells_error)(
    ptrdiff_t padded,
    ptrdiff_t count, const int32_t *index, const void *value_,
    const void *other_, const void *own_)
{
    const REAL *value = value_, *other = other_, *own = own_;
    double error = 0;
    for (ptrdiff_t j = 0; j < count; j++) {
        const REAL *v = other + index[j] * padded;
        REAL sum[CELLS] = {0};
        for (ptrdiff_t f = 0; f < padded; f += CELLS)
            OMP_SIMD for (int t = 0; t < CELLS; t++) sum[t] += own[f + t] * v[f + t];
        for (int half = CELLS / 2; half; half /= 2)
            for (int t = 0; t < half; t++) sum[t] += sum[t + half];
        const double e = (double)value[j] - (double)sum[0];
        error += e * e;
    }
    return error;
}
