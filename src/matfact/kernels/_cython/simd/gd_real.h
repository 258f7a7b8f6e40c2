/* The kernels of one SIMD level for one real type. They share the macros that gd_product.h derives from REAL and VECTOR_BYTES. */
#include "gd_product.h"
#include "gd_cells.h"
#include "gd_error.h"
#undef LANES
#undef CELLS
