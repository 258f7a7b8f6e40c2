# The steps that gradient descent sweeps are made of: matrices in, matrices out, no Python objects.
#
# Matrices of factors are row-major, one row a user or an item, features padded with zeros to whole
# vectors. They are untyped here: the table of kernels belongs to one real type, and
# `Job.real_bytes` is the size of its numbers.
#
# Every step cuts its rows into chunks as _parallel.pxd asks.
from cython.parallel cimport prange
from libc.string cimport memset

from matfact.kernels._cython._gd_table cimport GdKernels, UPPER_C, WHOLE, kernels_for
from matfact.kernels._cython._parallel cimport (
    SIGNAL_WORK, Threads, answer_signals, new_threads, rows_between_signals, threads_for,
)

cdef enum:
    CHUNK = 48               # rows of a product at a time, a multiple of the height of every tile
    SMALL_CHUNK = 12         # if rows are so long that CHUNK of them would keep a signal waiting

    # Whoever cuts the inner dimension of a transposed product cuts it at multiples of this, which
    # is one of TRANSPOSED_BLOCK of product.h: then sums are made of the same parts.
    INNER_UNIT = 96

    # A gram matrix is summed in up to SLICES partial sums, one a thread. Of SLICE_ROWS rows sums
    # are made in the working precision before they join one in double precision.
    SLICES = 16
    SLICE_ROWS = 192


cdef struct Job:
    # What all steps of one call have in common.
    const GdKernels *kernels
    Py_ssize_t n_features
    Py_ssize_t padded       # reals of a row of factors: n_features, filled up to whole vectors
    Py_ssize_t row_bytes    # bytes of such a row
    int n_vectors           # vectors of such a row
    int real_bytes          # 4 or 8
    Threads threads


cdef inline Job new_job(int real_bytes, Py_ssize_t n_features, int n_threads) noexcept nogil:
    cdef Job job
    job.kernels = kernels_for(real_bytes, n_features)
    job.n_features = n_features
    job.n_vectors = <int> ((n_features + job.kernels.lanes - 1) // job.kernels.lanes)
    job.padded = <Py_ssize_t> job.n_vectors * job.kernels.lanes
    job.row_bytes = job.padded * real_bytes
    job.real_bytes = real_bytes
    job.threads = new_threads(n_threads)
    return job


cdef inline Py_ssize_t chunk_rows(const Job *job, bint transposed) noexcept nogil:
    """Rows of a product that are treated at a time.

    All of B passes through the caches once a chunk: more rows where rows of B are long. Under a
    transposed A the rows of C pass through them once an inner block instead, and a chunk of C
    should stay there.
    """
    return CHUNK if transposed else CHUNK * max(1, min(job.row_bytes // 256, 4))


cdef inline void multiply_chunk(
    const Job *job, Py_ssize_t first, Py_ssize_t last, Py_ssize_t inner,
    const char *a, Py_ssize_t a_row, Py_ssize_t a_inner,
    const char *b, char *c, bint accumulate, int upper,
) noexcept nogil:
    """Rows first .. last - 1 of `multiply`."""
    job.kernels.product(
        last - first, inner, job.n_vectors,
        a + first * a_row * job.real_bytes, a_row, a_inner,
        b,
        c + first * job.row_bytes, job.padded,
        accumulate, upper)


cdef inline int multiply(
    Job *job, Py_ssize_t rows, Py_ssize_t inner,
    const char *a, Py_ssize_t a_row, Py_ssize_t a_inner,
    const char *b, char *c, bint accumulate, int upper=WHOLE,
) except -1 nogil:
    """C = (C +) A B for `rows` rows of factors C and packed factors B of `inner` rows.

    A is read at a[i * a_row + p * a_inner]: a matrix has a_inner = 1, the transpose of one
    a_row = 1. `upper` is for a square B of which the upper triangle is all there is (UPPER_B).
    """
    cdef double work = <double> inner * job.padded
    cdef Py_ssize_t height = chunk_rows(job, a_row == 1)
    if work * height > SIGNAL_WORK:
        height = SMALL_CHUNK
    cdef Py_ssize_t block = rows_between_signals(work, height), first = 0, last, chunk, i
    cdef int n_threads
    while first < rows:
        last = min(first + block, rows)
        n_threads = threads_for(&job.threads, work * (last - first))
        if n_threads == 1:
            i = first
            while i < last:  # in chunks too, for the caches
                multiply_chunk(
                    job, i, min(i + height, last), inner,
                    a, a_row, a_inner, b, c, accumulate, upper)
                i += height
        else:
            for chunk in prange(
                (last - first + height - 1) // height, schedule="dynamic", num_threads=n_threads
            ):
                i = first + chunk * height
                multiply_chunk(
                    job, i, min(i + height, last), inner,
                    a, a_row, a_inner, b, c, accumulate, upper)
        answer_signals(&job.threads, work * (last - first))
        first = last
    return 0


cdef inline int apply_square(
    Job *job, Py_ssize_t rows, const char *factors, const char *square, char *out,
    bint accumulate, int upper=WHOLE,
) except -1 nogil:
    """out = (out +) factors x square, for rows of factors and a packed k x k matrix."""
    multiply(
        job, rows, job.n_features, factors, job.padded, 1, square, out, accumulate, upper)
    return 0


cdef inline void pack(
    const Job *job, Py_ssize_t rows, const char *factors, char *packed
) noexcept nogil:
    """Copy rows of factors into the panels that `multiply` takes as B, in as many bytes."""
    job.kernels.pack(rows, job.padded, job.n_vectors, factors, job.padded, 1, packed)


cdef inline void pack_square(
    const Job *job, const double *square, double scale, char *packed, char *scratch
) noexcept nogil:
    """Round scale * square (k x k) to the working precision and pack it."""
    job.kernels.from_double(job.n_features, job.padded, square, scale, scratch)
    pack(job, job.n_features, scratch, packed)


cdef inline Py_ssize_t gram_scratch(const Job *job) noexcept nogil:
    """Bytes of scratch that `gram` needs: a partial sum, a tile and a packed slice a slice."""
    cdef Py_ssize_t square_bytes = job.n_features * job.n_features * sizeof(double)
    return SLICES * (square_bytes + (job.n_features + SLICE_ROWS) * job.row_bytes)


cdef inline void gram_slice(
    const Job *job, Py_ssize_t slice, Py_ssize_t slices, Py_ssize_t first, Py_ssize_t last,
    const char *left, const char *right, char *tile, double *total,
) noexcept nogil:
    """total += left^T right over one slice of the rows first .. last - 1."""
    cdef Py_ssize_t k = job.n_features, rows
    cdef Py_ssize_t end = first + (last - first) * (slice + 1) // slices
    cdef char *packed = tile + k * job.row_bytes
    cdef int upper = UPPER_C if left == right else WHOLE
    first += (last - first) * slice // slices
    while first < end:
        rows = min(SLICE_ROWS, end - first)
        pack(job, rows, right + first * job.row_bytes, packed)
        job.kernels.product(
            k, rows, job.n_vectors,
            left + first * job.row_bytes, 1, job.padded,
            packed,
            tile, job.padded,
            False, upper)
        job.kernels.add_to_double(k, k, tile, job.padded, total, k)
        first += SLICE_ROWS


cdef inline int gram(
    Job *job, Py_ssize_t rows, const char *left, const char *right, double *total, char *scratch
) except -1 nogil:
    """total = left^T right (k x k) in double precision, for `rows` rows of factors each."""
    cdef Py_ssize_t k = job.n_features, squares = k * k, slice, i, j
    cdef Py_ssize_t slices = max(1, min(SLICES, rows // SLICE_ROWS))
    cdef Py_ssize_t tile_bytes = (k + SLICE_ROWS) * job.row_bytes
    cdef Py_ssize_t block = rows_between_signals(<double> squares, SLICES * SLICE_ROWS)
    cdef Py_ssize_t first = 0, last
    cdef int n_threads
    cdef double *partial = <double *> scratch
    cdef char *tiles = scratch + SLICES * squares * sizeof(double)
    memset(partial, 0, slices * squares * sizeof(double))
    while first < rows:
        last = min(first + block, rows)
        n_threads = threads_for(&job.threads, <double> squares * (last - first))
        if n_threads == 1:
            for slice in range(slices):
                gram_slice(
                    job, slice, slices, first, last,
                    left, right, tiles, partial + slice * squares)
        else:
            for slice in prange(slices, schedule="dynamic", num_threads=n_threads):
                gram_slice(
                    job, slice, slices, first, last,
                    left, right, tiles + slice * tile_bytes, partial + slice * squares)
        answer_signals(&job.threads, <double> squares * (last - first))
        first = last
    for i in range(squares):
        total[i] = partial[i]
        for slice in range(1, slices):
            total[i] += partial[slice * squares + i]
    if left == right:  # only the upper triangle was summed
        for i in range(k):
            for j in range(i):
                total[i * k + j] = total[j * k + i]
    return 0
