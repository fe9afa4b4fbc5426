/* Matrix products with weights in the order in which they are read. */

#include "tiles.h"

#define BLOCK 16 /* tiles of rows for which all columns are done before the next: they stay in the second-level cache */

#ifdef MATRIX_UNIT
#include <sys/syscall.h>
#include <unistd.h>

/* Whether the system lets this process use the unit. Asked once, for all threads. */
int ready(void) { return syscall(SYS_arch_prctl, 0x1023 /* ARCH_REQ_XCOMP_PERM */, 18 /* tile data */) == 0; }
#else
int ready(void) { return 1; }
#endif

/* Bytes of a number in this build: what callers must give. */
count number_bytes(void) { return sizeof(real); }

/* W [wide, in] => tiles of 16 columns by 32 inputs. */
void arrange(const real *w, real *tiles, count wide, count in) {
    for (count n = 0; n < wide; n++)
        for (count k = 0; k < in; k++)
            tiles[(n / LANES * (in / DEEP) + k / DEEP) * TILE + within(n % LANES, k % DEEP)] = w[n * in + k];
}

static inline lanes activated(lanes x, count activation) {
    if (activation == SQUARED_RELU) return pick(x > 0.0f, x * x, all(0.0f));
    if (activation == GELU) return x / (1.0f + exponential(-1.5957691216f * (x + 0.044715f * x * x * x))); /* its tanh form */
    if (activation == SILU) return silu(x);
    return x;
}

/* x [rows, in] W^T + bias, activated => columns from .. to - 1 of out [rows, wide]. from and to: multiples of 32. x is read up to
   15 rows behind its last, whatever stands there. */
void product(const real *x, const matrix *w, real *out, count rows, count from, count to) {
    count in = w->in, wide = w->wide, high = tile_rows(rows), tap = 0;
    reach of = {&tap, 1, in, in};
    float sums[ROOM];
    begin(high);
    for (count block = 0; block < rows; block += BLOCK * high)
        for (count n = from; n < to; n += PAIR)
            for (count m = block; m < rows && m < block + BLOCK * high; m += 2 * high) {
                multiply(x + m * in, &of, high, m + high < rows, w->tiles + n * in, sums);
                count line = w->period > 1 ? m % w->period : 0; /* a division a row took as long as a tenth of the product */
                for (count r = 0; r < 2 * high && m + r < rows; r++, line = line + 1 < w->period ? line + 1 : 0) {
                    const float *bias = w->bias + line * wide + n;
                    lanes left = *(lanes *)(sums + r * PAIR) + *(const lanes *)bias;
                    lanes right = *(lanes *)(sums + r * PAIR + LANES) + *(const lanes *)(bias + LANES);
                    store(out + (m + r) * wide + n, activated(left, w->activation));
                    store(out + (m + r) * wide + n + LANES, activated(right, w->activation));
                }
            }
    end();
}
