/* States of optimizers in files: PyTorch's read and written again, one's own gone on with to the last bit, files that
 * do not fit refused. */
#include "worlds.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cliv/optim.h>
#include <cliv/safetensors.h>

enum { PARAMS = 3, NEXT = 10 };
static const int ndims[PARAMS] = {2, 1, 0};
static const size_t shapes[] = {3, 4, 5}, counts[PARAMS] = {12, 5, 1};
static char *folder;

/* ---- an optimizer over the three parameters of the golden files, the last one in a group of its own ---- */

typedef struct training {
  cliv_context *ctx;
  cliv_optimizer *o;
  cliv_tensor *p[PARAMS], *g[PARAMS];
} training;

static training begin(cliv_context *ctx, const char *rule, size_t params) {
  training t = {.ctx = ctx};
  int group;
  ASSERT_OK(ctx, cliv_arena_create(ctx, CLIV_F32, PARAMS, ndims, shapes, t.p));
  ASSERT_OK(ctx, cliv_arena_create(ctx, CLIV_F32, PARAMS, ndims, shapes, t.g));
  ASSERT_OK(ctx, cliv_optimizer_create(ctx, rule, NULL, &t.o));
  ASSERT_OK(ctx, cliv_optimizer_group(t.o, &group));
  for (size_t i = 0; i < params; i++) {
    ASSERT_OK(ctx, cliv_tensor_fill(t.p[i], 1.5, NULL));
    ASSERT_OK(ctx, cliv_optimizer_add(t.o, t.p[i], t.g[i], i == PARAMS - 1));
  }
  return t;
}

static void end(training *t) {
  cliv_optimizer_free(t->o);
  test_tensors_free(t->p, PARAMS);
  test_tensors_free(t->g, PARAMS);
}

static void step(training *t, int count) {
  for (int s = 0; s < count; s++) {
    for (size_t i = 0; i < PARAMS; i++) {
      float g[12];
      for (size_t k = 0; k < counts[i]; k++) g[k] = (float)test_normal(cliv_optimizer_steps(t->o), 16 * i + k);
      ASSERT_OK(t->ctx, cliv_tensor_write(t->g[i], g, counts[i] * sizeof *g));
    }
    ASSERT_OK(t->ctx, cliv_optimizer_step(t->o, NULL));
  }
}

/* ---- PyTorch's ---- */

static char *golden(const char *name) {
  char path[64];
  snprintf(path, sizeof path, "tests/golden/state_dict%s%s.safetensors", *name ? "_" : "", name);
  return test_source_path(path);
}

static float *array(const cliv_safetensors *file, const char *name) {
  cliv_array a;
  ASSERT_OK(NULL, cliv_safetensors_read(file, name, &a));
  return a.data;
}

/* Ten more steps from PyTorch's state give PyTorch's parameters; every bit, where no square root is in it. */
static void check_continuation(const training *t, const char *rule, const cliv_safetensors *file) {
  char name[64];
  for (size_t i = 0; i < PARAMS; i++) {
    snprintf(name, sizeof name, "%s.%zu.before", rule, i);
    float *before = array(file, name);
    ASSERT_OK(t->ctx, cliv_tensor_write(t->p[i], before, counts[i] * sizeof *before));
    free(before);
  }
  for (size_t s = 0; s < NEXT; s++) {
    for (size_t i = 0; i < PARAMS; i++) {
      snprintf(name, sizeof name, "gradient.%zu", i);
      float *g = array(file, name);
      ASSERT_OK(t->ctx, cliv_tensor_write(t->g[i], g + s * counts[i], counts[i] * sizeof *g));
      free(g);
    }
    ASSERT_OK(t->ctx, cliv_optimizer_step(t->o, NULL));
  }
  for (size_t i = 0; i < PARAMS; i++) {
    snprintf(name, sizeof name, "%s.%zu.after", rule, i);
    float *want = array(file, name), *got = test_read(t->p[i]);
    for (size_t k = 0; k < counts[i]; k++)
      if (!(fabs((double)got[k] - (double)want[k]) <=
            (strcmp(rule, "sgd") ? 1e-6 : 0) * fmax(1, fabs((double)want[k]))))
        fail_msg("%s[%zu] is %.9g, PyTorch has %.9g", name, k, (double)got[k], (double)want[k]);
    free(want);
    free(got);
  }
}

static double hyper(const training *t, int group, const char *name) {
  double value;
  ASSERT_OK(t->ctx, cliv_optimizer_get(t->o, group, name, &value));
  return value;
}

/* What Cliv writes has PyTorch's names and bytes, and of the groups all that PyTorch's have and Cliv knows. */
static void check_export(const char *path, const char *own) {
  cliv_safetensors *a, *b;
  ASSERT_OK(NULL, cliv_safetensors_open(path, &a));
  ASSERT_OK(NULL, cliv_safetensors_open(own, &b));
  size_t extra = 0;
  for (size_t i = 0; i < cliv_safetensors_count(b); i++) extra += !cliv_safetensors_has(a, cliv_safetensors_name(b, i));
  assert_int_equal(cliv_safetensors_count(a) + extra, cliv_safetensors_count(b)); /* sgd's steps */
  for (size_t i = 0; i < cliv_safetensors_count(a); i++) {
    const cliv_array *info = cliv_safetensors_info(a, i);
    float *want = array(a, cliv_safetensors_name(a, i)), *got = array(b, cliv_safetensors_name(a, i));
    assert_memory_equal(got, want, cliv_array_count(info) * sizeof *got);
    free(want);
    free(got);
  }
  json_t *theirs = json_loads(cliv_safetensors_metadata(a, "param_groups"), 0, NULL),
         *ours = json_loads(cliv_safetensors_metadata(b, "param_groups"), 0, NULL);
  assert_int_equal(json_array_size(ours), 2);
  for (size_t g = 0; g < 2; g++) {
    size_t known = 0;
    const char *key;
    json_t *value;
    json_object_foreach(json_array_get(theirs, g), key, value) {
      const json_t *same = json_object_get(json_array_get(ours, g), key);
      if (!same) continue;
      known++;
      if (json_is_number(value)) assert_true(json_number_value(value) == json_number_value(same));
      else assert_true(json_equal(value, same));
    }
    assert_true(known >= 5); /* lr, weight_decay, maximize, params and the rule's own */
  }
  json_decref(theirs);
  json_decref(ours);
  cliv_safetensors_free(a);
  cliv_safetensors_free(b);
}

static void goes_on_from_pytorch(void **state) {
  (void)state;
  static const struct {
    const char *rule, *hyper;
    double value;
  } rules[] = {{"sgd", "momentum", 0.9},
               {"adam", "weight_decay", 0.1},
               {"adamw", "beta2", 0.95},
               {"adafactor", "eps1", 0x1p-23}};
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  char *all = golden(""), *own = test_join(folder, "own.safetensors");
  cliv_safetensors *file;
  ASSERT_OK(NULL, cliv_safetensors_open(all, &file));
  for (size_t r = 0; r < sizeof rules / sizeof *rules; r++) {
    char *path = golden(rules[r].rule);
    training t = begin(ctx, rules[r].rule, PARAMS);
    ASSERT_OK(ctx, cliv_optimizer_load(t.o, path));
    assert_true(hyper(&t, 1, "lr") == 0.05 && hyper(&t, 0, rules[r].hyper) == rules[r].value);
    assert_int_equal(cliv_optimizer_steps(t.o), strcmp(rules[r].rule, "sgd") ? 20 : 1);
    ASSERT_OK(ctx, cliv_optimizer_save(t.o, own));
    check_export(path, own);
    check_continuation(&t, rules[r].rule, file);
    end(&t);
    free(path);
  }
  cliv_safetensors_free(file);
  free(all);
  free(own);
  test_close(ctx);
}

/* ---- one's own ---- */

static void same_parameters(const training *a, const training *b) {
  for (size_t i = 0; i < PARAMS; i++) ASSERT_SAME_TENSORS(b->p[i], a->p[i]);
}

/* Parameters of different ages, one without a step; saved in one walk, gone on with in the other. The optimizer that
 * loads has steps, states and hyper-parameters of its own, which go. */
static void goes_on_to_the_last_bit(void **state) {
  (void)state;
  static const char *const rules[] = {"sgd", "adagrad", "rmsprop", "adamw", "lion", "nadam", "laprop"};
  cliv_context *one = test_open(test_walks[0]), *other = test_open(test_walks[TEST_WALKS - 1]);
  char *path = test_join(folder, "bits.safetensors"), *again = test_join(folder, "again.safetensors");
  for (size_t r = 0; r < sizeof rules / sizeof *rules; r++) {
    training a = begin(one, rules[r], 1), b = begin(other, rules[r], PARAMS);
    ASSERT_OK(one, cliv_optimizer_set(a.o, 1, "lr", 0.03));
    if (r == 0) ASSERT_OK(one, cliv_optimizer_set(a.o, CLIV_ALL_GROUPS, "momentum", 0.9));
    step(&a, 3);
    ASSERT_OK(one, cliv_tensor_fill(a.p[1], 1.5, NULL));
    ASSERT_OK(one, cliv_optimizer_add(a.o, a.p[1], a.g[1], 0));
    if (r == 5) ASSERT_OK(one, cliv_optimizer_set(a.o, 0, "momentum_decay", 2)); /* which the host remembers */
    if (r == 6) ASSERT_OK(one, cliv_optimizer_set(a.o, 0, "lr", 0.5));
    step(&a, 2);
    ASSERT_OK(one, cliv_tensor_fill(a.p[2], 1.5, NULL));
    ASSERT_OK(one, cliv_optimizer_add(a.o, a.p[2], a.g[2], 1));
    ASSERT_OK(one, cliv_optimizer_save(a.o, path));
    step(&b, 1);
    ASSERT_OK(other, cliv_optimizer_load(b.o, path));
    assert_int_equal(cliv_optimizer_steps(b.o), 5);
    assert_true(hyper(&b, 1, "lr") == 0.03);
    ASSERT_OK(other, cliv_optimizer_save(b.o, again));
    size_t bytes, more;
    char *x = test_read_file(path, &bytes), *y = test_read_file(again, &more);
    assert_int_equal(bytes, more);
    assert_memory_equal(x, y, bytes);
    free(x), free(y);
    for (size_t i = 0; i < PARAMS; i++) {
      float *p = test_read(a.p[i]);
      ASSERT_OK(other, cliv_tensor_write(b.p[i], p, counts[i] * sizeof *p));
      free(p);
    }
    step(&a, 3);
    step(&b, 3);
    same_parameters(&a, &b);
    end(&a), end(&b);
  }
  free(path), free(again);
  test_close(one), test_close(other);
}

/* ---- files that do not fit ---- */

/* A file of one's own with this instead of what it had: an array's name or shape, or a text of the metadata. */
typedef struct damage {
  const char *array, *name; /* the array of that name gets this one; NULL: it is left out */
  bool turned;              /* or is of a shape (4, 3) */
  const char *key, *text;
  cliv_status status;
  const char *says;
} damage;

static void write_damaged(const cliv_safetensors *file, const damage *d, const char *path) {
  cliv_named_array arrays[16];
  cliv_metadata metadata[8];
  size_t count = 0, texts;
  const cliv_metadata *list = cliv_safetensors_metadata_list(file, &texts);
  for (size_t i = 0; i < cliv_safetensors_count(file); i++) {
    const char *name = cliv_safetensors_name(file, i);
    const bool hit = d->array && !strcmp(name, d->array);
    if (hit && !d->name && !d->turned) continue;
    arrays[count].name = hit && d->name ? d->name : name;
    ASSERT_OK(NULL, cliv_safetensors_read(file, name, &arrays[count].array));
    if (hit && d->turned) arrays[count].array.shape[0] = 4, arrays[count].array.shape[1] = 3;
    count++;
  }
  for (size_t i = 0; i < texts; i++)
    metadata[i] = (cliv_metadata){list[i].key, d->key && !strcmp(d->key, list[i].key) ? d->text : list[i].value};
  ASSERT_OK(NULL, cliv_safetensors_write(path, arrays, count, metadata, texts));
  for (size_t i = 0; i < count; i++) cliv_array_free(&arrays[i].array);
}

static void refuses_what_does_not_fit(void **state) {
  (void)state;
  static const damage damages[] = {
      {.key = "rule", .text = "lion", .status = CLIV_DATA, .says = "states of lion, this optimizer is adamw"},
      {.key = "format", .text = "cliv.model 1", .status = CLIV_FORMAT, .says = "cliv.model 1"},
      {.key = "param_groups", .text = "{}", .status = CLIV_FORMAT, .says = "no list in JSON"},
      {.key = "param_groups", .text = "[", .status = CLIV_FORMAT, .says = "no list in JSON"},
      {.key = "param_groups", .text = "[{\"params\":[0,1]}]", .status = CLIV_DATA, .says = "1 parameter groups"},
      {.key = "param_groups",
       .text = "[{\"params\":[0]},{\"params\":[1,2]}]",
       .status = CLIV_DATA,
       .says = "group 1 has a parameter 1"},
      {.key = "param_groups",
       .text = "[{\"params\":[0,0]},{\"params\":[2]}]",
       .status = CLIV_DATA,
       .says = "lack parameter 1"},
      {.key = "param_groups",
       .text = "[{\"params\":[0,1]},{\"params\":[2],\"betas\":[0.9,1.5]}]",
       .status = CLIV_VALUE,
       .says = "beta2 of adamw is 1.5"},
      {.key = "param_groups",
       .text = "[{\"params\":[0,1],\"lr\":\"fast\"},{\"params\":[2]}]",
       .status = CLIV_FORMAT,
       .says = "'lr' is no number"},
      {.key = "steps", .text = "[5,5]", .status = CLIV_FORMAT, .says = "'steps'"},
      {.key = "steps", .text = "[5,5,-1]", .status = CLIV_FORMAT, .says = "'steps'"},
      {.array = "state.1.exp_avg", .status = CLIV_DATA, .says = "parameter 1 has taken 3 steps and has no exp_avg"},
      {.array = "state.1.exp_avg", .name = "state.1.exp_average", .status = CLIV_DATA, .says = "no state of adamw"},
      {.array = "state.1.exp_avg", .name = "state.3.exp_avg", .status = CLIV_DATA, .says = "this optimizer has not"},
      {.array = "state.1.exp_avg", .name = "state.01.exp_avg", .status = CLIV_DATA, .says = "no state of adamw"},
      {.key = "steps", .text = "[5,5,9223372036854775807]", .status = CLIV_FORMAT, .says = "'steps'"},
      {.array = "state.1.exp_avg", .name = "exp_avg", .status = CLIV_DATA, .says = "no state of adamw"},
      {.array = "state.1.step", .name = "state.1.max_exp_avg_sq", .status = CLIV_DATA, .says = "does not keep"},
      {.array = "state.0.exp_avg_sq", .turned = true, .status = CLIV_SHAPE, .says = "'state.0.exp_avg_sq'"},
  };
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  training a = begin(ctx, "adamw", PARAMS), b = begin(ctx, "adamw", PARAMS);
  char *good = test_join(folder, "good.safetensors"), *bad = test_join(folder, "bad.safetensors");
  char *before = test_join(folder, "before.safetensors"), *after = test_join(folder, "after.safetensors");
  cliv_safetensors *file;
  step(&a, 3);
  step(&b, 2);
  ASSERT_OK(ctx, cliv_optimizer_save(a.o, good));
  ASSERT_OK(ctx, cliv_optimizer_save(b.o, before));
  ASSERT_OK(NULL, cliv_safetensors_open(good, &file));
  size_t bytes, more;
  char *want = test_read_file(before, &bytes);
  for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
    write_damaged(file, &damages[i], bad);
    ASSERT_FAILS(ctx, cliv_optimizer_load(b.o, bad), damages[i].status, damages[i].says);
    ASSERT_OK(ctx, cliv_optimizer_save(b.o, after));
    char *got = test_read_file(after, &more);
    assert_int_equal(bytes, more);
    assert_memory_equal(got, want, bytes);
    free(got);
  }
  char *whole = test_read_file(good, &more);
  test_write_file(bad, whole, more - 7);
  ASSERT_FAILS(ctx, cliv_optimizer_load(b.o, bad), CLIV_FORMAT, "bad.safetensors");
  ASSERT_FAILS(ctx, cliv_optimizer_load(b.o, folder), CLIV_FILE, NULL);
  ASSERT_FAILS(ctx, cliv_optimizer_save(b.o, folder), CLIV_FILE, NULL);
  ASSERT_FAILS(ctx, cliv_optimizer_load(b.o, NULL), CLIV_NULL, NULL);
  ASSERT_OK(ctx, cliv_optimizer_load(b.o, good));
  free(whole), free(want);
  cliv_safetensors_free(file);
  free(good), free(bad), free(before), free(after);
  end(&a), end(&b);
  test_close(ctx);
}

/* What a rule remembers of many steps: refused where it would have to go through them all, or is no memory. */
static void refuses_what_takes_for_ever(void **state) {
  (void)state;
  static const damage damages[] = {
      {.key = "memory",
       .text = "[null,[0.5,0],null]",
       .status = CLIV_DATA,
       .says = "no 'memory' of the 9007199254740992"},
      {.key = "memory", .text = "[[1,0],[0.5,0]]", .status = CLIV_FORMAT, .says = "'memory'"},
      {.key = "memory", .text = "[[1,0],[0.5,0],[1e400,0]]", .status = CLIV_FORMAT, .says = "'memory'"},
      {.key = "memory", .text = "[[1,0],[0.5,0],[-1,0]]", .status = CLIV_FORMAT, .says = "'memory'"},
      {.key = "memory", .text = "[[1,0],[0.5],[1,0]]", .status = CLIV_FORMAT, .says = "'memory'"},
  };
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  training a = begin(ctx, "nadam", PARAMS);
  char *good = test_join(folder, "good.safetensors"), *many = test_join(folder, "many.safetensors");
  char *bad = test_join(folder, "bad.safetensors");
  cliv_safetensors *file;
  ASSERT_FAILS(ctx, cliv_optimizer_set_steps(a.o, (1 << 24) + 1), CLIV_VALUE, "nadam would go through 16777217 steps");
  step(&a, 3);
  ASSERT_OK(ctx, cliv_optimizer_save(a.o, good));
  ASSERT_OK(NULL, cliv_safetensors_open(good, &file));
  write_damaged(file, &(damage){.key = "steps", .text = "[9007199254740992,3,3]"}, many);
  cliv_safetensors_free(file);
  ASSERT_OK(ctx, cliv_optimizer_load(a.o, many));
  ASSERT_OK(NULL, cliv_safetensors_open(many, &file));
  for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
    write_damaged(file, &damages[i], bad);
    ASSERT_FAILS(ctx, cliv_optimizer_load(a.o, bad), damages[i].status, damages[i].says);
  }
  cliv_safetensors_free(file);
  free(good), free(many), free(bad);
  end(&a);
  test_close(ctx);
}

static int make_folder(void **state) {
  (void)state;
  folder = test_temp_dir();
  return 0;
}

static int remove_folder(void **state) {
  (void)state;
  test_remove_tree(folder);
  free(folder);
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(goes_on_from_pytorch),
      cmocka_unit_test(goes_on_to_the_last_bit),
      cmocka_unit_test(refuses_what_does_not_fit),
      cmocka_unit_test(refuses_what_takes_for_ever),
  };
  return test_finish(cmocka_run_group_tests(tests, make_folder, remove_folder));
}
