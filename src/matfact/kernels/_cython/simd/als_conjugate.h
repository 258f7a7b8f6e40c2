/* One row by conjugate gradients on its normal equations, which are never formed, for one SIMD
 * level and one real type.
 *
 * A step multiplies A = sum_j w_j q_j q_j^T + ridge I with the direction p: a dot product with each
 * q_j, and as many vectors added. Eight entries at a time: p and the sum are read once for eight, and
 * the additions of a dot product, each of which waits for the one before, are hidden behind those of
 * the others. Rows up to PANEL_BYTES copy their q_j once and read the copy in the later steps.
 *
 * The bias is eliminated as in als_normal.h, so steps are those for A - s s^T / pivot: with the
 * bias that is best for the factors of that moment.
 */
#ifndef MATFACT_ALS_CONJUGATE_H
#define MATFACT_ALS_CONJUGATE_H
#define PANEL_BYTES 400000 /* what stays in a second-level cache */
enum { FROM_OTHER, COPYING, FROM_COPY };
#endif

static inline ptrdiff_t NAME(copied_entries)(const AlsRows *rows)
{
    return smaller(rows->longest, PANEL_BYTES / (rows->padded * REAL_BYTES));
}

static ptrdiff_t NAME(conjugate_scratch)(const AlsRows *rows)
{
    return NAME(copied_entries)(rows) * rows->padded + 16 + 2 * whole_lines(rows->longest) +
           5 * whole_lines(rows->padded);
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
                NAME(fetch_row)(other, index[j + t + AHEAD], padded); \
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

/* out += sign * G p for `vectors` vectors of columns from f on, whose sums stay in registers. */
static ALWAYS_INLINE void NAME(add_gram_columns)(
    const int vectors, ptrdiff_t n_features, ptrdiff_t padded,
    const REAL *gram, REAL sign, const REAL *p, REAL *out)
{
    NAME(reals) sum[8 * (LANES / REALS_OF_VECTOR(LANES))];
    const int width = vectors * (LANES / REALS_OF_VECTOR(LANES));
    UNROLL_ALL for (int v = 0; v < width; v++) sum[v] = ((const NAME(reals) *)out)[v];
    for (ptrdiff_t i = 0; i < n_features; i++) {
        const REAL x = sign * p[i];
        const NAME(reals) *row = (const NAME(reals) *)(gram + i * padded);
        UNROLL_ALL for (int v = 0; v < width; v++) sum[v] += x * row[v];
    }
    UNROLL_ALL for (int v = 0; v < width; v++) ((NAME(reals) *)out)[v] = sum[v];
}

/* out += sign * G p */
static void NAME(add_gram)(
    ptrdiff_t n_features, ptrdiff_t padded, const REAL *gram, REAL sign, const REAL *p, REAL *out)
{
    ptrdiff_t f = 0;
#define COLUMNS(vectors) \
    for (; f + (vectors) * LANES <= padded; f += (vectors) * LANES) \
        NAME(add_gram_columns)(vectors, n_features, padded, gram + f, sign, p, out + f)
    COLUMNS(8);
    COLUMNS(4);
    COLUMNS(2);
    COLUMNS(1);
#undef COLUMNS
}

static void NAME(conjugate_row)(
    const AlsRows *rows, ptrdiff_t row, REAL *scratch, REAL *solution, REAL *bias)
{
    const ptrdiff_t k = rows->n_features, padded = rows->padded, line = whole_lines(padded);
    const ptrdiff_t start = rows->indptr[row], count = rows->indptr[row + 1] - start;
    const int copied = count <= NAME(copied_entries)(rows);
    const int needed = !rows->gram || rows->weights; /* else all of quadratic is zero */
    const REAL ridge = ((const REAL *)rows->ridge)[row], *gram = rows->gram;
    const REAL *other = rows->other;
    const int32_t *index = rows->indices + start;
    REAL *x = scratch, *p = x + line, *residual = p + line, *product = residual + line;
    REAL *s = product + line, *quadratic = s + line;
    REAL *linear = quadratic + whole_lines(rows->longest), *copy = linear + whole_lines(rows->longest);
    double totals[2] = {0, 0};
    REAL inverse = 0;
    for (ptrdiff_t f = 0; f < padded; f++) {
        x[f] = f < k ? ((const REAL *)rows->start)[row * k + f] : 0;
        residual[f] = s[f] = 0;
    }
    NAME(targets)(rows, start, count, quadratic, linear);
#define PASS_AS(first, source, sums, p, out) \
    NAME(pass)( \
        first, source, sums, padded, count, index, other, copy, quadratic, linear, p, out, s)
    if (copied && bias) PASS_AS(1, COPYING, 1, x, residual);
    else if (copied) PASS_AS(1, COPYING, 0, x, residual);
    else PASS_AS(1, FROM_OTHER, 1, x, residual);
    if (bias) {
        for (ptrdiff_t j = 0; j < count; j++) totals[0] += quadratic[j], totals[1] += linear[j];
        const double pivot = totals[0] + (double)((const REAL *)rows->bias_ridge)[row];
        inverse = pivot > 0 ? (REAL)(1 / pivot) : 0;
        const REAL now = ((REAL)totals[1] - NAME(dot)(padded, s, x)) * inverse;
        for (ptrdiff_t f = 0; f < padded; f++) residual[f] -= now * s[f];
    }
    if (gram) NAME(add_gram)(k, padded, gram, -1, x, residual);
    for (ptrdiff_t f = 0; f < padded; f++) p[f] = residual[f] -= ridge * x[f];
    REAL square = NAME(dot)(padded, residual, residual);
    const REAL small = square * (REAL)(REAL_BYTES == 4 ? 1e-14 : 1e-31);
    if (!(square * 0 == 0)) x[0] = (REAL)NAN;
    for (ptrdiff_t step = 0; step < rows->n_steps && square > small; step++) {
        for (ptrdiff_t f = 0; f < padded; f++) product[f] = ridge * p[f];
        if (needed && copied) PASS_AS(0, FROM_COPY, 0, p, product);
        else if (needed) PASS_AS(0, FROM_OTHER, 0, p, product);
        if (gram) NAME(add_gram)(k, padded, gram, 1, p, product);
        if (bias) {
            const REAL change = NAME(dot)(padded, s, p) * inverse;
            for (ptrdiff_t f = 0; f < padded; f++) product[f] -= change * s[f];
        }
        const REAL curvature = NAME(dot)(padded, p, product);
        if (!(curvature > 0)) break;
        const REAL length = square / curvature;
        for (ptrdiff_t f = 0; f < padded; f++) {
            x[f] += length * p[f];
            residual[f] -= length * product[f];
        }
        const REAL next = NAME(dot)(padded, residual, residual), ratio = next / square;
        for (ptrdiff_t f = 0; f < padded; f++) p[f] = residual[f] + ratio * p[f];
        square = next;
    }
#undef PASS_AS
    memcpy(solution, x, (size_t)k * sizeof(REAL));
    if (bias) *bias = ((REAL)totals[1] - NAME(dot)(padded, s, x)) * inverse;
}
