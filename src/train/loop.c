/* The training loop: batches, epochs, scores. See cliv/train.h. */
#include <cliv/gather.h>
#include <cliv/loss.h>
#include <cliv/random.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/options.h"
#include "optim/optim.h"
#include "train/trainer.h"

enum {
  DEFAULT_BATCH = 32,
  AHEAD = 256,   /* batches enqueued before the host waits: bounds the queue, lets progress be true */
  STRETCH = 4096 /* rows evaluated at a time */
};

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

/* ---- creating ---- */

static cliv_status upload(cliv_context *ctx, cliv_dtype dtype, int ndim, size_t rows, size_t columns, const void *host,
                          cliv_tensor **out) {
  const cliv_array array = {.dtype = dtype, .ndim = ndim, .shape = {rows, columns}, .data = (void *)(uintptr_t)host};
  return cliv_tensor_from_array(ctx, &array, out);
}

static cliv_status upload_part(cliv_trainer *t, cliv_part which) {
  const cliv_data_info *info = cliv_data_describe(t->data);
  part_tensors *part = &t->part[which];
  part->rows = info->rows[which];
  if (part->rows == 0) return CLIV_OK;
  TRY(upload(t->ctx, CLIV_F32, 2, part->rows, info->features, cliv_data_features(t->data, which), &part->x));
  if (info->classes && cliv_model_logits(t->model) > 1)
    return upload(t->ctx, CLIV_I32, 1, part->rows, 1, cliv_data_classes(t->data, which), &part->targets);
  if (!info->classes)
    return upload(t->ctx, CLIV_F32, 2, part->rows, info->targets, cliv_data_numbers(t->data, which), &part->targets);
  /* Two classes by one logit: the probability of the second. */
  float *truth = malloc(part->rows * sizeof *truth);
  REQUIRE(t->ctx, truth != NULL, HOST_MEMORY, "no memory for %zu targets", part->rows);
  for (size_t i = 0; i < part->rows; i++) truth[i] = (float)cliv_data_classes(t->data, which)[i];
  const cliv_status status = upload(t->ctx, CLIV_F32, 2, part->rows, 1, truth, &part->targets);
  free(truth);
  return status;
}

/* Memory for one batch, one epoch's losses, one stretch of evaluation. */
static cliv_status create_room(cliv_trainer *t) {
  const cliv_data_info *info = cliv_data_describe(t->data);
  const size_t rows = t->part[CLIV_TRAINING].rows, logits = cliv_model_logits(t->model);
  const size_t most = rows > t->part[CLIV_VALIDATION].rows ? rows : t->part[CLIV_VALIDATION].rows,
               stretch = least(most, STRETCH);
  const cliv_tensor *targets = t->part[CLIV_TRAINING].targets;
  const size_t target_shape[2] = {t->batch, logits};
  TRY(cliv_tensor_create(t->ctx, CLIV_I32, 1, &rows, &t->order));
  TRY(cliv_tensor_create(t->ctx, CLIV_F32, 1, &rows, &t->losses));
  TRY(cliv_tensor_create(t->ctx, CLIV_F32, 2, (size_t[]){t->batch, info->features}, &t->batch_x));
  TRY(cliv_tensor_create(t->ctx, cliv_tensor_dtype(targets), cliv_tensor_ndim(targets), target_shape,
                         &t->batch_targets));
  TRY(cliv_tensor_create(t->ctx, CLIV_F32, 2, target_shape, &t->batch_z));
  TRY(cliv_tensor_create(t->ctx, CLIV_F32, 2, (size_t[]){stretch, logits}, &t->score_z));
  TRY(cliv_tensor_create(t->ctx, CLIV_F32, 1, &stretch, &t->score_losses));
  t->host_order = malloc(rows * sizeof *t->host_order);
  t->host = malloc((rows + stretch * (logits + 1)) * sizeof *t->host);
  REQUIRE(t->ctx, t->host_order && t->host, HOST_MEMORY, "no memory to train on %zu rows", rows);
  return CLIV_OK;
}

static cliv_status make_optimizer(cliv_trainer *t, const char *rule, const char *preset, const cliv_setting *settings,
                                  size_t count, cliv_optimizer **out) {
  const cliv_optimizer_options options = {.size = sizeof options, .preset = preset};
  TRY(cliv_optimizer_create(t->ctx, rule ? rule : "adamw", &options, out));
  for (size_t i = 0; i < count; i++)
    TRY(cliv_optimizer_set(*out, CLIV_ALL_GROUPS, settings[i].name, settings[i].value));
  return CLIV_OK;
}

/* A parameter is the rest's where the first optimizer does not take it. */
static cliv_status create_optimizers(cliv_trainer *t, const cliv_train_options *o) {
  TRY(make_optimizer(t, o->optimizer, o->preset, o->settings, o->setting_count, &t->optimizer));
  for (size_t i = 0; i < cliv_model_parameters(t->model); i++) {
    cliv_tensor *p = cliv_model_parameter(t->model, i);
    const bool rest = !cliv__takes(t->optimizer, p);
    if (rest && !t->rest)
      TRY(make_optimizer(t, o->rest_optimizer, NULL, o->rest_settings, o->rest_setting_count, &t->rest));
    TRY(cliv_optimizer_add(rest ? t->rest : t->optimizer, p, cliv_model_gradient(t->model, i), CLIV_DEFAULT_GROUP));
  }
  REQUIRE(t->ctx, t->rest || (!o->rest_optimizer && !o->rest_setting_count), VALUE,
          "%s takes all parameters of the model: nothing is left to an optimizer of the rest",
          cliv_optimizer_rule(t->optimizer)->name);
  return CLIV_OK;
}

/* Of lr, which is refused where the rule has none. */
static cliv_status create_schedule(cliv_trainer *t, const char *text) {
  if (!text) return CLIV_OK;
  const cliv_schedule_options options = {.epoch_steps = cliv_trainer_batches(t)};
  TRY(cliv_schedule_create(t->ctx, text, &options, &t->schedule));
  t->schedule_text = strdup(text);
  REQUIRE(t->ctx, t->schedule_text != NULL, HOST_MEMORY, "no memory for a schedule");
  TRY(cliv_optimizer_schedule(t->optimizer, CLIV_ALL_GROUPS, "lr", t->schedule));
  return t->rest ? cliv_optimizer_schedule(t->rest, CLIV_ALL_GROUPS, "lr", t->schedule) : CLIV_OK;
}

static cliv_status check_options(cliv_context *ctx, const cliv_data_info *info, const cliv_train_options *o) {
  REQUIRE(ctx, o->model != NULL, VALUE, "no model is given; choose linear, logistic or softmax");
  REQUIRE(ctx, o->setting_count == 0 || o->settings != NULL, NULL, "%zu settings are announced and NULL given",
          o->setting_count);
  REQUIRE(ctx, o->rest_setting_count == 0 || o->rest_settings != NULL, NULL,
          "%zu settings of the rest are announced and NULL given", o->rest_setting_count);
  REQUIRE(ctx, isfinite(o->l2) && o->l2 >= 0, VALUE, "l2 must be 0 or more, not %g", o->l2);
  const cliv_model_info *kind = cliv_model_find(o->model);
  REQUIRE(ctx, !kind || !kind->classes || info->classes > 0, DATA,
          "%s learns classes; the data were read with numbers as targets", o->model);
  REQUIRE(ctx, !kind || kind->classes || info->classes == 0, DATA,
          "%s learns numbers; the data were read with classes as target", o->model);
  return CLIV_OK;
}

static cliv_status create(cliv_trainer *t, const cliv_train_options *o) {
  const cliv_data_info *info = cliv_data_describe(t->data);
  TRY(check_options(t->ctx, info, o));
  t->seed = o->seed;
  t->l2 = o->l2;
  t->batch = least(o->batch ? o->batch : DEFAULT_BATCH, info->rows[CLIV_TRAINING]);
  TRY(cliv_model_create(t->ctx, o->model, info->features, info->classes ? info->classes : info->targets, &t->model));
  TRY(create_optimizers(t, o));
  TRY(upload_part(t, CLIV_TRAINING));
  TRY(upload_part(t, CLIV_VALIDATION));
  TRY(create_schedule(t, o->schedule));
  return create_room(t);
}

cliv_status cliv_trainer_create(cliv_context *ctx, const cliv_data *data, const cliv_train_options *options,
                                cliv_trainer **out) {
  REQUIRE_NOT_NULL(ctx, out);
  *out = NULL;
  REQUIRE_NOT_NULL(ctx, ctx);
  REQUIRE_NOT_NULL(ctx, data);
  REQUIRE_NOT_NULL(ctx, options);
  cliv_train_options o;
  TRY(OPTIONS(ctx, options, &o));
  cliv_trainer *t = calloc(1, sizeof *t);
  REQUIRE(ctx, t != NULL, HOST_MEMORY, "no memory for a trainer");
  t->ctx = ctx;
  t->data = data;
  const cliv_status status = create(t, &o);
  if (status) cliv_trainer_free(t);
  else *out = t;
  return status;
}

void cliv_trainer_free(cliv_trainer *t) {
  if (!t) return;
  cliv_optimizer_free(t->optimizer);
  cliv_optimizer_free(t->rest);
  cliv_schedule_free(t->schedule);
  free(t->schedule_text);
  cliv_model_free(t->model);
  cliv_tensor *const tensors[] = {t->part[0].x, t->part[0].targets, t->part[1].x,   t->part[1].targets,
                                  t->order,     t->losses,          t->batch_x,     t->batch_targets,
                                  t->batch_z,   t->score_z,         t->score_losses};
  for (size_t i = 0; i < sizeof tensors / sizeof *tensors; i++) cliv_tensor_free(tensors[i]);
  free(t->host_order);
  free(t->host);
  free(t);
}

size_t cliv_trainer_epochs(const cliv_trainer *t) { return t ? t->epochs : 0; }
size_t cliv_trainer_batches(const cliv_trainer *t) { return t ? (t->part[0].rows + t->batch - 1) / t->batch : 0; }
cliv_model *cliv_trainer_model(const cliv_trainer *t) { return t ? t->model : NULL; }
cliv_optimizer *cliv_trainer_optimizer(const cliv_trainer *t) { return t ? t->optimizer : NULL; }
cliv_optimizer *cliv_trainer_rest_optimizer(const cliv_trainer *t) { return t ? t->rest : NULL; }
cliv_schedule *cliv_trainer_schedule(const cliv_trainer *t) { return t ? t->schedule : NULL; }
const cliv_data *cliv_trainer_data(const cliv_trainer *t) { return t ? t->data : NULL; }

/* ---- an epoch ---- */

/* `rows` rows of a tensor, from row `first` on. */
static cliv_status rows_of(const cliv_tensor *base, size_t first, size_t rows, cliv_tensor **out) {
  const int ndim = cliv_tensor_ndim(base);
  const size_t shape[2] = {rows, ndim == 2 ? cliv_tensor_shape(base)[1] : 1};
  return cliv_tensor_view(base, first * shape[1], ndim, shape, 0, out);
}

enum { INDEX, X, TARGETS, Z, LOSSES, VIEWS };

static cliv_status batch_views(const cliv_trainer *t, size_t first, size_t rows, cliv_tensor *view[VIEWS]) {
  TRY(rows_of(t->order, first, rows, &view[INDEX]));
  TRY(rows_of(t->batch_x, 0, rows, &view[X]));
  TRY(rows_of(t->batch_targets, 0, rows, &view[TARGETS]));
  TRY(rows_of(t->batch_z, 0, rows, &view[Z]));
  return rows_of(t->losses, first, rows, &view[LOSSES]);
}

cliv_status cliv__trainer_check_whole(const cliv_trainer *t) {
  REQUIRE(t->ctx, !t->torn, STATE,
          "the training is between two epochs, since one, or going on with a checkpoint, failed halfway: go on with a "
          "checkpoint (cliv_trainer_resume), or make a trainer anew");
  return CLIV_OK;
}

/* What its step would refuse, before another optimizer has taken one. */
static cliv_status check_steps(const cliv_optimizer *o) {
  REQUIRE(o->ctx, o->lent == NULL, STATE,
          "the parameters are what is to be evaluated; turn them back (cliv_optimizer_evaluate) before training");
  TRY(cliv__check_in_place(o));
  return cliv__check_whole(o);
}

static cliv_status enqueue_batch(cliv_trainer *t, size_t rows, cliv_tensor *const view[VIEWS]) {
  const part_tensors *data = &t->part[CLIV_TRAINING];
  TRY(check_steps(t->optimizer));
  if (t->rest) TRY(check_steps(t->rest));
  TRY(cliv_gather(t->ctx, data->x, view[INDEX], view[X], NULL));
  TRY(cliv_gather(t->ctx, data->targets, view[INDEX], view[TARGETS], NULL));
  TRY(cliv_model_forward(t->model, view[X], view[Z], NULL));
  TRY(cliv_loss(t->ctx, cliv_model_kind(t->model)->loss, view[Z], view[TARGETS], 1 / (double)rows, view[LOSSES],
                view[Z], NULL));
  TRY(cliv_model_backward(t->model, view[X], view[Z], t->l2, NULL));
  TRY(cliv_optimizer_step(t->optimizer, NULL));
  t->torn = true; /* until the epoch is done */
  return t->rest ? cliv_optimizer_step(t->rest, NULL) : CLIV_OK;
}

static cliv_status train_batch(cliv_trainer *t, size_t first, size_t rows) {
  cliv_tensor *view[VIEWS] = {NULL};
  cliv_status status = batch_views(t, first, rows, view);
  if (!status) status = enqueue_batch(t, rows, view);
  for (int i = 0; i < VIEWS; i++) cliv_tensor_free(view[i]);
  return status;
}

/* The lr of the next step; stays as it is for a rule without. */
static cliv_status rate_now(const cliv_trainer *t, double *rate) {
  const cliv_rule_info *rule = cliv_optimizer_rule(t->optimizer);
  for (size_t h = 0; h < rule->hyper_count; h++)
    if (!strcmp(rule->hypers[h].name, "lr")) return cliv_optimizer_value(t->optimizer, CLIV_DEFAULT_GROUP, "lr", rate);
  return CLIV_OK;
}

cliv_status cliv_trainer_epoch(cliv_trainer *t, cliv_batch_progress progress, void *user, cliv_epoch_metrics *out) {
  REQUIRE_NOT_NULL(NULL, t);
  const size_t rows = t->part[CLIV_TRAINING].rows, batches = cliv_trainer_batches(t);
  const double start = now();
  double rate = NAN;
  TRY(cliv__trainer_check_whole(t));
  TRY(cliv__relay(t->ctx, cliv_random_permutation(t->seed, CLIV_STREAM_SHUFFLE + t->epochs, rows, t->host_order)));
  TRY(cliv_tensor_write(t->order, t->host_order, rows * sizeof *t->host_order));
  for (size_t b = 0; b < batches; b++) {
    if (b + 1 == batches) TRY(rate_now(t, &rate));
    TRY(train_batch(t, b * t->batch, least(t->batch, rows - b * t->batch)));
    if ((b + 1) % AHEAD || b + 1 == batches) continue;
    TRY(cliv_context_finish(t->ctx));
    if (progress) progress(user, b + 1, batches);
  }
  TRY(cliv_tensor_read(t->losses, t->host, rows * sizeof *t->host));
  t->epochs++;
  t->torn = false;
  double sum = 0;
  for (size_t i = 0; i < rows; i++) sum += (double)t->host[i];
  REQUIRE(t->ctx, isfinite(sum), DATA,
          "the loss is not finite any more in epoch %zu: the training diverged; a smaller learning rate (lr) may help",
          t->epochs);
  if (progress) progress(user, batches, batches);
  if (!out) return CLIV_OK;
  const double seconds = now() - start;
  *out = (cliv_epoch_metrics){.epoch = t->epochs,
                              .steps = cliv_optimizer_steps(t->optimizer),
                              .loss = sum / (double)rows,
                              .rate = rate,
                              .seconds = seconds,
                              .rows_per_second = (double)rows / seconds};
  return CLIV_OK;
}

/* ---- scores ---- */

/* What is summed over the rows of a part, in their order. */
typedef struct tally {
  double loss;
  size_t correct;
  double *squares; /* of the errors, for each target, standardised */
} tally;

/* Logits and losses of rows [first, first + rows) to the host. */
static cliv_status score_stretch(cliv_trainer *t, cliv_part which, size_t first, size_t rows, float *z, float *losses) {
  cliv_tensor *view[VIEWS] = {NULL};
  cliv_status status = rows_of(t->part[which].x, first, rows, &view[X]);
  if (!status) status = rows_of(t->part[which].targets, first, rows, &view[TARGETS]);
  if (!status) status = rows_of(t->score_z, 0, rows, &view[Z]);
  if (!status) status = rows_of(t->score_losses, 0, rows, &view[LOSSES]);
  if (!status) status = cliv_model_forward(t->model, view[X], view[Z], NULL);
  if (!status)
    status = cliv_loss(t->ctx, cliv_model_kind(t->model)->loss, view[Z], view[TARGETS], 1, view[LOSSES], NULL, NULL);
  if (!status) status = cliv_tensor_read(view[Z], z, rows * cliv_model_logits(t->model) * sizeof *z);
  if (!status) status = cliv_tensor_read(view[LOSSES], losses, rows * sizeof *losses);
  for (int i = 0; i < VIEWS; i++) cliv_tensor_free(view[i]);
  return status;
}

static size_t predicted(const float *z, size_t logits) {
  if (logits == 1) return z[0] > 0;
  size_t best = 0;
  for (size_t k = 1; k < logits; k++)
    if (z[k] > z[best]) best = k;
  return best;
}

static void add_rows(tally *sum, const cliv_trainer *t, cliv_part which, size_t first, size_t rows, const float *z,
                     const float *losses) {
  const size_t logits = cliv_model_logits(t->model);
  const int32_t *classes = cliv_data_classes(t->data, which);
  const float *numbers = cliv_data_numbers(t->data, which);
  for (size_t i = 0; i < rows; i++) {
    sum->loss += (double)losses[i];
    if (classes) sum->correct += predicted(z + i * logits, logits) == (size_t)classes[first + i];
    for (size_t k = 0; numbers && k < logits; k++) {
      const double e = (double)z[i * logits + k] - (double)numbers[(first + i) * logits + k];
      sum->squares[k] += e * e;
    }
  }
}

/* Sum of squared deviations of target k from its mean in the part. */
static double deviation(const cliv_data *data, cliv_part which, size_t targets, size_t k) {
  const float *y = cliv_data_numbers(data, which);
  const size_t rows = cliv_data_describe(data)->rows[which];
  double mean = 0, sum = 0;
  for (size_t i = 0; i < rows; i++) mean += (double)y[i * targets + k] / (double)rows;
  for (size_t i = 0; i < rows; i++) sum += ((double)y[i * targets + k] - mean) * ((double)y[i * targets + k] - mean);
  return sum;
}

static void finish_score(const tally *sum, const cliv_trainer *t, cliv_part which, cliv_score *out) {
  const cliv_data_info *info = cliv_data_describe(t->data);
  const double rows = (double)info->rows[which];
  *out = (cliv_score){.rows = info->rows[which], .loss = sum->loss / rows, .accuracy = NAN, .rmse = NAN, .r2 = NAN};
  if (info->classes) {
    out->correct = sum->correct;
    out->accuracy = (double)sum->correct / rows;
    return;
  }
  double squared = 0, explained = 0;
  for (size_t k = 0; k < info->targets; k++) {
    const double total = deviation(t->data, which, info->targets, k);
    squared += sum->squares[k] * info->target_std[k] * info->target_std[k] / rows;
    explained += total > 0 ? 1 - sum->squares[k] / total : NAN;
  }
  out->rmse = sqrt(squared / (double)info->targets);
  out->r2 = explained / (double)info->targets;
}

cliv_status cliv__trainer_turn(const cliv_trainer *t, int on, cliv__turned *was) {
  was->main = cliv_optimizer_evaluating(t->optimizer);
  was->rest = t->rest && cliv_optimizer_evaluating(t->rest);
  TRY(cliv_optimizer_evaluate(t->optimizer, on, NULL));
  return t->rest ? cliv_optimizer_evaluate(t->rest, on, NULL) : CLIV_OK;
}

static cliv_status turn_back(cliv_optimizer *o, int on, cliv_status status) {
  if (!status) return cliv_optimizer_evaluate(o, on, NULL);
  const cliv__error held = cliv__error_hold(o->ctx);
  const cliv_status back = cliv_optimizer_evaluate(o, on, NULL);
  (void)back;
  cliv__error_restore(o->ctx, &held);
  return status;
}

cliv_status cliv__trainer_turn_back(const cliv_trainer *t, const cliv__turned *was, cliv_status status) {
  status = turn_back(t->optimizer, was->main, status);
  return t->rest ? turn_back(t->rest, was->rest, status) : status;
}

static cliv_status add_stretches(cliv_trainer *t, cliv_part which, tally *sum) {
  const size_t rows = t->part[which].rows, logits = cliv_model_logits(t->model);
  for (size_t first = 0; first < rows; first += STRETCH) {
    const size_t n = least(STRETCH, rows - first);
    float *z = t->host, *losses = t->host + n * logits;
    TRY(score_stretch(t, which, first, n, z, losses));
    add_rows(sum, t, which, first, n, z, losses);
  }
  return CLIV_OK;
}

cliv_status cliv_trainer_evaluate(cliv_trainer *t, cliv_part which, cliv_score *out) {
  REQUIRE_NOT_NULL(NULL, t);
  REQUIRE_NOT_NULL(t->ctx, out);
  REQUIRE(t->ctx, which == CLIV_TRAINING || which == CLIV_VALIDATION, VALUE, "%d is no part of the data", (int)which);
  const size_t rows = t->part[which].rows, logits = cliv_model_logits(t->model);
  REQUIRE(t->ctx, rows > 0, DATA, "no rows are held out, so there is nothing to evaluate on");
  tally sum = {.squares = calloc(logits, sizeof *sum.squares)};
  REQUIRE(t->ctx, sum.squares != NULL, HOST_MEMORY, "no memory for %zu sums", logits);
  cliv__turned was;
  cliv_status status = cliv__trainer_turn(t, 1, &was);
  if (!status) status = add_stretches(t, which, &sum);
  status = cliv__trainer_turn_back(t, &was, status);
  if (!status) finish_score(&sum, t, which, out);
  free(sum.squares);
  return status;
}
