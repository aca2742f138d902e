/* Checkpoints of trainings: going on is as never having stopped; what they have; what does not fit changes nothing. */
#include <cliv/safetensors.h>
#include <cliv/train.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/context.h"
#include "runtime/tensor.h"
#include "support.h"

/* Five steps an epoch, of fewer rows where every access is looked at. */
static size_t batch(void) { return test_small() ? 15 : 300; }
static char *folder;
static cliv_data *digits;

static int setup(void **state) {
  (void)state;
  static const char *const target = "digit";
  char *path = test_source_path("examples/data/digits.csv");
  const cliv_data_options options = {
      .targets = &target, .target_count = 1, .classes = 1, .validation = test_small() ? 0.96 : 0};
  ASSERT_OK(NULL, cliv_data_read(path, &options, &digits));
  folder = test_temp_dir();
  free(path);
  return 0;
}

static int teardown(void **state) {
  (void)state;
  cliv_data_free(digits);
  test_remove_tree(folder);
  free(folder);
  return 0;
}

static cliv_trainer *begin(cliv_context *ctx, const cliv_train_options *options) {
  cliv_train_options o = *options;
  cliv_trainer *t;
  o.model = "softmax", o.batch = batch(), o.seed = 1;
  ASSERT_OK(ctx, cliv_trainer_create(ctx, digits, &o, &t));
  return t;
}

static void train_epochs(cliv_context *ctx, cliv_trainer *t, size_t epochs) {
  for (size_t e = 0; e < epochs; e++) {
    cliv_epoch_metrics metrics;
    ASSERT_OK(ctx, cliv_trainer_epoch(t, NULL, NULL, &metrics));
    cliv_schedule_report(cliv_trainer_schedule(t), metrics.loss);
  }
}

/* A file's contents, to be changed. */
typedef struct contents {
  size_t arrays, texts;
  cliv_named_array array[32];
  cliv_metadata text[32];
  cliv_safetensors *file; /* that they point to */
} contents;

static contents read_contents(const char *path) {
  contents c = {0};
  ASSERT_OK(NULL, cliv_safetensors_open(path, &c.file));
  const cliv_metadata *texts = cliv_safetensors_metadata_list(c.file, &c.texts);
  c.arrays = cliv_safetensors_count(c.file);
  assert_true(c.arrays <= 32 && c.texts <= 32);
  for (size_t i = 0; i < c.texts; i++) c.text[i] = texts[i];
  for (size_t i = 0; i < c.arrays; i++) {
    c.array[i].name = cliv_safetensors_name(c.file, i);
    ASSERT_OK(NULL, cliv_safetensors_read(c.file, c.array[i].name, &c.array[i].array));
  }
  return c;
}

static void free_contents(contents *c) {
  for (size_t i = 0; i < c->arrays; i++) cliv_array_free(&c->array[i].array);
  cliv_safetensors_free(c->file);
}

static uint64_t fnv1a(uint64_t hash, const void *bytes, size_t count) {
  for (size_t i = 0; i < count; i++) hash = (hash ^ ((const unsigned char *)bytes)[i]) * 0x100000001b3u;
  return hash;
}
static const uint64_t FNV1A = 0xcbf29ce484222325u;

/* Of a checkpoint made now; *numbers: of what is in its arrays alone. */
static uint64_t digest(cliv_context *ctx, const cliv_trainer *t, uint64_t *numbers) {
  char *path = test_join(folder, "digest.safetensors");
  ASSERT_OK(ctx, cliv_trainer_save_checkpoint(t, path));
  size_t bytes;
  char *text = test_read_file(path, &bytes);
  contents c = read_contents(path);
  if (numbers) *numbers = FNV1A;
  for (size_t i = 0; numbers && i < c.arrays; i++) {
    const cliv_array *a = &c.array[i].array;
    *numbers = fnv1a(*numbers, a->data, cliv_array_count(a) * cliv_dtype_size(a->dtype));
  }
  const uint64_t whole = fnv1a(FNV1A, text, bytes);
  free_contents(&c);
  free(text), free(path);
  return whole;
}

/* Two epochs, a checkpoint, three more by another trainer, in the other walk: the same bytes as five in one go, and
 * numbers as everywhere. Rules with no, one, several states; what the host keeps; what trains and what is evaluated. */
static void goes_on_where_it_stopped(void **state) {
  (void)state;
  static const cliv_setting fast[] = {{"lr", 0.1}, {"momentum", 0.9}}, warm[] = {{"lr", 0.01}, {"warmup_steps", 9}};
  static const char wave[] = "warmup(1.5epochs) cosine(3epochs) * plateau(0, 0.5, 0.9)";
  static const struct {
    cliv_train_options options;
    uint64_t hash;
  } cases[] = {
      {{.optimizer = "sgd", .settings = fast, .setting_count = 1}, 0xd62c51cba6493ea0u},
      {{.optimizer = "sgd", .settings = fast, .setting_count = 2, .schedule = wave}, 0x10b1e671500a9692u},
      {{.optimizer = "adamw"}, 0x681ba987402cca39u},
      {{.optimizer = "nadam"}, 0x2231c024d3c5dfc6u},
      {{.optimizer = "prodigy"}, 0xf8e421c3cfc72cadu},
      {{.optimizer = "schedule_free_adamw", .settings = warm, .setting_count = 2}, 0x8802c03a3895d5a9u},
      {{.optimizer = "muon", .schedule = wave}, 0xdadc96584a429b76u},
      {{.optimizer = "muon", .rest_optimizer = "schedule_free_sgd", .rest_settings = fast, .rest_setting_count = 1},
       0xd2eb500ba30eb3d6u},
  };
  cliv_context *ctx[2] = {test_open(test_walks[test_first_walk()]), test_open(test_walks[TEST_WALKS - 1])};
  char *path = test_join(folder, "part.safetensors");
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    cliv_trainer *t = begin(ctx[0], &cases[i].options);
    train_epochs(ctx[0], t, 2);
    ASSERT_OK(ctx[0], cliv_trainer_save_checkpoint(t, path));
    train_epochs(ctx[0], t, 3);
    uint64_t numbers;
    const uint64_t straight = digest(ctx[0], t, &numbers);
    cliv_trainer_free(t);
    t = begin(ctx[1], &cases[i].options);
    ASSERT_OK(ctx[1], cliv_trainer_resume(t, path));
    assert_int_equal(cliv_trainer_epochs(t), 2);
    train_epochs(ctx[1], t, 3);
    if (digest(ctx[1], t, NULL) != straight) fail_msg("%zu: %s is not as in one go", i, cases[i].options.optimizer);
    if (!test_small() && numbers != cases[i].hash)
      fail_msg("%zu: the numbers of %s are 0x%016llx", i, cases[i].options.optimizer, (unsigned long long)numbers);
    cliv_trainer_free(t);
  }
  free(path);
  test_close(ctx[0]), test_close(ctx[1]);
}

/* ---- what is in it ---- */

/* Without the prefix it is what cliv_optimizer_save writes. */
static void has_what_the_optimizer_saves(void **state) {
  (void)state;
  static const char prefix[] = "optimizer.";
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  char *checkpoint = test_join(folder, "whole.safetensors"), *own = test_join(folder, "own.safetensors"),
       *cut = test_join(folder, "cut.safetensors");
  cliv_trainer *t = begin(ctx, &(cliv_train_options){.optimizer = "nadam"});
  train_epochs(ctx, t, 1);
  ASSERT_OK(ctx, cliv_trainer_save_checkpoint(t, checkpoint));
  ASSERT_OK(ctx, cliv_optimizer_save(cliv_trainer_optimizer(t), own));
  contents c = read_contents(checkpoint);
  assert_string_equal(cliv_safetensors_metadata(c.file, "format"), "cliv.checkpoint 2");
  assert_string_equal(cliv_safetensors_metadata(c.file, "epochs"), "1");
  assert_string_equal(cliv_safetensors_metadata(c.file, "optimizer.steps"), "[5,5]");
  cliv_named_array arrays[32];
  cliv_metadata texts[32];
  size_t array_count = 0, text_count = 0, bytes[2];
  for (size_t i = 0; i < c.arrays; i++)
    if (!strncmp(c.array[i].name, prefix, strlen(prefix)))
      arrays[array_count++] = (cliv_named_array){c.array[i].name + strlen(prefix), c.array[i].array};
  for (size_t i = 0; i < c.texts; i++)
    if (!strncmp(c.text[i].key, prefix, strlen(prefix)))
      texts[text_count++] = (cliv_metadata){c.text[i].key + strlen(prefix), c.text[i].value};
  ASSERT_OK(NULL, cliv_safetensors_write(cut, arrays, array_count, texts, text_count));
  char *a = test_read_file(own, &bytes[0]), *b = test_read_file(cut, &bytes[1]);
  assert_int_equal(bytes[0], bytes[1]);
  ASSERT_BITS(b, a, bytes[0]);
  free_contents(&c);
  free(a), free(b), free(checkpoint), free(own), free(cut);
  cliv_trainer_free(t);
  test_close(ctx);
}

/* ---- refusals ---- */

static size_t array_of(const contents *c, const char *name) {
  size_t i = 0;
  while (strcmp(c->array[i].name, name)) i++;
  return i;
}

static size_t text_of(const contents *c, const char *key) {
  size_t i = 0;
  while (strcmp(c->text[i].key, key)) i++;
  return i;
}

static void without_a_state(contents *c) {
  const size_t i = array_of(c, "rest_optimizer.state.0.exp_avg");
  cliv_array_free(&c->array[i].array);
  c->array[i] = c->array[--c->arrays];
}
static void with_a_state_of_another_name(contents *c) {
  c->array[array_of(c, "rest_optimizer.state.0.exp_avg")].name = "rest_optimizer.state.0.mean";
}
static void with_a_longer_state(contents *c) {
  cliv_array *a = &c->array[array_of(c, "rest_optimizer.state.0.exp_avg")].array;
  cliv_array_free(a);
  ASSERT_OK(NULL, cliv_array_create(CLIV_F32, 1, (const size_t[]){11}, a));
}
static void with_a_longer_parameter(contents *c) {
  cliv_array *a = &c->array[array_of(c, "0.bias")].array;
  cliv_array_free(a);
  ASSERT_OK(NULL, cliv_array_create(CLIV_F32, 1, (const size_t[]){11}, a));
}
static void of_another_rule(contents *c) { c->text[text_of(c, "optimizer.rule")].value = "adam"; }
static void without_an_optimizer(contents *c) { c->text[text_of(c, "optimizer.format")].key = "other"; }
static void without_the_rest(contents *c) { c->text[text_of(c, "rest_optimizer.format")].key = "other"; }
static void with_no_epochs(contents *c) { c->text[text_of(c, "epochs")].value = "two"; }
static void of_an_older_version(contents *c) { c->text[text_of(c, "format")].value = "cliv.checkpoint 1"; }

/* After each of them the trainer is as it was: it goes on as one that has seen none. */
static void damaged_ones_change_nothing(void **state) {
  (void)state;
  static const struct {
    void (*damage)(contents *c);
    cliv_status status;
    const char *says;
  } cases[] = {
      {without_a_state, CLIV_DATA, "under 'rest_optimizer.': parameter 0 has taken 5 steps and has no exp_avg"},
      {with_a_state_of_another_name, CLIV_DATA, "'state.0.mean' is no state of adamw"},
      {with_a_longer_state, CLIV_SHAPE, "'state.0.exp_avg' has not the shape of the parameter"},
      {with_a_longer_parameter, CLIV_FORMAT, "'0.bias' has not the shape"},
      {of_another_rule, CLIV_DATA, "it has the states of adam, this optimizer is muon"},
      {without_an_optimizer, CLIV_FORMAT, "under 'optimizer.': there are no states of muon"},
      {without_the_rest, CLIV_FORMAT, "under 'rest_optimizer.': there are no states of adamw"},
      {with_no_epochs, CLIV_FORMAT, "'epochs' is no count"},
      {of_an_older_version, CLIV_FORMAT, "no checkpoint of this version"}};
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  const cliv_train_options options = {.optimizer = "muon", .schedule = "plateau(0, 0.5, 0.9)"};
  char *path = test_join(folder, "damaged.safetensors"), *whole = test_join(folder, "whole.safetensors");
  cliv_trainer *t = begin(ctx, &options), *other = begin(ctx, &options);
  train_epochs(ctx, t, 1);
  ASSERT_OK(ctx, cliv_trainer_save_checkpoint(t, whole));
  const uint64_t before = digest(ctx, other, NULL);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    contents c = read_contents(whole);
    cases[i].damage(&c);
    ASSERT_OK(NULL, cliv_safetensors_write(path, c.array, c.arrays, c.text, c.texts));
    free_contents(&c);
    ASSERT_FAILS(ctx, cliv_trainer_resume(other, path), cases[i].status, cases[i].says);
    assert_true(digest(ctx, other, NULL) == before);
  }
  size_t bytes;
  char *text = test_read_file(whole, &bytes);
  test_write_file(path, text, bytes - 100);
  ASSERT_FAILS(ctx, cliv_trainer_resume(other, path), CLIV_FORMAT, "damaged.safetensors");
  assert_true(digest(ctx, other, NULL) == before);
  train_epochs(ctx, other, 1);
  assert_true(digest(ctx, other, NULL) == digest(ctx, t, NULL));
  free(text), free(path), free(whole);
  cliv_trainer_free(t), cliv_trainer_free(other);
  test_close(ctx);
}

/* Where there is no room for the states on the device, nothing has changed either. */
static void lack_of_memory_changes_nothing(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  char *path = test_join(folder, "large.safetensors");
  cliv_trainer *t = begin(ctx, &(cliv_train_options){0}), *other = begin(ctx, &(cliv_train_options){0});
  train_epochs(ctx, t, 1);
  ASSERT_OK(ctx, cliv_trainer_save_checkpoint(t, path));
  const cl_ulong most = ctx->facts.max_allocation;
  ctx->facts.max_allocation = 1024;
  ASSERT_FAILS(ctx, cliv_trainer_resume(other, path), CLIV_DEVICE_MEMORY, "in one piece");
  ctx->facts.max_allocation = most;
  train_epochs(ctx, other, 1);
  assert_true(digest(ctx, other, NULL) == digest(ctx, t, NULL));
  free(path);
  cliv_trainer_free(t), cliv_trainer_free(other);
  test_close(ctx);
}

/* A training of other options, or whose parameters are what is to be evaluated. */
static void refuses_another_training(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  const cliv_train_options options = {.optimizer = "schedule_free_sgd"};
  char *path = test_join(folder, "free.safetensors");
  cliv_trainer *t = begin(ctx, &options), *other = begin(ctx, &(cliv_train_options){.optimizer = "sgd"});
  train_epochs(ctx, t, 1);
  ASSERT_OK(ctx, cliv_trainer_save_checkpoint(t, path));
  ASSERT_FAILS(ctx, cliv_trainer_resume(other, path), CLIV_DATA,
               "its 'optimizer' is \"schedule_free_sgd\", here it is \"sgd\"");
  assert_int_equal(cliv_trainer_epochs(other), 0);
  ASSERT_OK(ctx, cliv_optimizer_evaluate(cliv_trainer_optimizer(t), 1, NULL));
  ASSERT_FAILS(ctx, cliv_trainer_resume(t, path), CLIV_STATE, "turn them back");
  ASSERT_OK(ctx, cliv_optimizer_evaluate(cliv_trainer_optimizer(t), 0, NULL));
  ASSERT_OK(ctx, cliv_trainer_resume(t, path));
  free(path);
  cliv_trainer_free(t), cliv_trainer_free(other);
  test_close(ctx);
}

/* ---- two optimizers ---- */

static uint64_t steps_of(cliv_optimizer *o) { return cliv_optimizer_steps(o); }

/* The rest's weights alone are those to evaluate: scoring and saving leave them so, and no optimizer steps. */
static void turns_each_optimizer_back(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  const cliv_train_options options = {.optimizer = "muon", .rest_optimizer = "schedule_free_sgd"};
  char *path = test_join(folder, "turned.safetensors");
  cliv_trainer *t = begin(ctx, &options), *other = begin(ctx, &options);
  train_epochs(ctx, t, 1), train_epochs(ctx, other, 1);
  cliv_optimizer *const main = cliv_trainer_optimizer(t), *const rest = cliv_trainer_rest_optimizer(t);
  for (int on = 0; on < 2; on++) {
    cliv_score score;
    ASSERT_OK(ctx, cliv_optimizer_evaluate(rest, on, NULL));
    ASSERT_OK(ctx, cliv_trainer_evaluate(t, CLIV_TRAINING, &score));
    assert_int_equal(cliv_optimizer_evaluating(rest), on);
    ASSERT_OK(ctx, cliv_trainer_save_model(t, path));
    assert_int_equal(cliv_optimizer_evaluating(rest), on);
    ASSERT_OK(ctx, cliv_trainer_save_checkpoint(t, path));
    assert_int_equal(cliv_optimizer_evaluating(rest), on);
  }
  const uint64_t steps = steps_of(main);
  ASSERT_FAILS(ctx, cliv_trainer_epoch(t, NULL, NULL, NULL), CLIV_STATE, "turn them back");
  assert_true(steps_of(main) == steps && steps_of(rest) == steps);
  ASSERT_OK(ctx, cliv_optimizer_evaluate(rest, 0, NULL));
  ASSERT_OK(ctx, cliv_optimizer_perturb(rest, 0.1, 0, NULL));
  ASSERT_FAILS(ctx, cliv_trainer_epoch(t, NULL, NULL, NULL), CLIV_STATE, "perturbed");
  assert_true(steps_of(main) == steps && steps_of(rest) == steps);
  ASSERT_OK(ctx, cliv_optimizer_restore(rest, NULL));
  train_epochs(ctx, t, 1), train_epochs(ctx, other, 1);
  assert_true(digest(ctx, t, NULL) == digest(ctx, other, NULL));
  free(path);
  cliv_trainer_free(t), cliv_trainer_free(other);
  test_close(ctx);
}

static void expect_torn(cliv_context *ctx, cliv_trainer *t) {
  char *path = test_join(folder, "torn.safetensors");
  ASSERT_FAILS(ctx, cliv_trainer_epoch(t, NULL, NULL, NULL), CLIV_STATE, "cliv_trainer_resume");
  ASSERT_FAILS(ctx, cliv_trainer_save_checkpoint(t, path), CLIV_STATE, "cliv_trainer_resume");
  ASSERT_FAILS(ctx, cliv_trainer_save_model(t, path), CLIV_STATE, "cliv_trainer_resume");
  assert_false(access(path, F_OK) == 0);
  free(path);
}

/* One of two optimizers has stepped, or one of two parameters is the file's: nothing is built on it. */
static void halves_are_not_gone_on_with(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  const cliv_train_options options = {.optimizer = "muon", .rest_optimizer = "sgd", .schedule = "plateau(0, 0.5, 0.9)"};
  char *path = test_join(folder, "halves.safetensors");
  cliv_trainer *t = begin(ctx, &options), *other = begin(ctx, &options);
  train_epochs(ctx, t, 1), train_epochs(ctx, other, 2);
  ASSERT_OK(ctx, cliv_trainer_save_checkpoint(t, path));
  cliv_optimizer *const main = cliv_trainer_optimizer(t), *const rest = cliv_trainer_rest_optimizer(t);
  ASSERT_OK(ctx, cliv_optimizer_set(rest, CLIV_ALL_GROUPS, "nesterov", 1)); /* without momentum */
  ASSERT_FAILS(ctx, cliv_trainer_epoch(t, NULL, NULL, NULL), CLIV_VALUE, "momentum");
  assert_true(steps_of(main) == steps_of(rest) + 1);
  ASSERT_OK(ctx, cliv_optimizer_set(rest, CLIV_ALL_GROUPS, "nesterov", 0));
  expect_torn(ctx, t);
  ASSERT_OK(ctx, cliv_trainer_resume(t, path));
  cliv_tensor *const bias = cliv_model_parameter(cliv_trainer_model(t), 1);
  const cl_mem mem = bias->mem;
  double before[64], after[64];
  const size_t told = cliv_schedule_state(cliv_trainer_schedule(t), before, 64);
  cliv_schedule_report(cliv_trainer_schedule(t), 1e6);
  cliv_schedule_state(cliv_trainer_schedule(t), before, 64);
  bias->mem = NULL; /* the weight before it is written, and this is not */
  ASSERT_FAILS(ctx, cliv_trainer_resume(t, path), CLIV_OPENCL, NULL);
  bias->mem = mem;
  cliv_schedule_state(cliv_trainer_schedule(t), after, 64);
  ASSERT_BITS(after, before, told * sizeof *after);
  expect_torn(ctx, t);
  ASSERT_OK(ctx, cliv_trainer_resume(t, path));
  train_epochs(ctx, t, 1);
  assert_true(digest(ctx, t, NULL) == digest(ctx, other, NULL));
  free(path);
  cliv_trainer_free(t), cliv_trainer_free(other);
  test_close(ctx);
}

/* A file that cannot be written, and weights that cannot be turned back: the first of them is told. */
static void first_failure_is_told(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  char *path = test_join(folder, "nowhere/free.safetensors");
  cliv_trainer *t = begin(ctx, &(cliv_train_options){.optimizer = "schedule_free_sgd"});
  train_epochs(ctx, t, 1);
  ASSERT_OK(ctx, cliv_optimizer_evaluate(cliv_trainer_optimizer(t), 1, NULL));
  const cl_ulong most = ctx->facts.max_allocation;
  ctx->facts.max_allocation = 1024;
  ASSERT_FAILS(ctx, cliv_trainer_save_checkpoint(t, path), CLIV_FILE, "nowhere");
  assert_int_equal(cliv_optimizer_evaluating(cliv_trainer_optimizer(t)), 0);
  ASSERT_FAILS(ctx, cliv_optimizer_evaluate(cliv_trainer_optimizer(t), 1, NULL), CLIV_DEVICE_MEMORY, NULL);
  ctx->facts.max_allocation = most;
  free(path);
  cliv_trainer_free(t);
  test_close(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(goes_on_where_it_stopped),    cmocka_unit_test(has_what_the_optimizer_saves),
      cmocka_unit_test(damaged_ones_change_nothing), cmocka_unit_test(lack_of_memory_changes_nothing),
      cmocka_unit_test(refuses_another_training),    cmocka_unit_test(turns_each_optimizer_back),
      cmocka_unit_test(halves_are_not_gone_on_with), cmocka_unit_test(first_failure_is_told),
  };
  return test_finish(cmocka_run_group_tests(tests, setup, teardown));
}
