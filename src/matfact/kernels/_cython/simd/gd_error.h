/* Squared error of dense rows, for one SIMD level and one real type (after product.h). */
#define ERROR_VECTORS 2 /* of a tile of predictions */
#define ERROR_ROWS 24   /* a multiple of the height of every register tile */

/* The sum of (rating - prediction)^2 over `width` cells whose rating is not NaN. */
static ALWAYS_INLINE REAL NAME(row_error)(
    ptrdiff_t width, const REAL *rating, const REAL *prediction)
{
    REAL sum = 0;
#define ADD_SQUARE(j) \
    { \
        const REAL e = rating[j] == rating[j] ? rating[j] - prediction[j] : 0; \
        sum += e * e; \
    }
    if (width == ERROR_VECTORS * LANES)
        OMP_SIMD_SUM(sum) for (int j = 0; j < ERROR_VECTORS * LANES; j++) ADD_SQUARE(j)
    else
        for (ptrdiff_t j = 0; j < width; j++) ADD_SQUARE(j)
#undef ADD_SQUARE
    return sum;
}

/* error[i] = sum over the columns c of (R[i, c] - U[i, :] V[:, c])^2, where R[i, c] is not NaN.
 *
 * V comes packed (see `pack`) with an even number of vectors, so all panels have ERROR_VECTORS.
 * Predictions exist as a tile only. Squares are added in the working precision within a panel's
 * row, in double precision beyond it. */
static void NAME(dense_error)(
    ptrdiff_t rows, ptrdiff_t columns, ptrdiff_t n_features,
    const void *ratings_, ptrdiff_t stride,
    const void *own_, ptrdiff_t own_stride,
    const void *panels_, double *error)
{
    enum { WIDTH = ERROR_VECTORS * LANES };
    const REAL *ratings = ratings_, *own = own_, *panels = panels_;
    REAL prediction[ERROR_ROWS * WIDTH];
    for (ptrdiff_t first = 0; first < rows; first += ERROR_ROWS) {
        const ptrdiff_t height = smaller(rows - first, ERROR_ROWS);
        for (ptrdiff_t i = 0; i < height; i++) error[first + i] = 0;
        for (ptrdiff_t c = 0; c < columns; c += WIDTH) {
            const ptrdiff_t width = smaller(columns - c, WIDTH);
            NAME(product)(
                height, n_features, ERROR_VECTORS,
                own + first * own_stride, own_stride, 1,
                panels + c * n_features,
                prediction, WIDTH,
                0, WHOLE);
            for (ptrdiff_t i = 0; i < height; i++) {
                const REAL *rating = ratings + (first + i) * stride + c;
                error[first + i] += (double)NAME(row_error)(width, rating, prediction + i * WIDTH);
            }
        }
    }
}
