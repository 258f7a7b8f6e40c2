/* The best columns of each row, for one SIMD level and one real type (included by level.h).
 *
 *     score(row, column) = bias of the column + sum_f p_f q_f        in the order of f
 *
 * Columns are packed into panels of two vectors, feature after feature; HEIGHT rows and a panel make
 * a register tile. A tile is compared with the thresholds of its rows, and only if a score is above
 * are the scores looked at one by one: after the first columns that is seldom. A score is the same
 * bits in whatever tile it is computed.
 */
#include "topn_heap.h"
#define WIDTH (2 * LANES)           /* columns of a panel */
#define VECTORS (WIDTH / REALS_OF_VECTOR(LANES))
#define HEIGHT (TILE_VECTORS / 2)   /* rows of a tile */
#define PANEL_BLOCK 16384           /* bytes of panels that all rows of a block use in turn */

VECTOR_TYPE(NAME(reals), REAL, VECTOR_BYTES);
#if REAL_BYTES == 4
VECTOR_TYPE(NAME(flags), int32_t, VECTOR_BYTES); /* what a comparison gives: -1 or 0 */
#else
VECTOR_TYPE(NAME(flags), int64_t, VECTOR_BYTES);
#endif

static void NAME(pack_panel)(
    ptrdiff_t count, ptrdiff_t k, const REAL *const *factors, REAL *panel)
{
    for (ptrdiff_t f = 0; f < k; f++)
        for (ptrdiff_t j = 0; j < WIDTH; j++) panel[f * WIDTH + j] = j < count ? factors[j][f] : 0;
}

/* Packs `count` columns into panels; the last one is filled up with zeros. */
static void NAME(pack)(ptrdiff_t count, ptrdiff_t k, const void *factors_, void *panels_)
{
    const REAL *factors = factors_, *column[WIDTH];
    for (ptrdiff_t first = 0; first < count; first += WIDTH) {
        const ptrdiff_t some = smaller(WIDTH, count - first);
        for (ptrdiff_t j = 0; j < some; j++) column[j] = factors + (first + j) * k;
        NAME(pack_panel)(some, k, column, (REAL *)panels_ + first * k);
    }
}

/* Scores of `height` rows, whose factors stand side by side, for a panel of columns. Returns whether
 * one is above the threshold of its row; only then are the scores stored. */
static ALWAYS_INLINE int NAME(score_tile)(
    const int height, ptrdiff_t k, const REAL *RESTRICT rows, const REAL *RESTRICT panel,
    const REAL *biases, const REAL *thresholds, REAL *RESTRICT scores)
{
    NAME(reals) sum[HEIGHT * VECTORS];
    UNROLL_ALL for (int j = 0; j < VECTORS; j++) {
        const NAME(reals) bias = biases ? ((const NAME(reals) *)biases)[j] : (NAME(reals)){0};
        UNROLL_ALL for (int i = 0; i < height; i++) sum[i * VECTORS + j] = bias;
    }
    for (ptrdiff_t f = 0; f < k; f++) {
        const NAME(reals) *column = (const NAME(reals) *)(panel + f * WIDTH);
        UNROLL_ALL for (int i = 0; i < height; i++)
            UNROLL_ALL for (int j = 0; j < VECTORS; j++)
                sum[i * VECTORS + j] += rows[f * height + i] * column[j];
    }
    NAME(flags) above = {0};
    UNROLL_ALL for (int i = 0; i < height; i++) {
        const NAME(reals) threshold = thresholds[i] + (NAME(reals)){0};
        UNROLL_ALL for (int j = 0; j < VECTORS; j++) above |= sum[i * VECTORS + j] > threshold;
    }
    char bytes[sizeof above], none[sizeof above] = {0};
    memcpy(bytes, &above, sizeof above);
    if (!memcmp(bytes, none, sizeof above)) return 0;
    UNROLL_ALL for (int i = 0; i < height * VECTORS; i++) ((NAME(reals) *)scores)[i] = sum[i];
    return 1;
}

/* Offers the scores of one row for the columns from `first` on. */
static void NAME(offer_scores)(
    const int32_t *columns, ptrdiff_t first, ptrdiff_t count, const REAL *scores, NAME(Heap) *heap)
{
    for (ptrdiff_t j = 0; j < count; j++)
        if (scores[j] > heap->threshold)
            NAME(offer)(heap, columns ? columns[first + j] : (int32_t)(first + j), scores[j]);
}

/* Bytes of scratch for a block of rows, or for a row with a list. */
static ptrdiff_t NAME(scratch)(const TopRun *run, ptrdiff_t block_rows)
{
    return block_rows * run->wanted * (ptrdiff_t)sizeof(NAME(Entry)) +
           block_rows * (ptrdiff_t)sizeof(NAME(Heap)) +
           (block_rows * run->n_features + block_rows + WIDTH * (HEIGHT + run->n_features + 2)) *
               REAL_BYTES + 256;
}

static ALWAYS_INLINE void *NAME(aligned)(void *scratch)
{
    return (void *)(((uintptr_t)scratch + 63) / 64 * 64);
}

/* Ranks all columns for `count` rows. */
static void NAME(rank_rows)(const TopRun *run, ptrdiff_t first, ptrdiff_t count, void *scratch)
{
    const ptrdiff_t k = run->n_features, groups = (count + HEIGHT - 1) / HEIGHT;
    const ptrdiff_t n_panels = (run->n_columns + WIDTH - 1) / WIDTH;
    const ptrdiff_t panel_bytes = WIDTH * k * REAL_BYTES;
    const ptrdiff_t some_panels = panel_bytes < PANEL_BLOCK ? PANEL_BLOCK / panel_bytes : 1;
    const REAL *factors = run->rows, *panels = run->panels, *biases = run->padded_biases;
    REAL *scores = NAME(aligned)(scratch), *rows = scores + HEIGHT * WIDTH;
    REAL *thresholds = rows + groups * HEIGHT * k;
    NAME(Heap) *heaps = NAME(aligned)(thresholds + groups * HEIGHT);
    NAME(Entry) *entries = NAME(aligned)(heaps + groups * HEIGHT);
    for (ptrdiff_t i = 0; i < groups * HEIGHT; i++) {
        REAL *group = rows + i / HEIGHT * HEIGHT * k + i % HEIGHT;
        for (ptrdiff_t f = 0; f < k; f++)
            group[f * HEIGHT] = i < count ? factors[(first + i) * k + f] : 0;
        thresholds[i] = i < count ? (REAL)-INFINITY : (REAL)INFINITY;
        if (i < count) heaps[i] = NAME(new_heap)(run, first + i, entries + i * run->wanted);
    }
    for (ptrdiff_t start = 0; start < n_panels; start += some_panels)
    for (ptrdiff_t group = 0; group < groups; group++)
    for (ptrdiff_t panel = start; panel < smaller(start + some_panels, n_panels); panel++) {
        const ptrdiff_t column = panel * WIDTH, there = smaller(WIDTH, run->n_columns - column);
        REAL *limits = thresholds + group * HEIGHT;
        if (!NAME(score_tile)(
                HEIGHT, k, rows + group * HEIGHT * k, panels + column * k,
                biases ? biases + column : NULL, limits, scores))
            continue;
        for (ptrdiff_t i = 0; i < smaller(HEIGHT, count - group * HEIGHT); i++) {
            NAME(Heap) *heap = heaps + group * HEIGHT + i;
            NAME(offer_scores)(run->columns, column, there, scores + i * WIDTH, heap);
            limits[i] = heap->threshold;
        }
    }
    for (ptrdiff_t i = 0; i < count; i++) NAME(store)(run, first + i, heaps + i);
}

/* Ranks the columns of a list, ascending, for one row. */
static void NAME(rank_list)(
    const TopRun *run, ptrdiff_t row, ptrdiff_t count, const int32_t *list, void *scratch)
{
    const ptrdiff_t k = run->n_features;
    const REAL *factors = run->factors, *biases = run->biases;
    const REAL *own = (const REAL *)run->rows + row * k, *column[WIDTH];
    REAL *scores = NAME(aligned)(scratch), *some_biases = scores + WIDTH;
    REAL *panel = some_biases + WIDTH;
    NAME(Heap) heap = NAME(new_heap)(run, row, NAME(aligned)(panel + WIDTH * k));
    for (ptrdiff_t first = 0; first < count; first += WIDTH) {
        const ptrdiff_t some = smaller(WIDTH, count - first);
        for (ptrdiff_t j = 0; j < some; j++) {
            column[j] = factors + list[first + j] * k;
            some_biases[j] = biases ? biases[list[first + j]] : 0;
        }
        for (ptrdiff_t j = some; j < WIDTH; j++) some_biases[j] = 0;
        NAME(pack_panel)(some, k, column, panel);
        if (NAME(score_tile)(1, k, own, panel, some_biases, &heap.threshold, scores))
            NAME(offer_scores)(list, first, some, scores, &heap);
    }
    NAME(store)(run, row, &heap);
}
#undef WIDTH
#undef VECTORS
#undef HEIGHT
#undef PANEL_BLOCK
