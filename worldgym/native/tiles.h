/* Some rows times 32 columns: on x86's matrix unit (AMX) where there is one, else in vectors, by their bfloat16 products where
   they have such (AVX512_BF16). Each number is summed in one order, whatever rows and columns are asked for beside it. */

#ifndef TILES_H
#define TILES_H

#include "passes.h"

#define DEEP 32             /* numbers in a row of a tile */
#define TILE (LANES * DEEP) /* numbers in a tile: 16 columns of 32 inputs */
#define PAIR (2 * LANES)    /* rows, and columns, worked on together: two tiles each way */
#define FEW 8               /* rows, at most, whose sums stay in registers, without such a unit */
#define ROOM ((PAIR + FEW) * PAIR) /* numbers that `multiply` may write */

/* What is multiplied: row r of a part is at x + r * stride + taps[part], `depth` numbers long; a product has one part, a
   convolution one for each place of its kernel. */
typedef struct {
    const count *taps;
    count parts, depth, stride;
} reach;

/* Rows in a tile, so that all are about equally full. */
static inline count tile_rows(count rows) {
    count tiles = (rows + LANES - 1) / LANES;
    return (rows + tiles - 1) / tiles;
}

#if defined(BFLOAT16) && (defined(__AMX_BF16__) || defined(__AVX512BF16__))
/* A column's inputs lie in pairs, as they are multiplied. */
static inline count within(count n, count k) { return k / 2 * DEEP + n * 2 + k % 2; }
#else
static inline count within(count n, count k) { return k * LANES + n; }
#endif

#if defined(BFLOAT16) && defined(__AMX_BF16__)
#define MATRIX_UNIT

/* high: rows of x in a tile; the unit takes a cycle for each. */
static inline void begin(count high) {
    struct { uint8_t palette, start, reserved[14]; uint16_t bytes[16]; uint8_t rows[16]; } shape = {.palette = 1};
    for (int i = 0; i < 8; i++) shape.bytes[i] = 64, shape.rows[i] = (uint8_t)(i < 6 ? high : LANES);
    __asm__ volatile("" : : "r"(&shape) : "memory"); /* GCC 12 believes that the next line reads 8 bytes of it */
    _tile_loadconfig(&shape);
}

static inline void end(void) { _tile_release(); }

/* `high` rows from x on, and as many more if `both`, times 32 columns of W => sums [rows, 32]. */
static inline void multiply(const real *x, const reach *of, count high, int both, const real *w, float *sums) {
    const real *left = w, *right = w + of->parts * of->depth * LANES;
    count line = of->stride * (count)sizeof(real);
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    for (count part = 0; part < of->parts; part++) {
        const real *a = x + of->taps[part], *b = a + high * of->stride;
        for (count k = 0; k < of->depth; k += DEEP, left += TILE, right += TILE) {
            _tile_loadd(4, a + k, line);
            _tile_loadd(6, left, 64);
            _tile_loadd(7, right, 64);
            _tile_dpbf16ps(0, 4, 6);
            _tile_dpbf16ps(1, 4, 7);
            if (both) {
                _tile_loadd(5, b + k, line);
                _tile_dpbf16ps(2, 5, 6);
                _tile_dpbf16ps(3, 5, 7);
            }
        }
    }
    _tile_stored(0, sums, PAIR * sizeof(float));
    _tile_stored(1, sums + LANES, PAIR * sizeof(float));
    _tile_stored(2, sums + high * PAIR, PAIR * sizeof(float));
    _tile_stored(3, sums + high * PAIR + LANES, PAIR * sizeof(float));
}
#else
static inline void begin(count high) { (void)high; }

static inline void end(void) {}

#if defined(BFLOAT16) && defined(__AVX512BF16__)
typedef __m512bh inputs; /* pairs of 16 columns */

static inline inputs columns_at(const real *w) { return (inputs)_mm512_loadu_si512(w); }

static inline lanes add(lanes sums, const real *x, inputs w) {
    int two;
    memcpy(&two, x, sizeof two);
    return (lanes)_mm512_dpbf16_ps((__m512)sums, (inputs)_mm512_set1_epi32(two), w);
}

#define AT_ONCE 2 /* inputs that `add` takes */
#else
typedef lanes inputs;

static inline inputs columns_at(const real *w) { return load(w); }

static inline lanes add(lanes sums, const real *x, inputs w) { return sums + number(*x) * w; }

#define AT_ONCE 1
#endif

/* rows: a constant. */
static inline __attribute__((always_inline)) void few(const real *x, const reach *of, const real *w, float *sums, int rows) {
    lanes low[FEW] = {}, high[FEW] = {};
    const real *behind = w + of->parts * of->depth * LANES;
    for (count part = 0; part < of->parts; part++, w += of->depth * LANES, behind += of->depth * LANES)
        for (count k = 0; k < of->depth; k += AT_ONCE) {
            inputs left = columns_at(w + k * LANES), right = columns_at(behind + k * LANES);
            for (int r = 0; r < rows; r++) {
                const real *one = x + r * of->stride + of->taps[part] + k;
                low[r] = add(low[r], one, left);
                high[r] = add(high[r], one, right);
            }
        }
    for (int r = 0; r < rows; r++) {
        *(lanes *)(sums + r * PAIR) = low[r];
        *(lanes *)(sums + r * PAIR + LANES) = high[r];
    }
}

/* As above. */
static inline void multiply(const real *x, const reach *of, count high, int both, const real *w, float *sums) {
    count rows = both ? 2 * high : high, r = 0;
    for (; r + FEW / 2 < rows; r += FEW) few(x + r * of->stride, of, w, sums + r * PAIR, FEW);
    if (r < rows) few(x + r * of->stride, of, w, sums + r * PAIR, FEW / 2);
}
#endif

#endif
