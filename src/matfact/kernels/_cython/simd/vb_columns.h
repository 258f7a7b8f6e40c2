/* What the covariances of the columns add to a row, for one SIMD level and one real type.
 *
 * They are those of (factors, offset): n_features^2 reals, or n_features where only diagonals are
 * known. As the last factor is the constant 1, the last row and column belong to the offset. Where
 * one matrix stands for all columns, each may have a last row of its own.
 */

/* sum_j w_j C_j over the entries of a row, where C_j are `size` reals for each column. */
static void NAME(sum_columns)(
    const VbRows *rows, ptrdiff_t row, const REAL *columns, ptrdiff_t size, REAL *RESTRICT sum)
{
    const ptrdiff_t first = rows->indptr[row];
    const ptrdiff_t count = rows->indptr[row + 1] - first;
    const int32_t *index = rows->indices + first;
    const REAL *weight = rows->weights ? (const REAL *)rows->weights + first : NULL;
    ptrdiff_t j = 0;
    for (ptrdiff_t i = 0; i < size; i++) sum[i] = 0;
    for (; j + 4 <= count; j += 4) {
        const REAL *c[4];
        REAL w[4];
        for (int t = 0; t < 4; t++) {
            c[t] = columns + index[j + t] * size;
            w[t] = weight ? weight[j + t] : 1;
        }
        OMP_SIMD for (ptrdiff_t i = 0; i < size; i++)
            sum[i] += (w[0] * c[0][i] + w[1] * c[1][i]) + (w[2] * c[2][i] + w[3] * c[3][i]);
    }
    for (; j < count; j++) {
        const REAL *c = columns + index[j] * size, w = weight ? weight[j] : 1;
        OMP_SIMD for (ptrdiff_t i = 0; i < size; i++) sum[i] += w * c[i];
    }
}

/* Adds such a sum to the products of factors, in panels, and to the right-hand side. */
static void NAME(add_columns)(const VbRows *rows, const REAL *sum, REAL *a, REAL *b)
{
    const ptrdiff_t k = rows->n_features, padded = rows->padded, last = k - 1;
    if (rows->column_size == k) {
        for (ptrdiff_t f = 0; f < last; f++) a[NAME(diagonal)(f, padded)] += sum[f];
        return;
    }
    for (ptrdiff_t start = 0; start < last; start += PANEL) {
        const ptrdiff_t width = NAME(panel_width)(start, padded);
        const ptrdiff_t end = smaller(width, last - start);
        for (ptrdiff_t i = 0; i < start + end; i++)
            for (ptrdiff_t f = i < start ? 0 : i - start; f < end; f++)
                a[start * padded + i * width + f] += sum[i * k + start + f];
    }
    for (ptrdiff_t f = 0; f < last; f++) b[f] -= sum[last * k + f];
}

/* (p, 1)^T C (p, 1), p the mean of a row without its last number; `product` is n_features long. */
static double NAME(quadratic_form)(
    const VbRows *rows, const REAL *RESTRICT c, const REAL *mean, REAL *RESTRICT product)
{
    const ptrdiff_t k = rows->n_features, last = k - 1;
    double sum;
    if (rows->column_size == k) {
        sum = c[last];
        for (ptrdiff_t f = 0; f < last; f++) sum += (double)c[f] * mean[f] * mean[f];
        return sum;
    }
    for (ptrdiff_t f = 0; f < k; f++) product[f] = c[last * k + f];
    for (ptrdiff_t i = 0; i < last; i++) {
        const REAL x = mean[i];
        OMP_SIMD for (ptrdiff_t f = 0; f < k; f++) product[f] += x * c[i * k + f];
    }
    sum = product[last];
    for (ptrdiff_t f = 0; f < last; f++) sum += (double)product[f] * mean[f];
    return sum;
}

/* sum_j w_j (m^T C_j m + 2 m.k_j + v_j) for the mean of a row whose weights sum up to `weight`; `sum`
 * is that of its columns. */
static double NAME(squares_of_columns)(
    const VbRows *rows, double weight, const REAL *sum, const REAL *mean, REAL *RESTRICT product)
{
    const ptrdiff_t last = rows->n_features - 1;
    if (rows->each) return NAME(quadratic_form)(rows, sum, mean, product);
    double squares = weight * NAME(quadratic_form)(rows, rows->columns, mean, product);
    if (rows->last_rows) {
        for (ptrdiff_t f = 0; f < last; f++) squares += 2 * (double)sum[f] * mean[f];
        squares += sum[last];
    }
    return squares;
}
