/* Fused passes of a rollout, for a CPU: what lies between the matrix products, one pass over memory each.

   Compiled on first use, once with `real` = float and once, with -DBFLOAT16, as bfloat16. All sums are taken in float32, 16
   numbers at a time in vectors of the C compiler's own (GCC 12, clang 15); only the matrix products at the end, and one
   instruction that rounds, are an x86's. Widths and head sizes are multiples of 16. One thread: callers run several.
   tests/native/test_kernels.py says in torch what each function computes. */

#include <math.h>
#include <stdint.h>
#include <string.h>

#ifdef __AVX512BF16__
#include <immintrin.h>
#endif

#define LANES 16
#define ROWS 4 /* queries worked on together */

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
#else
typedef float real;

static inline lanes load(const real *x) { return *(const lanes *)x; }

static inline void store(real *x, lanes value) { *(lanes *)x = value; }
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

/* h [rows, width] += gate * y (left out where y is null); out = LayerNorm(h) (1 + scale) + shift, eps 1e-6.
   gate, shift, scale: where in the modulations [frames, stride] their `width` numbers begin; row r belongs to frame
   r / tokens. */
void residual_norm(real *h, const real *y, const real *modulations, count stride, count gate, count shift, count scale,
                   real *out, count rows, count tokens, count width) {
    count vectors = width / LANES;
    lanes x[vectors];
    for (count r = 0; r < rows; r++) {
        const real *m = modulations + r / tokens * stride;
        real *row = h + r * width;
        lanes sum = {}, squares = {};
        for (count i = 0; i < vectors; i++) {
            count at = i * LANES;
            if (y) store(row + at, load(row + at) + load(m + gate + at) * load(y + r * width + at));
            x[i] = load(row + at);
            sum += x[i];
        }
        lanes mean = all(total(sum) / width);
        for (count i = 0; i < vectors; i++) {
            x[i] -= mean;
            squares += x[i] * x[i];
        }
        float by = 1.0f / sqrtf(total(squares) / width + 1e-6f);
        for (count i = 0; i < vectors; i++) {
            count at = i * LANES;
            store(out + r * width + at, x[i] * by * (1.0f + load(m + scale + at)) + load(m + shift + at));
        }
    }
}

/* out = x sigmoid(x), of any size */
void silu(const real *x, real *out, count size) {
    real rest[LANES] = {0};
    count whole = size / LANES * LANES;
    memcpy(rest, x + whole, (size - whole) * sizeof(real));
    for (count i = 0; i < size; i += LANES) {
        lanes v = load(i < whole ? x + i : rest);
        store(i < whole ? out + i : rest, v / (1.0f + exponential(-v)));
    }
    memcpy(out + whole, rest, (size - whole) * sizeof(real));
}

/* Rotary positions, in place on queries and keys. qkv [rows, 3, heads, size]; feature i turns with feature i + size / 2 by
   the angles of row (r / inner) % angles of the tables cos and (signed) sin [angles, size]. size: a multiple of 32. */
void rotate(real *qkv, const float *cos, const float *sin, count rows, count inner, count angles, count heads, count size) {
    for (count r = 0; r < rows; r++) {
        const float *c = cos + r / inner % angles * size, *s = sin + r / inner % angles * size;
        for (count part = 0; part < 2 * heads; part++)
            for (count i = 0, j = size / 2; i < size / 2; i += LANES, j += LANES) {
                real *v = qkv + (r * 3 * heads + part) * size;
                lanes low = load(v + i), high = load(v + j);
                store(v + i, low * *(const lanes *)(c + i) + high * *(const lanes *)(s + i));
                store(v + j, high * *(const lanes *)(c + j) + low * *(const lanes *)(s + j));
            }
    }
}

/* Attention within a frame. qkv [frames, tokens, 3, heads, size] => out [frames, tokens, heads, size]. Keys are turned so that
   a vector holds one feature of 16 of them: logits then need no sum across a vector. */
void spatial_attention(const real *qkv, real *out, count frames, count tokens, count heads, count size) {
    count width = heads * size, groups = (tokens + LANES - 1) / LANES, keys = groups * LANES;
    float root = 1.0f / sqrtf((float)size), turned[size * keys], values[tokens * size], weights[ROWS * keys];
    memset(turned, 0, sizeof turned);
    for (count frame = 0; frame < frames; frame++)
        for (count head = 0; head < heads; head++) {
            const real *from = qkv + frame * tokens * 3 * width + head * size;
            for (count s = 0; s < tokens; s++)
                for (count i = 0; i < size; i += LANES) {
                    lanes key = load(from + (s * 3 + 1) * width + i) * root;
                    for (int j = 0; j < LANES; j++) turned[(i + j) * keys + s] = key[j];
                    *(lanes *)(values + s * size + i) = load(from + (s * 3 + 2) * width + i);
                }
            for (count first = 0; first < tokens; first += ROWS) {
                float query[ROWS][size], sums[ROWS];
                for (count r = 0; r < ROWS; r++) { /* the last rows are worked on twice where ROWS does not divide them */
                    count q = first + r < tokens ? first + r : tokens - 1;
                    for (count i = 0; i < size; i += LANES) *(lanes *)(query[r] + i) = load(from + q * 3 * width + i);
                }
                for (count g = 0; g < groups; g++) {
                    lanes logits[ROWS] = {};
                    for (count i = 0; i < size; i++) {
                        lanes key = *(const lanes *)(turned + i * keys + g * LANES);
                        for (int r = 0; r < ROWS; r++) logits[r] += query[r][i] * key;
                    }
                    for (int r = 0; r < ROWS; r++) *(lanes *)(weights + r * keys + g * LANES) = logits[r];
                }
                for (int r = 0; r < ROWS; r++) {
                    float *w = weights + r * keys, most = w[0];
                    for (count s = 1; s < tokens; s++) most = w[s] > most ? w[s] : most;
                    for (count s = tokens; s < keys; s++) w[s] = -INFINITY;
                    lanes sum = {};
                    for (count g = 0; g < keys; g += LANES) sum += *(lanes *)(w + g) = exponential(*(lanes *)(w + g) - most);
                    sums[r] = total(sum);
                }
                for (count i = 0; i < size; i += LANES) {
                    lanes mixed[ROWS] = {};
                    for (count s = 0; s < tokens; s++) {
                        lanes value = *(const lanes *)(values + s * size + i);
                        for (int r = 0; r < ROWS; r++) mixed[r] += weights[r * keys + s] * value;
                    }
                    for (count r = 0; r < ROWS && first + r < tokens; r++)
                        store(out + (frame * tokens + first + r) * width + head * size + i, mixed[r] / sums[r]);
                }
            }
        }
}

/* One head at one place, one frame: a query against `seen` keys of the ring. bias: to a multiple of 16, -inf behind `seen`. */
static inline __attribute__((always_inline)) void look(const real *q, const real *keys, const real *values, const float *bias,
                                                       real *out, count seen, count size) {
    count vectors = size / LANES, padded = (seen + LANES - 1) / LANES * LANES;
    lanes query[vectors], mixed[vectors];
    float weights[padded], most = -INFINITY, root = 1.0f / sqrtf((float)size);
    for (count i = 0; i < vectors; i++) query[i] = load(q + i * LANES) * root;
    for (count first = 0; first < seen; first += LANES) {
        lanes products[LANES] = {};
        for (count s = 0; s < LANES && first + s < seen; s++)
            for (count i = 0; i < vectors; i++) products[s] += query[i] * load(keys + (first + s) * size + i * LANES);
        *(lanes *)(weights + first) = totals(products) + *(const lanes *)(bias + first);
    }
    for (count s = 0; s < seen; s++) most = weights[s] > most ? weights[s] : most;
    lanes sum = {};
    for (count s = 0; s < padded; s += LANES) sum += *(lanes *)(weights + s) = exponential(*(lanes *)(weights + s) - most);
    for (count i = 0; i < vectors; i++) mixed[i] = (lanes){};
    for (count s = 0; s < seen; s++)
        for (count i = 0; i < vectors; i++) mixed[i] += weights[s] * load(values + s * size + i * LANES);
    float by = 1.0f / total(sum);
    for (count i = 0; i < vectors; i++) store(out + i * LANES, mixed[i] * by);
}

/* Causal attention in time, every place by itself. qkv [batch, frames, tokens, 3, heads, size] of the frames in work, whose
   keys and values go to `slots` [frames] of the ring keys, values [batch, tokens, heads, capacity, size]; then each sees the
   first `seen` slots. bias [heads, frames, seen up to a multiple of 16] is added to the logits: -inf where a frame may not look.
   out [batch, frames, tokens, heads, size]. */
void temporal_attention(const real *qkv, real *keys, real *values, const float *bias, const count *slots, real *out,
                        count batch, count frames, count tokens, count heads, count size, count capacity, count seen) {
    count width = heads * size, padded = (seen + LANES - 1) / LANES * LANES;
    for (count place = 0; place < batch * tokens; place++) {
        count first = place / tokens * frames * tokens + place % tokens; /* row of this place in the first frame */
        for (count head = 0; head < heads; head++) {
            real *k = keys + (place * heads + head) * capacity * size, *v = values + (place * heads + head) * capacity * size;
            for (count t = 0; t < frames; t++) {
                const real *from = qkv + (first + t * tokens) * 3 * width + head * size;
                memcpy(k + slots[t] * size, from + width, size * sizeof(real));
                memcpy(v + slots[t] * size, from + 2 * width, size * sizeof(real));
            }
            for (count t = 0; t < frames; t++) {
                const real *q = qkv + (first + t * tokens) * 3 * width + head * size;
                const float *b = bias + (head * frames + t) * padded;
                real *to = out + (first + t * tokens) * width + head * size;
                if (size == 64) /* the usual size as a constant: its vectors stay in registers */
                    look(q, k, v, b, to, seen, 64);
                else
                    look(q, k, v, b, to, seen, size);
            }
        }
    }
}

/* Matrix products on x86's matrix unit (AMX), in bfloat16 with sums in float32. */
#if defined(__AMX_BF16__) && defined(BFLOAT16)
#include <sys/syscall.h>
#include <unistd.h>

#define DEEP 32             /* numbers in a row of a tile */
#define TILE (LANES * DEEP) /* numbers in a tile: 16 rows of 64 bytes */
#define PAIR (2 * LANES)    /* rows, and columns, worked on together: two tiles each way */
#define BLOCK 256           /* rows for which all columns are done before the next: they stay in the second-level cache */

/* Whether there is such a unit and the system lets this process use it. Asked once, for all threads. */
int has_products(void) { return syscall(SYS_arch_prctl, 0x1023 /* ARCH_REQ_XCOMP_PERM */, 18 /* tile data */) == 0; }

/* W [wide, in] => tiles of 16 columns by 32 inputs, a column's inputs in pairs, as the unit multiplies them. */
void arrange(const real *w, real *tiles, count wide, count in) {
    for (count n = 0; n < wide; n++)
        for (count k = 0; k < in; k++)
            tiles[(n / LANES * (in / DEEP) + k / DEEP) * TILE + k % DEEP / 2 * DEEP + n % LANES * 2 + k % 2] = w[n * in + k];
}

/* 16 rows of x at `a`, and 16 more at `b` (or null), times 32 columns of W => sums [32, 32]. */
static inline void multiply(const real *a, const real *b, const real *w, count in, float *sums) {
    const real *left = w, *right = w + in * LANES;
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    for (count k = 0; k < in; k += DEEP, left += TILE, right += TILE) {
        _tile_loadd(4, a + k, in * sizeof(real));
        _tile_loadd(6, left, 64);
        _tile_loadd(7, right, 64);
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 7);
        if (b) {
            _tile_loadd(5, b + k, in * sizeof(real));
            _tile_dpbf16ps(2, 5, 6);
            _tile_dpbf16ps(3, 5, 7);
        }
    }
    _tile_stored(0, sums, PAIR * sizeof(float));
    _tile_stored(1, sums + LANES, PAIR * sizeof(float));
    _tile_stored(2, sums + LANES * PAIR, PAIR * sizeof(float));
    _tile_stored(3, sums + LANES * PAIR + LANES, PAIR * sizeof(float));
}

/* x [rows, in] W^T + bias => out [rows, wide], W from `arrange`; then max(., 0)^2 if `squared`. bias may be null. in and wide:
   multiples of 32. A row comes out the same to the last bit whatever rows stand beside it. */
void product(const real *x, const real *tiles, const real *bias, real *out, count rows, count in, count wide, count squared) {
    struct { uint8_t palette, start, reserved[14]; uint16_t bytes[16]; uint8_t rows[16]; } shape = {.palette = 1};
    for (int i = 0; i < 8; i++) shape.bytes[i] = 64, shape.rows[i] = LANES;
    _tile_loadconfig(&shape);
    count whole = rows / LANES * LANES;
    real tail[LANES * in]; /* the last rows, where they do not fill a tile */
    memset(tail, 0, sizeof tail);
    memcpy(tail, x + whole * in, (rows - whole) * in * sizeof(real));
    float sums[PAIR * PAIR];
    for (count block = 0; block < rows; block += BLOCK)
        for (count n = 0; n < wide; n += PAIR) {
            lanes low = bias ? load(bias + n) : all(0.0f), high = bias ? load(bias + n + LANES) : all(0.0f);
            for (count m = block; m < rows && m < block + BLOCK; m += PAIR) {
                count second = m + LANES;
                const real *b = second < whole ? x + second * in : (second < rows ? tail : NULL);
                multiply(m < whole ? x + m * in : tail, b, tiles + n * in, in, sums);
                for (count r = 0; r < PAIR && m + r < rows; r++) {
                    lanes v = *(lanes *)(sums + r * PAIR) + low, u = *(lanes *)(sums + r * PAIR + LANES) + high;
                    if (squared) {
                        v = pick(v > 0.0f, v * v, all(0.0f));
                        u = pick(u > 0.0f, u * u, all(0.0f));
                    }
                    store(out + (m + r) * wide + n, v);
                    store(out + (m + r) * wide + n + LANES, u);
                }
            }
        }
    _tile_release();
}
#else
int has_products(void) { return 0; }
#endif
