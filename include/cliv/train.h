/* cliv/train.h: training, from a table in a file to a run folder; or step by step in a program of your own.
 *
 * All at once, what `cliv train` does:
 *
 *   cliv_run_options run = {.path = "digits.csv",
 *                           .data = {.targets = &target, .target_count = 1},
 *                           .training = {.model = "softmax"}};
 *   cliv_run_result result;
 *   cliv_train(ctx, &run, &result);
 *
 * Step by step, over data of cliv/data.h:
 *
 *   cliv_trainer_create(ctx, data, &(cliv_train_options){.model = "softmax", .optimizer = "sgd"}, &trainer);
 *   while (cliv_trainer_epochs(trainer) < 20) cliv_trainer_epoch(trainer, NULL, NULL, &epoch);
 *   cliv_trainer_evaluate(trainer, CLIV_VALIDATION, &score);
 *
 * An epoch shuffles the training rows by the permutation (seed, CLIV_STREAM_SHUFFLE + epoch) of cliv/random.h, epochs
 * counted from 0, and takes them in batches; the last batch has what is left. Each batch: rows gathered, logits, the
 * gradient of the mean loss of its rows, one step of the update rule. The data stay on the device and nothing waits for
 * it within an epoch, but for progress in long ones. All of it is in one defined order: the same file, options and seed
 * give the same parameters, to the last bit, on every device.
 */
#ifndef CLIV_TRAIN_H
#define CLIV_TRAIN_H

#include <cliv/data.h>
#include <cliv/model.h>
#include <cliv/optim.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- step by step ---- */

typedef struct cliv_trainer cliv_trainer;

typedef struct cliv_train_options {
  size_t size;                  /* sizeof(cliv_train_options) of the caller; 0: this version's */
  const char *model;            /* a kind of cliv/model.h; must be given */
  const char *optimizer;        /* a rule of cliv/optim.h; NULL: "adamw" */
  const cliv_setting *settings; /* hyper-parameters of the rule other than by default */
  size_t setting_count;
  size_t epochs; /* cliv_train only; 0: 100 */
  size_t batch;  /* rows; 0: 32; more than there are: all of them */
  uint64_t seed; /* of the shuffles */
  double l2;     /* l2/2 · (sum of squares of the weights) is added to the loss, biases left out; reported losses are
                    without it */
  const char *schedule; /* of the rule's lr, a text of cliv/schedule.h that may count in epochs; NULL: none */
  const char *preset;   /* of the rule: whose formula and defaults hold; NULL: its first */
  /* Of the parameters that `optimizer` does not take: the biases, where it takes matrices (muon, shampoo, soap). Where
   * it takes all of them, giving any of these is refused (VALUE). A schedule is of both rules' lr. */
  const char *rest_optimizer; /* NULL: "adamw" */
  const cliv_setting *rest_settings;
  size_t rest_setting_count;
} cliv_train_options;

typedef struct cliv_epoch_metrics {
  size_t epoch;   /* from 1 */
  uint64_t steps; /* since the beginning */
  double loss;    /* mean over the training rows, each as it was met */
  double rate;    /* lr of `optimizer` in the epoch's last step; NaN for a rule without */
  double seconds; /* of this epoch's training */
  double rows_per_second;
} cliv_epoch_metrics;

/* How well the model does on a part of the data. Loss: mean of the rows' losses, for numbers in standardised units. NaN
 * where a value has no meaning. */
typedef struct cliv_score {
  size_t rows;
  double loss;
  size_t correct;  /* classes: rows whose class was found */
  double accuracy; /* correct / rows */
  double rmse; /* numbers: root of the mean squared error, in the target's unit (of several: the root of their mean) */
  double r2;   /* 1 - squared error / variance in this part (of several targets: their mean) */
} cliv_score;

/* Called after every 256 batches and at the end of an epoch. */
typedef void (*cliv_batch_progress)(void *user, size_t batch, size_t batches);

/* Blocks while the data go to the device. `data` must outlive the trainer, its kind of target must be the model's.
 * Fails with NAME, VALUE, DATA, DEVICE_MEMORY. */
CLIV_API cliv_status cliv_trainer_create(cliv_context *ctx, const cliv_data *data, const cliv_train_options *options,
                                         cliv_trainer **out) CLIV_MUST_CHECK;
/* NULL does nothing. */
CLIV_API void cliv_trainer_free(cliv_trainer *trainer);

/* One epoch; blocks until it is done. progress, out may be NULL. DATA when the loss is not finite any more; STATE when
 * an optimizer's weights are what is to be evaluated, or perturbed, or its last step was torn: then no optimizer steps.
 * Any other failure behind the epoch's first step leaves the training between two epochs: the next epoch and both ways
 * to save fail with STATE, until cliv_trainer_resume has succeeded. */
CLIV_API cliv_status cliv_trainer_epoch(cliv_trainer *trainer, cliv_batch_progress progress, void *user,
                                        cliv_epoch_metrics *out) CLIV_MUST_CHECK;
/* Blocks. DATA when the part has no rows. */
CLIV_API cliv_status cliv_trainer_evaluate(cliv_trainer *trainer, cliv_part part, cliv_score *out) CLIV_MUST_CHECK;

CLIV_API size_t cliv_trainer_epochs(const cliv_trainer *trainer);  /* done */
CLIV_API size_t cliv_trainer_batches(const cliv_trainer *trainer); /* an epoch */
CLIV_API cliv_model *cliv_trainer_model(const cliv_trainer *trainer);
CLIV_API cliv_optimizer *cliv_trainer_optimizer(const cliv_trainer *trainer);
CLIV_API cliv_optimizer *cliv_trainer_rest_optimizer(
    const cliv_trainer *trainer); /* NULL where nothing is left to it */
/* That of the options, NULL without one. plateau is to be told by cliv_schedule_report how the training goes;
 * cliv_train tells it the loss of the held-out rows after every epoch, or of the training rows where none are held
 * out. */
CLIV_API cliv_schedule *cliv_trainer_schedule(const cliv_trainer *trainer);
CLIV_API const cliv_data *cliv_trainer_data(const cliv_trainer *trainer);

/* The model as a safetensors file: its parameters ("0.weight" …), "input.mean" and "input.std" (float64), for numbers
 * "output.mean" and "output.std", and names of features, targets and classes in the metadata. Nothing in it depends on
 * device, time or place. Blocks; the file appears whole or not at all. STATE: an epoch or cliv_trainer_resume failed
 * halfway. This and cliv_trainer_evaluate leave each optimizer's weights as they were, to evaluate or to train. */
CLIV_API cliv_status cliv_trainer_save_model(const cliv_trainer *trainer, const char *path) CLIV_MUST_CHECK;
/* The same and all that going on needs:
 *
 *   optimizer.…            what cliv_optimizer_save writes, names and metadata, with this before each:
 *                          "optimizer.state.0.exp_avg", of the first parameter that it takes
 *   rest_optimizer.…       the same of the rest's, where there is one
 *   schedule.state         float64: what plateau has made of the reports
 *   "epochs", "config"     (metadata) epochs done, which the shuffles follow from; data and options, as JSON
 *   "format"               (metadata) "cliv.checkpoint 2" */
CLIV_API cliv_status cliv_trainer_save_checkpoint(const cliv_trainer *trainer, const char *path) CLIV_MUST_CHECK;
/* Goes on where a checkpoint was made: the epochs that follow are those that would have followed then, to the last bit.
 * The trainer is over the same data with the same options. On these failures nothing is changed: FILE, FORMAT; DATA
 * (other data or options, states of another rule, missing or unknown); SHAPE; STATE (the parameters are what is to be
 * evaluated); DEVICE_MEMORY, HOST_MEMORY of what is made before the first parameter is written. When the driver or the
 * device refuses to write parameters (OPENCL, DEVICE_MEMORY), some of them are the file's, and states, schedule and the
 * count of epochs what they were: then epochs and saving fail with STATE until it has succeeded. */
CLIV_API cliv_status cliv_trainer_resume(cliv_trainer *trainer, const char *path) CLIV_MUST_CHECK;

/* ---- all at once ---- */

/* Called now and then while training; `last` is NULL before the first epoch is done, `score` (of the held-out part)
 * also where there is none. Not 0: stop after this epoch, and keep what there is. */
typedef struct cliv_run_progress {
  const cliv_data_info *data;
  size_t epoch, epochs, batch, batches; /* batch `batch` of epoch `epoch` (from 1) is done */
  const cliv_epoch_metrics *last;
  const cliv_score *score;
} cliv_run_progress;

typedef struct cliv_run_options {
  size_t size;                   /* sizeof(cliv_run_options) of the caller; 0: this version's */
  const char *path;              /* a CSV file */
  const cliv_data_options *data; /* `classes` follows from the model */
  const cliv_train_options *training;
  const char *out; /* run folder, made where it is not there; NULL: runs/<name of the file>-<model>-<n>, the first n
                      that is free; "": no files */
  int resume;      /* 1: go on with the checkpoint in `out` until `epochs` are done */
  int (*progress)(void *user, const cliv_run_progress *progress); /* may be NULL */
  void *user;
} cliv_run_options;

typedef struct cliv_run_result {
  size_t epochs; /* done, in all */
  uint64_t steps;
  int stopped;                     /* 1: by the progress function */
  double seconds;                  /* of training and evaluation, compiling included where kernels are not cached yet */
  cliv_score training, validation; /* of the model as it was kept; validation.rows is 0 where nothing was held out */
  size_t features, constant, classes, dropped, filled; /* of the data */
  char folder[4096];                                   /* the run folder; "" without files */
} cliv_run_result;

/* Reads, splits, trains, evaluates, and leaves in the run folder model.safetensors, checkpoint.safetensors,
 * metrics.jsonl (one line an epoch), config.json and report.html. Blocks. Files are written aside and renamed; the
 * checkpoint and the metrics also during training, every 30 seconds. A folder that has files in it and is no run folder
 * is refused (FILE); in a run folder the five files are replaced. On failure a folder that was made by the call is
 * removed, unless a checkpoint was kept. */
CLIV_API cliv_status cliv_train(cliv_context *ctx, const cliv_run_options *options,
                                cliv_run_result *out) CLIV_MUST_CHECK;

#ifdef __cplusplus
}
#endif
#endif
