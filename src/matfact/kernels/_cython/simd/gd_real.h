/* The kernels of one SIMD level for one real type (included by gd_level.h). They share the macros
 * that gd_product.h and gd_cells.h derive from REAL_BYTES and VECTOR_BYTES. */
#include "gd_product.h"
#include "gd_cells.h"
#include "gd_error.h"
#include "gd_convert.h"
#undef LANES
#undef CELLS
#undef INNER_BLOCK
#undef TRANSPOSED_BLOCK
#undef TRANSPOSED_ROWS
#undef ERROR_VECTORS
#undef ERROR_ROWS
