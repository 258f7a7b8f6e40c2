# The steps that gradient descent sweeps are made of: matrices in, matrices out, no Python objects.
#
# Matrices of factors are row-major, one row a user or an item, k features padded with zeros to whole vectors. They are
# untyped here: the table of kernels belongs to one real type, and `Job.bytes` is the size of its numbers.
#
# Every step cuts its rows into chunks whose size does not depend on the number of threads, and no sum crosses a chunk except
# in a fixed order: results are the same bits for any number of threads. Regions too short to pay for threads run on one.
from cython.parallel cimport prange, threadid
from libc.stdint cimport int32_t, int64_t
from libc.string cimport memset

cdef extern from "simd/gd_dispatch.h" nogil:
    cdef enum:
        WHOLE, UPPER_B, UPPER_C
    ctypedef struct GdKernels:
        int lanes
        void (*product)(Py_ssize_t rows, Py_ssize_t inner, int n_vectors, const void *a, Py_ssize_t a_row, Py_ssize_t a_inner,
                        const void *b, Py_ssize_t b_packed, void *c, Py_ssize_t c_stride, int accumulate,
                        int upper) noexcept nogil
        void (*pack)(Py_ssize_t rows, Py_ssize_t columns, int n_vectors, const void *a, Py_ssize_t a_row, Py_ssize_t a_column,
                     void *packed_matrix, Py_ssize_t packed, Py_ssize_t first_row) noexcept nogil
        void (*affine_maps)(Py_ssize_t k, double step, const double *gram, double *inverse, double *own) noexcept nogil
        void (*multiply_squares)(Py_ssize_t k, int transposed, const double *a, const double *b, double *c,
                                 int accumulate) noexcept nogil
        void (*cells)(Py_ssize_t n_features, Py_ssize_t features, Py_ssize_t count, const int32_t *index, const void *value,
                      const void *other, double step, int sign, const void *linear, const void *gram, const void *old,
                      void *own, void *scratch) noexcept nogil
        double (*cells_error)(Py_ssize_t features, Py_ssize_t count, const int32_t *index, const void *value, const void *other,
                              const void *own) noexcept nogil
        void (*dense_error)(Py_ssize_t rows, Py_ssize_t columns, Py_ssize_t n_features, const void *ratings, Py_ssize_t stride,
                            const void *own, Py_ssize_t own_stride, const void *panels, double *error) noexcept nogil
        int (*not_finite)(Py_ssize_t count, const void *x) noexcept nogil
        void (*add_to_double)(Py_ssize_t rows, Py_ssize_t columns, const void *tile, Py_ssize_t stride, double *total,
                              Py_ssize_t total_stride) noexcept nogil
        void (*from_double)(Py_ssize_t k, Py_ssize_t features, const double *source, double scale, void *rows) noexcept nogil
    const GdKernels *gd_kernels(int real_bytes, Py_ssize_t n_features)
    int gd_set_level(int level)
    Py_ssize_t gd_cells_scratch(Py_ssize_t features, Py_ssize_t count)

cdef extern from *:
    """
    #ifdef _OPENMP
    #include <omp.h>
    #define gd_max_threads() omp_get_max_threads()
    #else
    #define gd_max_threads() 1
    #endif
    """
    int gd_max_threads() nogil

cdef extern from "Python.h":
    int PyErr_CheckSignals() except -1

cdef enum:
    CHUNK = 48             # rows of a product that one thread takes at a time: a multiple of every tile's height
    SMALL_CHUNK = 12       # the same where rows are so long that CHUNK of them would keep a signal waiting
    CELL_CHUNK = 8         # rows of cells, which differ in length
    SLICES = 16            # partial sums of a gram matrix
    TRANSPOSED_ROWS = 96   # blocks of ratings are multiples of it, and it is one of the inner block of transposed products
    SLICE_ROWS = 192       # rows added up in the working precision before they join a double-precision sum, a multiple of it
    CELL_COST = 10         # multiply-adds of a product that take as long as one feature of one listed cell
    THREAD_WORK = 10000000   # multiply-adds below which a region runs on one thread (about half a millisecond)
    SIGNAL_WORK = 200000000  # multiply-adds between two looks for signals (5 to 50 ms)


cdef struct Job:
    const GdKernels *kernels
    Py_ssize_t n_features
    Py_ssize_t features    # n_features, padded
    int n_vectors
    int bytes              # of one real
    int n_threads
    double work            # multiply-adds since the last look for signals


cdef inline Job new_job(int real_bytes, Py_ssize_t n_features, int n_threads) noexcept nogil:
    cdef Job job
    job.kernels = gd_kernels(real_bytes, n_features)
    job.n_features = n_features
    job.n_vectors = <int> ((n_features + job.kernels.lanes - 1) // job.kernels.lanes)
    job.features = <Py_ssize_t> job.n_vectors * job.kernels.lanes
    job.bytes = real_bytes
    job.n_threads = n_threads if n_threads > 0 else gd_max_threads()
    job.work = 0
    return job


cdef inline int threads_for(const Job *job, double work) noexcept nogil:
    return job.n_threads if work > THREAD_WORK else 1


cdef inline int answer_signals(Job *job, double work) except -1 nogil:
    """Count `work`; after SIGNAL_WORK run Python's signal handlers, which may raise KeyboardInterrupt."""
    job.work += work
    if job.work > SIGNAL_WORK:
        job.work = 0
        with gil:
            PyErr_CheckSignals()
    return 0


cdef inline Py_ssize_t rows_between_signals(double work_per_row, Py_ssize_t chunk) noexcept nogil:
    cdef double rows = SIGNAL_WORK / (work_per_row + 1) / chunk
    return chunk * <Py_ssize_t> (rows if rows > 1 else 1)


cdef inline Py_ssize_t chunk_rows(const Job *job) noexcept nogil:
    """Rows a thread takes at a time: more where rows of B are long, for all of B passes through the caches once a chunk."""
    return CHUNK * max(1, min(job.features * job.bytes // 256, 4))


cdef inline void multiply_rows(const Job *job, Py_ssize_t first, Py_ssize_t rows, Py_ssize_t inner, const char *a, Py_ssize_t a_row,
                               Py_ssize_t a_inner, const char *b, char *c, bint accumulate, int upper) noexcept nogil:
    job.kernels.product(rows, inner, job.n_vectors, a + first * a_row * job.bytes, a_row, a_inner, b, inner,
                        c + first * job.features * job.bytes, job.features, accumulate, upper)


cdef inline int multiply(Job *job, Py_ssize_t rows, Py_ssize_t inner, const char *a, Py_ssize_t a_row, Py_ssize_t a_inner,
                         const char *b, char *c, bint accumulate, int upper=WHOLE) except -1 nogil:
    """C = (C +) A B for `rows` rows of factors C and packed factors B of `inner` rows.

    A is read at a[i * a_row + p * a_inner]: a matrix with a_inner = 1, the transpose of one with a_row = 1.
    """
    cdef double work = <double> inner * job.features
    cdef Py_ssize_t height = chunk_rows(job) if work * chunk_rows(job) < SIGNAL_WORK else SMALL_CHUNK
    cdef Py_ssize_t block = rows_between_signals(work, height), first = 0, last, chunk, i
    cdef int n_threads
    while first < rows:
        last = min(first + block, rows)
        n_threads = threads_for(job, work * (last - first))
        if n_threads == 1:
            multiply_rows(job, first, last - first, inner, a, a_row, a_inner, b, c, accumulate, upper)
        else:
            for chunk in prange((last - first + height - 1) // height, schedule="dynamic", num_threads=n_threads):
                i = first + chunk * height
                multiply_rows(job, i, min(height, last - i), inner, a, a_row, a_inner, b, c, accumulate, upper)
        answer_signals(job, work * (last - first))
        first = last
    return 0


cdef inline void pack(const Job *job, Py_ssize_t rows, const char *factors, char *packed) noexcept nogil:
    """Copy row-major factors into the panels that `multiply` takes as B."""
    job.kernels.pack(rows, job.features, job.n_vectors, factors, job.features, 1, packed, rows, 0)


cdef inline Py_ssize_t gram_scratch(const Job *job) noexcept nogil:
    """Bytes of scratch that `gram` needs."""
    return SLICES * (job.n_features * job.n_features * 8 + (job.n_features + SLICE_ROWS) * job.features * job.bytes)


cdef inline void gram_slice(const Job *job, Py_ssize_t s, Py_ssize_t slices, Py_ssize_t first, Py_ssize_t last, const char *left,
                            const char *right, char *tile, double *total) noexcept nogil:
    """total += left^T right over slice number s of the rows first .. last - 1."""
    cdef Py_ssize_t k = job.n_features, row_bytes = job.features * job.bytes, rows
    cdef Py_ssize_t end = first + (last - first) * (s + 1) // slices
    cdef char *packed = tile + k * row_bytes
    first += (last - first) * s // slices
    while first < end:
        rows = min(SLICE_ROWS, end - first)
        job.kernels.pack(rows, job.features, job.n_vectors, right + first * row_bytes, job.features, 1, packed, rows, 0)
        job.kernels.product(k, rows, job.n_vectors, left + first * row_bytes, 1, job.features, packed, rows, tile,
                            job.features, False, UPPER_C if left == right else WHOLE)
        job.kernels.add_to_double(k, k, tile, job.features, total, k)
        first += SLICE_ROWS


cdef inline int gram(Job *job, Py_ssize_t rows, const char *left, const char *right, double *total, char *scratch) except -1 nogil:
    """total = left^T right in double precision, for factors left and right; rows are added in slices of fixed bounds."""
    cdef Py_ssize_t k = job.n_features, row_bytes = job.features * job.bytes
    cdef Py_ssize_t slices = max(1, min(SLICES, rows // SLICE_ROWS)), s, i, first = 0, last
    cdef Py_ssize_t tile_bytes = (k + SLICE_ROWS) * row_bytes
    cdef int n_threads
    cdef Py_ssize_t span = rows_between_signals(<double> k * k, SLICES * SLICE_ROWS)
    cdef double *partial = <double *> scratch
    cdef char *tiles = scratch + SLICES * k * k * 8
    memset(partial, 0, slices * k * k * 8)
    while first < rows:
        last = min(first + span, rows)
        n_threads = threads_for(job, <double> k * k * (last - first))
        if n_threads == 1:
            for s in range(slices):
                gram_slice(job, s, slices, first, last, left, right, tiles, partial + s * k * k)
        else:
            for s in prange(slices, schedule="dynamic", num_threads=n_threads):
                gram_slice(job, s, slices, first, last, left, right, tiles + s * tile_bytes, partial + s * k * k)
        answer_signals(job, <double> k * k * (last - first))
        first = last
    for i in range(k * k):
        total[i] = partial[i]
        for s in range(1, slices):
            total[i] += partial[s * k * k + i]
    if left == right:
        for i in range(k):
            for s in range(i):
                total[i * k + s] = total[s * k + i]
    return 0


cdef inline void pack_square(const Job *job, const double *square, double scale, char *packed, char *scratch) noexcept nogil:
    """Round scale * square (k x k) to the working precision and pack it."""
    job.kernels.from_double(job.n_features, job.features, square, scale, scratch)
    job.kernels.pack(job.n_features, job.features, job.n_vectors, scratch, job.features, 1, packed, job.n_features, 0)


cdef struct Cells:
    # Listed cells of one side, row after row: observed ones with their values, or missing ones (values NULL, sign -1).
    const int64_t *indptr
    const int32_t *indices
    const char *values
    int sign


cdef inline Py_ssize_t longest_row(const int64_t *indptr, Py_ssize_t rows) noexcept nogil:
    cdef Py_ssize_t i, longest = 0
    for i in range(rows):
        longest = max(longest, <Py_ssize_t> (indptr[i + 1] - indptr[i]))
    return longest


cdef inline void sweep_rows(const Job *job, Py_ssize_t first, Py_ssize_t last, const Cells *cells, double step, const char *other,
                            const char *square, const char *old, char *new, char *scratch) noexcept nogil:
    cdef Py_ssize_t row_bytes = job.features * job.bytes, i, start
    for i in range(first, last):
        start = cells.indptr[i]
        job.kernels.cells(job.n_features, job.features, cells.indptr[i + 1] - start, cells.indices + start,
                          cells.values + start * job.bytes if cells.values != NULL else NULL, other, step, cells.sign,
                          new + i * row_bytes if square != NULL else NULL, square, old + i * row_bytes, new + i * row_bytes,
                          scratch)


cdef inline int sweep_cells(Job *job, Py_ssize_t rows, const Cells *cells, double step, const char *other, const char *square,
                            const char *old, char *new, char *scratch, Py_ssize_t scratch_bytes) except -1 nogil:
    """Sweep over the listed cells of every row; with `square` (the other side's gram matrix), `new` holds the linear term."""
    cdef Py_ssize_t first = 0, last, chunk, i
    cdef int n_threads
    cdef double work = <double> CELL_COST * job.features, block_work
    cdef Py_ssize_t block = rows_between_signals(work * (<double> (cells.indptr[rows] - cells.indptr[0]) / rows + job.features), CELL_CHUNK)
    while first < rows:
        last = min(first + block, rows)
        block_work = work * (cells.indptr[last] - cells.indptr[first] + job.features * (last - first))
        n_threads = threads_for(job, block_work)
        if n_threads == 1:
            sweep_rows(job, first, last, cells, step, other, square, old, new, scratch)
        else:
            for chunk in prange((last - first + CELL_CHUNK - 1) // CELL_CHUNK, schedule="dynamic", num_threads=n_threads):
                i = first + chunk * CELL_CHUNK
                sweep_rows(job, i, min(i + CELL_CHUNK, last), cells, step, other, square, old, new,
                           scratch + threadid() * scratch_bytes)
        answer_signals(job, block_work)
        first = last
    return 0
