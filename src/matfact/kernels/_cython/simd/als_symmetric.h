/* Products of a symmetric matrix with vectors, for one SIMD level and one real type.
 *
 * The matrix G is stored in panels (als_tile.h), all of it. An element of a product is the sum over
 * the rows of G in their order, whether for one vector or for several at a time: the same bits.
 */
#ifndef MATFACT_ALS_SYMMETRIC_H
#define MATFACT_ALS_SYMMETRIC_H
#define TOGETHER 12 /* vectors of a product, at most; a multiple of all heights of tiles */
#endif

/* out += sign * (G p) for some whole panels, whose sums stay in registers; rows first .. of G. */
static ALWAYS_INLINE void NAME(add_gram_panels)(
    const int n_panels, const int vectors, ptrdiff_t first, ptrdiff_t n, ptrdiff_t padded,
    const REAL *panel, REAL sign, const REAL *p, REAL *out)
{
    enum { REGISTERS = LANES / REALS_OF_VECTOR(LANES) };
    const int width = vectors * REGISTERS;
    NAME(reals) sum[8 * REGISTERS];
    UNROLL_ALL for (int v = 0; v < n_panels * width; v++) sum[v] = (NAME(reals)){0};
    for (ptrdiff_t i = 0; i < n; i++) {
        const REAL x = sign * p[i];
        UNROLL_ALL for (int q = 0; q < n_panels; q++) {
            const NAME(reals) *row = (const NAME(reals) *)(
                panel + q * PANEL * padded + (first + i) * vectors * LANES);
            UNROLL_ALL for (int v = 0; v < width; v++) sum[q * width + v] += x * row[v];
        }
    }
    UNROLL_ALL for (int v = 0; v < n_panels * width; v++) ((NAME(reals) *)out)[v] += sum[v];
}

/* out += sign * (G p) with rows first .. first + n - 1 of G, as many as p has. */
static void NAME(add_gram_product)(
    ptrdiff_t first, ptrdiff_t n, ptrdiff_t padded, const REAL *gram, REAL sign,
    const REAL *p, REAL *out)
{
    ptrdiff_t start = 0;
#define PANELS(number) \
    for (; start + (number) * PANEL <= padded; start += (number) * PANEL) \
        NAME(add_gram_panels)( \
            number, PANEL_VECTORS, first, n, padded, gram + start * padded, sign, p, out + start)
    if (PANEL_VECTORS <= 2) PANELS(4);
    PANELS(2);
    PANELS(1);
#undef PANELS
    if (start < padded)
        NAME(add_gram_panels)(
            1, 1, first, n, padded, gram + start * padded, sign, p, out + start);
}

/* The same with the first k rows of G for n vectors at `p` and n at `out`, which follow one another
 * in steps of `step`. `left` has room for TOGETHER vectors. */
static void NAME(add_gram_products)(
    ptrdiff_t k, ptrdiff_t padded, const REAL *gram, REAL sign, ptrdiff_t n,
    const REAL *p, REAL *out, ptrdiff_t step, REAL *left)
{
    enum { HEIGHT = TILE_VECTORS / PANEL_VECTORS };
    if (n == 1) {
        NAME(add_gram_product)(0, k, padded, gram, sign, p, out);
        return;
    }
    /* tiles read their vectors side by side; the last tile may have fewer, and zeros instead */
    for (ptrdiff_t t = 0; t < TOGETHER; t++)
        for (ptrdiff_t i = 0; i < k; i++)
            left[(t / HEIGHT * k + i) * HEIGHT + t % HEIGHT] = t < n ? sign * p[t * step + i] : 0;
    for (ptrdiff_t start = 0; start < padded; start += PANEL)
        for (ptrdiff_t t = 0; t < n; t += HEIGHT) {
            const ptrdiff_t width = NAME(panel_width)(start, padded);
            const REAL *panel = gram + start * padded, *from = left + t * k;
            REAL product[HEIGHT * PANEL] __attribute__((aligned(64)));
            if (LANES >= GROUP && width == LANES)
                NAME(als_tile)(HEIGHT, 1, SET, k, from, HEIGHT, panel, width, product, width);
            else
                NAME(als_tile)(
                    HEIGHT, PANEL_VECTORS, SET, k, from, HEIGHT, panel, width, product, width);
            for (ptrdiff_t i = 0; i < smaller(HEIGHT, n - t); i++)
                for (ptrdiff_t f = 0; f < width; f++)
                    out[(t + i) * step + start + f] += product[i * width + f];
        }
}
