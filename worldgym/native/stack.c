/* All blocks of the network in one call, and single products, by a team of threads.

   A pass is a row of phases; each is cut into tasks that do not depend on each other: some rows of a norm; some heads of an
   attention, with the columns of queries, keys and values that are theirs; some columns of a product. So each thread reads its
   part of the weights alone. Trials are worked through block by block in groups, so that what lies between the products of a
   block stays in the second-level cache. */

#include "passes.h"
#include "team.h"

#define GROUP 600 /* rows of a group, unless a single trial has more */
#define SHARES 2  /* tasks of a phase for each thread: one that comes late then finds something left */
#define WIDE 32   /* columns of a product that are worked on together */

typedef struct {
    matrix qkv, out, up, down;
} block;

/* space: no lines where positions are learned. Blocks take turns: spatial, temporal. */
typedef struct {
    matrix first, last;
    const block *blocks;
    turn space;
    count depth, tokens, heads, size, hidden;
} network;

/* x [batch * frames * tokens, first.in], readable 15 rows further => out [.., last.wide]. by: of the first block, shift, scale and
   gate, twice; those of the next behind it; at the end shift and scale. in: the ring of the first temporal block; of the next,
   keys and values lie ring_step numbers on, bias bias_step. room: `room_for` numbers of work space. */
typedef struct {
    const real *x;
    real *out, *room;
    modulation by;
    ring in;
    turn time;
    count batch, frames, ring_step, bias_step, threads;
} call;

enum { FIRST, NORM, ATTEND, OUT, SECOND_NORM, UP, DOWN, FINAL_NORM, LAST, KINDS };

typedef struct {
    const network *of;
    const call *now;
    count width, trials, rows, groups; /* trials and rows of a group */
    count shares[KINDS];               /* tasks in a phase of each kind */
    real *h, *y, *normed, *seen, *qkv, *hidden;
} pass;

/* Where a task stands: what it does, of which block and group, which share of it, and the first task of the next phase. */
typedef struct {
    count kind, block, group, share, end;
} place;

static count least(count a, count b) { return a < b ? a : b; }

static count most(count a, count b) { return a > b ? a : b; }

static count shares(count units, count threads) { return threads < 2 ? 1 : least(units, threads * SHARES); }

/* Where share i of n begins, of so many units. */
static count edge(count units, count n, count i) { return units * i / n; }

static count trials_together(const network *of, const call *now) {
    return least(most(GROUP / (now->frames * of->tokens), 1), now->batch);
}

/* With rows at the end that products may read. */
count room_for(const network *of, const call *now) {
    count width = of->heads * of->size, trial = now->frames * of->tokens;
    return trial * (now->batch * 2 * width + trials_together(of, now) * (5 * width + of->hidden)) + LANES * of->hidden;
}

/* Heads of which queries make up whole numbers of WIDE columns. */
static count heads_together(const network *of) { return most(WIDE / of->size, 1); }

static pass plan(const network *of, const call *now) {
    count width = of->heads * of->size, n = now->threads, trials = trials_together(of, now);
    count rows = trials * now->frames * of->tokens, all = now->batch * now->frames * of->tokens;
    pass p = {.of = of, .now = now, .width = width, .trials = trials, .rows = rows, .groups = (now->batch + trials - 1) / trials};
    p.shares[FIRST] = p.shares[OUT] = p.shares[DOWN] = shares(width / WIDE, n);
    p.shares[NORM] = p.shares[SECOND_NORM] = p.shares[FINAL_NORM] = least(rows, n);
    p.shares[ATTEND] = shares(of->heads / heads_together(of), n);
    p.shares[UP] = shares(of->hidden / WIDE, n);
    p.shares[LAST] = shares(of->last.wide / WIDE, n);
    p.h = now->room;
    p.y = p.h + all * width;
    p.normed = p.y + all * width;
    p.seen = p.normed + rows * width;
    p.qkv = p.seen + rows * width;
    p.hidden = p.qkv + rows * 3 * width;
    return p;
}

/* Tasks of a row of phases: those of one block and group, or of one group at the end. */
static count cycle(const pass *p, count kind, count behind) {
    count sum = 0;
    for (; kind < behind; kind++) sum += p->shares[kind];
    return sum;
}

static place find(const pass *p, count task) {
    count first = FIRST, behind = NORM, start = 0, round = 0, blocks = p->of->depth * p->groups;
    if (task >= p->shares[FIRST]) {
        count each = cycle(p, NORM, FINAL_NORM);
        first = NORM, behind = FINAL_NORM, start = p->shares[FIRST];
        if (task >= start + blocks * each) first = FINAL_NORM, behind = KINDS, start += blocks * each;
        each = cycle(p, first, behind);
        round = (task - start) / each;
        start += round * each;
    }
    while (task >= start + p->shares[first]) start += p->shares[first++];
    return (place){first, round / p->groups, round % p->groups, task - start, start + p->shares[first]};
}

static count opened(const void *what, count done) { return find(what, done).end; }

static void some_columns(const real *x, const matrix *w, real *out, count rows, count share, count shares) {
    count units = w->wide / WIDE;
    product(x, w, out, rows, edge(units, shares, share) * WIDE, edge(units, shares, share + 1) * WIDE);
}

static void attend(const pass *p, const place *at, count trials, count rows) {
    const network *of = p->of;
    const call *now = p->now;
    const matrix *w = &of->blocks[at->block].qkv;
    count unit = heads_together(of), units = of->heads / unit, n = p->shares[ATTEND], trial = at->group * p->trials;
    count from = edge(units, n, at->share) * unit, to = edge(units, n, at->share + 1) * unit;
    part some = {trials, now->frames, of->tokens, of->heads, of->size, from, to};
    for (count start = 0; start < w->wide; start += p->width) /* queries, keys, values */
        product(p->normed, w, p->qkv, rows, start + from * of->size, start + to * of->size);
    const turn *by = at->block % 2 ? &now->time : &of->space;
    if (by->lines) rotate(p->qkv, &some, by);
    if (at->block % 2) {
        ring in = now->in;
        count skip = at->block / 2 * now->ring_step + trial * of->tokens * p->width * in.capacity;
        in.keys += skip, in.values += skip, in.bias += at->block / 2 * now->bias_step;
        temporal_attention(p->qkv, &in, p->seen, &some);
    } else {
        spatial_attention(p->qkv, p->seen, &some);
    }
}

static void run(const void *what, count task) {
    const pass *p = what;
    const network *of = p->of;
    place at = find(p, task);
    const block *b = of->blocks + at.block;
    count before = at.group * p->rows, trials = least(p->trials, p->now->batch - at.group * p->trials);
    count rows = trials * p->now->frames * of->tokens, n = p->shares[at.kind], i = at.share;
    real *h = p->h + before * p->width, *y = p->y + before * p->width;
    modulation by = {p->now->by.numbers + before / of->tokens * p->now->by.stride, p->now->by.stride};
    switch (at.kind) {
    case FIRST: some_columns(p->now->x, &of->first, p->h, p->now->batch * p->now->frames * of->tokens, i, n); break;
    case NORM:
    case SECOND_NORM:
    case FINAL_NORM:
        by.numbers += 3 * p->width * (at.kind == FINAL_NORM ? 2 * of->depth : 2 * at.block + (at.kind == SECOND_NORM));
        if (at.kind == NORM && !at.block) y = NULL;
        residual_norm(h, y, &by, p->normed, of->tokens, p->width, edge(rows, n, i), edge(rows, n, i + 1));
        break;
    case ATTEND: attend(p, &at, trials, rows); break;
    case OUT: some_columns(p->seen, &b->out, y, rows, i, n); break;
    case UP: some_columns(p->normed, &b->up, p->hidden, rows, i, n); break;
    case DOWN: some_columns(p->hidden, &b->down, y, rows, i, n); break;
    case LAST: some_columns(p->normed, &of->last, p->now->out + before * of->last.wide, rows, i, n); break;
    }
}

void denoise(const network *of, const call *now) {
    pass p = plan(of, now);
    count blocks = of->depth * p.groups * cycle(&p, NORM, FINAL_NORM), end = p.groups * cycle(&p, FINAL_NORM, KINDS);
    together(&(job){p.shares[FIRST] + blocks + end, opened, run, &p}, now->threads);
}

typedef struct {
    const real *x;
    const matrix *w;
    real *out;
    count rows, shares;
} single;

static count all_at_once(const void *what, count done) { return done + ((const single *)what)->shares; }

static void run_single(const void *what, count task) {
    const single *s = what;
    some_columns(s->x, s->w, s->out, s->rows, task, s->shares);
}

/* x [rows, in], readable 15 rows further => out [rows, wide]. */
void multiply_by(const real *x, const matrix *w, real *out, count rows, count threads) {
    single s = {x, w, out, rows, shares(w->wide / WIDE, threads)};
    together(&(job){s.shares, all_at_once, run_single, &s}, threads);
}
