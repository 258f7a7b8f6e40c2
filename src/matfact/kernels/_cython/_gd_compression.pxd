# What `compress` and `expand` of _gd_compressed.pyx work on: ratings seen from their long side, and
# the matrices of one call.
from cython.parallel cimport prange, threadid

from matfact.kernels._cython._gd_steps cimport CHUNK, INNER_UNIT, Job, gram_scratch
from matfact.kernels._cython._gd_table cimport WHOLE
from matfact.kernels._cython._parallel cimport answer_signals, rows_between_signals, threads_for
from matfact.kernels._cython._types cimport real
from matfact.kernels._cython._workspace cimport Space, take

cdef enum:
    # Long rows that are packed at a time: up to LARGEST_BLOCK, a multiple of INNER_UNIT, and no
    # more than make BLOCK_WORK.
    LARGEST_BLOCK = 6144
    BLOCK_WORK = 80000000


cdef struct Ratings:
    # R': its element (i, j) lies at first[i * long_step + j * short_step].
    const char *first
    Py_ssize_t n_long
    Py_ssize_t n_short
    Py_ssize_t long_step
    Py_ssize_t short_step


cdef inline Ratings seen_from_long(const real[:, ::1] ratings, bint long_is_users) noexcept:
    cdef Py_ssize_t n_users = ratings.shape[0], n_items = ratings.shape[1]
    cdef const char *first = <const char *> &ratings[0, 0]
    if long_is_users:
        return Ratings(first, n_users, n_items, n_items, 1)
    return Ratings(first, n_items, n_users, 1, n_items)


cdef inline Py_ssize_t block_rows(const Ratings *ratings) noexcept nogil:
    """Rows of R' that are packed at a time."""
    cdef double unit_work = <double> ratings.n_short * ratings.n_short * INNER_UNIT
    cdef Py_ssize_t units = <Py_ssize_t> (BLOCK_WORK / unit_work)
    return min(LARGEST_BLOCK, INNER_UNIT * max(1, units))


cdef struct Compression:
    char *factors        # L
    char *packed         # L
    char *product        # B0
    char *gram_scratch
    char *panels         # a block of R', packed
    char *tiles          # of S, one a thread


cdef inline void lay_out_compression(
    const Job *job, const Ratings *ratings, Compression *c, Space *space
) noexcept nogil:
    cdef Py_ssize_t width_bytes = 2 * job.kernels.lanes * job.real_bytes
    cdef Py_ssize_t short_bytes = ratings.n_short * job.real_bytes + width_bytes
    c.factors = take(space, ratings.n_long * job.row_bytes)
    c.packed = take(space, ratings.n_long * job.row_bytes)
    c.product = take(space, ratings.n_short * job.row_bytes)
    c.gram_scratch = take(space, gram_scratch(job))
    c.panels = take(space, block_rows(ratings) * short_bytes)
    c.tiles = take(space, job.threads.n_threads * CHUNK * width_bytes)


cdef inline int add_gram(
    Job *job, const Ratings *ratings, Py_ssize_t first_long, Py_ssize_t count,
    Compression *c, double *total,
) except -1 nogil:
    """total (p x p, upper triangle) += A^T A for A = `count` rows of R' from `first_long` on."""
    cdef Py_ssize_t p = ratings.n_short, width = 2 * job.kernels.lanes
    cdef Py_ssize_t n_panels = (p + width - 1) // width
    cdef Py_ssize_t first = 0, last, chunk, i, j, rows
    cdef double work = <double> count * p / 2
    cdef Py_ssize_t block = rows_between_signals(work, CHUNK)
    cdef const char *a = ratings.first + first_long * ratings.long_step * job.real_bytes
    cdef char *tile
    job.kernels.pack(
        count, p, <int> (2 * n_panels), a, ratings.long_step, ratings.short_step, c.panels)
    while first < p:
        last = min(first + block, p)
        for chunk in prange(
            (last - first + CHUNK - 1) // CHUNK,
            schedule="dynamic", num_threads=threads_for(&job.threads, work * (last - first)),
        ):
            i = first + chunk * CHUNK
            rows = min(CHUNK, last - i)
            tile = c.tiles + threadid() * CHUNK * width * job.real_bytes
            for j in range(i // width, n_panels):
                job.kernels.product(
                    rows, count, 2,
                    a + i * ratings.short_step * job.real_bytes,
                    ratings.short_step, ratings.long_step,
                    c.panels + j * width * count * job.real_bytes,
                    tile, width,
                    False, WHOLE)
                job.kernels.add_to_double(
                    rows, min(width, p - j * width), tile, width, total + i * p + j * width, p)
        answer_signals(&job.threads, work * (last - first))
        first = last
    return 0


cdef struct Expansion:
    char *initial        # L0
    char *factors        # L
    char *weights        # X
    char *packed_weights
    char *packed_carry   # Y
    char *carry_rows     # scratch of pack_square


cdef inline void lay_out_expansion(
    const Job *job, const Ratings *ratings, Expansion *e, Space *space
) noexcept nogil:
    e.initial = take(space, ratings.n_long * job.row_bytes)
    e.factors = take(space, ratings.n_long * job.row_bytes)
    e.weights = take(space, ratings.n_short * job.row_bytes)
    e.packed_weights = take(space, ratings.n_short * job.row_bytes)
    e.packed_carry = take(space, job.n_features * job.row_bytes)
    e.carry_rows = take(space, job.n_features * job.row_bytes)
