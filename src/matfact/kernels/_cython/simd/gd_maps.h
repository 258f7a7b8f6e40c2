/* k x k matrices in double precision (included by gd_real.h, once a SIMD level).
 *
 * A sweep over the factors U of one side, feature after feature, each step seeing the ones before
 * it, is affine in U. With B = R V^T and G = V V^T of the other side's factors V (rows as features)
 *
 *     U <- U + (B - U G) M = B M + U C
 *     M = (I / step + strict_upper(G))^-1        "inverse"
 *     C = I - G M                                "own", what becomes of the old factors
 */

/* M and C. M is upper triangular, its rows come from the last to the first:
 *
 *     M[i, :] = step (e_i - sum_{l > i} G[i, l] M[l, :])
 *
 * From (I / step + strict_upper(G)) M = I it follows that C = M / step - lower(G) M, lower(G)
 * holding the diagonal. Cost: k^3 / 2 multiply-adds. */
static void NAME(affine_maps)(
    ptrdiff_t k, double step, const double *RESTRICT gram,
    double *RESTRICT inverse, double *RESTRICT own)
{
    for (ptrdiff_t i = k - 1; i >= 0; i--) {
        double *row = inverse + i * k;
        for (ptrdiff_t j = 0; j < k; j++) row[j] = i == j;
        for (ptrdiff_t l = i + 1; l < k; l++)
            OMP_SIMD for (ptrdiff_t j = l; j < k; j++)
                row[j] -= gram[i * k + l] * inverse[l * k + j];
        OMP_SIMD for (ptrdiff_t j = i; j < k; j++) row[j] *= step;
    }
    for (ptrdiff_t i = 0; i < k; i++) {
        double *row = own + i * k;
        for (ptrdiff_t j = 0; j < k; j++) row[j] = inverse[i * k + j] / step;
        for (ptrdiff_t l = 0; l <= i; l++)
            OMP_SIMD for (ptrdiff_t j = l; j < k; j++)
                row[j] -= gram[i * k + l] * inverse[l * k + j];
    }
}

/* C = (C +) A B, or (C +) A^T B when `transposed`, for k x k matrices; C is neither A nor B. */
static void NAME(multiply_squares)(
    ptrdiff_t k, int transposed, const double *a, const double *b,
    double *RESTRICT c, int accumulate)
{
    for (ptrdiff_t i = 0; i < k; i++) {
        if (!accumulate)
            for (ptrdiff_t j = 0; j < k; j++) c[i * k + j] = 0;
        for (ptrdiff_t l = 0; l < k; l++) {
            const double x = transposed ? a[l * k + i] : a[i * k + l];
            OMP_SIMD for (ptrdiff_t j = 0; j < k; j++) c[i * k + j] += x * b[l * k + j];
        }
    }
}
