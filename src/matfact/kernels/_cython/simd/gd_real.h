/* The gradient descent kernels of one SIMD level for one real type (included by level.h). */
#include "product.h"
#include "gd_cells.h"
#include "gd_error.h"
#include "gd_convert.h"
#if REAL_BYTES == 8
#include "gd_maps.h" /* in double precision for both */
#endif
#undef CELLS
#undef ERROR_VECTORS
#undef ERROR_ROWS
