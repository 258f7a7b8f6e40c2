/* Means and covariances of rows, or samples, for one SIMD level and one real type (included by
 * level.h). See vb.pyx for the formulas. */
#include "lanes.h"
#include "als_tile.h"
#include "als_gather.h"
#include "vb_together.h"
#include "vb_columns.h"
#include "vb_normal.h"
#include "vb_place.h"

/* Copies a symmetric matrix, or its diagonal, from the upper triangle of a lane to the row's place
 * in the results. */
static void NAME(store_covariance)(
    const VbRows *rows, ptrdiff_t row, const NAME(reals) *a, ptrdiff_t lane)
{
    const ptrdiff_t k = rows->n_features, size = rows->covariance_size;
    REAL *out = (REAL *)rows->covariances + row * size;
    for (ptrdiff_t column = 0; column < k; column++) {
        const ptrdiff_t of = column / SIDE * SIDE;
        const NAME(reals) *tile = a + NAME(tile_at)(rows->size, 0, of) + column - of;
        const REAL *from = (const REAL *)tile + lane;
        if (size == k) out[column] = from[column * SIDE * NAME(together)];
        else
            for (ptrdiff_t i = 0; i <= column; i++)
                out[i * k + column] = out[column * k + i] = from[i * SIDE * NAME(together)];
    }
}

/* Copies the last row of a symmetric matrix of a lane. */
static void NAME(store_last_row)(
    const VbRows *rows, ptrdiff_t row, const NAME(reals) *a, ptrdiff_t lane)
{
    const ptrdiff_t k = rows->n_features, last = k - 1, of = last / SIDE * SIDE;
    const REAL *from = (const REAL *)(a + NAME(tile_at)(rows->size, 0, of) + last - of) + lane;
    REAL *out = (REAL *)rows->bias_covariances + row * k;
    for (ptrdiff_t i = 0; i < k; i++) out[i] = from[i * SIDE * NAME(together)];
}

/* Copies the factors of a lane; tells whether they are finite. */
static int NAME(store_row)(ptrdiff_t k, const NAME(reals) *from, ptrdiff_t lane, REAL *out)
{
    REAL sum = 0;
    for (ptrdiff_t f = 0; f < k; f++) {
        out[f] = ((const REAL *)(from + f))[lane];
        sum += out[f] * 0;
    }
    return sum == 0;
}

/* Whether all pivots of a lane are above what rounding leaves of a zero, and finite. */
static int NAME(is_positive)(ptrdiff_t k, const NAME(Scratch) *w, ptrdiff_t lane)
{
    int positive = 1;
    for (ptrdiff_t f = 0; f < k; f++) {
        const REAL pivot = ((const REAL *)(w->pivot_ + f))[lane];
        positive &= pivot > ((const REAL *)(w->floor_ + f))[lane] && pivot * 0 == 0;
    }
    return positive;
}

/* Logarithm of the determinant of A^-1 of a lane; products of some pivots at a time. */
static double NAME(log_determinant)(ptrdiff_t k, const NAME(reals) *inverse_root, ptrdiff_t lane)
{
    enum { FACTORS = REAL_BYTES == 4 ? 12 : 1 }; /* of which none leaves the range of a double */
    double sum = 0;
    for (ptrdiff_t f = 0; f < k; f += FACTORS) {
        double product = 1;
        for (ptrdiff_t i = f; i < smaller(f + FACTORS, k); i++)
            product *= (double)((const REAL *)(inverse_root + i))[lane];
        sum += log(product);
    }
    return 2 * sum;
}

/* Leaves U in w->a_ and U^-T b in w->b_ of n rows from `row` on, and the sums of their weights;
 * other lanes are as the first row's. */
static void NAME(factor_rows)(
    const VbRows *rows, ptrdiff_t row, ptrdiff_t n, const NAME(Scratch) *w, double *totals)
{
    for (ptrdiff_t l = 0; l < n; l++) totals[l] = NAME(collect)(rows, row + l, w, l);
    for (ptrdiff_t l = n; l < NAME(together); l++) totals[l] = totals[0];
    NAME(place)(rows, n, totals, w);
    NAME(factor_together)(rows->size, w->a_, w->b_, w->pivot_, w->inverse_root_);
}

static ptrdiff_t NAME(posterior_some)(
    const VbRows *rows, ptrdiff_t row, ptrdiff_t n, void *scratch, double *sums)
{
    const ptrdiff_t k = rows->n_features, size = rows->size;
    NAME(Scratch) w = {0};
    double totals[NAME(together)];
    REAL weights[2][NAME(together)] __attribute__((aligned(64)));
    ptrdiff_t failed = 0;
    NAME(lay_out)(rows, scratch, &w);
    NAME(factor_rows)(rows, row, n, &w, totals);
    NAME(substitute_together)(size, w.a_, w.inverse_root_, w.b_);
    NAME(invert_together)(size, w.a_, w.inverse_root_);
    for (ptrdiff_t l = 0; l < NAME(together); l++) {
        weights[0][l] = l < n;
        weights[1][l] = l < n ? (REAL)totals[l] : 0;
    }
    const NAME(reals) trace =
        NAME(multiply_together)(size, w.a_, rows->prior, (const NAME(reals) *)weights, w.sums_);
    for (ptrdiff_t l = 0; l < n; l++) {
        REAL *mean = (REAL *)rows->means + (row + l) * k;
        const int finite = NAME(store_row)(k, w.b_, l, mean);
        failed += !(NAME(is_positive)(k, &w, l) && finite);
        if (rows->covariances) NAME(store_covariance)(rows, row + l, w.a_, l);
        NAME(store_last_row)(rows, row + l, w.a_, l);
        /* what the entries add to A is (A - precision) / noise */
        rows->uncertainties[row + l] =
            ((double)k - (double)((const REAL *)&trace)[l]) / rows->noise_precision +
            NAME(squares_of_columns)(rows, totals[l], w.columns + l * w.sum_size, mean, w.a);
        sums[2 * k * k] += NAME(log_determinant)(k, w.inverse_root_, l);
    }
    return failed;
}

static void NAME(start_sums)(const VbRows *rows, void *scratch)
{
    NAME(Scratch) w = {0};
    NAME(lay_out)(rows, scratch, &w);
    memset(w.sums_, 0, (size_t)NAME(sums_size)(rows->size) * sizeof(NAME(reals)));
}

static void NAME(finish_sums)(const VbRows *rows, void *scratch, double *sums)
{
    const ptrdiff_t k = rows->n_features;
    NAME(Scratch) w = {0};
    NAME(lay_out)(rows, scratch, &w);
    NAME(move_sums)(k, rows->size, w.sums_, sums, sums + k * k);
}

static ptrdiff_t NAME(draw_some)(
    const VbRows *rows, ptrdiff_t row, ptrdiff_t n, void *scratch)
{
    const ptrdiff_t k = rows->n_features, size = rows->size;
    NAME(Scratch) w = {0};
    double totals[NAME(together)];
    int good[NAME(together)];
    ptrdiff_t failed = 0;
    NAME(lay_out)(rows, scratch, &w);
    NAME(factor_rows)(rows, row, n, &w, totals);
    for (ptrdiff_t l = 0; l < n; l++) good[l] = NAME(is_positive)(k, &w, l);
    if (rows->means) {
        memcpy(w.x_, w.b_, (size_t)size * sizeof(NAME(reals)));
        NAME(substitute_together)(size, w.a_, w.inverse_root_, w.x_);
        for (ptrdiff_t l = 0; l < n; l++)
            good[l] &= NAME(store_row)(k, w.x_, l, (REAL *)rows->means + (row + l) * k);
    }
    for (ptrdiff_t l = 0; l < n; l++) {
        const REAL *noise = (const REAL *)rows->noise + (row + l) * k;
        for (ptrdiff_t f = 0; f < k; f++) ((REAL *)(w.b_ + f))[l] += noise[f];
    }
    NAME(substitute_together)(size, w.a_, w.inverse_root_, w.b_);
    for (ptrdiff_t l = 0; l < n; l++)
        failed += !(NAME(store_row)(k, w.b_, l, (REAL *)rows->drawn + (row + l) * k) && good[l]);
    return failed;
}
#undef PANEL_VECTORS
#undef PANEL
#undef GROUP
