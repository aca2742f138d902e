/* Other libraries, each in a process of its own, asked over pipes.
 *
 * A peer is started as
 *   COMMAND X Y OUT COUNT PLATFORM DEVICE THREADS
 * X and Y are files of COUNT float32 numbers; OUT is where it leaves a result; PLATFORM and DEVICE name the OpenCL
 * device that it shall use, if it uses any; THREADS is how many threads it shall use, if it uses none. It reads lines
 * and answers each with one line:
 *   (started)                     ok VERSION        or  no REASON, and it ends
 *   prepare OP AXIS ROWS COLUMNS  ok                or  no REASON: the work was done once, its result is in OUT
 *                                 OP gemm:BATCH:M:N:K is a product of matrices that the two files begin with; AXIS,
 *                                 ROWS and COLUMNS mean nothing then
 *   time REPEATS                  ok SECONDS        the work was done so many times
 * Inputs are on the device before the time is taken, and results stay there. A peer that does not answer in time is
 * ended, and started again for the next row, as one that ended by itself is; the third time it is left out for good.
 */
#ifndef CLIV_BENCH_PEERS_H
#define CLIV_BENCH_PEERS_H

#include "bench.h"

typedef struct peers peers;

/* `list` is a file of lines NAME COMMAND, the command in the shell's language; what the peers say on standard error
 * goes to LIST.log. */
peers *peers_start(const char *list, const bench *b, int threads);
void peers_stop(peers *p);

size_t peers_count(const peers *p);
const char *peers_name(const peers *p, size_t i);
/* What the peer said of itself: its version, or why it is not there. */
bool peers_running(const peers *p, size_t i, const char **words);

/* Has the peer do the task once. False, with a reason: it cannot. The result, task->results floats, is in `result`. */
bool peers_prepare(peers *p, size_t i, const bench_task *task, float *result, char *why, size_t room);
/* The side that times the peer's last task. */
bench_side peers_side(peers *p, size_t i);

#endif
