/* The equations A x = b of a row, for one SIMD level and one real type; vb.pyx has the formulas.
 *
 * Columns have n_features - 1 factors; what the constant 1 behind them adds are sums that are made
 * on the way. So factors fill whole vectors where n_features - 1 of them do.
 */

/* Memory of a thread. `*_` are vectors, of all rows that are treated together; sums of covariances
 * are kept until they are moved. a, b and s are of each row: the matrix in panels, `line` reals; so is
 * the sum over its columns, `sum_size` reals. */
typedef struct {
    NAME(reals) *a_, *sums_, *b_, *x_, *floor_, *pivot_, *inverse_root_;
    REAL *a, *b, *s, *panels, *columns;
    ptrdiff_t line, sum_size;
} NAME(Scratch);

/* Lays it out from `scratch` on; returns the number of bytes. */
static ptrdiff_t NAME(lay_out)(const VbRows *rows, void *scratch, NAME(Scratch) *w)
{
    const ptrdiff_t size = rows->size, padded = rows->padded;
    REAL *at = scratch;
    ptrdiff_t used = 0;
#define TAKE(pointer, type, reals) \
    (scratch ? (pointer) = (type *)(at + used) : 0, used += whole_lines(reals))
    TAKE(w->a_, NAME(reals), size * size * NAME(together));
    TAKE(w->sums_, NAME(reals), NAME(sums_size)(size) * NAME(together));
    TAKE(w->b_, NAME(reals), size * NAME(together));
    TAKE(w->x_, NAME(reals), size * NAME(together));
    TAKE(w->floor_, NAME(reals), size * NAME(together));
    TAKE(w->pivot_, NAME(reals), size * NAME(together));
    TAKE(w->inverse_root_, NAME(reals), size * NAME(together));
    w->line = whole_lines(rows->n_features);
    TAKE(w->a, REAL, padded * padded * NAME(together));
    TAKE(w->b, REAL, w->line * NAME(together));
    TAKE(w->s, REAL, w->line * NAME(together));
    TAKE(w->panels, REAL, ENTRIES * padded + 2 * ENTRIES);
    w->sum_size = rows->each ? rows->column_size : rows->last_rows ? rows->n_features : 0;
    TAKE(w->columns, REAL, w->sum_size * NAME(together));
#undef TAKE
    return used * (ptrdiff_t)sizeof(REAL);
}

static ptrdiff_t NAME(posterior_scratch)(const VbRows *rows)
{
    NAME(Scratch) w = {0};
    return NAME(lay_out)(rows, NULL, &w);
}

/* Sums over the entries of a row: the upper triangle of sum_j w_j q_j q_j^T in panels for the
 * factors q_j, sum_j w_j t_j q_j into b and sum_j w_j q_j into s; totals are of w_j and w_j t_j.
 * Entries are multiplied by the roots of their weights on the way to the panels. */
static void NAME(accumulate_entries)(
    const VbRows *rows, ptrdiff_t row, const NAME(Scratch) *w, double totals[2])
{
    const ptrdiff_t padded = rows->padded;
    const ptrdiff_t first = rows->indptr[row], count = rows->indptr[row + 1] - first;
    const REAL *value = (const REAL *)rows->values + first, *offset = rows->offsets;
    const REAL *weight = rows->weights ? (const REAL *)rows->weights + first : NULL;
    REAL *root = w->panels + ENTRIES * padded, *linear = root + ENTRIES;
    double of_weights = 0, of_values = 0;
    for (ptrdiff_t f = 0; f < w->line; f++) w->b[f] = w->s[f] = 0;
    if (!count)
        for (ptrdiff_t i = 0; i < padded * padded; i++) w->a[i] = 0;
    for (ptrdiff_t j = 0; j < count; j += ENTRIES) {
        const ptrdiff_t some = smaller(ENTRIES, count - j), ahead = count - j - some;
        const int32_t *index = rows->indices + first + j;
        for (ptrdiff_t t = 0; t < some; t++) linear[t] = value[j + t] - offset[index[t]];
        if (weight) {
            OMP_SIMD for (ptrdiff_t t = 0; t < some; t++)
                root[t] = (REAL)sqrt((double)weight[j + t]);
            OMP_SIMD for (ptrdiff_t t = 0; t < some; t++) linear[t] *= root[t];
            OMP_SIMD_SUM(of_weights) for (ptrdiff_t t = 0; t < some; t++)
                of_weights += (double)weight[j + t];
            OMP_SIMD_SUM(of_values) for (ptrdiff_t t = 0; t < some; t++)
                of_values += (double)root[t] * (double)linear[t];
        } else {
            for (ptrdiff_t t = 0; t < some; t++) root[t] = 1;
            OMP_SIMD_SUM(of_values) for (ptrdiff_t t = 0; t < some; t++)
                of_values += (double)linear[t];
        }
#define GATHER_AS(scale) \
    NAME(gather_panels)( \
        scale, 1, padded, padded, some, ahead, index, rows->other, root, linear, w->panels, NULL, \
        w->b, w->s)
        if (weight) GATHER_AS(SCALE_ALL);
        else GATHER_AS(0);
#undef GATHER_AS
        NAME(symmetric_product)(j > 0, padded, some, w->panels, w->panels, w->a);
    }
    totals[0] = weight ? of_weights : (double)count;
    totals[1] = of_values;
}

/* Leaves what the entries of a row add, and the prior to b and s, in the places of a lane; returns
 * the sum of its weights. The totals of the last variable are its s and its b. */
static double NAME(collect)(
    const VbRows *rows, ptrdiff_t row, const NAME(Scratch) *all, ptrdiff_t lane)
{
    const ptrdiff_t last = rows->n_features - 1, padded = rows->padded, line = all->line;
    const double noise = rows->noise_precision;
    const REAL scale = (REAL)noise;
    const double *shift = rows->shift + row * rows->shift_step, *border = rows->border;
    REAL *sum = all->columns + lane * all->sum_size;
    NAME(Scratch) w = *all;
    double totals[2];
    w.a += lane * padded * padded, w.b += lane * line, w.s += lane * line;
    NAME(accumulate_entries)(rows, row, &w, totals);
    const REAL weight = (REAL)totals[0];
    if (rows->each) {
        NAME(sum_columns)(rows, row, rows->columns, w.sum_size, sum);
        NAME(add_columns)(rows, sum, w.a, w.b);
    } else if (rows->last_rows) {
        NAME(sum_columns)(rows, row, rows->last_rows, w.sum_size, sum);
        for (ptrdiff_t f = 0; f < last; f++) w.b[f] -= sum[f];
    }
    OMP_SIMD for (ptrdiff_t f = 0; f < last; f++)
        w.b[f] = scale * (w.b[f] - weight * (REAL)rows->mean_correlation[f]) + (REAL)shift[f];
    OMP_SIMD for (ptrdiff_t f = 0; f < last; f++) w.s[f] = scale * w.s[f] + (REAL)border[f];
    w.b[last] = (REAL)(noise * totals[1] + shift[last]);
    w.s[last] = (REAL)(noise * totals[0] + border[last]);
    for (ptrdiff_t f = last + 1; f < line; f++) w.b[f] = w.s[f] = 0;
    return totals[0];
}
