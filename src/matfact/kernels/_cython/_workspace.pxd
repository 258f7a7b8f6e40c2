# Memory of a call: one array, cut into matrices that start at cache lines.


cdef struct Space:
    # Memory that matrices are cut from. A first pass with base = NULL finds the size.
    char *base
    Py_ssize_t used


cdef inline char *take(Space *space, Py_ssize_t size) noexcept nogil:
    """Cut `size` bytes, rounded up to whole cache lines, from the workspace."""
    cdef Py_ssize_t start = space.used
    space.used += (size + 63) // 64 * 64
    return space.base + start if space.base != NULL else NULL


cdef inline Space counting() noexcept nogil:
    return Space(NULL, 0)


cdef inline Py_ssize_t needed(const Space *counted) noexcept nogil:
    """Length of the array for what a first pass took, with room to start at a cache line."""
    return counted.used + 63


cdef inline Space space_of(unsigned char[::1] workspace) noexcept:
    return Space(<char *> &workspace[0] + (64 - <size_t> &workspace[0] % 64) % 64, 0)
