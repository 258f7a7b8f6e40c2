# One iteration of gradient descent, a sweep over the users and then one over the items, on a
# workspace of both sides' factors. gd.pyx has the equations.
from libc.string cimport memset

from matfact.kernels._cython._gd_cells cimport Cells, longest_row, sweep_cells
from matfact.kernels._cython._gd_steps cimport (
    INNER_UNIT, Job, apply_square, chunk_rows, gram, gram_scratch, multiply, pack, pack_square,
)
from matfact.kernels._cython._gd_table cimport UPPER_B, gd_cells_scratch
from matfact.kernels._cython._gd_work cimport take_square
from matfact.kernels._cython._parallel cimport THREAD_WORK
from matfact.kernels._cython._workspace cimport Space, take

cdef enum:
    # A block of ratings is found in the caches again by the second product: the share of a thread
    # in a second-level cache and a little of the third level, for up to CACHING_THREADS threads.
    CACHED_BYTES = 3000000
    CACHING_THREADS = 4


cdef struct Side:
    # Users or items while iterations run.
    Py_ssize_t rows
    double step           # 0: this side stays as it is, and `new` is `old`
    char *old             # factors after the last finished iteration
    char *new             # factors in the making
    Cells cells


cdef struct Work:
    # What iterations work on. M and C are the maps of a sweep (simd/gd_maps.h).
    Side users
    Side items
    const char *ratings   # NULL: only the observed cells are visited, and all below is unused
    char *item_rows       # scratch, then R^T U: a row an item
    char *packed_items    # V M of the users' sweep: what ratings are multiplied by
    char *packed_users    # a block of new users: what the transpose of ratings is multiplied by
    char *packed_inverse  # M
    char *packed_own      # C
    char *square          # gram matrix in the working precision, for the cells; scratch
    double *gram
    double *inverse       # M
    double *own           # C
    char *gram_scratch
    char *cells_scratch   # one piece a thread
    Py_ssize_t cells_scratch_bytes


cdef inline Py_ssize_t block_rows(const Job *job, const Work *w) noexcept nogil:
    """Rows of ratings that both half sweeps treat while they are cached.

    Any multiple of INNER_UNIT gives the same bits, so this may depend on the number of threads.
    """
    cdef int n_threads = min(job.threads.n_threads, CACHING_THREADS)
    cdef double unit_bytes = <double> INNER_UNIT * w.items.rows * job.real_bytes
    cdef Py_ssize_t fit = <Py_ssize_t> (<double> CACHED_BYTES * n_threads / unit_bytes)
    cdef Py_ssize_t least = 2 * chunk_rows(job, False) * n_threads  # work for every thread
    cdef double unit_work = <double> INNER_UNIT * w.items.rows * job.padded
    if n_threads > 1:  # and enough of it to be worth a thread
        least = max(least, INNER_UNIT * (1 + <Py_ssize_t> (THREAD_WORK / unit_work)))
    return min(w.users.rows, max(least, INNER_UNIT * fit))


cdef inline void lay_out(const Job *job, Work *w, Space *space) noexcept nogil:
    """Give every matrix of `w` its place."""
    cdef Py_ssize_t users_bytes = w.users.rows * job.row_bytes
    cdef Py_ssize_t items_bytes = w.items.rows * job.row_bytes
    cdef Py_ssize_t square_bytes = job.n_features * job.row_bytes, longest
    w.users.old = take(space, users_bytes)
    w.users.new = take(space, users_bytes) if w.users.step != 0 else w.users.old
    w.items.old = take(space, items_bytes)
    w.items.new = take(space, items_bytes) if w.items.step != 0 else w.items.old
    if w.ratings != NULL:
        w.item_rows = take(space, items_bytes)
        w.packed_items = take(space, items_bytes)
        w.packed_users = take(space, block_rows(job, w) * job.row_bytes)
        w.packed_inverse = take(space, square_bytes)
        w.packed_own = take(space, square_bytes)
        w.square = take(space, square_bytes)
        w.gram = take_square(space, job)
        w.inverse = take_square(space, job)
        w.own = take_square(space, job)
        w.gram_scratch = take(space, gram_scratch(job))
    if w.users.cells.indptr != NULL:
        longest = max(
            longest_row(w.users.cells.indptr, w.users.rows),
            longest_row(w.items.cells.indptr, w.items.rows))
        w.cells_scratch_bytes = gd_cells_scratch(job.padded, longest) * job.real_bytes
        w.cells_scratch_bytes = (w.cells_scratch_bytes + 63) // 64 * 64
        w.cells_scratch = take(space, w.cells_scratch_bytes * job.threads.n_threads)


cdef inline int set_maps(
    Job *job, Work *w, const Side *side, const char *other, Py_ssize_t other_rows
) except -1 nogil:
    """Prepare the maps of a sweep over `side`: new = (ratings x other) M + old C.

    With missing cells the product is only the linear term of the sweep over them, which is
    ratings x other - old gram: M = I and C = -gram.
    """
    cdef Py_ssize_t k = job.n_features, i
    gram(job, other_rows, other, other, w.gram, w.gram_scratch)
    if side.cells.indptr == NULL:
        job.kernels.affine_maps(k, side.step, w.gram, w.inverse, w.own)
        pack_square(job, w.own, 1.0, w.packed_own, w.square)
    else:
        memset(w.inverse, 0, k * k * sizeof(double))
        for i in range(k):
            w.inverse[i * k + i] = 1.0
        pack_square(job, w.gram, -1.0, w.packed_own, w.square)
    pack_square(job, w.inverse, 1.0, w.packed_inverse, w.square)
    job.kernels.from_double(k, job.padded, w.gram, 1.0, w.square)
    return 0


cdef inline int begin_users(Job *job, Work *w) except -1 nogil:
    """The part of the users' sweep that needs no ratings: new = old C, and V M for the rest."""
    set_maps(job, w, &w.users, w.items.old, w.items.rows)
    apply_square(
        job, w.items.rows, w.items.old, w.packed_inverse, w.item_rows, False, UPPER_B)
    pack(job, w.items.rows, w.item_rows, w.packed_items)
    apply_square(job, w.users.rows, w.users.old, w.packed_own, w.users.new, False)
    return 0


cdef inline int sweep_users(
    Job *job, Work *w, Py_ssize_t first, Py_ssize_t count
) except -1 nogil:
    """The rest of it for a block of users: new += ratings V M, and their missing cells."""
    cdef const char *ratings = w.ratings + first * w.items.rows * job.real_bytes
    cdef const char *old = w.users.old + first * job.row_bytes
    cdef char *new = w.users.new + first * job.row_bytes
    cdef Cells cells = w.users.cells
    multiply(job, count, w.items.rows, ratings, w.items.rows, 1, w.packed_items, new, True)
    if cells.indptr != NULL:
        cells.indptr += first
        sweep_cells(
            job, count, &cells, w.users.step, w.items.old, w.square, old, new,
            w.cells_scratch, w.cells_scratch_bytes)
    return 0


cdef inline int add_products(
    Job *job, Work *w, Py_ssize_t first, Py_ssize_t count
) except -1 nogil:
    """item_rows (+)= R^T U, the part of a block of new users."""
    cdef const char *ratings = w.ratings + first * w.items.rows * job.real_bytes
    pack(job, count, w.users.new + first * job.row_bytes, w.packed_users)
    multiply(
        job, w.items.rows, count, ratings, 1, w.items.rows, w.packed_users, w.item_rows,
        first > 0)
    return 0


cdef inline int sweep_items(Job *job, Work *w) except -1 nogil:
    """The items' sweep, after item_rows = R^T U: new = old C + R^T U M, and missing cells."""
    cdef Side *items = &w.items
    set_maps(job, w, items, w.users.new, w.users.rows)
    apply_square(job, items.rows, items.old, w.packed_own, items.new, False)
    apply_square(job, items.rows, w.item_rows, w.packed_inverse, items.new, True, UPPER_B)
    if items.cells.indptr != NULL:
        sweep_cells(
            job, items.rows, &items.cells, items.step, w.users.new, w.square,
            items.old, items.new, w.cells_scratch, w.cells_scratch_bytes)
    return 0


cdef inline int dense_iteration(Job *job, Work *w) except -1 nogil:
    """One iteration over ratings held as a matrix, which is read once, block by block."""
    cdef Py_ssize_t first = 0, count, block = block_rows(job, w)
    if w.users.step != 0:
        begin_users(job, w)
    while first < w.users.rows:
        count = min(block, w.users.rows - first)
        if w.users.step != 0:
            sweep_users(job, w, first, count)
        if w.items.step != 0:
            add_products(job, w, first, count)
        first += count
    if w.items.step != 0:
        sweep_items(job, w)
    return 0


cdef inline int observed_iteration(Job *job, Work *w) except -1 nogil:
    """One iteration that visits the observed cells only."""
    cdef Side *users = &w.users
    cdef Side *items = &w.items
    if users.step != 0:
        sweep_cells(
            job, users.rows, &users.cells, users.step, items.old, NULL, users.old, users.new,
            w.cells_scratch, w.cells_scratch_bytes)
    if items.step != 0:
        sweep_cells(
            job, items.rows, &items.cells, items.step, users.new, NULL, items.old, items.new,
            w.cells_scratch, w.cells_scratch_bytes)
    return 0


cdef inline int iterate(
    Job *job, Work *w, Py_ssize_t n_iterations, Py_ssize_t *finished
) except -1 nogil:
    """Run iterations and count in `finished`; `old` of both sides is what the last one left.

    An iteration that gives a value which is not finite is not counted and ends the run.
    """
    cdef Py_ssize_t user_reals = w.users.rows * job.padded
    cdef Py_ssize_t item_reals = w.items.rows * job.padded
    while finished[0] < n_iterations:
        if w.ratings != NULL:
            dense_iteration(job, w)
        else:
            observed_iteration(job, w)
        if (
            job.kernels.not_finite(user_reals, w.users.new)
            or job.kernels.not_finite(item_reals, w.items.new)
        ):
            break
        w.users.old, w.users.new = w.users.new, w.users.old
        w.items.old, w.items.new = w.items.new, w.items.old
        finished[0] += 1
    return 0
