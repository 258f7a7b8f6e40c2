/* The inverse of A = U^T U from what als_cholesky.h leaves, for one SIMD level and one real type.
 *
 * Y = U^-T is lower triangular: a panel of its columns has zeros down to where it starts. It is
 * solved for GROUP rows at a time, and A^-1 = Y^T Y is a product of its columns.
 */

/* Rows of a panel of Y, from its start on. */
static void NAME(invert_panel)(
    ptrdiff_t padded, ptrdiff_t start, const REAL *u, const REAL *inverse_root, REAL *panel)
{
    const ptrdiff_t width = NAME(panel_width)(start, padded);
    const REAL none[GROUP] = {0};
    REAL nothing[PANEL] __attribute__((aligned(64))) = {0};
    for (ptrdiff_t r = start; r < padded; r += GROUP) {
        const ptrdiff_t own_start = NAME(panel_start)(r);
        const ptrdiff_t own_width = NAME(panel_width)(own_start, padded);
        const REAL *own = u + own_start * padded + r * own_width - own_start;
        const REAL *left = u + own_start * padded + start * own_width + (r - own_start);
        REAL *c = panel + r * width, m[GROUP][GROUP];
        for (ptrdiff_t i = 0; i < GROUP; i++)
            for (ptrdiff_t f = 0; f < width; f++) c[i * width + f] = start + f == r + i;
        if (LANES >= GROUP && width == LANES)
            NAME(group_tiles)(
                1, SUBTRACT, r - start, left, own_width, panel + start * width, width, c, width);
        else
            NAME(group_tiles)(
                PANEL_VECTORS, SUBTRACT, r - start, left, own_width, panel + start * width, width,
                c, width);
        for (int i = 0; i < GROUP; i++)
            for (int l = 0; l < GROUP; l++)
                m[i][l] = l > i ? own[i * own_width + r + l] * inverse_root[r + i] : 0;
        for (ptrdiff_t column = 0; column < width; column += REALS_OF_VECTOR(LANES))
            NAME(solve_columns)(m, inverse_root + r, none, c + column, width, nothing + column);
    }
}

/* The upper triangle of A^-1 in panels into `inverse`; `y` is as large. */
static void NAME(invert)(
    ptrdiff_t padded, const REAL *u, const REAL *inverse_root, REAL *y, REAL *inverse)
{
    for (ptrdiff_t start = 0; start < padded; start += PANEL)
        NAME(invert_panel)(padded, start, u, inverse_root, y + start * padded);
    for (ptrdiff_t start = 0; start < padded; start += PANEL) {
        const ptrdiff_t width = NAME(panel_width)(start, padded), inner = padded - start;
        const REAL *right = y + start * padded + start * width;
        for (ptrdiff_t i = 0; i < start + width; i += GROUP) {
            const ptrdiff_t i_start = NAME(panel_start)(i);
            const ptrdiff_t i_width = NAME(panel_width)(i_start, padded);
            const REAL *left = y + i_start * padded + start * i_width + (i - i_start);
            REAL *c = inverse + start * padded + i * width;
            if (LANES >= GROUP && width == LANES)
                NAME(group_tiles)(1, SET, inner, left, i_width, right, width, c, width);
            else
                NAME(group_tiles)(PANEL_VECTORS, SET, inner, left, i_width, right, width, c, width);
        }
    }
}
