/* One row by its normal equations, for one SIMD level and one real type.
 *
 *     A = sum_j w_j q_j q_j^T + ridge I        b = sum_j w_j t_j q_j
 *
 * The bias is the first variable that is eliminated: with s = sum_j w_j q_j, pivot = sum_j w_j +
 * bias_ridge and total = sum_j w_j t_j it leaves A - s s^T / pivot and b - s total / pivot, and is
 * (total - s.x) / pivot in the end. So rows of factors need no column of ones.
 */
/* What the entries count: entry j adds quadratic[j] q_j q_j^T to the normal matrix and
 * linear[j] q_j to its right-hand side. In a row of explicit ratings these are w and
 * w (r - center - c_j); where absent entries are zeros, w - 1 and w r. */
static void NAME(targets)(
    const AlsRows *rows, ptrdiff_t first, ptrdiff_t count, REAL *quadratic, REAL *linear)
{
    const int32_t *index = rows->indices + first;
    const REAL *value = (const REAL *)rows->values + first;
    const REAL *weight = rows->weights ? (const REAL *)rows->weights + first : NULL;
    const REAL *bias = rows->other_biases, center = (REAL)rows->center;
    for (ptrdiff_t j = 0; j < count; j++)
        linear[j] = value[j] - center - (bias ? bias[index[j]] : 0);
    for (ptrdiff_t j = 0; j < count; j++) quadratic[j] = weight ? weight[j] : 1;
    if (weight)
        for (ptrdiff_t j = 0; j < count; j++) linear[j] *= weight[j];
    if (rows->gram)
        for (ptrdiff_t j = 0; j < count; j++) quadratic[j] -= 1;
}

static ptrdiff_t NAME(normal_scratch)(const AlsRows *rows)
{
    const ptrdiff_t square = whole_lines(rows->padded * rows->padded);
    return 2 * square + 2 * ENTRIES * rows->padded + 2 * ENTRIES + 6 * whole_lines(rows->padded);
}

/* Sums over all entries of a row: upper triangle of A in panels, b and s; the sums of w and w t. */
static void NAME(accumulate)(
    const AlsRows *rows, ptrdiff_t row, REAL *a, REAL *b, REAL *s, double totals[2], REAL *scratch)
{
    const ptrdiff_t padded = rows->padded;
    const ptrdiff_t first = rows->indptr[row], count = rows->indptr[row + 1] - first;
    const REAL *other = rows->other, *gram = rows->gram;
    REAL *panels = scratch, *scaled = panels + ENTRIES * padded;
    REAL *quadratic = scaled + ENTRIES * padded, *linear = quadratic + ENTRIES;
    if (gram || !count)
        for (ptrdiff_t start = 0; start < padded; start += PANEL) {
            const ptrdiff_t width = NAME(panel_width)(start, padded);
            for (ptrdiff_t i = 0; i < start + width; i++)
                for (ptrdiff_t f = 0; f < width; f++) {
                    const ptrdiff_t at = start * padded + i * width + f;
                    a[at] = gram ? gram[at] : 0;
                }
        }
    for (ptrdiff_t f = 0; f < padded; f++) b[f] = s[f] = 0;
    totals[0] = totals[1] = 0;
    for (ptrdiff_t j = 0; j < count; j += ENTRIES) {
        const ptrdiff_t some = smaller(ENTRIES, count - j), ahead = count - j - some;
        const int32_t *index = rows->indices + first + j;
        NAME(targets)(rows, first + j, some, quadratic, linear);
        for (ptrdiff_t t = 0; t < some; t++) totals[0] += quadratic[t], totals[1] += linear[t];
#define GATHER_AS(scale, sums) \
    NAME(gather_panels)( \
        scale, sums, padded, padded, some, ahead, index, other, quadratic, linear, panels, scaled, b, s)
        if (rows->weights && rows->solution_biases) GATHER_AS(1, 1);
        else if (rows->weights) GATHER_AS(1, 0);
        else if (rows->solution_biases) GATHER_AS(0, 1);
        else GATHER_AS(0, 0);
#undef GATHER_AS
        if (rows->gram && !rows->weights) continue; /* w - 1 is zero */
        NAME(symmetric_product)(
            gram || j > 0, padded, some, rows->weights ? scaled : panels, panels, a);
    }
}

/* A -= s s^T / pivot */
static void NAME(eliminate_bias)(ptrdiff_t padded, REAL inverse, const REAL *s, REAL *a)
{
    for (ptrdiff_t start = 0; start < padded; start += PANEL) {
        const ptrdiff_t width = NAME(panel_width)(start, padded);
        REAL *panel = a + start * padded;
        for (ptrdiff_t i = 0; i < start + width; i++) {
            const REAL factor = s[i] * inverse;
            OMP_SIMD for (ptrdiff_t f = 0; f < width; f++)
                panel[i * width + f] -= factor * s[start + f];
        }
    }
}

/* x >= 0 by coordinate descent: each x_f in turn takes its best value, up to n_steps times. `a` is
 * copied into `square`, with both triangles; b becomes the negative gradient b - A x. */
static void NAME(descend)(
    ptrdiff_t n_features, ptrdiff_t padded, ptrdiff_t n_steps,
    const REAL *a, REAL *square, REAL *b, REAL *x)
{
    const REAL negligible = (REAL)(REAL_BYTES == 4 ? 1.2e-7 : 2.3e-16);
    for (ptrdiff_t start = 0; start < padded; start += PANEL) {
        const ptrdiff_t width = NAME(panel_width)(start, padded);
        for (ptrdiff_t i = 0; i < start + width; i++)
            for (ptrdiff_t f = i < start ? 0 : i - start; f < width; f++)
                square[i * padded + start + f] = square[(start + f) * padded + i] =
                    a[start * padded + i * width + f];
    }
    for (ptrdiff_t i = 0; i < n_features; i++)
        if (x[i] != 0)
            OMP_SIMD for (ptrdiff_t f = 0; f < padded; f++) b[f] -= x[i] * square[i * padded + f];
    for (ptrdiff_t step = 0; step < n_steps; step++) {
        REAL largest = 0, largest_change = 0;
        for (ptrdiff_t i = 0; i < n_features; i++) {
            const REAL *row = square + i * padded;
            const REAL wanted = row[i] > 0 ? x[i] + b[i] / row[i] : 0;
            const REAL best = wanted < 0 ? 0 : wanted, change = best - x[i];
            const REAL size = change < 0 ? -change : change;
            if (change == 0) continue;
            x[i] = best;
            if (size > largest_change) largest_change = size;
            if (best > largest) largest = best;
            OMP_SIMD for (ptrdiff_t f = 0; f < padded; f++) b[f] -= change * row[f];
        }
        if (largest_change <= negligible * largest) break;
    }
}

static void NAME(normal_row)(
    const AlsRows *rows, ptrdiff_t row, REAL *scratch, REAL *solution, REAL *bias)
{
    const ptrdiff_t k = rows->n_features, padded = rows->padded, line = whole_lines(padded);
    const REAL ridge = ((const REAL *)rows->ridge)[row];
    /* the rounding error of a pivot is up to this share of what it was made of */
    const REAL share = (REAL)((REAL_BYTES == 4 ? 1.2e-7 : 2.3e-16) * (double)(k + 32));
    REAL *a = scratch, *square = a + whole_lines(padded * padded);
    REAL *b = square + whole_lines(padded * padded), *s = b + line, *floor_ = s + line;
    REAL *inverse_root = floor_ + line, *x = inverse_root + line;
    REAL sum = 0, inverse = 0;
    double totals[2];
    NAME(accumulate)(rows, row, a, b, s, totals, x + 2 * line);
    for (ptrdiff_t i = 0; i < padded; i++) {
        REAL *diagonal = a + NAME(diagonal)(i, padded);
        if (i < k) *diagonal += ridge;
        floor_[i] = share * *diagonal;
        sum += *diagonal * 0;
    }
    if (!(sum == 0)) { /* an infinite pivot would pass for one to be dropped */
        for (ptrdiff_t f = 0; f < k; f++) solution[f] = (REAL)NAN;
        return;
    }
    if (rows->method == ALS_NON_NEGATIVE) {
        const REAL *start = (const REAL *)rows->start + row * k;
        for (ptrdiff_t f = 0; f < padded; f++) x[f] = f < k && start[f] > 0 ? start[f] : 0;
        NAME(descend)(k, padded, rows->n_steps, a, square, b, x);
        memcpy(solution, x, (size_t)k * sizeof(REAL));
        return;
    }
    if (bias) {
        const double pivot = totals[0] + (double)((const REAL *)rows->bias_ridge)[row];
        inverse = pivot > 0 ? (REAL)(1 / pivot) : 0;
        NAME(eliminate_bias)(padded, inverse, s, a);
        for (ptrdiff_t f = 0; f < padded; f++) b[f] -= (REAL)totals[1] * inverse * s[f];
    }
    NAME(factor)(padded, a, floor_, b, inverse_root);
    NAME(substitute_back)(padded, a, inverse_root, b);
    memcpy(solution, b, (size_t)k * sizeof(REAL));
    if (bias) *bias = ((REAL)totals[1] - NAME(dot)(padded, s, b)) * inverse;
}
