# Shapes of the arrays that a kernel is called with.
from libc.stdint cimport int32_t, int64_t

from matfact.kernels._cython._types cimport real


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
