/* The one dense product of matfact's gradient descent, for one SIMD level and one real type.
 *
 *     C[i, :] = (C[i, :] if accumulate else 0) + sum_p A(i, p) B[p, :]        A(i, p) = a[i * a_row + p * a_inner]
 *
 * a_row is 1 or else a_inner is: the same code multiplies by a stored matrix and by its transpose, so ratings are read where
 * they are in both half sweeps. Rows of B and C hold n_vectors vectors of LANES reals.
 *
 * The columns of B and C are cut into panels of at most three vectors. C is row-major with rows of c_stride reals; B is packed, panel
 * after panel of b_packed contiguous rows, so that the panel under the tile stays in the first-level cache. `upper` tells that B is upper
 * triangular (UPPER_B: what is below the diagonal is not read but for the panel's own square) or that no more than the upper triangle of
 * C is wanted (UPPER_C).
 *
 * Every element of C is summed in the order of p, in blocks that start at multiples of INNER_BLOCK (TRANSPOSED_BLOCK), whatever
 * rows one call holds: results do not depend on how a caller cuts the rows, hence not on the number of threads.
 *
 * Set by the includer: REAL, REAL_BYTES, VECTOR_BYTES, TILE_VECTORS, NAME(x).
 */
#define LANES (VECTOR_BYTES / REAL_BYTES)
#define INNER_BLOCK 256      /* of a panel: 256 rows x 2 vectors fit the first-level cache at every level */
#define TRANSPOSED_BLOCK (384 / REAL_BYTES) /* rows of ratings whose lines stay in that cache while tiles walk along them, */
#define TRANSPOSED_ROWS (192 / REAL_BYTES)  /* for so many columns (a multiple of every tile's height) before the next panel */

/* One register tile: rows x vectors accumulators live in registers over the inner loop. `rows`, `vectors` and `transposed`
 * are constants at every call, so the loops over them unroll. */
static ALWAYS_INLINE void NAME(tile)(const int rows, const int vectors, const int transposed, ptrdiff_t inner,
                                     const REAL *RESTRICT a, ptrdiff_t a_stride, const REAL *RESTRICT b, ptrdiff_t b_stride,
                                     REAL *RESTRICT c, ptrdiff_t c_stride, int accumulate)
{
    const int width = vectors * LANES;
    const ptrdiff_t a_row = transposed ? 1 : a_stride, a_inner = transposed ? a_stride : 1;
    REAL sum[TILE_VECTORS * LANES];
    UNROLL_ALL for (int i = 0; i < rows; i++)
        OMP_SIMD for (int j = 0; j < width; j++) sum[i * width + j] = 0;
    for (ptrdiff_t p = 0; p < inner; p++) {
        if (transposed) PREFETCH(a + p * a_inner + rows); /* the next tile's column; a stride no hardware prefetcher follows */
        UNROLL_ALL for (int i = 0; i < rows; i++) {
            const REAL x = a[i * a_row + p * a_inner];
            OMP_SIMD for (int j = 0; j < width; j++) sum[i * width + j] += x * b[p * b_stride + j];
        }
    }
    UNROLL_ALL for (int i = 0; i < rows; i++) {
        if (accumulate)
            OMP_SIMD for (int j = 0; j < width; j++) c[i * c_stride + j] += sum[i * width + j];
        else
            OMP_SIMD for (int j = 0; j < width; j++) c[i * c_stride + j] = sum[i * width + j];
    }
}

/* All rows of one panel: tiles as tall as the registers allow, then half and a quarter as tall, then single rows. */
static ALWAYS_INLINE void NAME(panel)(const int vectors, const int transposed, ptrdiff_t rows, ptrdiff_t inner,
                                      const REAL *a, ptrdiff_t a_stride, const REAL *b, ptrdiff_t b_stride,
                                      REAL *c, ptrdiff_t c_stride, int accumulate)
{
    const ptrdiff_t a_row = transposed ? 1 : a_stride;
    ptrdiff_t i = 0;
#define TILES(height) \
    for (; i + (height) <= rows; i += (height)) \
        NAME(tile)(height, vectors, transposed, inner, a + i * a_row, a_stride, b, b_stride, c + i * c_stride, c_stride, accumulate)
    TILES(TILE_VECTORS / vectors);
    TILES(TILE_VECTORS / vectors / 2);
    if (TILE_VECTORS / vectors / 4 > 1) TILES(TILE_VECTORS / vectors / 4);
    TILES(1);
#undef TILES
}

static void NAME(product)(ptrdiff_t rows, ptrdiff_t inner, int n_vectors,
                          const void *a_, ptrdiff_t a_row, ptrdiff_t a_inner,
                          const void *b_, ptrdiff_t b_packed, void *c_, ptrdiff_t c_stride, int accumulate, int upper)
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
        vectors = n_vectors - vector == 3 ? 3 : n_vectors - vector == 1 ? 1 : 2;
        const ptrdiff_t column = (ptrdiff_t)vector * LANES, width = (ptrdiff_t)vectors * LANES;
        const ptrdiff_t last_inner = MIN(p + inner_block, upper == UPPER_B ? MIN(inner, column + width) : inner);
        const ptrdiff_t last_row = MIN(i + row_block, upper == UPPER_C ? MIN(rows, column + width) : rows);
        if (last_inner <= p || last_row <= i) continue;
        const REAL *a_part = a + i * a_row + p * a_inner, *b_part = b + column * b_packed + p * width;
        REAL *c_part = c + column + i * c_stride;
        const int add = accumulate || p > 0;
#define PANEL(n, t) NAME(panel)(n, t, last_row - i, last_inner - p, a_part, a_stride, b_part, width, c_part, c_stride, add)
        if (transposed) switch (vectors) { case 1: PANEL(1, 1); break; case 2: PANEL(2, 1); break; default: PANEL(3, 1); }
        else            switch (vectors) { case 1: PANEL(1, 0); break; case 2: PANEL(2, 0); break; default: PANEL(3, 0); }
#undef PANEL
    }
}

/* Row-major rows of `stride` reals, read at a[i * a_row + j * a_column] for j < columns, zeros up to n_vectors * LANES, into packed panels:
 * rows first_row .. first_row + rows of a packed matrix with `packed` rows. */
static void NAME(pack)(ptrdiff_t rows, ptrdiff_t columns, int n_vectors, const void *a_, ptrdiff_t a_row, ptrdiff_t a_column,
                       void *packed_, ptrdiff_t packed, ptrdiff_t first_row)
{
    const REAL *a = a_;
    for (int vector = 0, vectors; vector < n_vectors; vector += vectors) {
        vectors = n_vectors - vector == 3 ? 3 : n_vectors - vector == 1 ? 1 : 2;
        const ptrdiff_t column = (ptrdiff_t)vector * LANES, width = (ptrdiff_t)vectors * LANES;
        REAL *panel = (REAL *)packed_ + column * packed + first_row * width;
        const ptrdiff_t there = columns - column < width ? columns - column : width;
        for (ptrdiff_t i = 0; i < rows; i++)
            for (ptrdiff_t j = 0; j < width; j++)
                panel[i * width + j] = j < there ? a[i * a_row + (column + j) * a_column] : 0;
    }
}
