/* Squared error of dense rows, for one SIMD level and one real type (included after gd_product.h).
 *
 * error[i] = sum_c (R[i, c] - U_i . V_c)^2 over the cells with R[i, c] not NaN. V comes packed in panels of ERROR_VECTORS vectors of
 * columns, each panel n_features rows: predictions exist only as a tile, never as a matrix.
 */
#define ERROR_VECTORS 2
#define ERROR_ROWS 24

static void NAME(dense_error)(ptrdiff_t rows, ptrdiff_t columns, ptrdiff_t n_features, const void *ratings, ptrdiff_t stride,
                              const void *own_, ptrdiff_t own_stride, const void *panels_, double *error)
{
    const REAL *r = ratings, *own = own_, *panels = panels_;
    enum { WIDTH = ERROR_VECTORS * LANES };
    REAL prediction[ERROR_ROWS * WIDTH];
    for (ptrdiff_t first = 0; first < rows; first += ERROR_ROWS) {
        const ptrdiff_t some = rows - first < ERROR_ROWS ? rows - first : ERROR_ROWS;
        for (ptrdiff_t i = 0; i < some; i++) error[first + i] = 0;
        for (ptrdiff_t c = 0; c < columns; c += WIDTH) {
            const ptrdiff_t width = columns - c < WIDTH ? columns - c : WIDTH;
            NAME(product)(some, n_features, ERROR_VECTORS, own + first * own_stride, own_stride, 1, panels + c * n_features, n_features,
                          prediction, WIDTH, 0, WHOLE);
            for (ptrdiff_t i = 0; i < some; i++) {
                const REAL *rating = r + (first + i) * stride + c;
                REAL sum = 0;
                if (width == WIDTH)
                    OMP_SIMD_SUM(sum) for (int j = 0; j < WIDTH; j++) {
                        const REAL e = rating[j] == rating[j] ? rating[j] - prediction[i * WIDTH + j] : 0;
                        sum += e * e;
                    }
                else
                    for (int j = 0; j < width; j++) {
                        const REAL e = rating[j] == rating[j] ? rating[j] - prediction[i * WIDTH + j] : 0;
                        sum += e * e;
                    }
                error[first + i] += (double)sum;
            }
        }
    }
}

/* total[i, j] += tile[i, j]: what a block of rows adds to a double-precision sum. */
static void NAME(add_to_double)(ptrdiff_t rows, ptrdiff_t columns, const void *tile_, ptrdiff_t stride, double *total, ptrdiff_t total_stride)
{
    const REAL *tile = tile_;
    for (ptrdiff_t i = 0; i < rows; i++)
        for (ptrdiff_t j = 0; j < columns; j++) total[i * total_stride + j] += (double)tile[i * stride + j];
}

/* rows[i, j] = scale * source[i, j] for a k x k double-precision matrix, zeros up to `features`. */
static void NAME(from_double)(ptrdiff_t k, ptrdiff_t features, const double *source, double scale, void *rows_)
{
    REAL *rows = rows_;
    for (ptrdiff_t i = 0; i < k; i++)
        for (ptrdiff_t j = 0; j < features; j++) rows[i * features + j] = j < k ? (REAL)(scale * source[i * k + j]) : 0;
}

/* Zero when all `count` reals are finite. */
static int NAME(not_finite)(ptrdiff_t count, const void *x_)
{
    const REAL *x = x_;
    REAL sum = 0;
    OMP_SIMD_SUM(sum) for (ptrdiff_t i = 0; i < count; i++) sum += x[i] * 0;
    return !(sum == 0);
}
