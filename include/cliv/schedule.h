/* cliv/schedule.h: hyper-parameters that change from step to step, as a text.
 *
 *   cliv_schedule *schedule;
 *   cliv_schedule_create(NULL, "warmup(100) cosine(900)", NULL, &schedule);
 *   cliv_optimizer_schedule(opt, CLIV_ALL_GROUPS, "lr", schedule);
 *
 * A schedule gives a factor for every step; the hyper-parameter's value in that step is the value it was set to, times
 * the factor. Steps count from 0: step t is the one that t others went before, as PyTorch's schedulers count theirs.
 *
 *   text    product of one or several sequences:       warmup(100) * step(30, 0.1)
 *   sequence   shapes one after the other:             warmup(100) constant(500) cooldown(200)
 *   shape      NAME(argument, …), arguments in the order of the table or by name:  cosine(900, end=0.1)
 *   argument   a decimal number; one that counts steps may have a unit:  step(30epochs)
 *
 * In a sequence every shape but the last takes the `steps` that it is given, and the next one begins at its own step 0.
 * Shapes that have no end of their own (exponential, step, …) take the argument steps too, and need it where another
 * follows. From its own step `steps` on the last shape stays at that step's value, which is the first one past what it
 * covers: cosine(9) stays at its end, step(9, 0.1, 9) at 0.1, restarts(9, steps=9) at 1, where a period would begin.
 * Without steps these go on for ever. `warmup(W) linear(N - W)` is the schedule that rises to the base rate over W
 * steps and reaches zero at step N.
 *
 * Factors are computed in double from the step's number alone, with the same bits on every machine; only plateau
 * depends on what is reported to it. Formulas and their sources: docs/schedules.md.
 */
#ifndef CLIV_SCHEDULE_H
#define CLIV_SCHEDULE_H

#include <cliv/status.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- the table of shapes ---- */

typedef struct cliv_schedule_argument {
  const char *name;
  double initial;      /* NaN: must be given */
  double min, max;     /* both allowed */
  int counts;          /* 1: a whole number of steps */
  const char *meaning; /* one phrase */
} cliv_schedule_argument;

typedef struct cliv_schedule_info {
  const char *name, *summary;
  const char *source; /* what it was checked against */
  int list;           /* 1: arguments without a name are the steps of a list, as in multistep(30, 80, gamma=0.1) */
  size_t argument_count;
  const cliv_schedule_argument *arguments;
} cliv_schedule_info;

CLIV_API size_t cliv_schedule_count(void);
CLIV_API const cliv_schedule_info *cliv_schedule_get(size_t index); /* NULL past the end */

/* ---- schedules ---- */

typedef struct cliv_schedule cliv_schedule;

typedef struct cliv_schedule_options {
  size_t size;          /* sizeof(cliv_schedule_options) of the caller; 0: this version's */
  uint64_t epoch_steps; /* steps an epoch has, for arguments in epochs; 0: these are refused */
} cliv_schedule_options;

/* Parses a text. ctx takes the sentence of a failure and may be NULL; options too. Fails with NULL, NAME (no such shape
 * or argument), VALUE (a text that is none, an argument out of its bounds or missing, a shape without an end before
 * another), OPTIONS' size, HOST_MEMORY; sentences say at which character. */
CLIV_API cliv_status cliv_schedule_create(cliv_context *ctx, const char *text, const cliv_schedule_options *options,
                                          cliv_schedule **out) CLIV_MUST_CHECK;
/* NULL does nothing. */
CLIV_API void cliv_schedule_free(cliv_schedule *schedule);

/* The factor of a step, counted from 0. */
CLIV_API double cliv_schedule_factor(const cliv_schedule *schedule, uint64_t step);

/* Tells plateau how the training goes: once an epoch, say, with the validation loss. A NaN is a bad report. Schedules
 * without plateau take no notice. */
CLIV_API void cliv_schedule_report(cliv_schedule *schedule, double metric);

/* What plateau has made of the reports, to resume with: `cliv_schedule_state` writes up to `room` numbers and gives how
 * many there are (0 without plateau); `cliv_schedule_restore` takes as many (else VALUE). */
CLIV_API size_t cliv_schedule_state(const cliv_schedule *schedule, double *values, size_t room);
CLIV_API cliv_status cliv_schedule_restore(cliv_schedule *schedule, const double *values, size_t count) CLIV_MUST_CHECK;

#ifdef __cplusplus
}
#endif
#endif
