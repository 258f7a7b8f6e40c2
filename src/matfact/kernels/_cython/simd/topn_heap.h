/* The best columns of one row so far, for one SIMD level and one real type (included by
 * topn_real.h): a heap with the worst of them on top. Of equal scores the later column is worse. */
typedef struct {
    REAL score;
    int32_t column;
} NAME(Entry);

/* Columns with scores above `threshold` get in: the worst score once there are enough. */
typedef struct {
    NAME(Entry) *entries;
    ptrdiff_t count, wanted;
    REAL threshold;
    const int32_t *excluded;
    ptrdiff_t n_excluded;
} NAME(Heap);

static ALWAYS_INLINE int NAME(is_worse)(NAME(Entry) a, NAME(Entry) b)
{
    return a.score < b.score || (a.score == b.score && a.column > b.column);
}

/* Puts an entry into the place of the one on top of a heap of `count`. */
static void NAME(sift)(NAME(Entry) *heap, ptrdiff_t count, ptrdiff_t place, NAME(Entry) entry)
{
    for (;;) {
        ptrdiff_t child = 2 * place + 1;
        if (child >= count) break;
        if (child + 1 < count && NAME(is_worse)(heap[child + 1], heap[child])) child++;
        if (!NAME(is_worse)(heap[child], entry)) break;
        heap[place] = heap[child];
        place = child;
    }
    heap[place] = entry;
}

static void NAME(make_heap)(NAME(Entry) *heap, ptrdiff_t count)
{
    for (ptrdiff_t place = count / 2 - 1; place >= 0; place--)
        NAME(sift)(heap, count, place, heap[place]);
}

static int NAME(is_excluded)(const NAME(Heap) *heap, int32_t column)
{
    ptrdiff_t low = 0, high = heap->n_excluded;
    while (low < high) {
        const ptrdiff_t middle = (low + high) / 2;
        if (heap->excluded[middle] < column) low = middle + 1;
        else high = middle;
    }
    return low < heap->n_excluded && heap->excluded[low] == column;
}

/* Columns come in ascending order, so one with the score of the worst does not get in. */
static void NAME(offer)(NAME(Heap) *heap, int32_t column, REAL score)
{
    const NAME(Entry) entry = {score, column};
    if (!(score > heap->threshold) || NAME(is_excluded)(heap, column)) return;
    if (heap->count < heap->wanted) {
        heap->entries[heap->count++] = entry;
        if (heap->count < heap->wanted) return;
        NAME(make_heap)(heap->entries, heap->count);
    } else
        NAME(sift)(heap->entries, heap->count, 0, entry);
    heap->threshold = heap->entries[0].score;
}

static NAME(Heap) NAME(new_heap)(const TopRun *run, ptrdiff_t row, NAME(Entry) *entries)
{
    NAME(Heap) heap = {entries, 0, run->wanted, (REAL)-INFINITY, NULL, 0};
    if (run->excluded_indptr) {
        heap.excluded = run->excluded + run->excluded_indptr[row];
        heap.n_excluded = (ptrdiff_t)(run->excluded_indptr[row + 1] - run->excluded_indptr[row]);
    }
    return heap;
}

/* Stores the columns of a row, the best first. */
static void NAME(store)(const TopRun *run, ptrdiff_t row, NAME(Heap) *heap)
{
    NAME(Entry) *entries = heap->entries;
    if (heap->count < heap->wanted) NAME(make_heap)(entries, heap->count);
    for (ptrdiff_t last = heap->count - 1; last >= 0; last--) {
        const NAME(Entry) worst = entries[0];
        NAME(sift)(entries, last, 0, entries[last]);
        run->best[row * run->wanted + last] = worst.column;
        ((REAL *)run->scores)[row * run->wanted + last] = worst.score;
    }
    run->counts[row] = heap->count;
}
