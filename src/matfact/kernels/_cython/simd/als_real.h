/* Alternating least squares of one SIMD level for one real type (included by level.h). */
#include "lanes.h"
#include "als_tile.h"
#include "als_gather.h"
#include "als_cholesky.h"
#include "als_normal.h"
#include "als_symmetric.h"
#include "als_conjugate.h"
#include "als_subspace.h"
#include "als_gram.h"

/* Bytes of scratch that solve_row needs, for the longest row. */
static ptrdiff_t NAME(row_scratch)(const AlsRows *rows)
{
    const ptrdiff_t reals = rows->method == ALS_CONJUGATE  ? NAME(conjugate_scratch)(rows)
                            : rows->method == ALS_SUBSPACE ? NAME(subspace_scratch)(rows)
                                                           : NAME(normal_scratch)(rows);
    return reals * (ptrdiff_t)sizeof(REAL);
}

/* An infinity or NaN times 0 is NaN, and stays so in a sum. */
static int NAME(is_finite)(const AlsRows *rows, ptrdiff_t row)
{
    const REAL *solution = (const REAL *)rows->solution + row * rows->n_features;
    REAL sum = 0;
    for (ptrdiff_t f = 0; f < rows->n_features; f++) sum += solution[f] * 0;
    if (rows->solution_biases) sum += ((const REAL *)rows->solution_biases)[row] * 0;
    return sum == 0;
}

/* Solves one row, not by conjugate gradients. */
static void NAME(solve_row)(const AlsRows *rows, ptrdiff_t row, void *scratch)
{
    const ptrdiff_t k = rows->n_features;
    REAL *solution = (REAL *)rows->solution + row * k;
    REAL *bias = rows->solution_biases ? (REAL *)rows->solution_biases + row : NULL;
    if (rows->indptr[row] == rows->indptr[row + 1] && !rows->gram) {
        memset(solution, 0, (size_t)k * sizeof(REAL));
        if (bias) *bias = 0;
    } else if (rows->method == ALS_SUBSPACE)
        NAME(subspace_row)(rows, row, scratch, solution);
    else
        NAME(normal_row)(rows, row, scratch, solution, bias);
}

/* Solves n rows into `solution` and `solution_biases`; returns how many are not finite. Rows without
 * entries get zeros, unless a gram matrix says that absent entries count. */
static ptrdiff_t NAME(solve_some)(
    const AlsRows *rows, const int64_t *row, ptrdiff_t n, void *scratch)
{
    ptrdiff_t failed = 0;
    for (ptrdiff_t t = 0; t < n;) {
        const int empty = rows->indptr[row[t]] == rows->indptr[row[t] + 1] && !rows->gram;
        if (rows->method == ALS_CONJUGATE && !empty)
            t += NAME(conjugate_some)(rows, row + t, n - t, scratch);
        else
            NAME(solve_row)(rows, row[t++], scratch);
    }
    for (ptrdiff_t t = 0; t < n; t++) failed += !NAME(is_finite)(rows, row[t]);
    return failed;
}
#undef PANEL_VECTORS
#undef PANEL
#undef GROUP
