/* Normal equations A x = b by a Cholesky factorization, for one SIMD level and one real type.
 *
 * A is symmetric, stored in panels (als_tile.h); its upper triangle becomes U with A = U^T U. GROUP
 * rows are treated at a time: what the rows above have to give is subtracted in register tiles,
 * then the square on the diagonal is factored and the rest of the rows solved for, a vector of
 * columns in registers. The right-hand side goes along, so that it leaves as U^-T b.
 *
 * A pivot that is not above `floor` of its variable is taken as zero: the row of U becomes zero and
 * so does the variable. The other variables then solve the equations without it: a basic solution
 * where A is singular.
 */

/* The square on the diagonal: unit upper triangle m and 1 / sqrt of the pivots. The chain of
 * dependent operations is what this costs: a division a pivot, square roots come afterwards. */
static void NAME(factor_square)(
    REAL m[GROUP][GROUP], const REAL *floor_, REAL *inverse_root, REAL *b)
{
    REAL pivot[GROUP];
    UNROLL_ALL for (int i = 0; i < GROUP; i++) {
        const REAL d = m[i][i];
        const int dropped = d <= floor_[i];
        const REAL inverse = dropped ? 0 : 1 / d;
        pivot[i] = dropped ? 0 : d;
        UNROLL_ALL for (int l = i + 1; l < GROUP; l++) {
            const REAL factor = m[i][l] * inverse;
            UNROLL_ALL for (int j = l; j < GROUP; j++) m[l][j] -= factor * m[i][j];
            b[l] -= factor * b[i];
            m[i][l] = factor;
        }
    }
    for (int i = 0; i < GROUP; i++)
        inverse_root[i] = pivot[i] == 0 ? 0 : 1 / (REAL)sqrt((double)pivot[i]);
    for (int i = 0; i < GROUP; i++) b[i] *= inverse_root[i];
}

/* One vector of columns of GROUP rows: c becomes the rows of U, b what they leave of it. */
static ALWAYS_INLINE void NAME(solve_columns)(
    REAL m[GROUP][GROUP], const REAL *inverse_root, const REAL *y,
    REAL *c, ptrdiff_t stride, REAL *b)
{
    NAME(reals) x[GROUP], left = *(NAME(reals) *)b;
    UNROLL_ALL for (int i = 0; i < GROUP; i++) x[i] = *(NAME(reals) *)(c + i * stride);
    UNROLL_ALL for (int i = 0; i < GROUP; i++)
        UNROLL_ALL for (int l = i + 1; l < GROUP; l++) x[l] -= m[i][l] * x[i];
    UNROLL_ALL for (int i = 0; i < GROUP; i++) {
        x[i] *= inverse_root[i];
        left -= y[i] * x[i];
        *(NAME(reals) *)(c + i * stride) = x[i];
    }
    *(NAME(reals) *)b = left;
}

/* Factors A in place, turns b into U^-T b and sets inverse_root to the inverse diagonal of U. */
static void NAME(factor)(
    ptrdiff_t padded, REAL *a, const REAL *floor_, REAL *b, REAL *inverse_root)
{
    for (ptrdiff_t r = 0; r < padded; r += GROUP) {
        const ptrdiff_t own_start = NAME(panel_start)(r);
        const ptrdiff_t own_width = NAME(panel_width)(own_start, padded);
        const ptrdiff_t first = r / LANES * LANES; /* first column that is computed */
        const REAL *left = a + own_start * padded + (r - own_start);
        REAL *own = a + own_start * padded + r * own_width - own_start; /* own[column] */
        REAL m[GROUP][GROUP], y[GROUP];
        for (ptrdiff_t start = own_start; r && start < padded; start += PANEL) {
            const ptrdiff_t width = NAME(panel_width)(start, padded);
            REAL *panel = a + start * padded, *c = panel + r * width;
            if (LANES >= GROUP && width == LANES)
                NAME(group_tiles)(1, SUBTRACT, r, left, own_width, panel, width, c, width);
            else if (LANES >= GROUP && first > start)
                NAME(group_tiles)(
                    1, SUBTRACT, r, left, own_width, panel + LANES, width, c + LANES, width);
            else
                NAME(group_tiles)(
                    PANEL_VECTORS, SUBTRACT, r, left, own_width, panel, width, c, width);
        }
        for (int i = 0; i < GROUP; i++) {
            y[i] = b[r + i];
            for (int j = 0; j < GROUP; j++) m[i][j] = j < i ? 0 : own[i * own_width + r + j];
        }
        NAME(factor_square)(m, floor_ + r, inverse_root + r, y);
        /* What vectors hold left of the square belongs to variables that are done with. */
        for (int i = 0; i < GROUP; i++)
            for (ptrdiff_t column = first; column < r; column++) own[i * own_width + column] = 0;
        for (ptrdiff_t start = own_start; start < padded; start += PANEL) {
            const ptrdiff_t width = NAME(panel_width)(start, padded);
            REAL *c = a + start * padded + r * width - start;
            for (ptrdiff_t column = start < first ? first : start; column < start + width;
                 column += REALS_OF_VECTOR(LANES))
                NAME(solve_columns)(
                    m, inverse_root + r, y, c + column, width, b + column);
        }
        for (int i = 0; i < GROUP; i++) {
            for (ptrdiff_t column = r; column < r + i; column++) own[i * own_width + column] = 0;
            b[r + i] = y[i];
        }
    }
}

/* x = U^-1 x, from the last group of rows to the first. */
static void NAME(substitute_back)(
    ptrdiff_t padded, const REAL *a, const REAL *inverse_root, REAL *x)
{
    for (ptrdiff_t r = padded - GROUP; r >= 0; r -= GROUP) {
        const ptrdiff_t own_start = NAME(panel_start)(r);
        const ptrdiff_t own_width = NAME(panel_width)(own_start, padded);
        const REAL *own = a + own_start * padded + r * own_width - own_start;
        NAME(reals) sum[GROUP];
        REAL y[GROUP];
        UNROLL_ALL for (int i = 0; i < GROUP; i++) {
            sum[i] = (NAME(reals)){0};
            y[i] = x[r + i];
            x[r + i] = 0;
        }
        for (ptrdiff_t start = own_start; start < padded; start += PANEL) {
            const ptrdiff_t width = NAME(panel_width)(start, padded);
            const ptrdiff_t first = start == own_start ? r / LANES * LANES : start;
            const REAL *u = a + start * padded + r * width - start;
            for (ptrdiff_t column = first; column < start + width;
                 column += REALS_OF_VECTOR(LANES)) {
                const NAME(reals) x_column = *(const NAME(reals) *)(x + column);
                UNROLL_ALL for (int i = 0; i < GROUP; i++)
                    sum[i] += *(const NAME(reals) *)(u + i * width + column) * x_column;
            }
        }
        REAL sums[GROUP];
        NAME(sum_lanes)(sum, sums);
        NAME(sum_lanes)(sum + 4, sums + 4);
        UNROLL_ALL for (int i = GROUP - 1; i >= 0; i--) {
            REAL left = y[i] - sums[i];
            UNROLL_ALL for (int l = i + 1; l < GROUP; l++)
                left -= own[i * own_width + r + l] * x[r + l];
            x[r + i] = left * inverse_root[r + i];
        }
    }
}
