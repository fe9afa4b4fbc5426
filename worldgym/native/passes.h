/* What lies between the matrix products of a block, one pass over memory each, and the products. Widths and head sizes are
   multiples of 16. */

#ifndef PASSES_H
#define PASSES_H

#include "lanes.h"

/* Rows of tokens, frame by frame, trial by trial, and the heads first .. last - 1 of them. */
typedef struct {
    count batch, frames, tokens, heads, size, first, last;
} part;

/* Keys and values of a temporal block, [batch, tokens, heads, capacity, size]. slots: where the frames in work go. seen: slots
   in use after that. bias [heads, frames, seen up to a multiple of 16]: added to the logits, -inf where a frame may not look. */
typedef struct {
    real *keys, *values;
    const count *slots;
    const float *bias;
    count capacity, seen;
} ring;

/* Tables [lines, size] of cos and (signed) sin: row r turns by line r / inner % lines. */
typedef struct {
    const float *cos, *sin;
    count inner, lines;
} turn;

/* Shift and scale, `width` numbers each, of the first frame; before them lies the gate of what is added. stride: to the next. */
typedef struct {
    const real *numbers;
    count stride;
} modulation;

/* Weights as `arrange` orders them; bias [period, wide], row r % period for row r. in and wide: multiples of 32. */
typedef struct {
    const real *tiles;
    const float *bias;
    count in, wide, period, activation;
} matrix;

enum { LINEAR, SQUARED_RELU, GELU, SILU };

void residual_norm(real *h, const real *y, const modulation *by, real *out, count tokens, count width, count from, count to);
void rotate(real *qkv, const part *of, const turn *by);
void spatial_attention(const real *qkv, real *out, const part *of);
void temporal_attention(const real *qkv, const ring *in, real *out, const part *of);
void product(const real *x, const matrix *w, real *out, count rows, count from, count to);

#endif
