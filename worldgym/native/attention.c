/* Training: attention of many short sequences, forward and backward, on the matrix unit. */

#include "packing.h"

#ifdef MATRIX_UNIT

/* Groups of `length` rows each, within a frame (inner 1) or at one place of every frame (inner: tokens of a frame). */
typedef struct {
    count groups, length, inner, heads, size;
} sequences;

static count up_to(count n, count multiple) { return (n + multiple - 1) / multiple * multiple; }

/* The first row of a group; the next is `inner` further. */
static count first_row(const sequences *of, count group) {
    return group / of->inner * of->length * of->inner + group % of->inner;
}

/* Rows of one head, `stride` numbers apart, one behind the other. */
static void gather(const real *from, count stride, count rows, count size, real *to) {
    for (count r = 0; r < rows; r++) memcpy(to + r * size, from + r * stride, (size_t)size * sizeof *to);
}

static void scatter(const float *from, count rows, count size, real *to, count stride) {
    for (count r = 0; r < rows; r++)
        for (count i = 0; i < size; i += LANES) store(to + r * stride + i, *(const lanes *)(from + r * size + i));
}

/* The left side of a product: tile (i, k) is at x + i * down + k * along, its lines `stride` numbers apart. */
typedef struct {
    const real *x;
    count down, along, stride;
} left_side;

/* high x wide tiles of 16 x 16 sums over `deep` tiles; right: [wide, deep] tiles => sums [16 high, 16 wide]. wide: even, or the
   last tile by itself. */
static void tile_product(left_side a, const real *right, count high, count wide, count deep, float *sums) {
    count lines = a.stride * (count)sizeof(real), below = wide * LANES * (count)sizeof(float);
    for (count i = 0; i < high; i++)
        for (count j = 0; j < wide; j += 2) {
            int both = j + 1 < wide;
            const real *b = right + j * deep * TILE;
            float *to = sums + i * LANES * wide * LANES + j * LANES;
            _tile_zero(0);
            _tile_zero(1);
            for (count k = 0; k < deep; k++) {
                _tile_loadd(4, a.x + i * a.down + k * a.along, lines);
                _tile_loadd(6, b + k * TILE, 64);
                _tile_dpbf16ps(0, 4, 6);
                if (!both) continue;
                _tile_loadd(7, b + (deep + k) * TILE, 64);
                _tile_dpbf16ps(1, 4, 7);
            }
            _tile_stored(0, to, below);
            if (both) _tile_stored(1, to + LANES, below);
        }
}

static left_side by_rows(const real *x, count stride) { return (left_side){x, LANES * stride, DEEP, stride}; }

/* x [rows, wide], both multiples of 32, as sides of a product in which rows are summed over. */
static void as_right(const real *x, count rows, count wide, real *tiles) {
    count deep = rows / DEEP;
    for (count k = 0; k < deep; k++)
        for (count n = 0; n < wide; n += PAIR)
            pack_right(x + k * DEEP * wide + n, wide, DEEP, tiles + (n / LANES * deep + k) * TILE, deep * TILE);
}

static left_side as_left(const real *x, count rows, count wide, real *tiles) {
    count deep = rows / DEEP;
    for (count k = 0; k < deep; k++)
        for (count n = 0; n < wide; n += PAIR)
            pack_left(x + k * DEEP * wide + n, wide, DEEP, tiles + (n / LANES * deep + k) * TILE, deep * TILE, NULL);
    return (left_side){tiles, deep * TILE, TILE, DEEP};
}

/* x [rows, size], as the right side where `size` is summed over. */
static void as_turned(const real *x, count rows, count size, real *tiles) {
    for (count n = 0; n < rows; n += LANES)
        for (count k = 0; k < size; k += DEEP, tiles += TILE) pack_turned(x + n * size + k, size, LANES, tiles);
}

/* Logits of a row => weights that add up to 1, also as bfloat16. */
static inline void softmax(float *x, const float *bias, real *weights, count padded, float root) {
    lanes high = all(-INFINITY), sum = {};
    for (count j = 0; j < padded; j += LANES) {
        lanes logits = *(lanes *)(x + j) * root + *(const lanes *)(bias + j);
        *(lanes *)(x + j) = logits;
        high = larger(high, logits);
    }
    float most = largest(high);
    for (count j = 0; j < padded; j += LANES) sum += *(lanes *)(x + j) = exponential(*(lanes *)(x + j) - most);
    float by = 1.0f / total(sum);
    for (count j = 0; j < padded; j += LANES) {
        *(lanes *)(x + j) *= by;
        store(weights + j, *(lanes *)(x + j));
    }
}

/* Gradient of weights x => of logits, added to `bias`, and times root to d. */
static inline void softmax_back(const float *x, float *d_x, float *bias, real *d, count padded, float root) {
    lanes sum = {};
    for (count j = 0; j < padded; j += LANES) sum += *(const lanes *)(x + j) * *(lanes *)(d_x + j);
    float mean = total(sum);
    for (count j = 0; j < padded; j += LANES) {
        lanes slope = *(const lanes *)(x + j) * (*(lanes *)(d_x + j) - mean);
        *(lanes *)(bias + j) += slope;
        store(d + j, slope * root);
    }
}

/* qkv [rows, 3, heads, size] => out [rows, heads, size]. bias [heads, length, padded]: padded, `length` up to a multiple of 16;
   -inf behind length. size: a multiple of 32. */
void attention_forward(const real *qkv, const float *bias, real *out, const sequences *of) {
    count length = of->length, size = of->size, width = of->heads * size, stride = of->inner * 3 * width;
    count padded = up_to(length, LANES), deep = up_to(length, DEEP), high = padded / LANES;
    real q[deep * size], k[deep * size], v[deep * size], keys[deep * size], values[deep * size], weights[deep * deep];
    float logits[padded * padded], mixed[padded * size], root = 1.0f / sqrtf((float)size);
    memset(q, 0, sizeof q), memset(k, 0, sizeof k), memset(v, 0, sizeof v), memset(weights, 0, sizeof weights);
    begin(LANES);
    for (count group = 0; group < of->groups; group++)
        for (count head = 0; head < of->heads; head++) {
            count first = first_row(of, group);
            const real *from = qkv + first * 3 * width + head * size;
            gather(from, stride, length, size, q);
            gather(from + width, stride, length, size, k);
            gather(from + 2 * width, stride, length, size, v);
            as_turned(k, padded, size, keys);
            tile_product(by_rows(q, size), keys, high, high, size / DEEP, logits);
            for (count i = 0; i < length; i++)
                softmax(logits + i * padded, bias + (head * length + i) * padded, weights + i * deep, padded, root);
            as_right(v, deep, size, values);
            tile_product(by_rows(weights, deep), values, high, size / LANES, deep / DEEP, mixed);
            scatter(mixed, length, size, out + first * width + head * size, of->inner * width);
        }
    end();
}

/* Gradient d_out of the above => d_qkv, and added to d_bias. */
void attention_backward(const real *qkv, const float *bias, const real *d_out, real *d_qkv, float *d_bias, const sequences *of) {
    count length = of->length, size = of->size, width = of->heads * size, stride = of->inner * 3 * width;
    count padded = up_to(length, LANES), deep = up_to(length, DEEP), high = padded / LANES, steps = deep / DEEP;
    real rows[4][deep * size], packed[deep * size], weights[deep * deep], slopes[deep * deep], turned[deep * deep];
    real *q = rows[0], *k = rows[1], *v = rows[2], *d = rows[3];
    float x[padded * padded], d_x[padded * padded], result[padded * size], root = 1.0f / sqrtf((float)size);
    memset(rows, 0, sizeof rows), memset(weights, 0, sizeof weights), memset(slopes, 0, sizeof slopes);
    begin(LANES);
    for (count group = 0; group < of->groups; group++)
        for (count head = 0; head < of->heads; head++) {
            count first = first_row(of, group), at = first * 3 * width + head * size;
            for (int i = 0; i < 3; i++) gather(qkv + at + i * width, stride, length, size, rows[i]);
            gather(d_out + first * width + head * size, of->inner * width, length, size, d);
            as_turned(k, padded, size, packed);
            tile_product(by_rows(q, size), packed, high, high, size / DEEP, x);
            as_turned(v, padded, size, packed);
            tile_product(by_rows(d, size), packed, high, high, size / DEEP, d_x);
            for (count i = 0; i < length; i++) {
                count line = (head * length + i) * padded;
                softmax(x + i * padded, bias + line, weights + i * deep, padded, root);
                softmax_back(x + i * padded, d_x + i * padded, d_bias + line, slopes + i * deep, padded, root);
            }
            as_right(k, deep, size, packed);
            tile_product(by_rows(slopes, deep), packed, high, size / LANES, steps, result);
            scatter(result, length, size, d_qkv + at, stride);
            as_right(q, deep, size, packed);
            tile_product(as_left(slopes, deep, deep, turned), packed, high, size / LANES, steps, result);
            scatter(result, length, size, d_qkv + at + width, stride);
            as_right(d, deep, size, packed);
            tile_product(as_left(weights, deep, deep, turned), packed, high, size / LANES, steps, result);
            scatter(result, length, size, d_qkv + at + 2 * width, stride);
        }
    end();
}
#endif
