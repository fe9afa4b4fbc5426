/* A convolutional decoder in one call, a few frames at a time, on the caller's thread: two that shared the columns out were no
   faster, for each then waits for what the other wrote.

   Between convolutions frames lie with channels last in a border of zeros, so that a convolution is a product of rows that begin
   one place further for each place of its kernel. SiLU, residuals, position maps and pixel shuffles are part of writing them. */

#include "tiles.h"

#define SLACK 64 /* rows behind the last frame that products may read */

/* kernel x kernel (1 or 3) over side x side places; w.in: kernel^2 times the channels, w.wide: (dy, dx, channel) of the shuffle x
   shuffle pixels of a place; bias of each place, or one for all. adds: what was kept last. keeps: the result, for a later one
   that adds. bends: SiLU before the next. */
typedef struct {
    matrix w;
    count side, kernel, shuffle, adds, keeps, bends;
} convolution;

/* x [frames, side + 2, side + 2, channels of the first] within zeros, readable SLACK rows further => kept, [frames, side^2, wide]
   of the last; room for that of any layer. one, other: room for `border_room` numbers each. */
typedef struct {
    const convolution *layers;
    const real *x;
    real *kept, *one, *other;
    count depth, frames;
} decoding;

static count channels_of(const convolution *c) { return c->w.in / (c->kernel * c->kernel); }

/* Numbers of `one` and of `other`. */
count border_room(const convolution *layers, count depth, count frames) {
    count most = 0;
    for (count i = 0; i < depth; i++) {
        count edge = layers[i].side + 2, numbers = (frames * edge * edge + SLACK) * channels_of(layers + i);
        most = numbers > most ? numbers : most;
    }
    return most;
}

/* 16 columns of one place: where they go, what is added, and what is kept. */
typedef struct {
    real *kept, *next;
    count channels, edge, side, column, dy, dx;
} target;

static target aim(const convolution *c, real *kept, real *next, count frame, count n) {
    count channels = c->w.wide / (c->shuffle * c->shuffle), side = c->side * c->shuffle, pixel = n / channels;
    count edge = side + 2, dy = pixel / c->shuffle, dx = pixel % c->shuffle;
    real *here = next ? next + frame * edge * edge * channels : NULL;
    return (target){kept + frame * side * side * channels, here, channels, edge, side, n % channels, dy, dx};
}

/* The columns' part of the border around the frame that comes next; of the pixels of a place, the first does it for all. */
static void clear_border(const target *t) {
    if (!t->next || t->dy || t->dx) return;
    for (count i = 0; i < t->edge; i++) {
        count places[] = {i, (t->edge - 1) * t->edge + i, i * t->edge, i * t->edge + t->edge - 1};
        for (int j = 0; j < 4; j++) memset(t->next + places[j] * t->channels + t->column, 0, LANES * sizeof(real));
    }
}

static void put(const convolution *c, const target *t, lanes value, count y, count x) {
    count row = y * c->shuffle + t->dy, column = x * c->shuffle + t->dx;
    real *kept = t->kept + (row * t->side + column) * t->channels + t->column;
    if (c->adds) value += load(kept);
    if (c->keeps) store(kept, value);
    if (t->next) store(t->next + ((row + 1) * t->edge + column + 1) * t->channels + t->column, c->bends ? silu(value) : value);
}

/* 32 columns of one frame. */
static void columns(const convolution *c, const reach *of, const real *x, const target *left, const target *right, count n) {
    count edge = c->side + 2, places = c->side * edge - 2, high = tile_rows(places), row = 0, column = 0;
    float sums[ROOM];
    for (count m = 0; m < places; m += 2 * high) {
        multiply(x + m * of->stride, of, high, m + high < places, c->w.tiles + n * c->w.in, sums);
        for (count r = 0; r < 2 * high && m + r < places; r++) {
            if (column < c->side) { /* else a place of the border */
                const float *bias = c->w.bias + (c->w.period > 1 ? row * c->side + column : 0) * c->w.wide + n;
                put(c, left, *(lanes *)(sums + r * PAIR) + *(const lanes *)bias, row, column);
                put(c, right, *(lanes *)(sums + r * PAIR + LANES) + *(const lanes *)(bias + LANES), row, column);
            }
            if (++column == edge) column = 0, row++;
        }
    }
}

static void convolve(const decoding *d, const convolution *c, const real *from, real *to) {
    count channels = channels_of(c), edge = c->side + 2, taps[9], parts = c->kernel * c->kernel, middle = c->kernel == 1;
    for (count i = 0; i < parts; i++) taps[i] = ((i / c->kernel + middle) * edge + i % c->kernel + middle) * channels;
    reach of = {taps, parts, channels, channels};
    begin(tile_rows(c->side * edge - 2));
    for (count n = 0; n < c->w.wide; n += PAIR)
        for (count frame = 0; frame < d->frames; frame++) {
            target left = aim(c, d->kept, to, frame, n), right = aim(c, d->kept, to, frame, n + LANES);
            clear_border(&left);
            clear_border(&right);
            columns(c, &of, from + frame * edge * edge * channels, &left, &right, n);
        }
    end();
}

void decode(const decoding *d) {
    real *buffers[] = {d->one, d->other};
    const real *from = d->x;
    for (count i = 0; i < d->depth; i++) {
        real *to = i + 1 < d->depth ? buffers[i % 2] : NULL;
        convolve(d, d->layers + i, from, to);
        from = to;
    }
}
