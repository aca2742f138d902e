/* The model and the state of a training as safetensors files. See cliv/train.h. */
#include <cliv/safetensors.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "optim/state_dict.h"
#include "train/trainer.h"

#define MODEL_FORMAT "cliv.model 1"
#define CHECKPOINT_FORMAT "cliv.checkpoint 2"
#define SCHEDULE_STATE "schedule.state"
/* Before what cliv_optimizer_save writes. */
#define OPTIMIZER "optimizer."
#define REST "rest_optimizer."

/* ---- the configuration ---- */

/* Of all that is trained and evaluated on, so that a checkpoint is not continued on other data. */
static json_t *data_hash(const cliv_data *data) {
  const cliv_data_info *info = cliv_data_describe(data);
  XXH3_state_t *state = XXH3_createState();
  if (!state) return NULL;
  XXH3_64bits_reset(state);
  for (cliv_part part = CLIV_TRAINING; part <= CLIV_VALIDATION; part++) {
    const size_t rows = info->rows[part];
    if (!rows) continue;
    XXH3_64bits_update(state, cliv_data_features(data, part), rows * info->features * sizeof(float));
    if (info->classes) XXH3_64bits_update(state, cliv_data_classes(data, part), rows * sizeof(int32_t));
    else XXH3_64bits_update(state, cliv_data_numbers(data, part), rows * info->targets * sizeof(float));
  }
  json_t *text = json_sprintf("%016" PRIx64, (uint64_t)XXH3_64bits_digest(state));
  XXH3_freeState(state);
  return text;
}

static json_t *hyper_parameters(const cliv_optimizer *optimizer) {
  const cliv_rule_info *rule = cliv_optimizer_rule(optimizer);
  json_t *all = json_object();
  for (size_t h = 0; h < rule->hyper_count; h++) {
    double value = 0;
    if (cliv_optimizer_get(optimizer, CLIV_DEFAULT_GROUP, rule->hypers[h].name, &value) ||
        json_object_set_new(all, rule->hypers[h].name, json_real(value))) {
      json_decref(all);
      return NULL;
    }
  }
  return all;
}

json_t *cliv__trainer_config(const cliv_trainer *t) {
  const cliv_data_info *info = cliv_data_describe(t->data);
  return json_pack(
      "{s:s, s:s, s:o, s:s?, s:o, s:s?, s:I, s:I, s:f, s:I, s:I, s:I, s:o, s:o, s:o, s:o}", "model",
      cliv_model_kind(t->model)->name, "optimizer", cliv_optimizer_rule(t->optimizer)->name, "hyper_parameters",
      hyper_parameters(t->optimizer), "rest_optimizer", t->rest ? cliv_optimizer_rule(t->rest)->name : NULL,
      "rest_hyper_parameters", t->rest ? hyper_parameters(t->rest) : json_null(), "schedule", t->schedule_text, "batch",
      (json_int_t)t->batch, "seed", (json_int_t)t->seed, "l2", t->l2, "training_rows",
      (json_int_t)info->rows[CLIV_TRAINING], "validation_rows", (json_int_t)info->rows[CLIV_VALIDATION], "classes",
      (json_int_t)info->classes, "features", cliv__json_texts(info->feature_names, info->features), "targets",
      cliv__json_texts(info->target_names, info->targets), "class_names",
      cliv__json_texts(info->class_names, info->classes), "data", data_hash(t->data));
}

/* ---- writing ---- */

static cliv_status no_memory(const cliv_trainer *t) {
  return cliv__fail(t->ctx, CLIV_HOST_MEMORY, "no memory for the file of a training");
}

static char *dump(json_t *json) {
  char *text = cliv__json_dump(json, JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(17));
  json_decref(json);
  return text;
}

static char *config_text(const cliv_trainer *t) { return dump(cliv__trainer_config(t)); }

/* Parameters, standardisation, names: what both files have. */
static cliv_status add_model(const cliv_trainer *t, cliv__bundle *b, const char *format) {
  const cliv_data_info *info = cliv_data_describe(t->data);
  TRY(cliv__bundle_text(b, "format", strdup(format)));
  TRY(cliv__bundle_text(b, "model", strdup(cliv_model_kind(t->model)->name)));
  TRY(cliv__bundle_text(b, "features", dump(cliv__json_texts(info->feature_names, info->features))));
  TRY(cliv__bundle_text(b, "targets", dump(cliv__json_texts(info->target_names, info->targets))));
  if (info->classes) TRY(cliv__bundle_text(b, "classes", dump(cliv__json_texts(info->class_names, info->classes))));
  for (size_t i = 0; i < cliv_model_parameters(t->model); i++)
    TRY(cliv__bundle_tensor(b, strdup(cliv_model_parameter_name(t->model, i)), cliv_model_parameter(t->model, i)));
  TRY(cliv__bundle_doubles(b, "input.mean", info->feature_mean, info->features));
  TRY(cliv__bundle_doubles(b, "input.std", info->feature_std, info->features));
  if (info->classes) return CLIV_OK;
  TRY(cliv__bundle_doubles(b, "output.mean", info->target_mean, info->targets));
  return cliv__bundle_doubles(b, "output.std", info->target_std, info->targets);
}

/* What plateau was told. */
static cliv_status add_schedule(const cliv_trainer *t, cliv__bundle *b) {
  const size_t count = cliv_schedule_state(t->schedule, NULL, 0);
  if (count == 0) return CLIV_OK;
  double *state = malloc(count * sizeof *state);
  if (!state) return no_memory(t);
  cliv_schedule_state(t->schedule, state, count);
  const cliv_status status = cliv__bundle_doubles(b, SCHEDULE_STATE, state, count);
  free(state);
  return status;
}

static cliv_status add_progress(const cliv_trainer *t, cliv__bundle *b) {
  TRY(cliv__bundle_text(b, "config", config_text(t)));
  TRY(cliv__bundle_text(b, "epochs", cliv__format("%zu", t->epochs)));
  TRY(add_schedule(t, b));
  b->prefix = OPTIMIZER;
  TRY(cliv__state_dict_add(t->optimizer, b));
  b->prefix = REST;
  return t->rest ? cliv__state_dict_add(t->rest, b) : CLIV_OK;
}

static cliv_status save_parameters(const cliv_trainer *t, const char *path, bool checkpoint) {
  cliv__bundle b = {.ctx = t->ctx};
  cliv_status status = add_model(t, &b, checkpoint ? CHECKPOINT_FORMAT : MODEL_FORMAT);
  if (!status && checkpoint) status = add_progress(t, &b);
  if (!status) status = cliv__bundle_write(&b, path);
  cliv__bundle_free(&b);
  return status;
}

/* A model is for use, a checkpoint for training on. */
static cliv_status save(const cliv_trainer *t, const char *path, bool checkpoint) {
  REQUIRE_NOT_NULL(NULL, t);
  REQUIRE_NOT_NULL(t->ctx, path);
  TRY(cliv__trainer_check_whole(t));
  cliv__turned was;
  cliv_status status = cliv__trainer_turn(t, !checkpoint, &was);
  if (!status) status = save_parameters(t, path, checkpoint);
  return cliv__trainer_turn_back(t, &was, status);
}

cliv_status cliv_trainer_save_model(const cliv_trainer *t, const char *path) { return save(t, path, false); }
cliv_status cliv_trainer_save_checkpoint(const cliv_trainer *t, const char *path) { return save(t, path, true); }

/* ---- going on ---- */

/* Texts that are equal are not parsed; of others the sentence names the first key in which they differ. */
static cliv_status compare_config(const cliv_trainer *t, const char *shown, const char *text) {
  char *same = config_text(t);
  if (!same) return no_memory(t);
  const bool equal = !strcmp(same, text);
  free(same);
  if (equal) return CLIV_OK;
  json_t *then = json_loads(text, 0, NULL), *now = cliv__trainer_config(t);
  cliv_status status = CLIV_OK;
  if (!now) status = no_memory(t);
  else if (!json_is_object(then))
    status = cliv__fail(t->ctx, CLIV_FORMAT, "%s: its configuration is no JSON object", shown);
  const char *key;
  json_t *value;
  json_object_foreach(now, key, value) {
    if (status || json_equal(value, json_object_get(then, key))) continue;
    json_t *old = json_object_get(then, key);
    char *a = cliv__json_dump(old, JSON_ENCODE_ANY | JSON_COMPACT),
         *b = cliv__json_dump(value, JSON_ENCODE_ANY | JSON_COMPACT);
    status = cliv__fail(t->ctx, CLIV_DATA, "%s: cannot be continued: its '%s' is %.100s, here it is %.100s", shown, key,
                        a ? a : "missing", b ? b : "?");
    free(a);
    free(b);
  }
  json_decref(then);
  json_decref(now);
  return status;
}

static cliv_status read_count(const cliv_trainer *t, const cliv_safetensors *file, const char *shown, const char *key,
                              uint64_t *out) {
  const char *text = cliv_safetensors_metadata(file, key);
  char *end = NULL;
  *out = text ? strtoull(text, &end, 10) : 0;
  REQUIRE(t->ctx, text && *text >= '0' && *text <= '9' && !*end, FORMAT, "%s: '%s' is no count", shown, key);
  return CLIV_OK;
}

/* What a checkpoint has, before any of it is taken over. */
typedef struct loaded {
  uint64_t epochs;
  cliv_array *parameters, schedule;
  cliv__state_dict *states, *rest;
} loaded;

static cliv_status read_parameters(const cliv_trainer *t, const cliv_safetensors *file, const char *shown,
                                   cliv_array *out) {
  if (!out) return no_memory(t);
  for (size_t i = 0; i < cliv_model_parameters(t->model); i++) {
    const char *name = cliv_model_parameter_name(t->model, i);
    const cliv_tensor *like = cliv_model_parameter(t->model, i);
    TRY(cliv__relay(t->ctx, cliv_safetensors_read(file, name, &out[i])));
    REQUIRE(t->ctx, out[i].dtype == cliv_tensor_dtype(like) && cliv_array_count(&out[i]) == cliv_tensor_count(like),
            FORMAT, "%s: '%s' has not the shape that the model has", shown, name);
  }
  return CLIV_OK;
}

/* What a schedule remembers; an empty array for one that remembers nothing. */
static cliv_status read_schedule(const cliv_trainer *t, const cliv_safetensors *file, const char *shown,
                                 cliv_array *out) {
  const size_t count = cliv_schedule_state(t->schedule, NULL, 0);
  if (count == 0) return CLIV_OK;
  TRY(cliv__relay(t->ctx, cliv_safetensors_read(file, SCHEDULE_STATE, out)));
  REQUIRE(t->ctx, out->dtype == CLIV_F64 && cliv_array_count(out) == count, FORMAT,
          "%s: '" SCHEDULE_STATE "' is not that of %s", shown, t->schedule_text);
  return CLIV_OK;
}

static cliv_status read_all(const cliv_trainer *t, const cliv_safetensors *file, const char *shown, loaded *l) {
  const char *format = cliv_safetensors_metadata(file, "format"), *config = cliv_safetensors_metadata(file, "config");
  REQUIRE(t->ctx, format && config && !strcmp(format, CHECKPOINT_FORMAT), FORMAT,
          "%s: is no checkpoint of this version of Cliv", shown);
  TRY(compare_config(t, shown, config));
  TRY(read_count(t, file, shown, "epochs", &l->epochs));
  TRY(read_parameters(t, file, shown, l->parameters));
  TRY(read_schedule(t, file, shown, &l->schedule));
  TRY(cliv__state_dict_read(t->optimizer, file, OPTIMIZER, shown, &l->states));
  if (t->rest) TRY(cliv__state_dict_read(t->rest, file, REST, shown, &l->rest));
  TRY(cliv__state_dict_place(l->states));
  return l->rest ? cliv__state_dict_place(l->rest) : CLIV_OK;
}

/* Only the driver and the device can fail now: where they do, parameters are of two trainings. */
static cliv_status take_over(cliv_trainer *t, const loaded *l) {
  t->torn = true; /* until all is there */
  for (size_t i = 0; i < cliv_model_parameters(t->model); i++) {
    const cliv_array *a = &l->parameters[i];
    TRY(cliv_tensor_write(cliv_model_parameter(t->model, i), a->data, cliv_array_count(a) * cliv_dtype_size(a->dtype)));
  }
  cliv__state_dict_keep(l->states);
  if (l->rest) cliv__state_dict_keep(l->rest);
  t->epochs = (size_t)l->epochs;
  if (l->schedule.data) /* its count has been checked */
    TRY(cliv__relay(t->ctx, cliv_schedule_restore(t->schedule, l->schedule.data, cliv_array_count(&l->schedule))));
  t->torn = false;
  return CLIV_OK;
}

static cliv_status resume(cliv_trainer *t, const cliv_safetensors *file, const char *shown) {
  loaded l = {.parameters = calloc(cliv_model_parameters(t->model), sizeof *l.parameters)};
  cliv_status status = read_all(t, file, shown, &l);
  if (!status) status = take_over(t, &l);
  cliv__state_dict_free(l.states);
  cliv__state_dict_free(l.rest);
  for (size_t i = 0; l.parameters && i < cliv_model_parameters(t->model); i++) cliv_array_free(&l.parameters[i]);
  cliv_array_free(&l.schedule);
  free(l.parameters);
  return status;
}

cliv_status cliv_trainer_resume(cliv_trainer *t, const char *path) {
  REQUIRE_NOT_NULL(NULL, t);
  REQUIRE_NOT_NULL(t->ctx, path);
  cliv_safetensors *file;
  TRY(cliv__relay(t->ctx, cliv_safetensors_open(path, &file)));
  const cliv_status status = resume(t, file, cliv__shown(path));
  cliv_safetensors_free(file);
  return status;
}
