# Matrices of gradient descent in a workspace: the way in and out of numpy arrays, their shapes.
from matfact.kernels._cython._checks cimport check, check_matrix, check_not_empty
from matfact.kernels._cython._gd_steps cimport Job
from matfact.kernels._cython._types cimport real
from matfact.kernels._cython._workspace cimport Space, take


cdef inline double *take_square(Space *space, const Job *job) noexcept nogil:
    """Cut a k x k matrix in double precision from the workspace."""
    return <double *> take(space, job.n_features * job.n_features * sizeof(double))


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


cdef inline int check_factors(
    const real[:, ::1] user_factors, const real[:, ::1] item_factors,
    Py_ssize_t n_users, Py_ssize_t n_items,
) except -1:
    check_not_empty(n_users, n_items, user_factors.shape[1])
    check("user_factors", "rows", user_factors.shape[0], n_users)
    check_matrix("item_factors", item_factors, user_factors.shape[1], n_items)
    return 0
