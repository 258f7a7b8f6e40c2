/* Sum of q q^T over rows of a matrix of factors, for one SIMD level and one real type. */

static ptrdiff_t NAME(gram_scratch)(ptrdiff_t padded)
{
    return (whole_lines(padded * padded) + ENTRIES * padded) * (ptrdiff_t)sizeof(REAL);
}

/* Adds the upper triangle of sum q q^T to `total`, n_features x n_features. Sums over ENTRIES rows
 * are made in the working precision. */
static void NAME(gram)(
    ptrdiff_t n_rows, ptrdiff_t n_features, ptrdiff_t padded,
    const void *factors_, void *scratch, double *total)
{
    const REAL *factors = factors_;
    REAL *a = scratch, *panels = a + whole_lines(padded * padded);
    for (ptrdiff_t row = 0; row < n_rows; row += ENTRIES) {
        const ptrdiff_t some = smaller(ENTRIES, n_rows - row);
        for (ptrdiff_t start = 0; start < padded; start += PANEL) {
            const ptrdiff_t width = NAME(panel_width)(start, padded);
            for (ptrdiff_t j = 0; j < some; j++)
                for (ptrdiff_t f = 0; f < width; f++)
                    panels[start * some + j * width + f] =
                        start + f < n_features ? factors[(row + j) * n_features + start + f] : 0;
        }
        NAME(symmetric_product)(0, padded, some, panels, panels, a);
        for (ptrdiff_t start = 0; start < n_features; start += PANEL) {
            const ptrdiff_t width = NAME(panel_width)(start, padded);
            const ptrdiff_t end = smaller(width, n_features - start);
            for (ptrdiff_t i = 0; i < start + end; i++)
                for (ptrdiff_t f = i < start ? 0 : i - start; f < end; f++)
                    total[i * n_features + start + f] += (double)a[start * padded + i * width + f];
        }
    }
}
