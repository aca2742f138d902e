/* The model and the state of a training as safetensors files. See cliv/train.h. */
#include <cliv/safetensors.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "train/trainer.h"

#define MODEL_FORMAT "cliv.model 1"
#define CHECKPOINT_FORMAT "cliv.checkpoint 1"
#define SCHEDULE_STATE "schedule.state"

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
  return json_pack("{s:s, s:s, s:o, s:s?, s:I, s:I, s:f, s:I, s:I, s:I, s:o, s:o, s:o, s:o}", "model",
                   cliv_model_kind(t->model)->name, "optimizer", cliv_optimizer_rule(t->optimizer)->name,
                   "hyper_parameters", hyper_parameters(t->optimizer), "schedule", t->schedule_text, "batch",
                   (json_int_t)t->batch, "seed", (json_int_t)t->seed, "l2", t->l2, "training_rows",
                   (json_int_t)info->rows[CLIV_TRAINING], "validation_rows", (json_int_t)info->rows[CLIV_VALIDATION],
                   "classes", (json_int_t)info->classes, "features",
                   cliv__json_texts(info->feature_names, info->features), "targets",
                   cliv__json_texts(info->target_names, info->targets), "class_names",
                   cliv__json_texts(info->class_names, info->classes), "data", data_hash(t->data));
}

/* ---- writing ---- */

enum { MAX_METADATA = 8 };

/* A file in the making. What it points to lives here. */
typedef struct bundle {
  size_t count, room, metadata_count;
  cliv_named_array *arrays;
  bool *borrowed; /* whose data are not the bundle's to free */
  cliv_metadata metadata[MAX_METADATA];
} bundle;

static void bundle_free(bundle *b) {
  for (size_t i = 0; i < b->count; i++) {
    free((void *)(uintptr_t)b->arrays[i].name);
    if (!b->borrowed[i]) cliv_array_free(&b->arrays[i].array);
  }
  for (size_t i = 0; i < b->metadata_count; i++) free((void *)(uintptr_t)b->metadata[i].value);
  free(b->arrays);
  free(b->borrowed);
}

static cliv_status no_memory(const cliv_trainer *t) {
  return cliv__fail(t->ctx, CLIV_HOST_MEMORY, "no memory to save the training");
}

/* Takes name and text over. */
static cliv_status add_array(const cliv_trainer *t, bundle *b, char *name, const cliv_array *array, bool borrowed) {
  b->arrays[b->count] = (cliv_named_array){name, *array};
  b->borrowed[b->count++] = borrowed;
  return name ? CLIV_OK : no_memory(t);
}

static cliv_status add_text(const cliv_trainer *t, bundle *b, const char *key, char *value) {
  b->metadata[b->metadata_count++] = (cliv_metadata){key, value};
  return value ? CLIV_OK : no_memory(t);
}

static char *dump(json_t *json) {
  char *text = cliv__json_dump(json, JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(17));
  json_decref(json);
  return text;
}

static char *config_text(const cliv_trainer *t) { return dump(cliv__trainer_config(t)); }

static cliv_status add_doubles(const cliv_trainer *t, bundle *b, const char *name, const double *values, size_t count) {
  const cliv_array array = {.dtype = CLIV_F64, .ndim = 1, .shape = {count}, .data = (void *)(uintptr_t)values};
  return add_array(t, b, strdup(name), &array, true);
}

static cliv_status add_tensor(const cliv_trainer *t, bundle *b, char *name, const cliv_tensor *tensor) {
  cliv_array array = {0};
  const cliv_status status = cliv_tensor_to_array(tensor, &array);
  if (status) {
    free(name);
    return status;
  }
  return add_array(t, b, name, &array, false);
}

/* Parameters, standardisation, names: what both files have. */
static cliv_status add_model(const cliv_trainer *t, bundle *b, const char *format) {
  const cliv_data_info *info = cliv_data_describe(t->data);
  TRY(add_text(t, b, "format", strdup(format)));
  TRY(add_text(t, b, "model", strdup(cliv_model_kind(t->model)->name)));
  TRY(add_text(t, b, "features", dump(cliv__json_texts(info->feature_names, info->features))));
  TRY(add_text(t, b, "targets", dump(cliv__json_texts(info->target_names, info->targets))));
  if (info->classes) TRY(add_text(t, b, "classes", dump(cliv__json_texts(info->class_names, info->classes))));
  for (size_t i = 0; i < cliv_model_parameters(t->model); i++)
    TRY(add_tensor(t, b, strdup(cliv_model_parameter_name(t->model, i)), cliv_model_parameter(t->model, i)));
  TRY(add_doubles(t, b, "input.mean", info->feature_mean, info->features));
  TRY(add_doubles(t, b, "input.std", info->feature_std, info->features));
  if (info->classes) return CLIV_OK;
  TRY(add_doubles(t, b, "output.mean", info->target_mean, info->targets));
  return add_doubles(t, b, "output.std", info->target_std, info->targets);
}

static char *state_name(const cliv_trainer *t, size_t parameter, size_t k) {
  return cliv__format("optimizer.%s.%s", cliv_model_parameter_name(t->model, parameter),
                      cliv_optimizer_state_name(t->optimizer, parameter, k));
}

static cliv_status add_states(const cliv_trainer *t, bundle *b) {
  for (size_t i = 0; i < cliv_model_parameters(t->model); i++)
    for (size_t k = 0; k < cliv_optimizer_state_count(t->optimizer, i); k++) {
      cliv_tensor *state;
      TRY(cliv_optimizer_state(t->optimizer, i, cliv_optimizer_state_name(t->optimizer, i, k), &state));
      const cliv_status status = add_tensor(t, b, state_name(t, i, k), state);
      cliv_tensor_free(state);
      if (status) return status;
    }
  return CLIV_OK;
}

/* What plateau was told. */
static cliv_status add_schedule(const cliv_trainer *t, bundle *b) {
  cliv_array state = {.dtype = CLIV_F64, .ndim = 1, .shape = {cliv_schedule_state(t->schedule, NULL, 0)}};
  if (state.shape[0] == 0) return CLIV_OK;
  state.data = malloc(state.shape[0] * sizeof(double));
  if (!state.data) return no_memory(t);
  cliv_schedule_state(t->schedule, state.data, state.shape[0]);
  return add_array(t, b, strdup(SCHEDULE_STATE), &state, false);
}

static cliv_status add_progress(const cliv_trainer *t, bundle *b) {
  TRY(add_text(t, b, "config", config_text(t)));
  TRY(add_text(t, b, "epochs", cliv__format("%zu", t->epochs)));
  TRY(add_text(t, b, "steps", cliv__format("%" PRIu64, cliv_optimizer_steps(t->optimizer))));
  TRY(add_schedule(t, b));
  return add_states(t, b);
}

static cliv_status save_parameters(const cliv_trainer *t, const char *path, bool checkpoint) {
  bundle b = {.room = cliv_model_parameters(t->model) + 5};
  for (size_t i = 0; checkpoint && i < cliv_model_parameters(t->model); i++)
    b.room += cliv_optimizer_state_count(t->optimizer, i);
  b.arrays = calloc(b.room, sizeof *b.arrays);
  b.borrowed = calloc(b.room, sizeof *b.borrowed);
  cliv_status status = b.arrays && b.borrowed ? CLIV_OK : no_memory(t);
  if (!status) status = add_model(t, &b, checkpoint ? CHECKPOINT_FORMAT : MODEL_FORMAT);
  if (!status && checkpoint) status = add_progress(t, &b);
  if (!status)
    status = cliv__relay(t->ctx, cliv_safetensors_write(path, b.arrays, b.count, b.metadata, b.metadata_count));
  bundle_free(&b);
  return status;
}

/* A model is for use, a checkpoint for training on. */
static cliv_status save(const cliv_trainer *t, const char *path, bool checkpoint) {
  REQUIRE_NOT_NULL(NULL, t);
  REQUIRE_NOT_NULL(t->ctx, path);
  int was;
  cliv_status status = cliv__trainer_turn(t, !checkpoint, &was);
  if (!status) status = save_parameters(t, path, checkpoint);
  const cliv_status turned = cliv__trainer_turn(t, was, &was);
  return status ? status : turned;
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

/* Takes name over. */
static cliv_status read_array(const cliv_trainer *t, const cliv_safetensors *file, const char *shown, char *name,
                              const cliv_tensor *like, cliv_array *out) {
  if (!name) return no_memory(t);
  cliv_status status = cliv__relay(t->ctx, cliv_safetensors_read(file, name, out));
  if (!status && (out->dtype != cliv_tensor_dtype(like) || cliv_array_count(out) != cliv_tensor_count(like)))
    status = cliv__fail(t->ctx, CLIV_FORMAT, "%s: '%s' has not the shape that the model has", shown, name);
  free(name);
  return status;
}

/* All arrays are read before the first is written, so that a damaged file changes nothing. */
static cliv_status restore(cliv_trainer *t, const cliv_safetensors *file, const char *shown, cliv_array *arrays,
                           cliv_tensor **tensors, size_t *count) {
  for (size_t i = 0; i < cliv_model_parameters(t->model); i++) {
    TRY(read_array(t, file, shown, strdup(cliv_model_parameter_name(t->model, i)), cliv_model_parameter(t->model, i),
                   &arrays[*count]));
    const size_t *shape = cliv_tensor_shape(cliv_model_parameter(t->model, i));
    TRY(cliv_tensor_view(cliv_model_parameter(t->model, i), 0, cliv_tensor_ndim(cliv_model_parameter(t->model, i)),
                         shape, 0, &tensors[(*count)++]));
    for (size_t k = 0; k < cliv_optimizer_state_count(t->optimizer, i); k++) {
      TRY(cliv_optimizer_state(t->optimizer, i, cliv_optimizer_state_name(t->optimizer, i, k), &tensors[*count]));
      TRY(read_array(t, file, shown, state_name(t, i, k), tensors[*count], &arrays[*count]));
      ++*count;
    }
  }
  for (size_t i = 0; i < *count; i++)
    TRY(cliv_tensor_write(tensors[i], arrays[i].data, cliv_array_count(&arrays[i]) * cliv_dtype_size(arrays[i].dtype)));
  return CLIV_OK;
}

/* What a schedule remembers; an empty array for one that remembers nothing. */
static cliv_status read_schedule(const cliv_trainer *t, const cliv_safetensors *file, const char *shown,
                                 cliv_array *out) {
  const size_t count = cliv_schedule_state(t->schedule, NULL, 0);
  if (count == 0) return CLIV_OK;
  TRY(cliv__relay(t->ctx, cliv_safetensors_read(file, SCHEDULE_STATE, out)));
  if (out->dtype == CLIV_F64 && cliv_array_count(out) == count) return CLIV_OK;
  cliv_array_free(out);
  return cliv__fail(t->ctx, CLIV_FORMAT, "%s: '" SCHEDULE_STATE "' is not that of %s", shown, t->schedule_text);
}

static cliv_status resume(cliv_trainer *t, const cliv_safetensors *file, const char *shown) {
  const char *format = cliv_safetensors_metadata(file, "format"), *config = cliv_safetensors_metadata(file, "config");
  uint64_t epochs, steps;
  REQUIRE(t->ctx, format && config && !strcmp(format, CHECKPOINT_FORMAT), FORMAT,
          "%s: is no checkpoint of this version of Cliv", shown);
  TRY(compare_config(t, shown, config));
  TRY(read_count(t, file, shown, "epochs", &epochs));
  TRY(read_count(t, file, shown, "steps", &steps));
  size_t room = 0, count = 0;
  for (size_t i = 0; i < cliv_model_parameters(t->model); i++) room += 1 + cliv_optimizer_state_count(t->optimizer, i);
  cliv_array *arrays = calloc(room, sizeof *arrays);
  cliv_tensor **tensors = calloc(room, sizeof *tensors);
  cliv_array schedule = {0};
  cliv_status status = arrays && tensors ? read_schedule(t, file, shown, &schedule) : no_memory(t);
  if (!status) status = restore(t, file, shown, arrays, tensors, &count);
  if (!status && schedule.data)
    status = cliv__relay(t->ctx, cliv_schedule_restore(t->schedule, schedule.data, cliv_array_count(&schedule)));
  if (!status) status = cliv_optimizer_set_steps(t->optimizer, steps);
  if (!status) t->epochs = (size_t)epochs;
  for (size_t i = 0; arrays && tensors && i < room; i++) cliv_array_free(&arrays[i]), cliv_tensor_free(tensors[i]);
  cliv_array_free(&schedule);
  free(arrays);
  free(tensors);
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
