/* Norms, rotations and attention: see passes.h. */

#include "passes.h"

#define ROWS 4 /* queries worked on together */

/* Of rows from .. to - 1: h [rows, width] += gate * y (left out where y is null); out = LayerNorm(h) (1 + scale) + shift, eps
   1e-6. Row r belongs to frame r / tokens. */
void residual_norm(real *h, const real *y, const modulation *by, real *out, count tokens, count width, count from, count to) {
    count vectors = width / LANES;
    lanes x[vectors];
    for (count r = from; r < to; r++) {
        const real *m = by->numbers + r / tokens * by->stride, *gate = m - width, *shift = m, *scale = m + width;
        real *row = h + r * width;
        lanes sum = {}, squares = {};
        for (count i = 0; i < vectors; i++) {
            count at = i * LANES;
            x[i] = load(row + at);
            if (y) store(row + at, x[i] += load(gate + at) * load(y + r * width + at));
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
            store(out + r * width + at, x[i] * by * (1.0f + load(scale + at)) + load(shift + at));
        }
    }
}

/* Rotary positions, in place on queries and keys. qkv [rows, 3, heads, size]; feature i turns with feature i + size / 2.
   size: a multiple of 32. */
void rotate(real *qkv, const part *of, const turn *by) {
    count size = of->size;
    for (count r = 0; r < of->batch * of->frames * of->tokens; r++) {
        count line = r / by->inner % by->lines * size;
        for (count head = 2 * of->first; head < 2 * of->last; head++) { /* of queries and of keys, in turn */
            real *v = qkv + ((r * 3 + head % 2) * of->heads + head / 2) * size;
            for (count i = 0, j = size / 2; i < size / 2; i += LANES, j += LANES) {
                lanes low = load(v + i), high = load(v + j);
                store(v + i, low * *(const lanes *)(by->cos + line + i) + high * *(const lanes *)(by->sin + line + i));
                store(v + j, high * *(const lanes *)(by->cos + line + j) + low * *(const lanes *)(by->sin + line + j));
            }
        }
    }
}

/* Attention within a frame. qkv [rows, 3, heads, size] => out [rows, heads, size]. Keys are turned so that a vector holds one
   feature of 16 of them: logits then need no sum across a vector. */
void spatial_attention(const real *qkv, real *out, const part *of) {
    count tokens = of->tokens, size = of->size, width = of->heads * size;
    count groups = (tokens + LANES - 1) / LANES, keys = groups * LANES;
    float root = 1.0f / sqrtf((float)size), turned[size * keys], values[tokens * size], weights[ROWS * keys], row[size];
    memset(turned, 0, sizeof turned);
    for (count frame = 0; frame < of->batch * of->frames; frame++)
        for (count head = of->first; head < of->last; head++) {
            const real *from = qkv + frame * tokens * 3 * width + head * size;
            for (count s = 0; s < tokens; s++) {
                for (count i = 0; i < size; i += LANES) {
                    *(lanes *)(row + i) = load(from + (s * 3 + 1) * width + i) * root;
                    *(lanes *)(values + s * size + i) = load(from + (s * 3 + 2) * width + i);
                }
                for (count i = 0; i < size; i++) turned[i * keys + s] = row[i];
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
                    float *w = weights + r * keys;
                    for (count s = tokens; s < keys; s++) w[s] = -INFINITY;
                    lanes high = *(lanes *)w, sum = {};
                    for (count g = LANES; g < keys; g += LANES) high = larger(high, *(lanes *)(w + g));
                    float most = largest(high);
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
    lanes query[vectors], mixed[vectors], high = all(-INFINITY);
    float weights[padded], root = 1.0f / sqrtf((float)size);
    for (count i = 0; i < vectors; i++) query[i] = load(q + i * LANES) * root;
    for (count first = 0; first < seen; first += LANES) {
        lanes products[LANES] = {};
        for (count s = 0; s < LANES && first + s < seen; s++)
            for (count i = 0; i < vectors; i++) products[s] += query[i] * load(keys + (first + s) * size + i * LANES);
        lanes logits = totals(products) + *(const lanes *)(bias + first);
        *(lanes *)(weights + first) = logits;
        high = larger(high, logits);
    }
    float most = largest(high);
    lanes sum = {};
    for (count s = 0; s < padded; s += LANES) sum += *(lanes *)(weights + s) = exponential(*(lanes *)(weights + s) - most);
    for (count i = 0; i < vectors; i++) mixed[i] = (lanes){};
    for (count s = 0; s < seen; s++)
        for (count i = 0; i < vectors; i++) mixed[i] += weights[s] * load(values + s * size + i * LANES);
    float by = 1.0f / total(sum);
    for (count i = 0; i < vectors; i++) store(out + i * LANES, mixed[i] * by);
}

/* Numbers that will be read soon. */
static inline void fetch(const real *x, count numbers) {
    for (count i = 0; i < numbers; i += 64 / (count)sizeof(real)) __builtin_prefetch(x + i);
}

/* Causal attention in time, every place by itself. qkv [batch, frames, tokens, 3, heads, size] of the frames in work, whose
   keys and values are put into the ring first => out [batch, frames, tokens, heads, size]. */
void temporal_attention(const real *qkv, const ring *in, real *out, const part *of) {
    count frames = of->frames, tokens = of->tokens, size = of->size, width = of->heads * size;
    count padded = (in->seen + LANES - 1) / LANES * LANES, next = of->heads * in->capacity * size; /* from place to place */
    for (count place = 0; place < of->batch * tokens; place++) {
        count first = place / tokens * frames * tokens + place % tokens; /* row of this place in the first frame */
        for (count head = of->first; head < of->last; head++) {
            count at = (place * of->heads + head) * in->capacity * size;
            real *k = in->keys + at, *v = in->values + at;
            fetch(k + next, in->seen * size);
            fetch(v + next, in->seen * size);
            for (count t = 0; t < frames; t++) {
                const real *from = qkv + (first + t * tokens) * 3 * width + head * size;
                memcpy(k + in->slots[t] * size, from + width, size * sizeof(real));
                memcpy(v + in->slots[t] * size, from + 2 * width, size * sizeof(real));
            }
            for (count t = 0; t < frames; t++) {
                const real *q = qkv + (first + t * tokens) * 3 * width + head * size;
                const float *b = in->bias + (head * frames + t) * padded;
                real *to = out + (first + t * tokens) * width + head * size;
                if (size == 64) /* the usual size as a constant: its vectors stay in registers */
                    look(q, k, v, b, to, in->seen, 64);
                else
                    look(q, k, v, b, to, in->seen, size);
            }
        }
    }
}
