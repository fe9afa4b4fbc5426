/* Threads that share one job. Nobody waits for a thread that has not begun a task, so one that the system has taken off its
   processor costs nothing until it comes back; a task once begun is waited for. After a long wait the caller works alone for a
   while: on a busy machine two threads that wait for each other get less done than one.

   `ticket` and `open` are (number of the job) << 32 | (task): the next to be begun, and up to where they may be. Who wins the
   next task keeps the job alive until it is done; nobody else looks into it. */

#include "team.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <time.h>

#define SPINS 200       /* looks before the clock is looked at */
#define AWAKE 1000000   /* nanoseconds without a task after which a thread sleeps: longer than the usual gap between two calls */
#define LATE 200000     /* nanoseconds waited for others' tasks, in one go, that are taken as the sign of a busy machine */
#define REST 100000000  /* nanoseconds for which the caller then works alone */
#define STACK (8 << 20) /* bytes; macOS gives threads 512 KiB */

static _Alignas(64) _Atomic uint64_t ticket; /* each in a line of the processor's cache by itself */
static _Alignas(64) _Atomic uint64_t open;
static _Alignas(64) _Atomic int64_t done;
static _Alignas(64) _Atomic int asleep;
static _Atomic(const job *) now;
static atomic_flag taken = ATOMIC_FLAG_INIT;
static int64_t rest_until; /* as the next: changed by who has `taken` */
static int64_t members; /* threads made */
static pthread_mutex_t door = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t bell = PTHREAD_COND_INITIALIZER;

static int waiting(uint64_t next, uint64_t limit) { return next >> 32 == limit >> 32 && next < limit; }

/* Wakes who sleeps. */
static void ring(void) {
    if (!atomic_load(&asleep)) return;
    pthread_mutex_lock(&door);
    pthread_cond_broadcast(&bell);
    pthread_mutex_unlock(&door);
}

/* Begins and ends a task, if there is one. */
static int attempt(void) {
    uint64_t next = atomic_load(&ticket), limit = atomic_load(&open);
    if (!waiting(next, limit) || !atomic_compare_exchange_strong(&ticket, &next, next + 1)) return 0;
    const job *work = atomic_load(&now);
    int64_t task = (uint32_t)next, opened = (uint32_t)limit, tasks = work->tasks;
    int64_t after = opened < tasks ? work->opened(work->what, opened) : tasks;
    work->run(work->what, task);
    if (atomic_fetch_add(&done, 1) + 1 == opened && opened < tasks) {
        atomic_store(&open, (next >> 32 << 32) + (uint64_t)after);
        ring();
    }
    return 1;
}

static void pause_briefly(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static int64_t nanoseconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static void sleep_until_rung(void) {
    pthread_mutex_lock(&door);
    atomic_fetch_add(&asleep, 1);
    while (!waiting(atomic_load(&ticket), atomic_load(&open))) pthread_cond_wait(&bell, &door);
    atomic_fetch_sub(&asleep, 1);
    pthread_mutex_unlock(&door);
}

static void *serve(void *nothing) {
    int64_t since = nanoseconds();
    for (int64_t looks = 1;; looks++) {
        if (attempt()) {
            looks = 0;
        } else if (looks == 1) {
            since = nanoseconds();
        } else if (looks % SPINS) {
            pause_briefly();
        } else if (nanoseconds() - since > AWAKE) { /* to yield would put this thread behind all others */
            sleep_until_rung();
            looks = 0;
        }
    }
    return nothing;
}

static void forked(void) { /* the child of a fork has none of these threads, nor whoever held the job or the door */
    members = 0;
    atomic_store(&asleep, 0);
    atomic_store(&open, atomic_load(&ticket)); /* nothing waits */
    atomic_flag_clear(&taken);
    pthread_mutex_init(&door, NULL);
    pthread_cond_init(&bell, NULL);
}

static void grow(int64_t wanted) {
    pthread_attr_t attributes;
    pthread_t thread;
    if (members >= wanted) return;
    static int prepared;
    if (!prepared) prepared = !pthread_atfork(NULL, NULL, forked);
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    while (members < wanted && !pthread_create(&thread, &attributes, serve, NULL)) members++;
    pthread_attr_destroy(&attributes);
}

/* By who has `taken`. */
static void lead(const job *work, int64_t threads) {
    grow(threads - 1);
    uint64_t number = ((atomic_load(&ticket) >> 32) + 1) << 32;
    atomic_store(&now, work);
    atomic_store(&done, 0);
    atomic_store(&ticket, number);
    atomic_store(&open, number + (uint64_t)work->opened(work->what, 0));
    ring();
    int64_t since = 0; /* when the wait began; 0: none */
    for (int64_t looks = 1; atomic_load(&done) < work->tasks; looks++) {
        if (attempt())
            since = 0;
        else if (!since)
            since = nanoseconds(), looks = 1;
        else if (looks % SPINS)
            pause_briefly();
        else if (nanoseconds() - since > LATE)
            rest_until = nanoseconds() + REST, sched_yield();
    }
}

void together(const job *work, int64_t threads) {
    int mine = threads > 1 && !atomic_flag_test_and_set(&taken); /* else the team is busy with another's job */
    int shared = mine && nanoseconds() > rest_until;
    if (!shared)
        for (int64_t task = 0; task < work->tasks; task++) work->run(work->what, task);
    else
        lead(work, threads);
    if (mine) atomic_flag_clear(&taken);
}
