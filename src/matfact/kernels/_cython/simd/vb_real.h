/* Mean and covariance of a row, for one SIMD level and one real type (included by level.h). See
 * vb.pyx for the formulas. */
#include "lanes.h"
#include "als_tile.h"
#include "als_gather.h"
#include "als_cholesky.h"
#include "vb_inverse.h"

static ptrdiff_t NAME(posterior_scratch)(ptrdiff_t padded)
{
    return (2 * whole_lines(padded * padded) + ENTRIES * 2 * padded + 2 * ENTRIES +
            3 * whole_lines(padded)) * (ptrdiff_t)sizeof(REAL);
}

/* Upper triangle of sum_j w_j x_j x_j^T in panels, and sum_j w_j t_j x_j; returns sum_j w_j. */
static double NAME(accumulate_entries)(
    const VbRows *rows, ptrdiff_t row, REAL *a, REAL *b, REAL *panels)
{
    const ptrdiff_t padded = rows->padded;
    const ptrdiff_t first = rows->indptr[row], count = rows->indptr[row + 1] - first;
    const REAL *value = (const REAL *)rows->values + first, *offset = rows->offsets;
    const REAL *weight = rows->weights ? (const REAL *)rows->weights + first : NULL;
    REAL *scaled = panels + ENTRIES * padded, *quadratic = scaled + ENTRIES * padded;
    REAL *linear = quadratic + ENTRIES;
    double total = 0;
    for (ptrdiff_t f = 0; f < padded; f++) b[f] = 0;
    if (!count)
        for (ptrdiff_t i = 0; i < padded * padded; i++) a[i] = 0;
    for (ptrdiff_t j = 0; j < count; j += ENTRIES) {
        const ptrdiff_t some = smaller(ENTRIES, count - j), ahead = count - j - some;
        const int32_t *index = rows->indices + first + j;
        for (ptrdiff_t t = 0; t < some; t++) {
            quadratic[t] = weight ? weight[j + t] : 1;
            linear[t] = quadratic[t] * (value[j + t] - offset[index[t]]);
            total += quadratic[t];
        }
#define GATHER_AS(scale) \
    NAME(gather_panels)( \
        scale, 0, padded, padded, some, ahead, index, rows->other, quadratic, linear, panels, \
        scaled, b, NULL)
        if (weight) GATHER_AS(1);
        else GATHER_AS(0);
#undef GATHER_AS
        NAME(symmetric_product)(j > 0, padded, some, weight ? scaled : panels, panels, a);
    }
    return total;
}

/* Adds the upper triangle of a covariance, and its product with the weight of the row. */
static void NAME(add_covariance)(
    ptrdiff_t k, ptrdiff_t padded, const REAL *covariance, double weight, double *sums)
{
    for (ptrdiff_t start = 0; start < k; start += PANEL) {
        const ptrdiff_t width = NAME(panel_width)(start, padded), end = smaller(width, k - start);
        for (ptrdiff_t i = 0; i < start + end; i++)
            for (ptrdiff_t f = i < start ? 0 : i - start; f < end; f++) {
                const double one = (double)covariance[start * padded + i * width + f];
                sums[i * k + start + f] += one;
                sums[k * k + i * k + start + f] += weight * one;
            }
    }
}

/* Copies a symmetric matrix from the upper triangle in panels. */
static void NAME(copy_symmetric)(ptrdiff_t k, ptrdiff_t padded, const REAL *upper, REAL *out)
{
    for (ptrdiff_t column = 0; column < k; column++) {
        const ptrdiff_t start = NAME(panel_start)(column);
        const ptrdiff_t width = NAME(panel_width)(start, padded);
        for (ptrdiff_t i = 0; i <= column; i++)
            out[i * k + column] = out[column * k + i] =
                upper[start * padded + i * width + column - start];
    }
}

static int NAME(posterior_row)(const VbRows *rows, ptrdiff_t row, void *scratch, double *sums)
{
    const ptrdiff_t k = rows->n_features, padded = rows->padded, line = whole_lines(padded);
    const ptrdiff_t square = whole_lines(padded * padded);
    const REAL noise = (REAL)rows->noise_precision;
    const REAL share = (REAL)((REAL_BYTES == 4 ? 1.2e-7 : 2.3e-16) * (double)(k + 32));
    const REAL *precision = rows->precision, *covariance = rows->covariance;
    const REAL *correlation = rows->correlation, *shift = rows->shift;
    REAL *a = scratch, *y = a + square, *b = y + square, *floor_ = b + line;
    REAL *inverse_root = floor_ + line, *panels = inverse_root + line, sum = 0;
    REAL *mean = (REAL *)rows->means + row * k;
    double log_determinant = 0;
    const double total = NAME(accumulate_entries)(rows, row, a, b, panels);
    for (ptrdiff_t start = 0; start < padded; start += PANEL) {
        const ptrdiff_t width = NAME(panel_width)(start, padded);
        const ptrdiff_t from = start * padded, to = from + (start + width) * width;
        OMP_SIMD for (ptrdiff_t i = from; i < to; i++)
            a[i] = noise * (a[i] + (REAL)total * covariance[i]) + precision[i];
    }
    for (ptrdiff_t f = 0; f < padded; f++) {
        b[f] = noise * (b[f] - (REAL)total * correlation[f]) + shift[f];
        REAL *diagonal = a + NAME(diagonal)(f, padded);
        *diagonal += share * *diagonal; /* so that rounding leaves it positive definite */
        floor_[f] = share / 8 * *diagonal;
        sum += *diagonal * 0;
    }
    if (!(sum == 0)) return 1; /* an infinite pivot would pass for one to be dropped */
    NAME(factor)(padded, a, floor_, b, inverse_root);
    NAME(substitute_back)(padded, a, inverse_root, b);
    for (ptrdiff_t f = 0; f < k; f++) {
        mean[f] = b[f];
        sum += b[f] * 0;
        if (!(inverse_root[f] > 0)) return 1; /* a precision is positive definite */
        log_determinant += 2 * log((double)inverse_root[f]);
    }
    NAME(invert)(padded, a, inverse_root, y, a);
    NAME(add_covariance)(k, padded, a, total, sums);
    if (rows->covariances)
        NAME(copy_symmetric)(k, padded, a, (REAL *)rows->covariances + row * k * k);
    sums[2 * k * k] += log_determinant;
    return !(sum == 0);
}
#undef PANEL_VECTORS
#undef PANEL
#undef GROUP
