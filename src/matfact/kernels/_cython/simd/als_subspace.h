/* One row by its blocks of BLOCK variables, each in turn at its best while the others stand still,
 * for one SIMD level and one real type.
 *
 * What entry j leaves unexplained, linear[j] - quadratic[j] q_j.x, is kept in `left`, and G x, of
 * which every block needs its own part, in `gx`. A block then costs the products of its own columns
 * only: a sweep takes BLOCK / k of the multiply-adds of the full normal equations. (S. Rendle et
 * al., "iALS++", 2021, whose sweeps turn to the other side after each block.)
 */
#ifndef MATFACT_ALS_SUBSPACE_H
#define MATFACT_ALS_SUBSPACE_H
#define BLOCK 32 /* a multiple of all widths of panels; _numpy/_als_methods.py has the same */
#endif

static ptrdiff_t NAME(subspace_scratch)(const AlsRows *rows)
{
    return BLOCK * BLOCK + 2 * ENTRIES * BLOCK + 4 * BLOCK + 2 * whole_lines(rows->padded) +
           2 * whole_lines(rows->longest);
}

/* left[j] -= quadratic[j] d.q_j for columns start .. start + width - 1 of the entries. */
static void NAME(subtract_dots)(
    ptrdiff_t start, ptrdiff_t width, ptrdiff_t padded, ptrdiff_t count, const int32_t *index,
    const REAL *other, const REAL *quadratic, const REAL *d, REAL *left)
{
    ptrdiff_t j = 0;
#define DOTS(n) \
    for (; j + (n) <= count; j += (n)) { \
        const REAL *q[n]; \
        NAME(reals) sum[8] = {{0}}; \
        REAL c[8]; \
        for (int t = 0; t < (n); t++) { \
            q[t] = other + index[j + t] * padded + start; \
            if (j + t + AHEAD < count) \
                NAME(fetch_row)(other + start + index[j + t + AHEAD] * padded, width); \
        } \
        for (ptrdiff_t f = 0; f < width; f += REALS_OF_VECTOR(LANES)) { \
            const NAME(reals) d_f = *(const NAME(reals) *)(d + f); \
            UNROLL_ALL for (int t = 0; t < (n); t++) \
                sum[t] += d_f * *(const NAME(reals) *)(q[t] + f); \
        } \
        NAME(sum_lanes)(sum, c); \
        if ((n) > 4) NAME(sum_lanes)(sum + 4, c + 4); \
        UNROLL_ALL for (int t = 0; t < (n); t++) left[j + t] -= quadratic[j + t] * c[t]; \
    }
    DOTS(8)
    DOTS(1)
#undef DOTS
}

/* Upper triangle of the block's normal matrix into `a`, in panels, and its gradient
 * sum_j left[j] q_j - G x - ridge x into `b`. */
static void NAME(accumulate_block)(
    const AlsRows *rows, ptrdiff_t start, ptrdiff_t width, ptrdiff_t count, const int32_t *index,
    const REAL *quadratic, const REAL *left, REAL *a, REAL *b, REAL *panels)
{
    const ptrdiff_t padded = rows->padded;
    const REAL *gram = rows->gram, *other = (const REAL *)rows->other + start;
    REAL *scaled = panels + ENTRIES * BLOCK;
    for (ptrdiff_t from = 0; from < width; from += PANEL) {
        const ptrdiff_t some = NAME(panel_width)(from, width);
        const ptrdiff_t rows_ = (from + some) * some, at = (start + from) * padded + start * some;
        for (ptrdiff_t i = 0; i < rows_; i++) a[from * width + i] = gram ? gram[at + i] : 0;
    }
    for (ptrdiff_t j = 0; j < count; j += ENTRIES) {
        const ptrdiff_t some = smaller(ENTRIES, count - j), ahead = count - j - some;
        const int scale = rows->weights != NULL;
#define GATHER_AS(scale) \
    NAME(gather_panels)( \
        scale, 0, width, padded, some, ahead, index + j, other, quadratic + j, left + j, panels, \
        scaled, b, NULL)
        if (scale) GATHER_AS(1);
        else GATHER_AS(0);
#undef GATHER_AS
        if (gram && !scale) continue; /* w - 1 is zero */
        NAME(symmetric_product)(1, width, some, scale ? scaled : panels, panels, a);
    }
}

static void NAME(subspace_row)(const AlsRows *rows, ptrdiff_t row, REAL *scratch, REAL *solution)
{
    const ptrdiff_t k = rows->n_features, padded = rows->padded;
    const ptrdiff_t first = rows->indptr[row], count = rows->indptr[row + 1] - first;
    const int32_t *index = rows->indices + first;
    const REAL *gram = rows->gram, ridge = ((const REAL *)rows->ridge)[row];
    const REAL share = (REAL)((REAL_BYTES == 4 ? 1.2e-7 : 2.3e-16) * (double)(BLOCK + 32));
    REAL *a = scratch, *panels = a + BLOCK * BLOCK, *b = panels + 2 * ENTRIES * BLOCK;
    REAL *floor_ = b + BLOCK, *inverse_root = floor_ + BLOCK, *x = inverse_root + 2 * BLOCK;
    REAL *gx = x + whole_lines(padded), *quadratic = gx + whole_lines(padded);
    REAL *left = quadratic + whole_lines(rows->longest);
    for (ptrdiff_t f = 0; f < padded; f++) {
        x[f] = f < k ? ((const REAL *)rows->start)[row * k + f] : 0;
        gx[f] = 0;
    }
    NAME(targets)(rows, first, count, quadratic, left);
    NAME(subtract_dots)(0, padded, padded, count, index, rows->other, quadratic, x, left);
    if (gram) NAME(add_gram_product)(0, k, padded, gram, 1, x, gx);
    for (ptrdiff_t sweep = 0; sweep < rows->n_steps; sweep++)
        for (ptrdiff_t start = 0; start < padded; start += BLOCK) {
            const ptrdiff_t width = smaller(BLOCK, padded - start);
            REAL sum = 0;
            for (ptrdiff_t f = 0; f < width; f++) b[f] = -gx[start + f] - ridge * x[start + f];
            NAME(accumulate_block)(
                rows, start, width, count, index, quadratic, left, a, b, panels);
            for (ptrdiff_t f = 0; f < width; f++) {
                REAL *diagonal = a + NAME(diagonal)(f, width);
                if (start + f < k) *diagonal += ridge;
                floor_[f] = share * *diagonal;
                sum += *diagonal * 0;
            }
            if (!(sum == 0)) { /* an infinite pivot would pass for one to be dropped */
                solution[0] = (REAL)NAN;
                return;
            }
            NAME(factor)(width, a, floor_, b, inverse_root);
            NAME(substitute_back)(width, a, inverse_root, b);
            for (ptrdiff_t f = 0; f < width; f++) x[start + f] += b[f];
            if (sweep + 1 == rows->n_steps && start + BLOCK >= padded) break;
            NAME(subtract_dots)(
                start, width, padded, count, index, rows->other, quadratic, b, left);
            if (gram)
                NAME(add_gram_product)(
                    start, smaller(width, k - start), padded, gram, 1, b, gx);
        }
    memcpy(solution, x, (size_t)k * sizeof(REAL));
}
