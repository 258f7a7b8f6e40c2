/* Equations of several rows into the lanes of vectors, for one SIMD level and one real type.
 *
 * The rows have what their entries add in panels, one after another (vb_normal.h); the covariances
 * of the columns and the prior are added on the way.
 */

/* Vectors become their transpose. */
static ALWAYS_INLINE void NAME(transpose)(NAME(reals) x[NAME(together)])
{
#if defined(HAVE_SHUFFLE_VECTOR)
#if LANES == 16
#define LOW 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define HIGH 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
#elif LANES == 8
#define LOW 0, 8, 1, 9, 2, 10, 3, 11
#define HIGH 4, 12, 5, 13, 6, 14, 7, 15
#elif LANES == 4
#define LOW 0, 4, 1, 5
#define HIGH 2, 6, 3, 7
#else
#define LOW 0, 2
#define HIGH 1, 3
#endif
    /* each step moves the highest bit of a vector's number to the lowest of the lane's */
    UNROLL_ALL for (int step = 1; step < LANES; step *= 2) {
        NAME(reals) y[LANES];
        UNROLL_ALL for (int t = 0; t < LANES / 2; t++) {
            y[2 * t] = __builtin_shufflevector(x[t], x[t + LANES / 2], LOW);
            y[2 * t + 1] = __builtin_shufflevector(x[t], x[t + LANES / 2], HIGH);
        }
        UNROLL_ALL for (int t = 0; t < LANES; t++) x[t] = y[t];
    }
#undef LOW
#undef HIGH
#else
    REAL all[NAME(together)][NAME(together)], turned[NAME(together)][NAME(together)];
    memcpy(all, x, sizeof all);
    for (int i = 0; i < NAME(together); i++)
        for (int j = 0; j < NAME(together); j++) turned[i][j] = all[j][i];
    memcpy(x, turned, sizeof all);
#endif
}

/* Lines of reals, one a row and `line` reals apart, into vectors, of which the first `count` are
 * wanted, `size` filled up with zeros. Rows from n on are as the first. */
static void NAME(place_line)(
    ptrdiff_t n, ptrdiff_t line, const REAL *from, ptrdiff_t size, NAME(reals) *to)
{
    for (ptrdiff_t f = 0; f < size; f += NAME(together)) {
        NAME(reals) x[NAME(together)];
        UNROLL_ALL for (int l = 0; l < NAME(together); l++)
            x[l] = f < line ? *(const NAME(reals) *)(from + (l < n ? l : 0) * line + f)
                            : (NAME(reals)){0};
        NAME(transpose)(x);
        for (ptrdiff_t t = 0; t < smaller(NAME(together), size - f); t++) to[f + t] = x[t];
    }
}

/* A vector of columns, from `column` on, in panels of all rows. */
static ALWAYS_INLINE void NAME(place_columns)(
    const VbRows *rows, ptrdiff_t n, const double *totals, ptrdiff_t start, ptrdiff_t column,
    const NAME(Scratch) *w)
{
    const ptrdiff_t padded = rows->padded, square = padded * padded;
    const ptrdiff_t width = NAME(panel_width)(start, padded), at = start * padded + column - start;
    const ptrdiff_t count = smaller(NAME(together), rows->n_features - 1 - column);
    const REAL scale = (REAL)rows->noise_precision;
    NAME(reals) *to[NAME(together)];
    const REAL *from[NAME(together)];
    REAL weight[NAME(together)];
    /* no conditions in the loop below: all lanes have to be made of the same multiply-adds */
    for (ptrdiff_t t = 0; t < NAME(together); t++) {
        const ptrdiff_t of = (column + t) / SIDE * SIDE;
        to[t] = w->a_ + (t < count ? NAME(tile_at)(rows->size, 0, of) + column + t - of : 0);
        from[t] = w->a + (t < n ? t : 0) * square + at;
        weight[t] = (REAL)totals[t];
    }
    for (ptrdiff_t i = 0; i < column + count; i++) {
        const NAME(reals) covariance =
            *(const NAME(reals) *)((const REAL *)rows->mean_covariance + at + i * width);
        const NAME(reals) precision =
            *(const NAME(reals) *)((const REAL *)rows->precision + at + i * width);
        NAME(reals) x[NAME(together)];
        UNROLL_ALL for (int l = 0; l < NAME(together); l++)
            x[l] = scale * (*(const NAME(reals) *)(from[l] + i * width) + weight[l] * covariance) +
                   precision;
        NAME(transpose)(x);
        if (count == NAME(together))
            UNROLL_ALL for (int t = 0; t < NAME(together); t++) to[t][i * SIDE] = x[t];
        else
            for (ptrdiff_t t = 0; t < count; t++) to[t][i * SIDE] = x[t];
    }
}

/* The equations of n rows, whose weights sum up to `totals`, into the lanes. */
static void NAME(place)(
    const VbRows *rows, ptrdiff_t n, const double *totals, const NAME(Scratch) *w)
{
    const ptrdiff_t size = rows->size, last = rows->n_features - 1;
    const REAL share = (REAL)((REAL_BYTES == 4 ? 1.2e-7 : 2.3e-16) * (double)(last + 33));
    for (ptrdiff_t start = 0; start < last; start += PANEL) {
        const ptrdiff_t end = smaller(start + NAME(panel_width)(start, rows->padded), last);
        for (ptrdiff_t column = start; column < end; column += NAME(together))
            NAME(place_columns)(rows, n, totals, start, column, w);
    }
    NAME(place_line)(n, w->line, w->b, size, w->b_);
    NAME(place_line)(n, w->line, w->s, size, w->x_);
    for (ptrdiff_t column = last; column < size; column++) {
        const ptrdiff_t of = column / SIDE * SIDE;
        NAME(reals) *to = w->a_ + NAME(tile_at)(size, 0, of) + column - of;
        for (ptrdiff_t i = 0; i <= column; i++)
            if (column == last) to[i * SIDE] = w->x_[i];
            else to[i * SIDE] = (NAME(reals)){0} + (REAL)(i == column);
    }
    for (ptrdiff_t f = 0; f < size; f++) {
        const ptrdiff_t of = f / SIDE * SIDE;
        NAME(reals) *diagonal = w->a_ + NAME(tile_at)(size, f, of) + f - of;
        if (f <= last) *diagonal += share * *diagonal; /* so that it remains positive definite */
        w->floor_[f] = share / 8 * *diagonal;
    }
}
