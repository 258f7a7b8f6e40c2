"""Compressed rows: sorting of entries, transposition, numbering of ids: compiled kernels.

Everything is a counting sort or a hash table, O(entries + rows + columns) time on one thread.

argument         shape, dtype         meaning
rows, columns    (entries,) int32     place of each entry, in any order
indptr           (rows + 1,) int64    entries of each row
indices          (entries,) int32     columns of the entries, row by row
keys             (n, width) uint8     one id in each row, as bytes

Preconditions, checked by the caller: rows, columns and indices lie in range, indptr ascends from 0
to the number of entries. Sorts are stable: `order` tells where each entry stood before, and
entries at one place keep their order.
"""
import numpy as np

from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.string cimport memcmp, memcpy

from matfact.kernels._cython._parallel cimport Threads, answer_signals, new_threads

__all__ = ["factorize", "find_repeats", "sort_entries", "transpose"]

cdef enum:
    BLOCK = 1 << 16     # entries between two entries of the account of signals
    ENTRY_WORK = 40     # multiply-adds in the time of one entry
    FIRST_SLOTS = 1 << 10


cdef void count(
    const int32_t *keys, Py_ssize_t n, int64_t *starts, Py_ssize_t n_rows
) noexcept nogil:
    """Turn n_rows + 1 zeros into the starts of the rows of entries sorted by these keys."""
    cdef Py_ssize_t i
    for i in range(n):
        starts[keys[i] + 1] += 1
    for i in range(n_rows):
        starts[i + 1] += starts[i]


def sort_entries(
    const int32_t[::1] rows, const int32_t[::1] columns, Py_ssize_t n_rows, Py_ssize_t n_columns,
):
    """Sort entries by row, then by column: (indptr, indices, order)."""
    cdef Py_ssize_t n = rows.shape[0], i, start, end, column, to
    if columns.shape[0] != n:
        raise ValueError("rows and columns have different lengths")
    cdef int64_t[::1] next_of_column = np.zeros(n_columns + 1, dtype=np.int64)
    # What stands in each place after the sort by column: the row, and where it was.
    cdef int32_t[::1] between_rows = np.empty(n, dtype=np.int32)
    cdef int64_t[::1] between_order = np.empty(n, dtype=np.int64)
    cdef int64_t[::1] indptr = np.zeros(n_rows + 1, dtype=np.int64)
    cdef int32_t[::1] indices = np.empty(n, dtype=np.int32)
    cdef int64_t[::1] order = np.empty(n, dtype=np.int64)
    cdef int64_t[::1] next_of_row
    cdef Threads threads = new_threads(1)
    if n == 0:
        return np.asarray(indptr), np.asarray(indices), np.asarray(order)
    with nogil:
        count(&columns[0], n, &next_of_column[0], n_columns)
        for i in range(n):
            to = next_of_column[columns[i]]
            next_of_column[columns[i]] = to + 1
            between_rows[to] = rows[i]
            between_order[to] = i
            if i % BLOCK == 0:
                answer_signals(&threads, ENTRY_WORK * BLOCK)
        count(&rows[0], n, &indptr[0], n_rows)
    next_of_row = np.array(indptr)
    with nogil:
        start = 0
        for column in range(n_columns):
            end = next_of_column[column]
            for i in range(start, end):
                to = next_of_row[between_rows[i]]
                next_of_row[between_rows[i]] = to + 1
                indices[to] = <int32_t> column
                order[to] = between_order[i]
            answer_signals(&threads, ENTRY_WORK * (end - start))
            start = end
    return np.asarray(indptr), np.asarray(indices), np.asarray(order)


def transpose(const int64_t[::1] indptr, const int32_t[::1] indices, Py_ssize_t n_columns):
    """Sort entries by column, then by row: (indptr, indices, order)."""
    cdef Py_ssize_t n = indices.shape[0], i, row, to
    if indptr[indptr.shape[0] - 1] != n:
        raise ValueError("indptr does not end at the number of indices")
    cdef int64_t[::1] starts = np.zeros(n_columns + 1, dtype=np.int64)
    cdef int64_t[::1] next_of_column
    cdef int32_t[::1] rows = np.empty(n, dtype=np.int32)
    cdef int64_t[::1] order = np.empty(n, dtype=np.int64)
    cdef Threads threads = new_threads(1)
    if n:
        count(&indices[0], n, &starts[0], n_columns)
    next_of_column = np.array(starts)
    with nogil:
        for row in range(indptr.shape[0] - 1):
            for i in range(indptr[row], indptr[row + 1]):
                to = next_of_column[indices[i]]
                next_of_column[indices[i]] = to + 1
                rows[to] = <int32_t> row
                order[to] = i
            answer_signals(&threads, ENTRY_WORK * (indptr[row + 1] - indptr[row]))
    return np.asarray(starts), np.asarray(rows), np.asarray(order)


def find_repeats(const int64_t[::1] indptr, const int32_t[::1] indices):
    """Return the positions of entries in the same row and column as the entry before."""
    cdef Py_ssize_t row, i, found = 0
    cdef int64_t[::1] repeats
    with nogil:
        for row in range(indptr.shape[0] - 1):
            for i in range(indptr[row] + 1, indptr[row + 1]):
                found += indices[i] == indices[i - 1]
    repeats = np.empty(found, dtype=np.int64)
    if found == 0:
        return np.asarray(repeats)
    found = 0
    with nogil:
        for row in range(indptr.shape[0] - 1):
            for i in range(indptr[row] + 1, indptr[row + 1]):
                if indices[i] == indices[i - 1]:
                    repeats[found] = i
                    found += 1
    return np.asarray(repeats)


cdef inline uint64_t hash_of(const unsigned char *key, Py_ssize_t width) noexcept nogil:
    """Mix a key, eight bytes at a time, and finish as splitmix64 does."""
    cdef uint64_t mixed = 0, word
    cdef Py_ssize_t i
    for i in range(0, width - 7, 8):
        memcpy(&word, key + i, 8)
        mixed = (mixed ^ word) * 0x9E3779B97F4A7C15ULL
        mixed ^= mixed >> 32
    if width & 7:
        word = 0
        for i in range(width - (width & 7), width):
            word = word << 8 | key[i]
        mixed = (mixed ^ word) * 0x9E3779B97F4A7C15ULL
        mixed ^= mixed >> 32
    mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9ULL
    mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EBULL
    mixed ^= mixed >> 31
    return mixed


# A slot of the hash table holds all that a look at a key needs: one miss of the cache, not three.
cdef struct Slot:
    uint64_t mixed
    int64_t first
    int64_t code  # -1: free


cdef Slot[::1] new_table(Py_ssize_t n_slots):
    return np.full((n_slots, 3), -1, dtype=np.int64).view(
        [("mixed", np.uint64), ("first", np.int64), ("code", np.int64)])[:, 0]


cdef inline Slot *next_slot(Slot[::1] table, const Slot *slot, uint64_t mask) noexcept nogil:
    return &table[(slot - &table[0] + 1) & mask]


def factorize(const unsigned char[:, ::1] keys):
    """Give codes to distinct keys in order of appearance: (code of each key, firsts).

    `firsts` has the position at which each code appears first.
    """
    cdef Py_ssize_t n = keys.shape[0], width = keys.shape[1]
    codes_array = np.empty(n, dtype=np.int32)
    if n == 0:
        return codes_array, np.empty(0, dtype=np.int64)
    firsts_array = np.empty(FIRST_SLOTS, dtype=np.int64)
    cdef Slot[::1] table = new_table(FIRST_SLOTS)
    cdef int32_t[::1] codes = codes_array
    cdef int64_t[::1] firsts = firsts_array
    cdef const unsigned char *key = &keys[0, 0]
    cdef bint hash_is_key = width <= 8  # the hash of eight bytes can be undone
    cdef Threads threads = new_threads(1)
    cdef uint64_t mixed, mask = FIRST_SLOTS - 1
    cdef Slot *slot
    cdef Py_ssize_t i = 0, n_codes = 0
    while i < n:
        # At most half of the slots are ever taken.
        with nogil:
            while i < n and 2 * n_codes < <Py_ssize_t> mask:
                mixed = hash_of(key + i * width, width)
                slot = &table[mixed & mask]
                while slot.code >= 0 and not (
                    slot.mixed == mixed
                    and (hash_is_key
                         or memcmp(key + slot.first * width, key + i * width, width) == 0)
                ):
                    slot = next_slot(table, slot, mask)
                if slot.code < 0:
                    slot[0] = Slot(mixed, i, n_codes)
                    firsts[n_codes] = i
                    n_codes += 1
                codes[i] = <int32_t> slot.code
                i += 1
                if i % BLOCK == 0:
                    answer_signals(&threads, ENTRY_WORK * BLOCK)
        if i < n:
            if n_codes >= 1 << 30:
                raise OverflowError("there are more than 2**30 distinct keys")
            mask = 2 * mask + 1
            firsts_array = np.resize(firsts_array[:n_codes], mask + 1)
            firsts = firsts_array
            table = grown(table, mask)
    return codes_array, firsts_array[:n_codes].copy()


cdef Slot[::1] grown(Slot[::1] old, uint64_t mask):
    """Copy a hash table into one of mask + 1 slots."""
    cdef Slot[::1] table = new_table(mask + 1)
    cdef Slot *slot
    cdef Py_ssize_t i
    with nogil:
        for i in range(old.shape[0]):
            if old[i].code >= 0:
                slot = &table[old[i].mixed & mask]
                while slot.code >= 0:
                    slot = next_slot(table, slot, mask)
                slot[0] = old[i]
    return table
