/* Between the working precision and double precision, for one SIMD level and one real type. */

/* total[i, j] += tile[i, j]: what a block of rows adds to a double-precision sum. */
static void NAME(add_to_double)(
    ptrdiff_t rows, ptrdiff_t columns,
    const void *tile_, ptrdiff_t stride,
    double *total, ptrdiff_t total_stride)
{
    const REAL *tile = tile_;
    for (ptrdiff_t i = 0; i < rows; i++)
        for (ptrdiff_t j = 0; j < columns; j++)
            total[i * total_stride + j] += (double)tile[i * stride + j];
}

/* rows[i, j] = scale * square[i, j], zeros from n_features up to `padded`. */
static void NAME(from_double)(
    ptrdiff_t n_features, ptrdiff_t padded, const double *square, double scale, void *rows_)
{
    REAL *rows = rows_;
    for (ptrdiff_t i = 0; i < n_features; i++)
        for (ptrdiff_t j = 0; j < padded; j++)
            rows[i * padded + j] = j < n_features ? (REAL)(scale * square[i * n_features + j]) : 0;
}

/* 0 if all `count` reals are finite: an infinity or NaN times 0 is NaN, and stays so in a sum. */
static int NAME(not_finite)(ptrdiff_t count, const void *x_)
{
    const REAL *x = x_;
    REAL sum = 0;
    OMP_SIMD_SUM(sum) for (ptrdiff_t i = 0; i < count; i++) sum += x[i] * 0;
    return !(sum == 0);
}
