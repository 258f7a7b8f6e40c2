/* Alternating least squares of one SIMD level for one real type (included by level.h). */
#include "lanes.h"
#include "als_tile.h"
#include "als_gather.h"
#include "als_cholesky.h"
#include "als_normal.h"
#include "als_conjugate.h"
#include "als_gram.h"

/* Bytes of scratch that solve_row needs, for the longest row. */
static ptrdiff_t NAME(row_scratch)(const AlsRows *rows)
{
    const ptrdiff_t reals = rows->method == ALS_CONJUGATE ? NAME(conjugate_scratch)(rows)
                                                          : NAME(normal_scratch)(rows);
    return reals * (ptrdiff_t)sizeof(REAL);
}

/* Solves one row into solution[row] and solution_biases[row]; 1 if the result is not finite. A row
 * without entries gets zeros, unless a gram matrix says that absent entries count. */
static int NAME(solve_row)(const AlsRows *rows, ptrdiff_t row, void *scratch)
{
    const ptrdiff_t k = rows->n_features;
    REAL *solution = (REAL *)rows->solution + row * k, sum = 0;
    REAL *bias = rows->solution_biases ? (REAL *)rows->solution_biases + row : NULL;
    if (rows->indptr[row] == rows->indptr[row + 1] && !rows->gram) {
        memset(solution, 0, (size_t)k * sizeof(REAL));
        if (bias) *bias = 0;
        return 0;
    }
    if (rows->method == ALS_CONJUGATE)
        NAME(conjugate_row)(rows, row, scratch, solution, bias);
    else
        NAME(normal_row)(rows, row, scratch, solution, bias);
    /* an infinity or NaN times 0 is NaN, and stays so in a sum */
    for (ptrdiff_t f = 0; f < k; f++) sum += solution[f] * 0;
    if (bias) sum += *bias * 0;
    return !(sum == 0);
}
#undef PANEL_VECTORS
#undef PANEL
#undef GROUP
