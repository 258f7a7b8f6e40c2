/* Positive definite matrices of several rows of ratings at once, one in each lane of a vector, for
 * one SIMD level and one real type.
 *
 * Whatever is done for a matrix is done with whole vectors: no lane waits for a chain of dependent
 * operations alone, and no size is filled up to vectors. A matrix of `size` columns, a multiple of
 * SIDE, is stored in panels of SIDE columns, each with all its rows one after another; an element
 * is a vector. Matrices are filled up with ones on the diagonal.
 *
 * A becomes U with A = U^T U in the upper triangle. Then Y = U^-T takes the lower triangle and the
 * tiles on the diagonal, and A^-1 = Y^T Y the upper triangle and these tiles. All three are sums of
 * products of two panels, from a row of theirs on.
 */
#ifndef MATFACT_VB_TOGETHER_H
#define MATFACT_VB_TOGETHER_H
/* Of a tile. Nine sums hide the latency of multiply-adds, and leave registers for six factors. */
#define SIDE 3
#define TILE (SIDE * SIDE)
#endif

/* Matrices that are treated together. */
enum { NAME(together) = REALS_OF_VECTOR(LANES) };

/* Place of row i of the panel of column c, in vectors. */
static ALWAYS_INLINE ptrdiff_t NAME(tile_at)(ptrdiff_t size, ptrdiff_t i, ptrdiff_t c)
{
    return c * size + i * SIDE;
}

static ALWAYS_INLINE NAME(reals) NAME(inverse_roots)(NAME(reals) x)
{
    REAL lane[NAME(together)];
    memcpy(lane, &x, sizeof lane);
    for (int l = 0; l < NAME(together); l++) lane[l] = 1 / (REAL)sqrt((double)lane[l]);
    memcpy(&x, lane, sizeof lane);
    return x;
}

/* t += or -= sum_p left[p]^T right[p] */
static ALWAYS_INLINE void NAME(add_products)(
    const int mode, ptrdiff_t inner, const NAME(reals) *left, const NAME(reals) *right,
    NAME(reals) *t)
{
    NAME(reals) sum[TILE];
    UNROLL_ALL for (int e = 0; e < TILE; e++) sum[e] = t[e];
    for (ptrdiff_t p = 0; p < inner; p++)
        UNROLL_ALL for (int i = 0; i < SIDE; i++)
            UNROLL_ALL for (int j = 0; j < SIDE; j++) {
                const NAME(reals) one = left[p * SIDE + i] * right[p * SIDE + j];
                if (mode == ADD) sum[i * SIDE + j] += one;
                else sum[i * SIDE + j] -= one;
            }
    UNROLL_ALL for (int e = 0; e < TILE; e++) t[e] = sum[e];
}

/* t = u^-T t for the tile u on the diagonal. */
static ALWAYS_INLINE void NAME(solve_tile)(
    const NAME(reals) *u, const NAME(reals) *inverse_root, NAME(reals) *t)
{
    UNROLL_ALL for (int i = 0; i < SIDE; i++)
        UNROLL_ALL for (int j = 0; j < SIDE; j++) {
            UNROLL_ALL for (int l = 0; l < i; l++)
                t[i * SIDE + j] -= u[l * SIDE + i] * t[l * SIDE + j];
            t[i * SIDE + j] *= inverse_root[i];
        }
}

/* Subtracts what is above a tile on the diagonal, also from its part of the right-hand side, and
 * factors it. */
static ALWAYS_INLINE void NAME(factor_tile)(
    ptrdiff_t r, const NAME(reals) *panel, NAME(reals) *b, NAME(reals) *pivot,
    NAME(reals) *inverse_root, NAME(reals) *u)
{
    NAME(reals) sum[TILE], y[SIDE];
    UNROLL_ALL for (int e = 0; e < TILE; e++) sum[e] = u[e];
    UNROLL_ALL for (int i = 0; i < SIDE; i++) y[i] = b[r + i];
    for (ptrdiff_t p = 0; p < r; p++)
        UNROLL_ALL for (int i = 0; i < SIDE; i++) {
            UNROLL_ALL for (int j = i; j < SIDE; j++)
                sum[i * SIDE + j] -= panel[p * SIDE + i] * panel[p * SIDE + j];
            y[i] -= panel[p * SIDE + i] * b[p];
        }
    UNROLL_ALL for (int i = 0; i < SIDE; i++) {
        pivot[r + i] = sum[i * SIDE + i];
        inverse_root[r + i] = NAME(inverse_roots)(sum[i * SIDE + i]);
        UNROLL_ALL for (int j = i + 1; j < SIDE; j++) sum[i * SIDE + j] *= inverse_root[r + i];
        UNROLL_ALL for (int l = i + 1; l < SIDE; l++)
            UNROLL_ALL for (int j = l; j < SIDE; j++)
                sum[l * SIDE + j] -= sum[i * SIDE + l] * sum[i * SIDE + j];
        UNROLL_ALL for (int l = 0; l < i; l++) y[i] -= sum[l * SIDE + i] * y[l];
        b[r + i] = y[i] *= inverse_root[r + i];
    }
    UNROLL_ALL for (int e = 0; e < TILE; e++) u[e] = sum[e];
}

/* Factors A in place, turns b into U^-T b, sets the pivots and the inverse diagonal of U. A matrix
 * that is not positive definite has a pivot that is not positive. */
static void NAME(factor_together)(
    ptrdiff_t size, NAME(reals) *a, NAME(reals) *b, NAME(reals) *pivot, NAME(reals) *inverse_root)
{
    for (ptrdiff_t r = 0; r < size; r += SIDE) {
        const NAME(reals) *left = a + NAME(tile_at)(size, 0, r);
        NAME(reals) *u = a + NAME(tile_at)(size, r, r);
        NAME(factor_tile)(r, left, b, pivot, inverse_root, u);
        for (ptrdiff_t c = r + SIDE; c < size; c += SIDE) {
            NAME(reals) *t = a + NAME(tile_at)(size, r, c);
            NAME(add_products)(SUBTRACT, r, left, a + NAME(tile_at)(size, 0, c), t);
            NAME(solve_tile)(u, inverse_root + r, t);
        }
    }
}

/* x = U^-1 x */
static void NAME(substitute_together)(
    ptrdiff_t size, const NAME(reals) *a, const NAME(reals) *inverse_root, NAME(reals) *x)
{
    for (ptrdiff_t r = size - SIDE; r >= 0; r -= SIDE) {
        const NAME(reals) *panel = a + NAME(tile_at)(size, 0, r), *u = panel + r * SIDE;
        NAME(reals) own[SIDE];
        UNROLL_ALL for (int i = SIDE - 1; i >= 0; i--) {
            own[i] = x[r + i];
            UNROLL_ALL for (int l = i + 1; l < SIDE; l++) own[i] -= u[i * SIDE + l] * own[l];
            x[r + i] = own[i] *= inverse_root[r + i];
        }
        for (ptrdiff_t p = 0; p < r; p++)
            UNROLL_ALL for (int i = 0; i < SIDE; i++) x[p] -= panel[p * SIDE + i] * own[i];
    }
}

/* Y in place of the lower triangle. */
static void NAME(invert_together)(
    ptrdiff_t size, NAME(reals) *a, const NAME(reals) *inverse_root)
{
    for (ptrdiff_t r = 0; r < size; r += SIDE) {
        NAME(reals) *u = a + NAME(tile_at)(size, r, r), own[TILE];
        for (ptrdiff_t c = 0; c < r; c += SIDE) {
            NAME(reals) *t = a + NAME(tile_at)(size, r, c);
            UNROLL_ALL for (int e = 0; e < TILE; e++) t[e] = (NAME(reals)){0};
            NAME(add_products)(
                SUBTRACT, r - c, a + NAME(tile_at)(size, c, r), a + NAME(tile_at)(size, c, c), t);
            NAME(solve_tile)(u, inverse_root + r, t);
        }
        UNROLL_ALL for (int e = 0; e < TILE; e++)
            own[e] = (NAME(reals)){0} + (REAL)(e % (SIDE + 1) == 0);
        NAME(solve_tile)(u, inverse_root + r, own);
        UNROLL_ALL for (int e = 0; e < TILE; e++) u[e] = own[e];
    }
}

/* A^-1 in place of the upper triangle. Adds it to the sums, tile after tile: times the first and
 * times the second of `weights`. Returns its products with a matrix whose tiles stand one after
 * another, doubled above the diagonal: tr(matrix A^-1). */
static NAME(reals) NAME(multiply_together)(
    ptrdiff_t size, NAME(reals) *a, const REAL *matrix, const NAME(reals) *weights,
    NAME(reals) *sums)
{
    NAME(reals) trace[SIDE] = {{0}};
    for (ptrdiff_t c = 0; c < size; c += SIDE)
        for (ptrdiff_t i = 0; i <= c; i += SIDE, sums += 2 * TILE, matrix += TILE) {
            NAME(reals) t[TILE], *out = a + NAME(tile_at)(size, i, c);
            UNROLL_ALL for (int e = 0; e < TILE; e++) t[e] = (NAME(reals)){0};
            NAME(add_products)(
                ADD, size - c, a + NAME(tile_at)(size, c, i), a + NAME(tile_at)(size, c, c), t);
            UNROLL_ALL for (int e = 0; e < TILE; e++) {
                sums[e] += weights[0] * t[e];
                sums[TILE + e] += weights[1] * t[e];
                trace[e % SIDE] += matrix[e] * t[e];
                out[e] = t[e];
            }
        }
    return trace[0] + trace[1] + trace[2];
}

/* Vectors that the sums take. */
static ALWAYS_INLINE ptrdiff_t NAME(sums_size)(ptrdiff_t size)
{
    return (size / SIDE) * (size / SIDE + 1) * TILE;
}

/* Moves the sums over all lanes to two matrices of k columns, the upper triangle tile by tile. */
static void NAME(move_sums)(
    ptrdiff_t k, ptrdiff_t size, NAME(reals) *sums, double *plain, double *weighted)
{
    NAME(reals) *of_tile = sums;
    for (ptrdiff_t c = 0; c < size; c += SIDE)
        for (ptrdiff_t i = 0; i <= c; i += SIDE, of_tile += 2 * TILE) {
            REAL found[(2 * TILE + 3) / 4 * 4];
            NAME(reals) rest[4] = {{0}};
            memcpy(rest, of_tile + 2 * TILE / 4 * 4, 2 * TILE % 4 * sizeof *rest);
            for (int e = 0; e < 2 * TILE / 4 * 4; e += 4) NAME(sum_lanes)(of_tile + e, found + e);
            NAME(sum_lanes)(rest, found + 2 * TILE / 4 * 4);
            for (ptrdiff_t row = i; row < smaller(i + SIDE, k); row++)
                for (ptrdiff_t column = c; column < smaller(c + SIDE, k); column++) {
                    const ptrdiff_t e = (row - i) * SIDE + column - c;
                    plain[row * k + column] += (double)found[e];
                    weighted[row * k + column] += (double)found[TILE + e];
                }
        }
    memset(sums, 0, (size_t)NAME(sums_size)(size) * sizeof *sums);
}
