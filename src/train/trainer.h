/* What loop.c, checkpoint.c, report.c and run.c share. */
#ifndef CLIV_TRAIN_TRAINER_H
#define CLIV_TRAIN_TRAINER_H

#include <cliv/train.h>
#include <jansson.h>
#include <stdbool.h>

#include "base/status.h"

/* A part of the data on the device. */
typedef struct part_tensors {
  size_t rows;
  cliv_tensor *x, *targets; /* (rows, features); (rows, targets) float32, or (rows) int32; NULL without rows */
} part_tensors;

struct cliv_trainer {
  cliv_context *ctx;
  const cliv_data *data;
  cliv_model *model;
  cliv_optimizer *optimizer, *rest; /* rest: of the parameters that the first does not take; NULL: there are none */
  char *schedule_text;              /* NULL: none */
  cliv_schedule *schedule;
  size_t epochs, batch;
  bool torn; /* an epoch or a resumption failed behind its first change */
  uint64_t seed;
  double l2;
  part_tensors part[2];                           /* by cliv_part */
  cliv_tensor *order, *losses;                    /* training rows: int32 permutation, loss of each row as met */
  cliv_tensor *batch_x, *batch_targets, *batch_z; /* one batch; batch_z becomes the slope */
  cliv_tensor *score_z, *score_losses;            /* one stretch of an evaluation */
  int32_t *host_order;
  float *host; /* losses of an epoch, logits and losses of a stretch */
};

/* Which optimizers' parameters were those to evaluate. */
typedef struct cliv__turned {
  int main, rest;
} cliv__turned;
/* Parameters as they are to be evaluated, or trained. Also where it fails they are to be turned back to *was. */
cliv_status cliv__trainer_turn(const cliv_trainer *trainer, int on, cliv__turned *was);
/* status: of what came before; its failure is the call's, whatever comes of turning back. */
cliv_status cliv__trainer_turn_back(const cliv_trainer *trainer, const cliv__turned *was, cliv_status status);
/* STATE where it is torn. */
cliv_status cliv__trainer_check_whole(const cliv_trainer *trainer);

/* The whole configuration as JSON: what was given and what was taken by default. Where, when and on what it ran is not
 * in it. NULL without memory. */
json_t *cliv__trainer_config(const cliv_trainer *trainer);

/* The epochs of a run: what metrics.jsonl has line by line. */
typedef struct cliv__history {
  size_t count, room;
  struct cliv__epoch {
    cliv_epoch_metrics metrics;
    cliv_score score; /* of the held-out rows; rows 0 where there are none */
  } * epochs;
} cliv__history;

/* A finished run, for its report. */
typedef struct cliv__report {
  const cliv_trainer *trainer;
  const cliv__history *history;
  const cliv_run_result *result;
} cliv__report;

/* One self-contained page of HTML; malloc'd, NULL without memory. */
char *cliv__report_html(const cliv__report *report);

#endif
