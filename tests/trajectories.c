#include "trajectories.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const test_kinds[TEST_KINDS] = {"random", "constant", "zero", "tiny", "huge", "sparse"};

cliv_safetensors *test_golden(const char *relative) {
  char *path = test_source_path(relative);
  cliv_safetensors *file;
  ASSERT_OK(NULL, cliv_safetensors_open(path, &file));
  free(path);
  return file;
}

float *test_golden_read(const cliv_safetensors *file, const char *name) {
  cliv_array array;
  ASSERT_OK(NULL, cliv_safetensors_read(file, name, &array));
  assert_int_equal(array.dtype, CLIV_F32);
  return array.data;
}

bool test_has_package(const cliv_preset_info *preset) {
  return strcmp(preset->name, "paper") != 0 && !strstr(preset->source, "by reading");
}

static void write_all(const test_trajectory *x, cliv_tensor *const *to, const float *flat) {
  for (size_t i = 0; i < x->tensors; flat += cliv_tensor_count(to[i++]))
    ASSERT_OK(NULL, cliv_tensor_write(to[i], flat, cliv_tensor_count(to[i]) * sizeof *flat));
}

void test_trajectory_gradients(const test_trajectory *x, const float *gradients) { write_all(x, x->g, gradients); }

/* The weights of all tensors, one after another, within `tolerance` of the largest. */
static void compare(const cliv_safetensors *file, const test_trajectory *x, const char *key, int step, size_t kind,
                    double tolerance) {
  char name[96];
  snprintf(name, sizeof name, "%s.p%d", key, step);
  float *all = test_golden_read(file, name);
  const float *want = all + kind * TEST_WEIGHTS;
  double scale = 0;
  for (size_t i = 0; i < TEST_WEIGHTS; i++) scale = fmax(scale, fabs((double)want[i]));
  for (size_t t = 0, i = 0; t < x->tensors; t++) {
    float *got = test_read(x->p[t]);
    for (size_t k = 0; k < cliv_tensor_count(x->p[t]); k++, i++) {
      const double off = fabs((double)got[k] - (double)want[i]);
      if (!(off <= tolerance * scale))
        fail_msg("%s, %s gradients: [%zu] is %.9g, the package has %.9g (off by %.3g of the largest, %.3g)", name,
                 test_kinds[kind], i, (double)got[k], (double)want[i], off / scale, scale);
    }
    free(got);
  }
  free(all);
}

static test_trajectory begin(cliv_context *ctx, const test_trajectories *t, cliv_optimizer *o, const float *initial) {
  test_trajectory x = {.o = o, .tensors = t->tensors};
  ASSERT_OK(ctx, cliv_arena_create(ctx, CLIV_F32, t->tensors, t->ndims, t->shapes, x.p));
  ASSERT_OK(ctx, cliv_arena_create(ctx, CLIV_F32, t->tensors, t->ndims, t->shapes, x.g));
  write_all(&x, x.p, initial);
  for (size_t i = 0; i < t->tensors; i++) ASSERT_OK(ctx, cliv_optimizer_add(o, x.p[i], x.g[i], CLIV_DEFAULT_GROUP));
  return x;
}

static void end(test_trajectory *x) {
  cliv_optimizer_free(x->o);
  for (size_t i = 0; i < x->tensors; i++) cliv_tensor_free(x->p[i]), cliv_tensor_free(x->g[i]);
}

static void plain_step(const test_trajectory *x, const float *gradients, const void *with) {
  (void)with;
  test_trajectory_gradients(x, gradients);
  ASSERT_OK(NULL, cliv_optimizer_step(x->o, NULL));
}

void test_trajectory_follow(cliv_context *ctx, const test_trajectories *t, const test_case *c) {
  const bool thin = test_few();
  cliv_safetensors *file = test_golden(t->path);
  float *initial = test_golden_read(file, "initial");
  for (size_t kind = 0; kind < TEST_KINDS; kind += thin ? TEST_KINDS - 1 : 1) {
    if (c->undefined && !strcmp(test_kinds[kind], c->undefined)) continue;
    char name[32];
    snprintf(name, sizeof name, "gradients.%s", test_kinds[kind]);
    float *gradients = test_golden_read(file, name);
    test_trajectory x = begin(ctx, t, test_optimizer(ctx, c->rule, c->preset, c->options), initial);
    for (int s = 1; s <= (thin ? TEST_MIDDLE : TEST_STEPS); s++) {
      (c->step ? c->step : plain_step)(&x, gradients + (s - 1) * TEST_WEIGHTS, c->with);
      if (s == TEST_MIDDLE || s == TEST_STEPS)
        compare(file, &x, c->key, s, kind, t->tolerance ? t->tolerance(c->key, s) : 2e-6);
    }
    end(&x);
    free(gradients);
  }
  free(initial);
  cliv_safetensors_free(file);
}

/* The count of cases that the file has of this rule and preset. */
static size_t follow_preset(cliv_context *ctx, const test_trajectories *t, const char *rule, const char *preset) {
  cliv_safetensors *file = test_golden(t->path);
  char begins[64];
  const int length = snprintf(begins, sizeof begins, "rule=%s preset=%s", rule, preset);
  size_t count, found = 0;
  const cliv_metadata *metadata = cliv_safetensors_metadata_list(file, &count);
  for (size_t i = 0; i < count; i++) {
    if (strncmp(metadata[i].value, begins, (size_t)length) || !strchr(" ", metadata[i].value[length])) continue;
    const char *key = metadata[i].key, *options = metadata[i].value + length;
    test_trajectory_follow(ctx, t, &(test_case){key, rule, preset, options, t->undefined, NULL, NULL});
    found++;
  }
  cliv_safetensors_free(file);
  return found;
}

void test_trajectories_follow(cliv_context *ctx, const test_trajectories *files, size_t count,
                              const cliv_rule_info *rule) {
  size_t cases = 0;
  for (size_t k = 0; k < rule->preset_count; k++) {
    size_t found = 0;
    for (size_t f = 0; f < count; f++) found += follow_preset(ctx, &files[f], rule->name, rule->presets[k].name);
    if (!found && test_has_package(&rule->presets[k]))
      fail_msg("%s has no trajectory with preset %s", rule->name, rule->presets[k].name);
    cases += found;
  }
  if (cases < 3) fail_msg("%s has %zu trajectories", rule->name, cases);
}
