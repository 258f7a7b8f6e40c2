# Copies of matrices in a workspace whose rows are filled up with zeros to whole vectors.
from libc.string cimport memcpy, memset

from matfact.kernels._cython._types cimport real
from matfact.kernels._cython._workspace cimport Space, take


cdef inline const void *pad_rows(
    const real[:, ::1] matrix, Py_ssize_t padded, Space *space
) noexcept:
    """Copy a matrix, `padded` reals a row; NULL while the workspace is only being measured."""
    cdef Py_ssize_t n = matrix.shape[0], k = matrix.shape[1], i
    cdef real *out = <real *> take(space, n * padded * sizeof(real))
    if out == NULL or n == 0:
        return NULL
    for i in range(n):
        memcpy(out + i * padded, &matrix[i, 0], k * sizeof(real))
        memset(out + i * padded + k, 0, (padded - k) * sizeof(real))
    return out


cdef inline const void *pad_panels(
    const double[:, ::1] matrix, Py_ssize_t padded, Py_ssize_t panel, Space *space, real zero
) noexcept:
    """Copy a square matrix, or None, rounded to the type of `zero`, padded x padded.

    Panels of so many columns follow one another, the last may be narrower.
    """
    cdef Py_ssize_t k, i, j, width
    cdef real *out
    if matrix is None:
        return NULL
    out = <real *> take(space, padded * padded * sizeof(real))
    if out == NULL:
        return NULL
    k = matrix.shape[0]
    for i in range(padded):
        for j in range(padded):
            width = min(panel, padded - j // panel * panel)
            out[j // panel * panel * padded + i * width + j % panel] = (
                <real> matrix[i, j] if i < k and j < k else zero)
    return out
