/* Symmetric products in register tiles, for one SIMD level and one real type.
 *
 * Matrices of `padded` columns are stored as panels of PANEL columns: panel after panel, each with
 * its rows one after another without gaps, so that what a tile reads is contiguous. The last panel
 * has one vector only where `padded` is no multiple of PANEL. Column c of a matrix of n rows starts
 * its panel at panel_start(c) * n.
 *
 * Of a symmetric matrix only panels on and above the diagonal are computed; in a panel, rows down
 * to the end of the panel, but in its lower half only the second vector, where vectors are long.
 */
#define PANEL_VECTORS (LANES >= 8 ? 2 : 8 / LANES)
#define PANEL (PANEL_VECTORS * LANES)
#define GROUP 8 /* rows that are treated together; `padded` is a multiple of it */

#ifndef MATFACT_ALS_TILE_H
#define MATFACT_ALS_TILE_H
enum { SET, ADD, SUBTRACT };
#endif

enum { NAME(panel_columns) = PANEL };

static ALWAYS_INLINE ptrdiff_t NAME(panel_start)(ptrdiff_t column)
{
    return column / PANEL * PANEL;
}

static ALWAYS_INLINE ptrdiff_t NAME(panel_width)(ptrdiff_t start, ptrdiff_t padded)
{
    return smaller(PANEL, padded - start);
}

/* Place of A(i, i). */
static ALWAYS_INLINE ptrdiff_t NAME(diagonal)(ptrdiff_t i, ptrdiff_t padded)
{
    const ptrdiff_t start = NAME(panel_start)(i);
    return start * padded + i * NAME(panel_width)(start, padded) + i - start;
}

/* C[i, :] = or += or -= sum_p left[p, i] right[p, :], for `height` rows and `vectors` vectors. */
static ALWAYS_INLINE void NAME(als_tile)(
    const int height, const int vectors, const int mode, ptrdiff_t inner,
    const REAL *RESTRICT left, ptrdiff_t left_stride,
    const REAL *RESTRICT right, ptrdiff_t right_stride,
    REAL *c, ptrdiff_t c_stride)
{
    const int width = vectors * (LANES / REALS_OF_VECTOR(LANES));
    NAME(reals) sum[TILE_VECTORS * (LANES / REALS_OF_VECTOR(LANES))];
    UNROLL_ALL for (int i = 0; i < height * width; i++) sum[i] = (NAME(reals)){0};
    for (ptrdiff_t p = 0; p < inner; p++) {
        const NAME(reals) *row = (const NAME(reals) *)(right + p * right_stride);
        UNROLL_ALL for (int i = 0; i < height; i++) {
            const REAL x = left[p * left_stride + i];
            UNROLL_ALL for (int j = 0; j < width; j++) sum[i * width + j] += x * row[j];
        }
    }
    UNROLL_ALL for (int i = 0; i < height; i++) {
        NAME(reals) *row = (NAME(reals) *)(c + i * c_stride);
        UNROLL_ALL for (int j = 0; j < width; j++) {
            if (mode == SET) row[j] = sum[i * width + j];
            else if (mode == ADD) row[j] += sum[i * width + j];
            else row[j] -= sum[i * width + j];
        }
    }
}

/* The same for GROUP rows: tiles as tall as the registers allow. */
static ALWAYS_INLINE void NAME(group_tiles)(
    const int vectors, const int mode, ptrdiff_t inner,
    const REAL *left, ptrdiff_t left_stride,
    const REAL *right, ptrdiff_t right_stride,
    REAL *c, ptrdiff_t c_stride)
{
    enum { MOST = TILE_VECTORS / PANEL_VECTORS };
    const int height = vectors == 1 || MOST >= 8 ? 8 : MOST >= 4 ? 4 : 2;
    for (int i = 0; i < GROUP; i += height)
        NAME(als_tile)(
            height, vectors, mode, inner,
            left + i, left_stride, right, right_stride, c + i * c_stride, c_stride);
}

/* Rows first .. last - 1 of one panel of A = or += left^T right. All have `inner` rows; left and
 * right are matrices of panels. */
static ALWAYS_INLINE void NAME(panel_rows)(
    const int mode, ptrdiff_t padded, ptrdiff_t inner,
    const REAL *left, const REAL *right, ptrdiff_t start, REAL *a)
{
    const ptrdiff_t width = NAME(panel_width)(start, padded);
    const REAL *right_panel = right + start * inner;
    REAL *a_panel = a + start * padded;
    for (ptrdiff_t i = 0; i < start + width; i += GROUP) {
        const ptrdiff_t i_start = NAME(panel_start)(i), i_width = NAME(panel_width)(i_start, padded);
        const REAL *left_part = left + i_start * inner + (i - i_start);
        REAL *c = a_panel + i * width;
        if (LANES >= GROUP && width == LANES)
            NAME(group_tiles)(1, mode, inner, left_part, i_width, right_panel, width, c, width);
        else if (LANES >= GROUP && i >= start + LANES)
            NAME(group_tiles)(
                1, mode, inner, left_part, i_width, right_panel + LANES, width, c + LANES, width);
        else
            NAME(group_tiles)(
                PANEL_VECTORS, mode, inner, left_part, i_width, right_panel, width, c, width);
    }
}

/* A = or += left^T right, a symmetric matrix of `padded` columns; `inner` rows are summed. */
static void NAME(symmetric_product)(
    int add, ptrdiff_t padded, ptrdiff_t inner, const REAL *left, const REAL *right, REAL *a)
{
    for (ptrdiff_t start = 0; start < padded; start += PANEL)
        if (add) NAME(panel_rows)(ADD, padded, inner, left, right, start, a);
        else NAME(panel_rows)(SET, padded, inner, left, right, start, a);
}
