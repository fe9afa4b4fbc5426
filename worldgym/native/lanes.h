/* Sixteen numbers at a time, in vectors of the C compiler's own (GCC 12, clang 15).

   Compiled once with `real` = float and once, with -DBFLOAT16, as bfloat16; all sums are taken in float32. */

#ifndef LANES_H
#define LANES_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#ifdef __AVX512BF16__
#include <immintrin.h>
#endif

#define LANES 16

typedef int64_t count;
typedef float lanes __attribute__((vector_size(64), aligned(4)));
typedef int32_t ints __attribute__((vector_size(64), aligned(4)));

#ifdef BFLOAT16
typedef uint16_t real;
typedef uint16_t halves __attribute__((vector_size(32), aligned(2)));
typedef uint32_t words __attribute__((vector_size(64), aligned(4)));

static inline lanes load(const real *x) {
    return (lanes)(__builtin_convertvector(*(const halves *)x, words) << 16);
}

static inline void store(real *x, lanes value) { /* rounds to nearest, ties to even */
#ifdef __AVX512BF16__
    *(halves *)x = (halves)_mm512_cvtneps_pbh((__m512)value);
#else
    words bits = (words)value;
    *(halves *)x = __builtin_convertvector((bits + 0x7fff + ((bits >> 16) & 1)) >> 16, halves);
#endif
}

static inline float number(real x) {
    uint32_t bits = (uint32_t)x << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}
#else
typedef float real;

static inline lanes load(const real *x) { return *(const lanes *)x; }

static inline void store(real *x, lanes value) { *(lanes *)x = value; }

static inline float number(real x) { return x; }
#endif

static inline lanes all(float x) { return x - (lanes){}; }

static inline lanes pick(ints mask, lanes yes, lanes no) { return (lanes)(((ints)yes & mask) | ((ints)no & ~mask)); }

/* The sums of 16 vectors, as one vector: neighbouring numbers are added four times. */
static inline lanes totals(lanes *x) {
    for (int left = LANES / 2; left; left /= 2)
        for (int i = 0; i < left; i++)
            x[i] = __builtin_shufflevector(x[2 * i], x[2 * i + 1], 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30)
                   + __builtin_shufflevector(x[2 * i], x[2 * i + 1], 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
    return x[0];
}

static inline float total(lanes x) {
    x += __builtin_shufflevector(x, x, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7);
    x += __builtin_shufflevector(x, x, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11);
    x += __builtin_shufflevector(x, x, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13);
    x += __builtin_shufflevector(x, x, 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14);
    return x[0];
}

static inline lanes larger(lanes x, lanes y) { return pick(x > y, x, y); }

static inline float largest(lanes x) {
    x = larger(x, __builtin_shufflevector(x, x, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7));
    x = larger(x, __builtin_shufflevector(x, x, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11));
    x = larger(x, __builtin_shufflevector(x, x, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13));
    x = larger(x, __builtin_shufflevector(x, x, 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14));
    return x[0];
}

/* e^x to 2e-7 relative: 2^n times a polynomial of x - n log 2. 0 below -87, at -infinity too; as at 88 above. */
static inline lanes exponential(lanes x) {
    const float nearest = 12582912.0f; /* 1.5 * 2^23: adding it leaves no room for a fraction */
    lanes r = pick(x > 88.0f, all(88.0f), pick(x < -87.0f, all(-87.0f), x));
    lanes n = r * 1.44269504f + nearest - nearest;
    r = r - n * 0.693359375f + n * 2.12194440e-4f;
    lanes p = r * 1.9875691e-4f + 1.3981999e-3f;
    p = p * r + 8.3334519e-3f;
    p = p * r + 4.1665796e-2f;
    p = p * r + 1.6666665e-1f;
    p = (p * r + 0.5f) * r * r + r + 1.0f;
    return pick(x < -87.0f, all(0.0f), p * (lanes)((__builtin_convertvector(n, ints) + 127) << 23));
}

/* x sigmoid(x) */
static inline lanes silu(lanes x) { return x / (1.0f + exponential(-x)); }

#endif
