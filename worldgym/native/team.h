/* A job in phases of tasks, done by the calling thread and whoever of the team is awake. */

#ifndef TEAM_H
#define TEAM_H

#include <stdint.h>

typedef struct job {
    int64_t tasks;                                     /* in all; under 2^31 */
    int64_t (*opened)(const void *what, int64_t done); /* all before `done` are done => up to where they may begin */
    void (*run)(const void *what, int64_t task);
    const void *what;
} job;

/* Does the job with up to so many threads, the caller's included, made on first use and kept. */
void together(const job *work, int64_t threads);

#endif
