/* Mean and covariance of a row, or a sample, for one SIMD level and one real type (included by
 * level.h). See vb.pyx for the formulas. */
#include "lanes.h"
#include "als_tile.h"
#include "als_gather.h"
#include "als_cholesky.h"
#include "vb_inverse.h"
#include "vb_columns.h"

/* Memory of a thread. `other` holds the sum of the columns' covariances, then what the inverse
 * needs; `floor_` is free after the factorization. */
typedef struct {
    REAL *a, *other, *b, *floor_, *inverse_root, *panels;
} NAME(Scratch);

static ptrdiff_t NAME(posterior_scratch)(ptrdiff_t padded)
{
    return (2 * whole_lines(padded * padded) + ENTRIES * 2 * padded + 2 * ENTRIES +
            3 * whole_lines(padded)) * (ptrdiff_t)sizeof(REAL);
}

static NAME(Scratch) NAME(scratch_of)(ptrdiff_t padded, void *scratch)
{
    const ptrdiff_t square = whole_lines(padded * padded), line = whole_lines(padded);
    REAL *a = scratch, *b = a + 2 * square;
    return (NAME(Scratch)){a, a + square, b, b + line, b + 2 * line, b + 3 * line};
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

/* Upper triangle or diagonal of a covariance, in panels, to the row's place in the results. */
static void NAME(store_covariance)(const VbRows *rows, ptrdiff_t row, const REAL *upper)
{
    const ptrdiff_t k = rows->n_features, size = rows->covariance_size;
    REAL *out = (REAL *)rows->covariances + row * size;
    if (size != k) NAME(copy_symmetric)(k, rows->padded, upper, out);
    else
        for (ptrdiff_t f = 0; f < k; f++) out[f] = upper[NAME(diagonal)(f, rows->padded)];
}

/* Leaves U in w->a, its inverse diagonal and U^-T b in w->b. Returns 0 if that is not finite, and
 * the sum of the weights in *total. */
static int NAME(factor_row)(
    const VbRows *rows, ptrdiff_t row, const NAME(Scratch) *w, double *total)
{
    const ptrdiff_t k = rows->n_features, padded = rows->padded;
    const REAL noise = (REAL)rows->noise_precision;
    const REAL share = (REAL)((REAL_BYTES == 4 ? 1.2e-7 : 2.3e-16) * (double)(k + 32));
    const REAL *precision = rows->precision, *covariance = rows->mean_covariance;
    const double *shift = rows->shift + row * rows->shift_step;
    REAL *a = w->a, *b = w->b, sum = 0;
    const REAL weight = (REAL)(*total = NAME(accumulate_entries)(rows, row, a, b, w->panels));
    if (rows->each) {
        NAME(sum_columns)(rows, row, w->other);
        NAME(add_columns)(rows, w->other, a, b);
    }
    for (ptrdiff_t start = 0; start < padded; start += PANEL) {
        const ptrdiff_t width = NAME(panel_width)(start, padded);
        const ptrdiff_t from = start * padded, to = from + (start + width) * width;
        OMP_SIMD for (ptrdiff_t i = from; i < to; i++)
            a[i] = noise * (a[i] + weight * covariance[i]) + precision[i];
    }
    for (ptrdiff_t f = 0; f < k; f++)
        b[f] = noise * (b[f] - weight * (REAL)rows->mean_correlation[f]) + (REAL)shift[f];
    for (ptrdiff_t f = 0; f < padded; f++) {
        REAL *diagonal = a + NAME(diagonal)(f, padded);
        *diagonal += share * *diagonal; /* so that rounding leaves it positive definite */
        w->floor_[f] = share / 8 * *diagonal;
        sum += *diagonal * 0;
    }
    if (!(sum == 0)) return 0; /* an infinite pivot would pass for one to be dropped */
    NAME(factor)(padded, a, w->floor_, b, w->inverse_root);
    for (ptrdiff_t f = 0; f < k; f++)
        if (!(w->inverse_root[f] > 0)) return 0; /* a precision is positive definite */
    return 1;
}

/* Copies the factors of a row; tells whether they are finite. */
static int NAME(store_row)(ptrdiff_t k, const REAL *from, REAL *out)
{
    REAL sum = 0;
    for (ptrdiff_t f = 0; f < k; f++) {
        out[f] = from[f];
        sum += from[f] * 0;
    }
    return sum == 0;
}

static int NAME(posterior_row)(const VbRows *rows, ptrdiff_t row, void *scratch, double *sums)
{
    const ptrdiff_t k = rows->n_features, padded = rows->padded;
    const NAME(Scratch) w = NAME(scratch_of)(padded, scratch);
    const REAL *columns = rows->each ? w.other : rows->columns;
    REAL *mean = (REAL *)rows->means + row * k;
    double total, added, log_determinant = 0;
    if (!NAME(factor_row)(rows, row, &w, &total)) return 1;
    NAME(substitute_back)(padded, w.a, w.inverse_root, w.b);
    const int finite = NAME(store_row)(k, w.b, mean);
    for (ptrdiff_t f = 0; f < k; f++) log_determinant += 2 * log((double)w.inverse_root[f]);
    added = (rows->each ? 1 : total) * NAME(quadratic_form)(rows, columns, mean, w.floor_);
    NAME(invert)(padded, w.a, w.inverse_root, w.other, w.a);
    NAME(add_covariance)(k, padded, w.a, total, sums);
    if (rows->covariances) NAME(store_covariance)(rows, row, w.a);
    sums[2 * k * k] += log_determinant;
    sums[2 * k * k + 1] += added;
    return !finite;
}

static int NAME(draw_row)(const VbRows *rows, ptrdiff_t row, void *scratch)
{
    const ptrdiff_t k = rows->n_features, padded = rows->padded;
    const NAME(Scratch) w = NAME(scratch_of)(padded, scratch);
    const REAL *noise = (const REAL *)rows->noise + row * k;
    double total;
    int finite = 1;
    if (!NAME(factor_row)(rows, row, &w, &total)) return 1;
    if (rows->means) {
        for (ptrdiff_t f = 0; f < padded; f++) w.floor_[f] = w.b[f];
        NAME(substitute_back)(padded, w.a, w.inverse_root, w.floor_);
        finite = NAME(store_row)(k, w.floor_, (REAL *)rows->means + row * k);
    }
    for (ptrdiff_t f = 0; f < k; f++) w.b[f] += noise[f];
    NAME(substitute_back)(padded, w.a, w.inverse_root, w.b);
    return !(NAME(store_row)(k, w.b, (REAL *)rows->drawn + row * k) && finite);
}
#undef PANEL_VECTORS
#undef PANEL
#undef GROUP
