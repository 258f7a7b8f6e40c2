/* Eigenvectors of a symmetric matrix, for one SIMD level (included by level.h). */
#if REAL_BYTES == 8
VECTOR_TYPE(NAME(lane), double, VECTOR_BYTES);
#define REALS REALS_OF_VECTOR(LANES)
#define AT(address) (*(NAME(lane) *)(address))
#define SEEN(address) (*(const NAME(lane) *)(address))

/* Turns x into v of the reflection I - tau v v^T that leaves of x its first number; returns that. */
static double NAME(reflection)(ptrdiff_t count, double *x, double *tau)
{
    const double first = x[0];
    double rest = 0;
    OMP_SIMD_SUM(rest) for (ptrdiff_t j = 1; j < count; j++) rest += x[j] * x[j];
    *tau = 0;
    if (rest == 0) return first;
    const double length = sqrt(first * first + rest), alpha = first > 0 ? -length : length;
    x[0] = first - alpha;
    *tau = 2 / (x[0] * x[0] + rest);
    return alpha;
}

/* Rows i > k of the matrix: a_i -= v_i w + w_i v, where v is row k - 1 and w belongs to it, and
 * next_i = a_i . (row k), all from column k + 1 on. So the matrix is read once a reflection. Rows
 * are treated by twos. */
static void NAME(update_rows)(
    const Eigen *eigen, ptrdiff_t k, const double *v, const double *w, double *next)
{
    const ptrdiff_t n = eigen->n;
    const double *own = eigen->a + k * n;
    for (ptrdiff_t i = k + 1; i < n; i += 2) {
        const ptrdiff_t other = i + 1 < n ? i + 1 : i; /* the last one may be alone */
        double *RESTRICT a = eigen->a + i * n, *b = eigen->a + other * n;
        const double va = v[i], wa = w[i], vb = v[other], wb = w[other];
        NAME(lane) sum_a[2] = {{0}}, sum_b[2] = {{0}};
        double total_a = 0, total_b = 0;
        ptrdiff_t j = k + 1;
        if (other > i)
            for (; j + 2 * REALS <= n; j += 2 * REALS)
                UNROLL_ALL for (int t = 0; t < 2; t++) {
                    const ptrdiff_t at = j + t * REALS;
                    const NAME(lane) x = SEEN(v + at), y = SEEN(w + at), z = SEEN(own + at);
                    const NAME(lane) p = SEEN(a + at) - va * y - wa * x;
                    const NAME(lane) q = SEEN(b + at) - vb * y - wb * x;
                    AT(a + at) = p;
                    AT(b + at) = q;
                    sum_a[t] += p * z;
                    sum_b[t] += q * z;
                }
        sum_a[0] += sum_a[1];
        sum_b[0] += sum_b[1];
        double lanes[2 * REALS];
        memcpy(lanes, sum_a, sizeof sum_a[0]);
        memcpy(lanes + REALS, sum_b, sizeof sum_b[0]);
        for (int t = 0; t < REALS; t++) total_a += lanes[t], total_b += lanes[REALS + t];
        for (; j < n; j++) {
            a[j] -= va * w[j] + wa * v[j];
            total_a += a[j] * own[j];
            if (other == i) continue;
            b[j] -= vb * w[j] + wb * v[j];
            total_b += b[j] * own[j];
        }
        next[i] = total_a;
        if (other > i) next[other] = total_b;
    }
}

/* Turns the products with the vector v of reflection k into w, and updates row k + 1. */
static void NAME(finish_update)(const Eigen *eigen, ptrdiff_t k, double *w)
{
    const ptrdiff_t n = eigen->n;
    const double *v = eigen->a + k * n, tau = eigen->tau[k];
    double *row = eigen->a + (k + 1) * n, product = 0;
    OMP_SIMD_SUM(product) for (ptrdiff_t j = k + 1; j < n; j++) product += w[j] * v[j];
    const double half = tau * tau * product / 2;
    OMP_SIMD for (ptrdiff_t j = k + 1; j < n; j++) w[j] = tau * w[j] - half * v[j];
    const double x = v[k + 1], y = w[k + 1];
    OMP_SIMD for (ptrdiff_t j = k + 1; j < n; j++) row[j] -= x * w[j] + y * v[j];
}

/* Reals and vectors of a row of a panel. */
#define WIDTH (EIGEN_VECTORS * LANES)
#define STEPS (WIDTH / REALS)

/* A rotation of the row above, x, with what there is of its successor so far: `out` is done. */
static ALWAYS_INLINE void NAME(rotate)(
    double c, double s, const double *x, double *out, NAME(lane) *last)
{
    UNROLL_ALL for (int t = 0; t < STEPS; t++) {
        const NAME(lane) one = SEEN(x + t * REALS), rotated = s * one + c * last[t];
        last[t] = c * one - s * last[t];
        AT(out + t * REALS) = rotated;
    }
}

/* Two sweeps from the same row on in one walk over the panel, for rows are in no register or
 * first-level cache by the time of the next sweep: rotation j - 1 of the second follows on j of the
 * first. Of the first all count_0 are made, or count_1 + 1 if that is less; returns the row whose
 * numbers so far are in `last`. */
static ALWAYS_INLINE double *NAME(two_sweeps)(
    ptrdiff_t count_0, ptrdiff_t count_1, const double *c, const double *s, double *row,
    NAME(lane) *last)
{
    const double *c_1 = c + count_0, *s_1 = s + count_0;
    const ptrdiff_t both = count_1 < count_0 ? count_1 : count_0 - 1;
    NAME(lane) second[STEPS];
    UNROLL_ALL for (int t = 0; t < STEPS; t++) {
        const NAME(lane) one = SEEN(row - WIDTH + t * REALS);
        second[t] = s[0] * one + c[0] * last[t];
        last[t] = c[0] * one - s[0] * last[t];
    }
    for (ptrdiff_t j = 1; j <= both; j++) {
        row -= WIDTH;
        UNROLL_ALL for (int t = 0; t < STEPS; t++) {
            const NAME(lane) one = SEEN(row - WIDTH + t * REALS);
            const NAME(lane) done = s[j] * one + c[j] * last[t];
            last[t] = c[j] * one - s[j] * last[t];
            AT(row + WIDTH + t * REALS) = s_1[j - 1] * done + c_1[j - 1] * second[t];
            second[t] = c_1[j - 1] * done - s_1[j - 1] * second[t];
        }
    }
    if (count_1 == count_0)
        UNROLL_ALL for (int t = 0; t < STEPS; t++) {
            const NAME(lane) done = last[t];
            AT(row + t * REALS) = s_1[count_1 - 1] * done + c_1[count_1 - 1] * second[t];
            last[t] = c_1[count_1 - 1] * done - s_1[count_1 - 1] * second[t];
        }
    else
        UNROLL_ALL for (int t = 0; t < STEPS; t++) AT(row + t * REALS) = second[t];
    return row - WIDTH;
}

/* Columns first .. first + count - 1 of the matrix whose rows are the eigenvectors: of Q^T, which
 * the reflections make of the identity, and then of the rotations. `panel` has n rows. */
static void NAME(vectors)(const Eigen *eigen, ptrdiff_t first, ptrdiff_t count, double *panel)
{
    const ptrdiff_t n = eigen->n;
    memset(panel, 0, n * WIDTH * sizeof(double));
    for (ptrdiff_t j = 0; j < count; j++) panel[(first + j) * WIDTH + j] = 1;
    for (ptrdiff_t k = 0; k < n - 2; k++) {
        const double *v = eigen->a + k * n;
        NAME(lane) sum[STEPS];
        UNROLL_ALL for (int t = 0; t < STEPS; t++) sum[t] = (NAME(lane)){0};
        for (ptrdiff_t i = k + 1; i < n; i++)
            UNROLL_ALL for (int t = 0; t < STEPS; t++)
                sum[t] += v[i] * SEEN(panel + i * WIDTH + t * REALS);
        UNROLL_ALL for (int t = 0; t < STEPS; t++) sum[t] *= eigen->tau[k];
        for (ptrdiff_t i = k + 1; i < n; i++)
            UNROLL_ALL for (int t = 0; t < STEPS; t++)
                AT(panel + i * WIDTH + t * REALS) -= v[i] * sum[t];
    }
    const double *c = eigen->cosines, *s = eigen->sines;
    for (ptrdiff_t sweep = 0; sweep < eigen->n_sweeps; sweep++) {
        const ptrdiff_t start = eigen->starts[sweep], count_0 = eigen->counts[sweep];
        double *row = panel + (start + 1) * WIDTH;
        NAME(lane) last[STEPS];
        UNROLL_ALL for (int t = 0; t < STEPS; t++) last[t] = SEEN(row + t * REALS);
        ptrdiff_t j = 0, skipped = 0;
        if (sweep + 1 < eigen->n_sweeps && eigen->starts[sweep + 1] == start) {
            const ptrdiff_t count_1 = eigen->counts[sweep + 1];
            if (count_1 > 0 && count_1 <= count_0) {
                sweep++;
                row = NAME(two_sweeps)(count_0, count_1, c, s, row, last);
                j = count_1 < count_0 ? count_1 + 1 : count_0;
                skipped = count_1;
            }
        }
        for (; j < count_0; j++, row -= WIDTH) NAME(rotate)(c[j], s[j], row - WIDTH, row, last);
        c += count_0 + skipped, s += count_0 + skipped;
        UNROLL_ALL for (int t = 0; t < STEPS; t++) AT(row + t * REALS) = last[t];
    }
}
#undef REALS
#undef WIDTH
#undef STEPS
#undef AT
#undef SEEN
#endif
