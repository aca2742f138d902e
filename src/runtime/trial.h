/* Running cliv-probe on several drivers at once, against one deadline. */
#ifndef CLIV_RUNTIME_TRIAL_H
#define CLIV_RUNTIME_TRIAL_H

#include "runtime/drivers.h"

typedef enum cliv__outcome {
  CLIV__DRIVER_UNTRIED, /* the child could not be started */
  CLIV__DRIVER_GOOD,
  CLIV__DRIVER_ABSENT, /* its library cannot be loaded: nothing to fear and nothing to gain */
  CLIV__DRIVER_CRASHED,
  CLIV__DRIVER_HUNG,
  CLIV__DRIVER_LYING, /* it answers, but with nonsense */
  CLIV__OUTCOMES
} cliv__outcome;

typedef struct cliv__trial {
  const cliv__driver *driver;
  const char *const *task; /* what the child is asked for beyond a trial of the driver, NULL-ended; NULL: nothing */
  const char *enough; /* the begin of a report after which, once it has ended, the others need not go on; NULL: none */
  cliv__outcome outcome;
  int detail;   /* CRASHED: the signal, 0 where it ended by itself or that is not known. HUNG: the deadline, ms */
  char *report; /* what the child wrote, malloc'd: "device" lines, see src/probe/main.c */
} cliv__trial;

/* Fills outcome, detail and report of every row. `program`: cliv-probe. Blocks up to the deadline, and a moment. */
void cliv__trial_run(const char *program, cliv__trial *trials, size_t count, unsigned timeout_ms);

/* Where cliv-probe is: `wanted`, or beside this library or program, or where it was installed; malloc'd, NULL when it
 * is not there. */
char *cliv__trial_program(const char *wanted);

#endif
