/* The dense product of all kernels, for one SIMD level and one real type.
 *
 *     C[i, :] = (C[i, :] if accumulate else 0) + sum_p A(i, p) B[p, :]
 *     A(i, p) = a[i * a_row + p * a_inner]
 *
 * Either a_inner is 1 and A is a stored matrix, or a_row is 1 and A is the transpose of one. So
 * ratings are read where they are in both half sweeps.
 *
 * Rows of B and C hold n_vectors vectors of LANES reals. These columns are cut into panels of two
 * vectors (panel_vectors). C is row-major, c_stride reals a row. B is packed, panel after panel:
 * `inner` rows of a panel's width without gaps, so that what a tile reads of B is contiguous and
 * stays in the first-level cache.
 *
 * Every element of C is summed in the order of p, in blocks that start at multiples of INNER_BLOCK
 * (TRANSPOSED_BLOCK), whatever rows one call holds: results do not depend on how a caller cuts the
 * rows, hence not on the number of threads.
 *
 * Set by the includers: REAL, REAL_BYTES, LANES, NAME(x) (level.h), VECTOR_BYTES, TILE_VECTORS
 * (levels.h).
 */
#ifndef MATFACT_PRODUCT_H
#define MATFACT_PRODUCT_H

/* Rows of a panel of B that are used for all of A's rows before the next ones: 256 rows of two
 * vectors are 32 KB at the widest level. */
#define INNER_BLOCK 256

/* A transposed product walks down the columns of ratings, every number in another cache line. It
 * treats TRANSPOSED_BLOCK rows of ratings x TRANSPOSED_ROWS columns (192 bytes of each row) at a
 * time, up to 18 KB, which the tiles of all panels then find in the first-level cache. Both are
 * multiples of the height of every tile. */
#define TRANSPOSED_BLOCK (384 / REAL_BYTES)
#define TRANSPOSED_ROWS (192 / REAL_BYTES)

/* What `product` may leave out, where B or C is a square of which half is known beforehand. */
enum {
    WHOLE,   /* nothing */
    UPPER_B, /* multiplications with what is below the diagonal of B: B is upper triangular */
    UPPER_C  /* elements below the diagonal of C: C is symmetric, and the caller mirrors it */
};

/* Vectors of the next panel of columns when `remaining` are left: two; one or three at the end of
 * an odd number, for a panel of three uses the registers better than a two and a one. */
static inline int panel_vectors(int remaining)
{
    return remaining == 1 || remaining == 3 ? remaining : 2;
}
#endif

VECTOR_TYPE(NAME(vector), REAL, VECTOR_BYTES);

/* One register tile: rows x vectors accumulators, which live in registers over the inner loop.
 * `rows`, `vectors` and `transposed` are constants at every call, so that the loops unroll. */
static ALWAYS_INLINE void NAME(tile)(
    const int rows, const int vectors, const int transposed, ptrdiff_t inner,
    const REAL *RESTRICT a, ptrdiff_t a_stride,
    const REAL *RESTRICT b,
    REAL *RESTRICT c, ptrdiff_t c_stride, int accumulate)
{
    const int width = vectors * (LANES / REALS_OF_VECTOR(LANES));
    const ptrdiff_t a_row = transposed ? 1 : a_stride, a_inner = transposed ? a_stride : 1;
    NAME(vector) sum[TILE_VECTORS * (LANES / REALS_OF_VECTOR(LANES))];
    UNROLL_ALL for (int i = 0; i < rows * width; i++) sum[i] = (NAME(vector)){0};
    for (ptrdiff_t p = 0; p < inner; p++) {
        const NAME(vector) *b_row = (const NAME(vector) *)(b + p * vectors * LANES);
        /* For the next tile: no hardware prefetcher follows a stride of whole rows of ratings. */
        if (transposed) PREFETCH(a, p * a_inner + rows);
        UNROLL_ALL for (int i = 0; i < rows; i++) {
            const REAL x = a[i * a_row + p * a_inner];
            UNROLL_ALL for (int j = 0; j < width; j++) sum[i * width + j] += x * b_row[j];
        }
    }
    UNROLL_ALL for (int i = 0; i < rows; i++) {
        NAME(vector) *c_row = (NAME(vector) *)(c + i * c_stride);
        if (accumulate)
            UNROLL_ALL for (int j = 0; j < width; j++) c_row[j] += sum[i * width + j];
        else
            UNROLL_ALL for (int j = 0; j < width; j++) c_row[j] = sum[i * width + j];
    }
}

/* All rows of one panel: tiles as tall as the registers allow, then half and a quarter as tall,
 * then single rows. */
static ALWAYS_INLINE void NAME(panel)(
    const int vectors, const int transposed, ptrdiff_t rows, ptrdiff_t inner,
    const REAL *a, ptrdiff_t a_stride,
    const REAL *b,
    REAL *c, ptrdiff_t c_stride, int accumulate)
{
    const ptrdiff_t a_row = transposed ? 1 : a_stride;
    ptrdiff_t i = 0;
#define TILES(height) \
    for (; i + (height) <= rows; i += (height)) \
        NAME(tile)( \
            height, vectors, transposed, inner, \
            a + i * a_row, a_stride, b, c + i * c_stride, c_stride, accumulate)
    TILES(TILE_VECTORS / vectors);
    TILES(TILE_VECTORS / vectors / 2);
    if (TILE_VECTORS / vectors / 4 > 1) TILES(TILE_VECTORS / vectors / 4);
    TILES(1);
#undef TILES
}

/* The product above. `upper` tells what of it may be left out (see its enum); whole panels are:
 * the square on the diagonal, as wide as a panel, is computed in full. */
static void NAME(product)(
    ptrdiff_t rows, ptrdiff_t inner, int n_vectors,
    const void *a_, ptrdiff_t a_row, ptrdiff_t a_inner,
    const void *b_,
    void *c_, ptrdiff_t c_stride,
    int accumulate, int upper)
{
    const REAL *a = a_, *b = b_;
    REAL *c = c_;
    const int transposed = a_row == 1;
    const ptrdiff_t a_stride = transposed ? a_inner : a_row;
    const ptrdiff_t inner_block = transposed ? TRANSPOSED_BLOCK : INNER_BLOCK;
    const ptrdiff_t row_block = transposed ? TRANSPOSED_ROWS : rows;
    for (ptrdiff_t p = 0; p < inner; p += inner_block)
    for (ptrdiff_t i = 0; i < rows; i += row_block)
    for (int vector = 0, vectors; vector < n_vectors; vector += vectors) {
        vectors = panel_vectors(n_vectors - vector);
        const ptrdiff_t column = (ptrdiff_t)vector * LANES, width = (ptrdiff_t)vectors * LANES;
        const ptrdiff_t needed_inner = upper == UPPER_B ? smaller(inner, column + width) : inner;
        const ptrdiff_t needed_rows = upper == UPPER_C ? smaller(rows, column + width) : rows;
        const ptrdiff_t some_inner = smaller(p + inner_block, needed_inner) - p;
        const ptrdiff_t some_rows = smaller(i + row_block, needed_rows) - i;
        if (some_inner <= 0 || some_rows <= 0) continue;
        const REAL *a_part = a + i * a_row + p * a_inner;
        const REAL *b_part = b + column * inner + p * width;
        REAL *c_part = c + i * c_stride + column;
        const int add = accumulate || p > 0;
#define PANEL(vectors, transposed) \
    NAME(panel)( \
        vectors, transposed, some_rows, some_inner, \
        a_part, a_stride, b_part, c_part, c_stride, add)
        if (transposed)
            switch (vectors) {
            case 1: PANEL(1, 1); break;
            case 2: PANEL(2, 1); break;
            default: PANEL(3, 1);
            }
        else
            switch (vectors) {
            case 1: PANEL(1, 0); break;
            case 2: PANEL(2, 0); break;
            default: PANEL(3, 0);
            }
#undef PANEL
    }
}

/* Copies a matrix of `rows` rows into the panels that `product` takes as B. Its elements are read
 * at a[i * a_row + j * a_column] for j < columns; up to n_vectors * LANES there follow zeros. */
static void NAME(pack)(
    ptrdiff_t rows, ptrdiff_t columns, int n_vectors,
    const void *a_, ptrdiff_t a_row, ptrdiff_t a_column,
    void *packed)
{
    const REAL *a = a_;
    for (int vector = 0, vectors; vector < n_vectors; vector += vectors) {
        vectors = panel_vectors(n_vectors - vector);
        const ptrdiff_t column = (ptrdiff_t)vector * LANES, width = (ptrdiff_t)vectors * LANES;
        const ptrdiff_t there = smaller(columns - column, width);
        REAL *panel = (REAL *)packed + column * rows;
        for (ptrdiff_t i = 0; i < rows; i++)
            for (ptrdiff_t j = 0; j < width; j++)
                panel[i * width + j] = j < there ? a[i * a_row + (column + j) * a_column] : 0;
    }
}
