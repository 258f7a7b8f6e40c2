/* Eigenvectors of symmetric matrices for every SIMD level, behind one table of function pointers.
 * All is in double precision; levels.h compiles eigen_real.h for each level. */
#ifndef MATFACT_EIGEN_DISPATCH_H
#define MATFACT_EIGEN_DISPATCH_H
#include "portable.h"
#include <math.h>
#include <string.h>

/* A = Q T Q^T with T tridiagonal, of diagonal d and e beside it, and the rotations that make T
 * diagonal: sweep s treats the pairs (i, i + 1) for counts[s] numbers i from starts[s] down. */
typedef struct {
    ptrdiff_t n;
    double *a;       /* n x n; row k keeps the vector of reflection k, from k + 1 on */
    double *tau;     /* of reflections I - tau v v^T, n of them, the last two 0 */
    double *d, *e;   /* n each */
    double *cosines, *sines;
    int32_t *starts, *counts;
    ptrdiff_t n_sweeps;
} Eigen;

typedef struct {
    int panel; /* eigenvectors' rows that are computed at a time */
    double (*reflection)(ptrdiff_t count, double *x, double *tau);
    void (*update_rows)(
        const Eigen *eigen, ptrdiff_t k, const double *v, const double *w, double *next);
    void (*finish_update)(const Eigen *eigen, ptrdiff_t k, double *w);
    void (*vectors)(
        const Eigen *eigen, ptrdiff_t first, ptrdiff_t count, double *panel);
} EigenKernels;

#define TABLE_TYPE EigenKernels
#define KERNELS_OF_ONE_REAL "eigen_real.h"
#define TABLE(type, bytes) \
    { \
        .panel = EIGEN_VECTORS * VECTOR_BYTES / 8, \
        .reflection = JOIN3(reflection, f64, LEVEL), \
        .update_rows = JOIN3(update_rows, f64, LEVEL), \
        .finish_update = JOIN3(finish_update, f64, LEVEL), \
        .vectors = JOIN3(vectors, f64, LEVEL), \
    }

/* Vectors of a row of a panel. */
#define EIGEN_VECTORS 4

/* The rotations of T by the implicit QL method; T's diagonal becomes the eigenvalues. Returns 0 if
 * there is no room for so many rotations, -1 if it does not converge (W. H. Press et al.,
 * Numerical Recipes, section 11.3; B. N. Parlett, The Symmetric Eigenvalue Problem, 8). */
static inline int eigen_rotations(Eigen *eigen, double tiny, ptrdiff_t room, ptrdiff_t sweep_room)
{
    const ptrdiff_t n = eigen->n;
    double *d = eigen->d, *e = eigen->e;
    ptrdiff_t used = 0;
    eigen->n_sweeps = 0;
    for (ptrdiff_t l = 0; l < n; l++)
        for (int tries = 0;; tries++) {
            ptrdiff_t m = l, i;
            while (m < n - 1 && fabs(e[m]) > 1.1e-16 * (fabs(d[m]) + fabs(d[m + 1])) + tiny) m++;
            if (m == l) break;
            if (tries == 60) return -1;
            if (used + m - l > room || eigen->n_sweeps == sweep_room) return 0;
            double g = (d[l + 1] - d[l]) / (2 * e[l]), s = 1, c = 1, p = 0;
            g = d[m] - d[l] + e[l] / (g + (g < 0 ? -sqrt(g * g + 1) : sqrt(g * g + 1)));
            eigen->starts[eigen->n_sweeps] = (int32_t)(m - 1);
            for (i = m - 1; i >= l; i--) {
                const double f = s * e[i], b = c * e[i];
                double r = sqrt(f * f + g * g);
                e[i + 1] = r;
                if (r == 0) {
                    d[i + 1] -= p;
                    break;
                }
                s = f / r, c = g / r;
                g = d[i + 1] - p;
                r = (d[i] - g) * s + 2 * c * b;
                p = s * r;
                d[i + 1] = g + p;
                g = c * r - b;
                eigen->cosines[used] = c, eigen->sines[used] = s, used++;
            }
            eigen->counts[eigen->n_sweeps++] = (int32_t)(m - 1 - i);
            if (i >= l) { /* a zero in between: T falls apart */
                e[m] = 0;
                continue;
            }
            d[l] -= p;
            e[l] = g;
            e[m] = 0;
        }
    return 1;
}
#include "levels.h"
#endif
