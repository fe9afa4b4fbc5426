/* Training: products with weights that change, gradients of weights, and norms forward and backward. On the matrix unit alone;
   without one torch's operations serve. */

#include "packing.h"

#ifdef MATRIX_UNIT
#define CHUNK 256 /* rows worked on together: what lies between two products stays in the second-level cache */

/* Of them, for those who give room; 0 where the library does not train. */
int chunk_rows(void) { return CHUNK; }

/* W [n, k] => tiles for x W^T (`turned`), else W [k, n] => tiles for x W: see `matrix` of passes.h. Multiples of 32. */
void arrange_now(const real *w, real *tiles, count n, count k, int turned) {
    for (count i = 0; i < n; i += PAIR)
        for (count j = 0; j < k; j += DEEP) {
            real *left = tiles + i * k + j * LANES, *right = left + LANES * k;
            if (turned) {
                pack_turned(w + i * k + j, k, LANES, left);
                pack_turned(w + (i + LANES) * k + j, k, LANES, right);
            } else {
                pack_right(w + j * n + i, n, DEEP, left, right - left);
            }
        }
}

/* 2 sqrt(x) */
static inline lanes slope(lanes x) {
    lanes some = larger(x, all(1e-30f));
    return x * 2.0f * (lanes)_mm512_rsqrt14_ps((__m512)some); /* a true root takes ten times as long */
}

enum { PLAIN, BENDS, SLOPES };

/* x [rows, in] times tiles + bias (or null) => out [rows, wide]. BENDS: squared ReLU. SLOPES: times its derivative where its result
   is `beside` [rows, wide]. Up to CHUNK rows, of which x has a multiple of 16. */
static inline __attribute__((always_inline)) void multiply_rows(const real *x, const real *tiles, const float *bias,
                                                                const real *beside, real *out, count rows, count in, count wide,
                                                                int way) {
    count tap = 0;
    reach of = {&tap, 1, in, in};
    float sums[PAIR * PAIR];
    settle();
    for (count n = 0; n < wide; n += PAIR) {
        lanes low = {}, high = {};
        if (bias) low = *(const lanes *)(bias + n), high = *(const lanes *)(bias + n + LANES);
        for (count m = 0; m < rows; m += PAIR) {
            multiply(x + m * in, &of, LANES, m + LANES < rows, tiles + n * in, sums);
            for (count r = 0; r < PAIR && m + r < rows; r++) {
                count at = (m + r) * wide + n;
                lanes left = *(lanes *)(sums + r * PAIR) + low, right = *(lanes *)(sums + r * PAIR + LANES) + high;
                if (way == BENDS) {
                    left = larger(left, (lanes){}), right = larger(right, (lanes){});
                    left *= left, right *= right;
                }
                if (way == SLOPES) left *= slope(load(beside + at)), right *= slope(load(beside + at + LANES));
                _mm512_storeu_si512(out + at, (__m512i)_mm512_cvtne2ps_pbh((__m512)right, (__m512)left));
            }
        }
    }
}

static count chunk(count rows, count from) { return rows - from < CHUNK ? rows - from : CHUNK; }

/* x [rows, width] => squared ReLU of x up + bias, down + the other bias => out [rows, width]. hidden: room for CHUNK rows. */
void mlp_forward(const real *x, const real *up, const float *up_bias, const real *down, const float *down_bias, real *hidden,
                 real *out, count rows, count width, count wide) {
    begin(LANES);
    for (count m = 0; m < rows; m += CHUNK) {
        count some = chunk(rows, m);
        multiply_rows(x + m * width, up, up_bias, NULL, hidden, some, width, wide, BENDS);
        multiply_rows(hidden, down, down_bias, NULL, out + m * width, some, wide, width, PLAIN);
    }
    end();
}

/* 32 x 32 sums, a's columns by b's, over `deep` tiles, added to what stands there unless `first`. */
static inline void outer(const real *a, const real *b, count deep, float *sums, count wide, int first) {
    count line = wide * (count)sizeof(float);
    settle();
    if (first) {
        _tile_zero(0);
        _tile_zero(1);
        _tile_zero(2);
        _tile_zero(3);
    } else {
        _tile_loadd(0, sums, line);
        _tile_loadd(1, sums + LANES, line);
        _tile_loadd(2, sums + LANES * wide, line);
        _tile_loadd(3, sums + LANES * wide + LANES, line);
    }
    for (count k = 0; k < deep; k++) {
        _tile_loadd(4, a + k * TILE, 64);
        _tile_loadd(6, b + k * TILE, 64);
        _tile_dpbf16ps(0, 4, 6);
        _tile_loadd(7, b + (deep + k) * TILE, 64);
        _tile_dpbf16ps(1, 4, 7);
        _tile_loadd(5, a + (deep + k) * TILE, 64);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
    }
    _tile_stored(0, sums, line);
    _tile_stored(1, sums + LANES, line);
    _tile_stored(2, sums + LANES * wide, line);
    _tile_stored(3, sums + LANES * wide + LANES, line);
}

/* a [rows, high], b [rows, wide], up to CHUNK rows: a^T b is added to sums [high, wide], and a's columns to `columns` [high]; the
   first time, sums are set. Multiples of 32. room: for CHUNK rows of high + wide numbers. */
static void add_gradient(const real *a, const real *b, real *room, float *sums, float *columns, count rows, count high,
                         count wide, int first) {
    count deep = (rows + DEEP - 1) / DEEP;
    real *lefts = room, *rights = room + high * deep * DEEP;
    if (first) memset(columns, 0, (size_t)high * sizeof *columns);
    for (count k = 0; k < deep; k++) { /* along the rows: columns far apart share few places of the first-level cache */
        count at = k * DEEP, rest = rows - at < DEEP ? rows - at : DEEP;
        for (count n = 0; n < high; n += PAIR)
            pack_left(a + at * high + n, high, rest, lefts + (n / LANES * deep + k) * TILE, deep * TILE, columns + n);
        for (count n = 0; n < wide; n += PAIR)
            pack_right(b + at * wide + n, wide, rest, rights + (n / LANES * deep + k) * TILE, deep * TILE);
    }
    for (count i = 0; i < high; i += PAIR)
        for (count j = 0; j < wide; j += PAIR)
            outer(lefts + i * deep * DEEP, rights + j * deep * DEEP, deep, sums + i * wide + j, wide, first);
}

/* Gradients d_out [rows, high] of x [rows, wide] W^T + b => d_x (unless null; tiles: of W), of W [high, wide] and of b [high]. */
void linear_backward(const real *d_out, const real *x, const real *tiles, real *room, real *d_x, float *d_w, float *d_b,
                     count rows, count high, count wide) {
    begin(LANES);
    for (count m = 0; m < rows; m += CHUNK) {
        count some = chunk(rows, m);
        if (d_x) multiply_rows(d_out + m * high, tiles, NULL, NULL, d_x + m * wide, some, high, wide, PLAIN);
        add_gradient(d_out + m * high, x + m * wide, room, d_w, d_b, some, high, wide, !m);
    }
    end();
}

/* Of `mlp_forward`: float32 [out, in], [out]. */
typedef struct {
    float *up, *up_bias, *down, *down_bias;
} mlp_gradients;

/* Gradients of `mlp_forward`, which is done once more: to keep what it hides takes longer than to compute it. back_up, back_down:
   tiles of the weights for the gradients of what enters. hidden: room for CHUNK rows. */
void mlp_backward(const real *d_out, const real *x, const real *up, const float *up_bias, const real *back_up,
                  const real *back_down, real *hidden, real *room, real *d_x, const mlp_gradients *to, count rows, count width,
                  count wide) {
    begin(LANES);
    for (count m = 0; m < rows; m += CHUNK) {
        count some = chunk(rows, m), at = m * width;
        multiply_rows(x + at, up, up_bias, NULL, hidden, some, width, wide, BENDS);
        add_gradient(d_out + at, hidden, room, to->down, to->down_bias, some, width, wide, !m);
        multiply_rows(d_out + at, back_down, NULL, hidden, hidden, some, width, wide, SLOPES); /* now its gradient */
        add_gradient(hidden, x + at, room, to->up, to->up_bias, some, wide, width, !m);
        multiply_rows(hidden, back_up, NULL, NULL, d_x + at, some, wide, width, PLAIN);
    }
    end();
}

/* Gate, shift and scale of the first frame, each `stride` numbers before those of the next; gate may be null. */
typedef struct {
    const real *gate, *shift, *scale;
    count gate_stride, stride;
} modulators;

/* Rows of width numbers; row r belongs to frame r / tokens. */
typedef struct {
    count frames, tokens, width;
} layout;

/* x - mean, in place => 1 / standard deviation. */
static inline float centre(lanes *x, count vectors) {
    lanes sum = {}, squares = {};
    for (count i = 0; i < vectors; i++) sum += x[i];
    lanes mean = all(total(sum) / (float)(vectors * LANES));
    for (count i = 0; i < vectors; i++) {
        x[i] -= mean;
        squares += x[i] * x[i];
    }
    return 1.0f / sqrtf(total(squares) / (float)(vectors * LANES) + 1e-6f);
}

/* kept = h + gate y (where there is a gate; else h is kept already); out = LayerNorm(kept) (1 + scale) + shift. */
void norm_forward(const real *h, const real *y, const modulators *by, real *kept, real *out, const layout *of) {
    count width = of->width, vectors = width / LANES;
    lanes x[vectors];
    for (count r = 0; r < of->frames * of->tokens; r++) {
        count frame = r / of->tokens;
        const real *gate = by->gate + frame * by->gate_stride;
        const real *shift = by->shift + frame * by->stride, *scale = by->scale + frame * by->stride;
        for (count i = 0; i < vectors; i++) {
            count at = r * width + i * LANES;
            x[i] = load(h + at);
            if (by->gate) {
                store(kept + at, x[i] + load(gate + i * LANES) * load(y + at));
                x[i] = load(kept + at);
            }
        }
        float root = centre(x, vectors);
        for (count i = 0; i < vectors; i++)
            store(out + r * width + i * LANES, x[i] * root * (1.0f + load(scale + i * LANES)) + load(shift + i * LANES));
    }
}

/* Gradients of the above. d_kept (or null), d_out => d_h, d_y, and of gate, shift and scale [frames, 3, width], beginning with the
   gate's (left alone where there is none, as d_y is). */
void norm_backward(const real *kept, const real *y, const modulators *by, const real *d_kept, const real *d_out, real *d_h,
                   real *d_y, real *d_by, const layout *of) {
    count width = of->width, vectors = width / LANES;
    lanes x[vectors], g[vectors], sums[3][vectors];
    for (count frame = 0; frame < of->frames; frame++) {
        const real *gate = by->gate + frame * by->gate_stride, *scale = by->scale + frame * by->stride;
        memset(sums, 0, sizeof sums);
        for (count r = frame * of->tokens; r < (frame + 1) * of->tokens; r++) {
            lanes plain = {}, along = {};
            for (count i = 0; i < vectors; i++) x[i] = load(kept + r * width + i * LANES);
            float root = centre(x, vectors);
            for (count i = 0; i < vectors; i++) {
                lanes d = load(d_out + r * width + i * LANES);
                x[i] *= root;
                sums[1][i] += d;
                sums[2][i] += d * x[i];
                g[i] = d * (1.0f + load(scale + i * LANES));
                plain += g[i];
                along += g[i] * x[i];
            }
            lanes mean = all(total(plain) / (float)width), slope = all(total(along) / (float)width);
            for (count i = 0; i < vectors; i++) {
                count at = r * width + i * LANES;
                lanes d = root * (g[i] - mean - x[i] * slope);
                if (d_kept) d += load(d_kept + at);
                store(d_h + at, d);
                if (!by->gate) continue;
                store(d_y + at, d * load(gate + i * LANES));
                sums[0][i] += d * load(y + at);
            }
        }
        for (count j = by->gate ? 0 : 1; j < 3; j++)
            for (count i = 0; i < vectors; i++) store(d_by + (frame * 3 + j) * width + i * LANES, sums[j][i]);
    }
}
#else
int chunk_rows(void) { return 0; }
#endif
