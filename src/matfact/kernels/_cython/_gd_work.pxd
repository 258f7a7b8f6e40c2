# Memory of a call: one workspace cut into matrices, the way in and out of numpy arrays, and the
# checks of their shapes.
from libc.stdint cimport int32_t, int64_t

from matfact.kernels._cython._gd_steps cimport Job
from matfact.kernels._cython._types cimport real


cdef struct Space:
    # Memory that matrices are cut from. A first pass with base = NULL finds the size.
    char *base
    Py_ssize_t used


cdef inline char *take(Space *space, Py_ssize_t size) noexcept nogil:
    """Cut `size` bytes, rounded up to whole cache lines, from the workspace."""
    cdef Py_ssize_t start = space.used
    space.used += (size + 63) // 64 * 64
    return space.base + start if space.base != NULL else NULL


cdef inline double *take_square(Space *space, const Job *job) noexcept nogil:
    """Cut a k x k matrix in double precision from the workspace."""
    return <double *> take(space, job.n_features * job.n_features * sizeof(double))


cdef inline Space counting() noexcept nogil:
    return Space(NULL, 0)


cdef inline Py_ssize_t needed(const Space *counted) noexcept nogil:
    """Length of the array for what a first pass took, with room to start at a cache line."""
    return counted.used + 63


cdef inline Space space_of(unsigned char[::1] workspace) noexcept:
    return Space(<char *> &workspace[0] + (64 - <size_t> &workspace[0] % 64) % 64, 0)


cdef inline void load(
    const Job *job, const real[:, ::1] factors, bint transposed, char *rows
) noexcept nogil:
    """Copy factors into padded rows; `transposed` factors (k, rows) have a column for a row."""
    cdef Py_ssize_t count = factors.shape[1] if transposed else factors.shape[0], i, f
    cdef real *row = <real *> rows
    for i in range(count):
        for f in range(job.padded):
            if f >= job.n_features:
                row[f] = 0
            else:
                row[f] = factors[f, i] if transposed else factors[i, f]
        row += job.padded


cdef inline void store(
    const Job *job, const char *rows, bint transposed, real[:, ::1] factors
) noexcept nogil:
    """Copy padded rows back into factors."""
    cdef Py_ssize_t count = factors.shape[1] if transposed else factors.shape[0], i, f
    cdef const real *row = <const real *> rows
    for i in range(count):
        for f in range(job.n_features):
            if transposed:
                factors[f, i] = row[f]
            else:
                factors[i, f] = row[f]
        row += job.padded


cdef inline int check(str array, str what, Py_ssize_t found, Py_ssize_t expected) except -1:
    if found != expected:
        raise ValueError(f"{array} must have {expected} {what}, not {found}")
    return 0


cdef inline int check_matrix(
    str array, const real[:, ::1] matrix, Py_ssize_t rows, Py_ssize_t columns
) except -1:
    check(array, "rows", matrix.shape[0], rows)
    check(array, "columns", matrix.shape[1], columns)
    return 0


cdef inline int check_factors(
    const real[:, ::1] user_factors, const real[:, ::1] item_factors,
    Py_ssize_t n_users, Py_ssize_t n_items,
) except -1:
    check_not_empty(n_users, n_items, user_factors.shape[1])
    check("user_factors", "rows", user_factors.shape[0], n_users)
    check_matrix("item_factors", item_factors, user_factors.shape[1], n_items)
    return 0


cdef inline int check_not_empty(
    Py_ssize_t n_users, Py_ssize_t n_items, Py_ssize_t n_features
) except -1:
    if min(n_users, n_items, n_features) < 1:
        raise ValueError(
            "there must be at least one user, one item and one feature, "
            f"not {n_users}, {n_items} and {n_features}")
    return 0


cdef inline int check_cells(
    str side, const int64_t[::1] indptr, const int32_t[::1] indices, Py_ssize_t rows
) except -1:
    check(f"{side}_indptr", "entries", indptr.shape[0], rows + 1)
    check(f"{side}_indices", f"entries as {side}_indptr ends", indices.shape[0], indptr[rows])
    return 0
