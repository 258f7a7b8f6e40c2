/* Rows by conjugate gradients on their normal equations, which are never formed, for one SIMD level
 * and one real type.
 *
 * A step multiplies A = sum_j w_j q_j q_j^T + ridge I with the direction p: a dot product with each
 * q_j, and as many vectors added. Eight entries at a time: p and the sum are read once for eight, and
 * the additions of a dot product, each of which waits for the one before, are hidden behind those of
 * the others. Rows whose q_j fit into PANEL_BYTES copy them once and read the copy in later steps.
 *
 * With a gram matrix rows may go in lockstep, up to TOGETHER of them: their products with it are one
 * product of matrices (als_symmetric.h). The bits of a row do not depend on its company.
 *
 * The bias is eliminated as in als_normal.h, so steps are those for A - s s^T / pivot: with the
 * bias that is best for the factors of that moment.
 */
#ifndef MATFACT_ALS_CONJUGATE_H
#define MATFACT_ALS_CONJUGATE_H
#define PANEL_BYTES 400000 /* what stays in a second-level cache */
enum { FROM_OTHER, COPYING, FROM_COPY };
#endif

/* A row on its way. Its vectors follow one another: x, p, residual, product, s. */
typedef struct {
    ptrdiff_t row, count;
    const int32_t *index;
    REAL *x, *p, *residual, *product, *s, *quadratic, *linear, *copy; /* copy: NULL without one */
    REAL ridge, inverse, square, small;
    double total;
    int going;
} NAME(Descent);

/* Entries whose factors are copied, at most. */
static inline ptrdiff_t NAME(copied_entries)(const AlsRows *rows)
{
    return smaller(rows->longest * rows->together, PANEL_BYTES / (rows->padded * REAL_BYTES));
}

static ptrdiff_t NAME(conjugate_scratch)(const AlsRows *rows)
{
    return whole_lines(NAME(copied_entries)(rows) * rows->padded) +
           rows->together * (6 * whole_lines(rows->padded) + 2 * whole_lines(rows->longest));
}

/* out += sum_j c_j q_j with c_j = quadratic[j] q_j.p, or linear[j] minus that in the `first` pass,
 * which also adds sum_j quadratic[j] q_j to `s` if there are `sums`. */
static ALWAYS_INLINE void NAME(pass)(
    const int first, const int source, const int sums,
    ptrdiff_t padded, ptrdiff_t count, const int32_t *index, const REAL *other, REAL *copy,
    const REAL *quadratic, const REAL *linear, const REAL *p, REAL *out, REAL *s)
{
    ptrdiff_t j = 0;
#define PASS(n) \
    for (; j + (n) <= count; j += (n)) { \
        const REAL *q[n]; \
        NAME(reals) sum[8] = {{0}}; \
        REAL c[8]; \
        for (int t = 0; t < (n); t++) { \
            q[t] = source == FROM_COPY ? copy + (j + t) * padded \
                                       : other + index[j + t] * padded; \
            if (source != FROM_COPY && j + t + AHEAD < count) \
                NAME(fetch_row)(other + index[j + t + AHEAD] * padded, padded); \
        } \
        for (ptrdiff_t f = 0; f < padded; f += REALS_OF_VECTOR(LANES)) { \
            const NAME(reals) p_f = *(const NAME(reals) *)(p + f); \
            UNROLL_ALL for (int t = 0; t < (n); t++) { \
                const NAME(reals) x = *(const NAME(reals) *)(q[t] + f); \
                if (source == COPYING) *(NAME(reals) *)(copy + (j + t) * padded + f) = x; \
                sum[t] += p_f * x; \
            } \
        } \
        NAME(sum_lanes)(sum, c); \
        if ((n) > 4) NAME(sum_lanes)(sum + 4, c + 4); \
        UNROLL_ALL for (int t = 0; t < (n); t++) { \
            c[t] *= quadratic[j + t]; \
            if (first) c[t] = linear[j + t] - c[t]; \
        } \
        for (ptrdiff_t f = 0; f < padded; f += REALS_OF_VECTOR(LANES)) { \
            NAME(reals) *out_f = (NAME(reals) *)(out + f), *s_f = (NAME(reals) *)(s + f); \
            NAME(reals) added = *out_f, weighted = {0}; \
            if (sums) weighted = *s_f; \
            UNROLL_ALL for (int t = 0; t < (n); t++) { \
                const NAME(reals) x = *(const NAME(reals) *)(q[t] + f); \
                added += c[t] * x; \
                if (sums) weighted += quadratic[j + t] * x; \
            } \
            *out_f = added; \
            if (sums) *s_f = weighted; \
        } \
    }
    if (!sums) /* with two sums there are not enough registers */
        PASS(8)
    PASS(4)
    PASS(1)
#undef PASS
}

static void NAME(begin_descent)(
    const AlsRows *rows, ptrdiff_t row, REAL *vectors, REAL *entries, REAL *copy,
    NAME(Descent) *one)
{
    const ptrdiff_t k = rows->n_features, padded = rows->padded, line = whole_lines(padded);
    const ptrdiff_t start = rows->indptr[row];
    NAME(Descent) d = {.row = row, .count = rows->indptr[row + 1] - start, .copy = copy};
    const REAL *other = rows->other;
    d.index = rows->indices + start;
    d.x = vectors, d.p = d.x + line, d.residual = d.p + line, d.product = d.residual + line;
    d.s = d.product + line, d.quadratic = entries, d.linear = entries + whole_lines(d.count);
    d.ridge = ((const REAL *)rows->ridge)[row];
    for (ptrdiff_t f = 0; f < padded; f++) {
        d.x[f] = f < k ? ((const REAL *)rows->start)[row * k + f] : 0;
        d.residual[f] = d.s[f] = 0;
    }
    NAME(targets)(rows, start, d.count, d.quadratic, d.linear);
#define PASS_AS(source, sums) \
    NAME(pass)( \
        1, source, sums, padded, d.count, d.index, other, copy, d.quadratic, d.linear, d.x, \
        d.residual, d.s)
    if (rows->solution_biases && copy) PASS_AS(COPYING, 1);
    else if (rows->solution_biases) PASS_AS(FROM_OTHER, 1);
    else if (copy) PASS_AS(COPYING, 0);
    else PASS_AS(FROM_OTHER, 0);
#undef PASS_AS
    if (rows->solution_biases) {
        double pivot = (double)((const REAL *)rows->bias_ridge)[row];
        for (ptrdiff_t j = 0; j < d.count; j++) pivot += d.quadratic[j], d.total += d.linear[j];
        d.inverse = pivot > 0 ? (REAL)(1 / pivot) : 0;
        const REAL now = ((REAL)d.total - NAME(dot)(padded, d.s, d.x)) * d.inverse;
        for (ptrdiff_t f = 0; f < padded; f++) d.residual[f] -= now * d.s[f];
    }
    *one = d;
}

/* product = (sum_j w_j q_j q_j^T + ridge I) p */
static void NAME(multiply_entries)(const AlsRows *rows, const NAME(Descent) *d)
{
    const ptrdiff_t padded = rows->padded;
    for (ptrdiff_t f = 0; f < padded; f++) d->product[f] = d->ridge * d->p[f];
    if (rows->gram && !rows->weights) return; /* all of quadratic is zero */
#define PASS_AS(source) \
    NAME(pass)( \
        0, source, 0, padded, d->count, d->index, rows->other, d->copy, d->quadratic, d->linear, \
        d->p, d->product, d->s)
    if (d->copy) PASS_AS(FROM_COPY);
    else PASS_AS(FROM_OTHER);
#undef PASS_AS
}

/* One step along p, whose product with A is known. */
static void NAME(step)(ptrdiff_t padded, NAME(Descent) *d)
{
    const REAL change = d->inverse == 0 ? 0 : NAME(dot)(padded, d->s, d->p) * d->inverse;
    if (change != 0)
        for (ptrdiff_t f = 0; f < padded; f++) d->product[f] -= change * d->s[f];
    const REAL curvature = NAME(dot)(padded, d->p, d->product);
    if (!(curvature > 0)) {
        d->going = 0;
        return;
    }
    const REAL length = d->square / curvature;
    for (ptrdiff_t f = 0; f < padded; f++) {
        d->x[f] += length * d->p[f];
        d->residual[f] -= length * d->product[f];
    }
    const REAL next = NAME(dot)(padded, d->residual, d->residual), ratio = next / d->square;
    for (ptrdiff_t f = 0; f < padded; f++) d->p[f] = d->residual[f] + ratio * d->p[f];
    d->square = next;
    d->going = next > d->small;
}

/* Rows of a call of which so many fit, at least one: in lockstep if there is a gram matrix. */
static void NAME(conjugate_rows)(
    const AlsRows *rows, const int64_t *row, ptrdiff_t n, int copied, REAL *scratch)
{
    const ptrdiff_t k = rows->n_features, padded = rows->padded, line = whole_lines(padded);
    REAL *left = scratch, *vectors = left + rows->together * line;
    REAL *entries = vectors + n * 5 * line, *copy = NULL;
    NAME(Descent) d[TOGETHER];
    if (copied) {
        copy = entries;
        for (ptrdiff_t t = 0; t < n; t++)
            entries += (rows->indptr[row[t] + 1] - rows->indptr[row[t]]) * padded;
        entries = copy + whole_lines(entries - copy);
    }
    for (ptrdiff_t t = 0; t < n; t++) {
        NAME(begin_descent)(rows, row[t], vectors + t * 5 * line, entries, copy, d + t);
        entries += 2 * whole_lines(d[t].count);
        if (copied) copy += d[t].count * padded;
    }
    if (rows->gram)
        NAME(add_gram_products)(
            k, padded, rows->gram, -1, n, vectors, vectors + 2 * line, 5 * line, left);
    for (ptrdiff_t t = 0; t < n; t++) {
        REAL *residual = d[t].residual;
        for (ptrdiff_t f = 0; f < padded; f++)
            d[t].p[f] = residual[f] -= d[t].ridge * d[t].x[f];
        d[t].square = NAME(dot)(padded, residual, residual);
        d[t].small = d[t].square * (REAL)(REAL_BYTES == 4 ? 1e-14 : 1e-31);
        d[t].going = d[t].square > d[t].small;
        if (!(d[t].square * 0 == 0)) d[t].x[0] = (REAL)NAN;
    }
    for (ptrdiff_t step = 0; step < rows->n_steps; step++) {
        for (ptrdiff_t t = 0; t < n; t++)
            if (d[t].going) NAME(multiply_entries)(rows, d + t);
        if (rows->gram)
            NAME(add_gram_products)(
                k, padded, rows->gram, 1, n, vectors + line, vectors + 3 * line, 5 * line, left);
        for (ptrdiff_t t = 0; t < n; t++)
            if (d[t].going) NAME(step)(padded, d + t);
    }
    for (ptrdiff_t t = 0; t < n; t++) {
        memcpy((REAL *)rows->solution + row[t] * k, d[t].x, (size_t)k * sizeof(REAL));
        if (rows->solution_biases)
            ((REAL *)rows->solution_biases)[row[t]] =
                ((REAL)d[t].total - NAME(dot)(padded, d[t].s, d[t].x)) * d[t].inverse;
    }
}

/* Solves the first of n rows, the longest first, and those that go along; returns their number. */
static ptrdiff_t NAME(conjugate_some)(
    const AlsRows *rows, const int64_t *row, ptrdiff_t n, REAL *scratch)
{
    const ptrdiff_t capacity = NAME(copied_entries)(rows);
    const ptrdiff_t count = rows->indptr[row[0] + 1] - rows->indptr[row[0]];
    /* Where entries are many, reading them is what costs, and copies of one row fit best. */
    const ptrdiff_t together = 2 * count < rows->padded ? smaller(n, rows->together) : 1;
    NAME(conjugate_rows)(rows, row, together, count * together <= capacity, scratch);
    return together;
}
