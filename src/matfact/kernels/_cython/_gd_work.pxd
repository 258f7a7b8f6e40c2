# What a call of iterations works on: its matrices, where they lie in one workspace, and the way in and out of numpy arrays.
from matfact.kernels._cython._gd_steps cimport (
    Cells, Job, TRANSPOSED_ROWS, chunk_rows, gd_cells_scratch, gram_scratch, int32_t, int64_t, longest_row,
)
from matfact.kernels._cython._types cimport real

cdef enum:
    CACHED_BYTES = 3000000  # a block of ratings that the second product finds again in the caches


cdef struct Side:
    # Users or items while iterations run. `old` is the state of the last finished iteration.
    Py_ssize_t rows
    double step
    char *old
    char *new
    Cells cells


cdef struct Work:
    Side users
    Side items
    const char *ratings    # NULL: only the observed cells are visited
    char *transposed       # U^T R, item after item
    char *weights          # V M, packed: what ratings are multiplied with
    char *packed_users     # a block of new users
    char *item_weights     # M of the items, packed
    char *own_map          # C, packed
    char *square           # gram matrix in the working precision, for the cells
    double *gram
    double *inverse
    double *own
    char *gram_scratch
    char *cells_scratch
    Py_ssize_t cells_scratch_bytes


cdef inline Py_ssize_t block_rows(const Job *job, const Work *w) noexcept nogil:
    """Rows of ratings that both half sweeps treat while they are cached; any multiple of TRANSPOSED_ROWS gives the same bits."""
    cdef double fit = <double> CACHED_BYTES * min(job.n_threads, 4) / job.bytes / w.items.rows / TRANSPOSED_ROWS
    cdef Py_ssize_t least = 2 * chunk_rows(job) * min(job.n_threads, 4)
    return min(w.users.rows, max(least, TRANSPOSED_ROWS * <Py_ssize_t> fit))


cdef inline char *take(char **free, Py_ssize_t size) noexcept nogil:
    """Cut `size` bytes, rounded up to whole cache lines, from the free part of the workspace."""
    cdef inline char *taken = free[0]
    free[0] += (size + 63) // 64 * 64
    return taken


cdef inline char *aligned(unsigned char[::1] workspace) noexcept:
    return <char *> ((<size_t> &workspace[0] + 63) // 64 * 64)


cdef inline char *lay_out(const Job *job, Work *w, char *free) noexcept nogil:
    """Give every matrix of `w` its place from `free` on and return the first byte behind them."""
    cdef Py_ssize_t row = job.features * job.bytes, square = job.n_features * row
    cdef Py_ssize_t longest = 0
    w.users.old = take(&free, w.users.rows * row)
    w.users.new = take(&free, w.users.rows * row) if w.users.step != 0 else w.users.old
    w.items.old = take(&free, w.items.rows * row)
    w.items.new = take(&free, w.items.rows * row) if w.items.step != 0 else w.items.old
    if w.ratings != NULL:
        w.transposed = take(&free, w.items.rows * row)
        w.weights = take(&free, w.items.rows * row)
        w.packed_users = take(&free, block_rows(job, w) * row)
        w.item_weights = take(&free, square)
        w.own_map = take(&free, square)
        w.square = take(&free, square)
        w.gram = <double *> take(&free, job.n_features * job.n_features * 8)
        w.inverse = <double *> take(&free, job.n_features * job.n_features * 8)
        w.own = <double *> take(&free, job.n_features * job.n_features * 8)
        w.gram_scratch = take(&free, gram_scratch(job))
    if w.users.cells.indptr != NULL:
        longest = max(longest_row(w.users.cells.indptr, w.users.rows), longest_row(w.items.cells.indptr, w.items.rows))
        w.cells_scratch_bytes = (gd_cells_scratch(job.features, longest) * job.bytes + 63) // 64 * 64
        w.cells_scratch = take(&free, w.cells_scratch_bytes * job.n_threads)
    return free


cdef inline void load(const Job *job, const real[:, ::1] factors, bint transposed, char *rows) noexcept nogil:
    """Copy factors into padded rows; `transposed` factors have a column a row."""
    cdef Py_ssize_t count = factors.shape[1] if transposed else factors.shape[0], i, f
    cdef real *row = <real *> rows
    for i in range(count):
        for f in range(job.features):
            row[f] = 0 if f >= job.n_features else factors[f, i] if transposed else factors[i, f]
        row += job.features


cdef inline void store(const Job *job, const char *rows, bint transposed, real[:, ::1] factors) noexcept nogil:
    cdef Py_ssize_t count = factors.shape[1] if transposed else factors.shape[0], i, f
    cdef const real *row = <const real *> rows
    for i in range(count):
        for f in range(job.n_features):
            if transposed:
                factors[f, i] = row[f]
            else:
                factors[i, f] = row[f]
        row += job.features


cdef inline Cells no_cells() noexcept nogil:
    cdef Cells cells
    cells.indptr = NULL
    cells.indices = NULL
    cells.values = NULL
    cells.sign = 1
    return cells


cdef inline Cells missing_cells(const int64_t[::1] indptr, const int32_t[::1] indices) noexcept nogil:
    cdef Cells cells = no_cells()
    cells.indptr = &indptr[0]
    cells.indices = &indices[0] if indices.shape[0] else NULL
    cells.sign = -1
    return cells


cdef inline Cells observed_cells(const int64_t[::1] indptr, const int32_t[::1] indices, const real[::1] values) noexcept nogil:
    cdef Cells cells = missing_cells(indptr, indices)
    cells.values = <const char *> &values[0] if values.shape[0] else NULL
    cells.sign = 1
    return cells


cdef inline int same(str what, Py_ssize_t found, Py_ssize_t expected) except -1:
    if found != expected:
        raise ValueError(f"{what} is {found}, must be {expected}")
    return 0
