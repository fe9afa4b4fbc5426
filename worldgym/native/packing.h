/* What lies row by row, as tiles that the matrix unit multiplies. Training needs it: its matrices change with every step. */

#ifndef PACKING_H
#define PACKING_H

#include "tiles.h"

#ifdef MATRIX_UNIT

/* The word in line i, place j of 16 x 16 goes to line j, place i: four times, halves are exchanged between lines. */
#define EXCHANGE(apart, low, high)                                           \
    for (int i = 0; i < LANES; i++)                                          \
        if (!(i & apart)) {                                                  \
            words above = x[i], below = x[i + apart];                        \
            x[i] = __builtin_shuffle(above, below, (words)low);              \
            x[i + apart] = __builtin_shuffle(above, below, (words)high);     \
        }

static inline __attribute__((always_inline)) void transpose(words *x) {
    EXCHANGE(8, ((words){0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23}),
             ((words){8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31}))
    EXCHANGE(4, ((words){0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27}),
             ((words){4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31}))
    EXCHANGE(2, ((words){0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29}),
             ((words){2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31}))
    EXCHANGE(1, ((words){0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30}),
             ((words){1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11, 27, 13, 29, 15, 31}))
}

/* Two rows, 32 columns => the two numbers of each column beside each other. */
static inline __attribute__((always_inline)) void pair(const real *upper, const real *lower, words *left, words *right) {
    words a = __builtin_convertvector(*(const halves *)upper, words), b = __builtin_convertvector(*(const halves *)lower, words);
    words c = __builtin_convertvector(*(const halves *)(upper + LANES), words);
    words d = __builtin_convertvector(*(const halves *)(lower + LANES), words);
    *left = a | b << 16, *right = c | d << 16;
}

/* 32 columns, a line of the cache, of up to 32 rows from x on, `stride` numbers apart; rows from `rows` on count as zero. */
static inline __attribute__((always_inline)) void pair_rows(const real *x, count stride, count rows, words *left, words *right) {
    static const real none[DEEP];
    if (rows >= DEEP)
        for (count p = 0; p < LANES; p++) pair(x + 2 * p * stride, x + (2 * p + 1) * stride, left + p, right + p);
    else
        for (count p = 0; p < LANES; p++)
            pair(2 * p < rows ? x + 2 * p * stride : none, 2 * p + 1 < rows ? x + (2 * p + 1) * stride : none, left + p, right + p);
}

/* Two tiles of 16 columns, `apart` numbers apart: as the right side of a product in which rows are summed over. */
static inline void pack_right(const real *x, count stride, count rows, real *tile, count apart) {
    pair_rows(x, stride, rows, (words *)tile, (words *)(tile + apart));
}

/* As the left side of such a product. sums: 32, what the columns add up to is added (or null). */
static inline __attribute__((always_inline)) void pack_left(const real *x, count stride, count rows, real *tile, count apart,
                                                            float *sums) {
    words left[LANES], right[LANES];
    pair_rows(x, stride, rows, left, right);
    if (sums) {
        lanes low = *(lanes *)sums, high = *(lanes *)(sums + LANES);
        for (int p = 0; p < LANES; p++) {
            low += (lanes)(left[p] << 16), high += (lanes)(right[p] << 16);
            low += (lanes)(left[p] & 0xffff0000), high += (lanes)(right[p] & 0xffff0000);
        }
        *(lanes *)sums = low, *(lanes *)(sums + LANES) = high;
    }
    transpose(left);
    transpose(right);
    memcpy(tile, left, sizeof left);
    memcpy(tile + apart, right, sizeof right);
}

/* 16 rows, 32 numbers of each, as the right side of a product in which those 32 are summed over. */
static inline void pack_turned(const real *x, count stride, count rows, real *tile) {
    words lines[LANES];
    for (int r = 0; r < LANES; r++) lines[r] = r < rows ? *(const words *)(x + r * stride) : (words){};
    transpose(lines);
    memcpy(tile, lines, sizeof lines);
}

#endif
#endif
