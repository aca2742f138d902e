/* cliv/data.h, cliv/model.h, cliv/train.h: against references in double, equal bits in both walks, run folders,
 * refusals. */
#include <cliv/loss.h>
#include <cliv/random.h>
#include <cliv/safetensors.h>
#include <cliv/train.h>
#include <dirent.h>
#include <jansson.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support.h"

static char *folder; /* of this program's files */

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

/* A file of this text; its path, malloc'd. */
static char *text_file(const char *name, const char *text) {
  char *path = test_join(folder, name);
  test_write_file(path, text, strlen(text));
  return path;
}

/* ---- example data: four features, one of them constant, and the target that a model of this kind learns ---- */

enum { FEATURES = 4 };

typedef struct example_row {
  double x[FEATURES], number;
  const char *text;
  int class;
} example_row;

static example_row example(size_t i) {
  example_row r = {.x = {round(test_uniform(1, i, -4, 9) * 1e4) / 1e4, round(test_uniform(2, i, 100, 120) * 1e3) / 1e3,
                         0.1, round(test_normal(3, i) * 1e5) / 1e5}};
  const double noise = round(test_normal(4, i) * 1e3) / 1e3;
  r.number = round((3 * r.x[0] - 0.5 * r.x[1] + 20 * r.x[3] + noise) * 1e6) / 1e6;
  r.text = r.x[3] + 0.1 * noise > 0 ? "yes" : "no";
  r.class = 8 + (r.x[0] > 0) + (r.x[0] > 4 + noise);
  return r;
}

/* Path of the file, malloc'd. */
static char *example_file(const char *model, size_t rows) {
  char *text = malloc(120 * (rows + 1)), *end = text + sprintf(text, "a,b,same,c,target\n");
  for (size_t i = 0; i < rows; i++) {
    const example_row r = example(i);
    end += sprintf(end, "%.4f,%.3f,%.1f,%.5f,", r.x[0], r.x[1], r.x[2], r.x[3]);
    if (!strcmp(model, "linear")) end += sprintf(end, "%.6f\n", r.number);
    else if (!strcmp(model, "logistic")) end += sprintf(end, "%s\n", r.text);
    else end += sprintf(end, "%d\n", r.class);
  }
  char name[64];
  snprintf(name, sizeof name, "%s%zu.csv", model, rows);
  char *path = text_file(name, text);
  free(text);
  return path;
}

static const char *const TARGET = "target";
enum { SEED = 5 };

static cliv_data *example_data(const char *model, size_t rows, double validation) {
  char *path = example_file(model, rows);
  cliv_data *data;
  ASSERT_OK(NULL, cliv_data_read(path,
                                 &(cliv_data_options){.targets = &TARGET,
                                                      .target_count = 1,
                                                      .validation = validation,
                                                      .classes = strcmp(model, "linear") != 0,
                                                      .seed = SEED},
                                 &data));
  free(path);
  return data;
}

/* ---- data ---- */

static void splits_and_standardises(void **state) {
  (void)state;
  enum { ROWS = 53, HELD = 11 };
  cliv_data *data = example_data("linear", ROWS, 0); /* 0.2 · 53 = 10.6 */
  const cliv_data_info *info = cliv_data_describe(data);
  assert_int_equal(info->rows[CLIV_TRAINING], ROWS - HELD);
  assert_int_equal(info->rows[CLIV_VALIDATION], HELD);
  assert_int_equal(info->features, FEATURES);
  assert_int_equal(info->constant, 1);
  assert_string_equal(info->feature_names[3], "c");
  assert_string_equal(info->target_names[0], "target");
  int32_t order[ROWS];
  bool held[ROWS] = {false};
  assert_int_equal(cliv_random_permutation(SEED, CLIV_STREAM_SPLIT, ROWS, order), CLIV_OK);
  for (int i = 0; i < HELD; i++) held[order[i]] = true;
  for (size_t f = 0; f <= FEATURES; f++) { /* the last: the target */
    double mean = 0, variance = 0;
    for (size_t i = 0; i < ROWS; i++)
      if (!held[i]) mean += (f < FEATURES ? example(i).x[f] : example(i).number) / (ROWS - HELD);
    for (size_t i = 0; i < ROWS; i++)
      if (!held[i]) variance += pow((f < FEATURES ? example(i).x[f] : example(i).number) - mean, 2) / (ROWS - HELD);
    const double std = f == 2 ? 1 : sqrt(variance);
    ASSERT_NEAR(f < FEATURES ? info->feature_mean[f] : info->target_mean[0], mean, 1e-13 * (1 + fabs(mean)));
    ASSERT_NEAR(f < FEATURES ? info->feature_std[f] : info->target_std[0], std, 1e-13 * std);
    for (size_t i = 0, next[2] = {0, 0}; i < ROWS; i++) {
      const cliv_part part = held[i] ? CLIV_VALIDATION : CLIV_TRAINING;
      const size_t k = next[part]++;
      const double want = ((f < FEATURES ? example(i).x[f] : example(i).number) - mean) / std;
      const float got =
          f < FEATURES ? cliv_data_features(data, part)[k * FEATURES + f] : cliv_data_numbers(data, part)[k];
      ASSERT_NEAR((double)got, want, 6e-8 * fabs(want) + 1e-12);
      if (f == 2) assert_true(got == 0);
    }
  }
  assert_null(cliv_data_classes(data, CLIV_TRAINING));
  cliv_data_free(data);

  data = example_data("linear", ROWS, -1);
  assert_int_equal(cliv_data_describe(data)->rows[CLIV_TRAINING], ROWS);
  assert_null(cliv_data_features(data, CLIV_VALIDATION));
  cliv_data_free(data);
}

static cliv_status read_text(const char *text, const cliv_data_options *options, cliv_data **data) {
  char *path = text_file("text.csv", text);
  const cliv_status status = cliv_data_read(path, options, data);
  free(path);
  return status;
}

static void numbers_the_classes(void **state) {
  (void)state;
  cliv_data *data;
  cliv_data_options o = {
      .targets = (const char *const[]){"1"}, .target_count = 1, .classes = 1, .validation = -1, .no_header = 1};
  ASSERT_OK(NULL, read_text("1,10\n2,9\n3,1.0\n4,1\n5,9\n", &o, &data));
  const cliv_data_info *info = cliv_data_describe(data);
  assert_int_equal(info->classes, 3);
  assert_string_equal(info->class_names[0], "1.0");
  assert_string_equal(info->class_names[2], "10");
  const int32_t want[] = {2, 1, 0, 0, 1};
  assert_memory_equal(cliv_data_classes(data, CLIV_TRAINING), want, sizeof want);
  cliv_data_free(data);
  ASSERT_OK(NULL, read_text("1,pear\n2,Apple\n3,apple\n4,pear\n", &o, &data));
  assert_string_equal(cliv_data_describe(data)->class_names[0], "Apple");
  assert_string_equal(cliv_data_describe(data)->class_names[2], "pear");
  cliv_data_free(data);
  /* A class whose rows are dropped is no class. */
  o.missing = CLIV_MISSING_DROP;
  ASSERT_OK(NULL, read_text("1,b\n,a\n3,c\n4,b\n5,\n", &o, &data));
  info = cliv_data_describe(data);
  assert_int_equal(info->classes, 2);
  assert_int_equal(info->dropped, 2);
  assert_int_equal(cliv_data_classes(data, CLIV_TRAINING)[1], 1);
  assert_string_equal(info->class_names[1], "c");
  cliv_data_free(data);
}

static void treats_missing_values(void **state) {
  (void)state;
  static const char text[] = "x,z,y\n1,5,1\n,6,2\n3,7,4\n8,NaN,3\n";
  cliv_data *data;
  cliv_data_options o = {.targets = (const char *const[]){"y"}, .target_count = 1, .validation = -1};
  ASSERT_FAILS(NULL, read_text(text, &o, &data), CLIV_DATA, "line 3");
  assert_null(data);
  o.missing = CLIV_MISSING_DROP;
  ASSERT_OK(NULL, read_text(text, &o, &data));
  assert_int_equal(cliv_data_describe(data)->dropped, 2);
  assert_true(cliv_data_describe(data)->feature_mean[0] == 2 && cliv_data_describe(data)->feature_mean[1] == 6);
  cliv_data_free(data);
  o.missing = CLIV_MISSING_MEAN;
  ASSERT_OK(NULL, read_text(text, &o, &data));
  assert_int_equal(cliv_data_describe(data)->filled, 2);
  assert_true(cliv_data_describe(data)->feature_mean[0] == 4 && cliv_data_describe(data)->feature_mean[1] == 6);
  assert_true(cliv_data_features(data, CLIV_TRAINING)[2] == 0 && cliv_data_features(data, CLIV_TRAINING)[7] == 0);
  cliv_data_free(data);
}

static void refuses_data(void **state) {
  (void)state;
  static const struct {
    const char *text, *target;
    int classes;
    cliv_missing missing;
    double validation;
    cliv_status status;
    const char *part;
  } cases[] = {
      {"", "y", 0, 0, 0, CLIV_FORMAT, "empty"},
      {"x,y\n", "y", 0, 0, 0, CLIV_FORMAT, "no rows"},
      {"x,y\n1,2\n3\n", "y", 0, 0, 0, CLIV_FORMAT, "line 3"},
      {"x,y\n1,2\nred,3\n4,5\n", "y", 0, 0, 0, CLIV_FORMAT, "'red'"},
      {"x,y\n1,2\n2,red\n4,5\n", "y", 0, 0, 0, CLIV_FORMAT, "'red'"},
      {"x,y\n1,2\n2,nan\n4,5\n", "y", 0, 0, 0, CLIV_DATA, "set 'missing'"},
      {"x,y\n1,2\n2,\n4,5\n", "y", 0, CLIV_MISSING_MEAN, 0, CLIV_DATA, "target is missing"},
      {"x,y\n1,a\n2,\n4,b\n", "y", 1, CLIV_MISSING_MEAN, 0, CLIV_DATA, "target is missing"},
      {"x,y\n1,a\n2,\n4,b\n", "y", 1, 0, 0, CLIV_DATA, "line 3"},
      {"x,y\n1,2\n2,3\n4,5\n", "z", 0, 0, 0, CLIV_NAME, "'z'"},
      {"y\n2\n3\n5\n", "y", 0, 0, 0, CLIV_DATA, "nothing is left"},
      {"x,y\n1,2\n2,3\n", "y", 0, 0, 0, CLIV_DATA, "too few"},
      {"x,y\n1,2\n,3\n,4\n,5\n", "y", 0, CLIV_MISSING_DROP, 0, CLIV_DATA, "3 dropped"},
      {"x,y\n,2\n,3\n,4\n,5\n", "y", 0, CLIV_MISSING_MEAN, 0, CLIV_DATA, "no value in any training row"},
      {"x,y\n1,2\n3,2\n5,2\n", "y", 0, 0, -1, CLIV_DATA, "nothing to learn"},
      {"x,y\n1,2\n3,2\n5,2\n", "y", 1, 0, -1, CLIV_DATA, "only one class"},
      {"x,y\n1e308,2\n-1e308,3\n1e308,4\n", "y", 0, 0, -1, CLIV_DATA, "too large"},
      {"x,y\n1,2\n3,2\n5,3\n", "y", 0, 0, 1, CLIV_VALUE, "below 1"},
      {"x,y\n1,2\n3,2\n5,3\n", "y", 0, 0, NAN, CLIV_VALUE, "below 1"},
      {"x,y\n1,2\n3,2\n5,3\n", "y", 0, 9, 0, CLIV_VALUE, "missing values"},
  };
  cliv_data *data;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const cliv_data_options o = {.targets = &cases[i].target,
                                 .target_count = 1,
                                 .classes = cases[i].classes,
                                 .missing = cases[i].missing,
                                 .validation = cases[i].validation};
    ASSERT_FAILS(NULL, read_text(cases[i].text, &o, &data), cases[i].status, cases[i].part);
    assert_null(data);
  }
  const cliv_data_options twice = {.targets = (const char *const[]){"y", "1"}, .target_count = 2};
  ASSERT_FAILS(NULL, read_text("x,y\n1,2\n2,3\n4,5\n", &twice, &data), CLIV_VALUE, "twice");
  const cliv_data_options two = {.targets = (const char *const[]){"y", "z"}, .target_count = 2, .classes = 1};
  ASSERT_FAILS(NULL, read_text("x,y,z\n1,2,3\n", &two, &data), CLIV_VALUE, "one target");
  ASSERT_FAILS(NULL, read_text("x\n1\n", &(cliv_data_options){0}, &data), CLIV_VALUE, "no target");
}

/* ---- model and training, in double ---- */

/* Row-major w (outputs, FEATURES), b (outputs). */
typedef struct reference {
  size_t outputs;
  double w[3 * FEATURES], b[3], vw[3 * FEATURES], vb[3];
} reference;

/* Logits of a row, then the slope of its loss with respect to them. */
static double reference_slope(const reference *r, const char *model, const cliv_data *data, size_t row, double *slope) {
  const float *x = cliv_data_features(data, CLIV_TRAINING) + row * FEATURES;
  double z[3], sum = 0, most = -INFINITY, loss = 0;
  for (size_t k = 0; k < r->outputs; k++) {
    z[k] = r->b[k];
    for (size_t f = 0; f < FEATURES; f++) z[k] += r->w[k * FEATURES + f] * (double)x[f];
    most = fmax(most, z[k]);
  }
  if (!strcmp(model, "linear")) {
    const double e = z[0] - (double)cliv_data_numbers(data, CLIV_TRAINING)[row];
    slope[0] = 2 * e;
    return e * e;
  }
  const int32_t class = cliv_data_classes(data, CLIV_TRAINING)[row];
  if (!strcmp(model, "logistic")) {
    slope[0] = 1 / (1 + exp(-z[0])) - class;
    return log1p(exp(z[0])) - class * z[0];
  }
  for (size_t k = 0; k < r->outputs; k++) sum += exp(z[k] - most);
  for (size_t k = 0; k < r->outputs; k++) {
    slope[k] = exp(z[k] - most) / sum - (k == (size_t) class);
    if (k == (size_t) class) loss = log(sum) + most - z[k];
  }
  return loss;
}

/* One batch: gradient of the mean loss plus l2, then SGD with momentum as PyTorch has it. */
static double reference_step(reference *r, const char *model, const cliv_data *data, const int32_t *rows, size_t count,
                             double lr, double momentum, double l2, bool first) {
  double gw[3 * FEATURES] = {0}, gb[3] = {0}, loss = 0;
  for (size_t i = 0; i < count; i++) {
    double slope[3];
    loss += reference_slope(r, model, data, (size_t)rows[i], slope);
    for (size_t k = 0; k < r->outputs; k++) {
      gb[k] += slope[k] / (double)count;
      for (size_t f = 0; f < FEATURES; f++)
        gw[k * FEATURES + f] +=
            slope[k] * (double)cliv_data_features(data, CLIV_TRAINING)[(size_t)rows[i] * FEATURES + f] / (double)count;
    }
  }
  for (size_t j = 0; j < r->outputs * FEATURES; j++) {
    r->vw[j] = (first ? 0 : momentum * r->vw[j]) + gw[j] + l2 * r->w[j];
    r->w[j] -= lr * r->vw[j];
  }
  for (size_t k = 0; k < r->outputs; k++) {
    r->vb[k] = (first ? 0 : momentum * r->vb[k]) + gb[k];
    r->b[k] -= lr * r->vb[k];
  }
  return loss;
}

static const char *const MODELS[] = {"linear", "logistic", "softmax"};
static const cliv_setting MOMENTUM[] = {{"lr", 0.1}, {"momentum", 0.9}};

/* Three epochs of 43 rows in batches of 8, the last of 3. */
static void follows_a_reference(void **state) {
  (void)state;
  enum { ROWS = 53, BATCH = 8, EPOCHS = 3 };
  for (size_t w = test_first_walk(); w < TEST_WALKS; w++) {
    cliv_context *ctx = test_open(test_walks[w]);
    for (size_t m = 0; m < 3; m++) {
      cliv_data *data = example_data(MODELS[m], ROWS, 0.19);
      const size_t rows = cliv_data_describe(data)->rows[CLIV_TRAINING];
      assert_int_equal(rows, 43);
      cliv_trainer *t;
      ASSERT_OK(ctx, cliv_trainer_create(ctx, data,
                                         &(cliv_train_options){.model = MODELS[m],
                                                               .optimizer = "sgd",
                                                               .settings = MOMENTUM,
                                                               .setting_count = 2,
                                                               .batch = BATCH,
                                                               .seed = 9,
                                                               .l2 = 0.05},
                                         &t));
      reference r = {.outputs = m == 2 ? 3 : 1};
      int32_t order[ROWS];
      for (size_t e = 0; e < EPOCHS; e++) {
        double loss = 0;
        assert_int_equal(cliv_random_permutation(9, CLIV_STREAM_SHUFFLE + e, rows, order), CLIV_OK);
        for (size_t at = 0; at < rows; at += BATCH)
          loss += reference_step(&r, MODELS[m], data, order + at, rows - at < BATCH ? rows - at : BATCH, 0.1, 0.9, 0.05,
                                 e == 0 && at == 0);
        cliv_epoch_metrics metrics;
        ASSERT_OK(ctx, cliv_trainer_epoch(t, NULL, NULL, &metrics));
        ASSERT_NEAR(metrics.loss, loss / (double)rows, 1e-5 * loss / (double)rows);
        assert_true(metrics.epoch == e + 1 && metrics.steps == 6 * (e + 1) && metrics.rate == 0.1);
      }
      float *weight = test_read(cliv_model_parameter(cliv_trainer_model(t), 0));
      float *bias = test_read(cliv_model_parameter(cliv_trainer_model(t), 1));
      for (size_t j = 0; j < r.outputs * FEATURES; j++) ASSERT_NEAR((double)weight[j], r.w[j], 2e-5);
      for (size_t k = 0; k < r.outputs; k++) ASSERT_NEAR((double)bias[k], r.b[k], 2e-5);
      free(weight), free(bias);
      cliv_trainer_free(t);
      cliv_data_free(data);
    }
    test_close(ctx);
  }
}

/* Scores of a model whose parameters are set by hand. */
static void scores(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  for (size_t m = 0; m < 3; m++) {
    cliv_data *data = example_data(MODELS[m], 40, -1);
    cliv_trainer *t;
    ASSERT_OK(ctx, cliv_trainer_create(ctx, data, &(cliv_train_options){.model = MODELS[m]}, &t));
    reference r = {.outputs = m == 2 ? 3 : 1};
    float w[3 * FEATURES], b[3];
    for (size_t j = 0; j < 3 * FEATURES; j++) r.w[j] = (double)(w[j] = (float)test_normal(21, j));
    for (size_t k = 0; k < 3; k++) r.b[k] = (double)(b[k] = (float)test_normal(22, k));
    ASSERT_OK(ctx, cliv_tensor_write(cliv_model_parameter(cliv_trainer_model(t), 0), w, r.outputs * FEATURES * 4));
    ASSERT_OK(ctx, cliv_tensor_write(cliv_model_parameter(cliv_trainer_model(t), 1), b, r.outputs * 4));
    double loss = 0, total = 0;
    size_t correct = 0;
    for (size_t i = 0; i < 40; i++) {
      double slope[3];
      loss += reference_slope(&r, MODELS[m], data, i, slope) / 40;
      if (m == 0) total += pow((double)cliv_data_numbers(data, CLIV_TRAINING)[i], 2) / 40; /* standardised: mean 0 */
      if (m == 0) continue;
      /* A row is right when its own class has the largest probability: its slope lies closest to 0. */
      const int32_t class = cliv_data_classes(data, CLIV_TRAINING)[i];
      bool right = m == 1 ? fabs(slope[0]) < 0.5 : true;
      for (size_t k = 0; m == 2 && k < 3; k++) right = right && (k == (size_t) class || slope[class] + 1 > slope[k]);
      correct += right;
    }
    cliv_score score;
    ASSERT_OK(ctx, cliv_trainer_evaluate(t, CLIV_TRAINING, &score));
    assert_int_equal(score.rows, 40);
    ASSERT_NEAR(score.loss, loss, 1e-6 * loss);
    if (m == 0) {
      ASSERT_NEAR(score.rmse, sqrt(loss) * cliv_data_describe(data)->target_std[0], 1e-6 * score.rmse);
      ASSERT_NEAR(score.r2, 1 - loss / total, 1e-6 * loss / total);
      assert_true(isnan(score.accuracy));
    } else {
      assert_int_equal(score.correct, correct);
      assert_true(score.accuracy == (double)correct / 40 && isnan(score.rmse) && isnan(score.r2));
    }
    ASSERT_FAILS(ctx, cliv_trainer_evaluate(t, CLIV_VALIDATION, &score), CLIV_DATA, "held out");
    cliv_trainer_free(t);
    cliv_data_free(data);
  }
  test_close(ctx);
}

/* Full batches of gradient descent reach what the normal equations give. */
static void reaches_least_squares(void **state) {
  (void)state;
  enum { ROWS = 30, N = 4 }; /* three features that vary, and the constant */
  cliv_data *data = example_data("linear", ROWS, -1);
  const float *x = cliv_data_features(data, CLIV_TRAINING), *y = cliv_data_numbers(data, CLIV_TRAINING);
  double a[N][N + 1] = {{0}}, best = 0, solution[N];
  for (size_t i = 0; i < ROWS; i++) {
    const double row[N + 1] = {(double)x[i * 4], (double)x[i * 4 + 1], (double)x[i * 4 + 3], 1, (double)y[i]};
    for (int p = 0; p < N; p++)
      for (int q = 0; q <= N; q++) a[p][q] += row[p] * row[q];
  }
  for (int p = 0; p < N; p++)
    for (int q = p + 1; q < N; q++)
      for (int c = N; c >= p; c--) a[q][c] -= a[q][p] / a[p][p] * a[p][c];
  for (int p = N - 1; p >= 0; p--) {
    solution[p] = a[p][N];
    for (int q = p + 1; q < N; q++) solution[p] -= a[p][q] * solution[q];
    solution[p] /= a[p][p];
  }
  for (size_t i = 0; i < ROWS; i++)
    best += pow(solution[0] * (double)x[i * 4] + solution[1] * (double)x[i * 4 + 1] +
                    solution[2] * (double)x[i * 4 + 3] + solution[3] - (double)y[i],
                2) /
            ROWS;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  cliv_trainer *t;
  cliv_score score;
  ASSERT_OK(ctx,
            cliv_trainer_create(
                ctx, data,
                &(cliv_train_options){
                    .model = "linear", .optimizer = "sgd", .settings = MOMENTUM, .setting_count = 2, .batch = SIZE_MAX},
                &t));
  assert_int_equal(cliv_trainer_batches(t), 1);
  for (int e = 0; e < 200; e++) ASSERT_OK(ctx, cliv_trainer_epoch(t, NULL, NULL, NULL));
  ASSERT_OK(ctx, cliv_trainer_evaluate(t, CLIV_TRAINING, &score));
  ASSERT_NEAR(score.loss, best, 1e-6 * best);
  cliv_trainer_free(t);
  cliv_data_free(data);
  test_close(ctx);
}

/* ---- one result ---- */

static uint64_t hash_file(const char *path) {
  size_t bytes;
  char *text = test_read_file(path, &bytes);
  uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a */
  for (size_t i = 0; i < bytes; i++) hash = (hash ^ (unsigned char)text[i]) * 0x100000001b3u;
  free(text);
  return hash;
}

static void train_epochs(cliv_context *ctx, cliv_trainer *t, size_t epochs) {
  for (size_t e = 0; e < epochs; e++) {
    cliv_epoch_metrics metrics;
    ASSERT_OK(ctx, cliv_trainer_epoch(t, NULL, NULL, &metrics));
    cliv_schedule_report(cliv_trainer_schedule(t), metrics.loss);
  }
}

/* Model files byte by byte the same in both walks, at every group size, and on every device there is. */
static void one_model_everywhere(void **state) {
  (void)state;
  static const uint64_t PINNED[] = {0xf664a5db9115ee51, 0x91b5cb11bacdb0f7, 0x190daf8771b39022};
  const struct {
    cliv_walk walk;
    size_t group;
  } shapes[] = {{CLIV_WALK_CPU, 0}, {CLIV_WALK_GPU, 0}, {CLIV_WALK_GPU, 16}};
  char *path = test_join(folder, "model.safetensors");
  for (size_t s = 0; s < 3; s++) {
    cliv_context *ctx = test_open_group(shapes[s].walk, shapes[s].group);
    for (size_t m = 0; m < 3; m++) {
      cliv_data *data = example_data(MODELS[m], 60, 0.2);
      cliv_trainer *t;
      ASSERT_OK(ctx, cliv_trainer_create(
                         ctx, data, &(cliv_train_options){.model = MODELS[m], .batch = 10, .seed = 3, .l2 = 0.01}, &t));
      train_epochs(ctx, t, 3);
      ASSERT_OK(ctx, cliv_trainer_save_model(t, path));
      const uint64_t hash = hash_file(path);
      if (hash != PINNED[m])
        fail_msg("%s, walk %s: 0x%016llx", MODELS[m], test_walk_name(shapes[s].walk), (unsigned long long)hash);
      cliv_trainer_free(t);
      cliv_data_free(data);
    }
    test_close(ctx);
  }
  free(path);
}

static void model_file_has_what_using_it_needs(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  char *path = test_join(folder, "model.safetensors");
  cliv_data *data = example_data("logistic", 40, -1);
  cliv_trainer *t;
  ASSERT_OK(ctx, cliv_trainer_create(ctx, data, &(cliv_train_options){.model = "logistic"}, &t));
  train_epochs(ctx, t, 1);
  ASSERT_OK(ctx, cliv_trainer_save_model(t, path));
  cliv_safetensors *file;
  ASSERT_OK(NULL, cliv_safetensors_open(path, &file));
  assert_string_equal(cliv_safetensors_metadata(file, "model"), "logistic");
  assert_string_equal(cliv_safetensors_metadata(file, "features"), "[\"a\",\"b\",\"same\",\"c\"]");
  assert_string_equal(cliv_safetensors_metadata(file, "classes"), "[\"no\",\"yes\"]");
  cliv_array weight, mean;
  ASSERT_OK(NULL, cliv_safetensors_read(file, "0.weight", &weight));
  ASSERT_OK(NULL, cliv_safetensors_read(file, "input.mean", &mean));
  assert_true(weight.ndim == 2 && weight.shape[0] == 1 && weight.shape[1] == FEATURES && mean.dtype == CLIV_F64);
  float *now = test_read(cliv_model_parameter(cliv_trainer_model(t), 0));
  assert_memory_equal(now, weight.data, FEATURES * 4);
  assert_memory_equal(cliv_data_describe(data)->feature_mean, mean.data, FEATURES * 8);
  free(now);
  cliv_array_free(&weight), cliv_array_free(&mean);
  cliv_safetensors_free(file);
  free(path);
  cliv_trainer_free(t);
  cliv_data_free(data);
  test_close(ctx);
}

/* Scores and saved models are of the weights to evaluate, a checkpoint has those that are trained. */
static void evaluates_what_is_to_be_evaluated(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  cliv_data *data = example_data("softmax", 50, 0.2);
  cliv_trainer *t;
  cliv_score own, turned;
  ASSERT_OK(ctx, cliv_trainer_create(ctx, data,
                                     &(cliv_train_options){.model = "softmax", .optimizer = "schedule_free_sgd"}, &t));
  train_epochs(ctx, t, 2);
  const cliv_tensor *weight = cliv_model_parameter(cliv_trainer_model(t), 0);
  const size_t bytes = cliv_tensor_count(weight) * sizeof(float);
  float *trained = test_read(weight);
  char *path = test_join(folder, "free.safetensors");
  cliv_array saved[2];
  for (int checkpoint = 0; checkpoint < 2; checkpoint++) {
    cliv_safetensors *file;
    ASSERT_OK(ctx, checkpoint ? cliv_trainer_save_checkpoint(t, path) : cliv_trainer_save_model(t, path));
    ASSERT_OK(NULL, cliv_safetensors_open(path, &file));
    ASSERT_OK(NULL, cliv_safetensors_read(file, "0.weight", &saved[checkpoint]));
    cliv_safetensors_free(file);
  }
  ASSERT_OK(ctx, cliv_trainer_evaluate(t, CLIV_TRAINING, &own));
  float *still = test_read(weight);
  ASSERT_BITS(still, trained, bytes);
  ASSERT_BITS(saved[1].data, trained, bytes);
  ASSERT_OK(ctx, cliv_optimizer_evaluate(cliv_trainer_optimizer(t), 1, NULL));
  float *evaluated = test_read(weight);
  assert_memory_not_equal(evaluated, trained, bytes);
  ASSERT_BITS(saved[0].data, evaluated, bytes);
  ASSERT_OK(ctx, cliv_trainer_evaluate(t, CLIV_TRAINING, &turned));
  assert_true(own.loss == turned.loss && cliv_optimizer_evaluating(cliv_trainer_optimizer(t)));
  for (int i = 0; i < 2; i++) cliv_array_free(&saved[i]);
  free(trained), free(still), free(evaluated), free(path);
  cliv_trainer_free(t);
  cliv_data_free(data);
  test_close(ctx);
}

/* What a rule of matrices does not take is stepped by another rule. */
static void biases_have_a_rule_of_their_own(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  cliv_data *data = example_data("softmax", 50, 0.2);
  static const cliv_setting none = {"lr", 0};
  static const cliv_train_options cases[] = {
      {.model = "softmax",
       .optimizer = "muon",
       .rest_optimizer = "sgd",
       .rest_settings = &none,
       .rest_setting_count = 1},
      {.model = "softmax", .optimizer = "muon", .settings = &none, .setting_count = 1},
      {.model = "softmax", .optimizer = "sgd"}};
  static const bool moved[][2] = {{true, false}, {false, true}, {true, true}};
  for (size_t i = 0; i < 3; i++) {
    cliv_trainer *t;
    ASSERT_OK(ctx, cliv_trainer_create(ctx, data, &cases[i], &t));
    const cliv_optimizer *rest = cliv_trainer_rest_optimizer(t);
    assert_true((rest == NULL) == (i == 2));
    if (rest) assert_string_equal(cliv_optimizer_rule(rest)->name, i ? "adamw" : "sgd");
    train_epochs(ctx, t, 1);
    for (size_t p = 0; p < 2; p++) {
      const cliv_tensor *tensor = cliv_model_parameter(cliv_trainer_model(t), p);
      float *w = test_read(tensor);
      bool any = false;
      for (size_t k = 0; k < cliv_tensor_count(tensor); k++) any |= w[k] != 0;
      assert_true(any == moved[i][p]);
      free(w);
    }
    cliv_trainer_free(t);
  }
  cliv_data_free(data);
  test_close(ctx);
}

/* ---- refusals ---- */

static void refuses_what_does_not_fit(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  cliv_data *data = example_data("softmax", 50, 0.2), *other = example_data("softmax", 51, 0.2);
  char *path = test_join(folder, "checkpoint.safetensors"), *none = test_join(folder, "none.safetensors");
  cliv_trainer *t;
  ASSERT_OK(ctx, cliv_trainer_create(ctx, data, &(cliv_train_options){.model = "softmax"}, &t));
  train_epochs(ctx, t, 1);
  ASSERT_OK(ctx, cliv_trainer_save_checkpoint(t, path));
  ASSERT_FAILS(ctx, cliv_trainer_resume(t, none), CLIV_FILE, "none.safetensors");
  cliv_trainer_free(t);
  ASSERT_OK(ctx, cliv_trainer_create(ctx, data, &(cliv_train_options){.model = "softmax", .seed = 8}, &t));
  ASSERT_FAILS(ctx, cliv_trainer_resume(t, path), CLIV_DATA, "'seed'");
  ASSERT_OK(ctx, cliv_trainer_save_model(t, none));
  ASSERT_FAILS(ctx, cliv_trainer_resume(t, none), CLIV_FORMAT, "no checkpoint");
  assert_int_equal(cliv_trainer_epochs(t), 0);
  cliv_trainer_free(t);
  ASSERT_OK(ctx, cliv_trainer_create(ctx, other, &(cliv_train_options){.model = "softmax"}, &t));
  ASSERT_FAILS(ctx, cliv_trainer_resume(t, path), CLIV_DATA, "cannot be continued");
  cliv_trainer_free(t);

  ASSERT_FAILS(ctx, cliv_trainer_create(ctx, data, &(cliv_train_options){0}, &t), CLIV_VALUE, "no model");
  assert_null(t);
  ASSERT_FAILS(ctx, cliv_trainer_create(ctx, data, &(cliv_train_options){.model = "forest"}, &t), CLIV_NAME,
               "linear, logistic, softmax");
  ASSERT_FAILS(ctx, cliv_trainer_create(ctx, data, &(cliv_train_options){.model = "linear"}, &t), CLIV_DATA, "numbers");
  ASSERT_FAILS(ctx, cliv_trainer_create(ctx, data, &(cliv_train_options){.model = "logistic"}, &t), CLIV_VALUE,
               "there are 3");
  ASSERT_FAILS(ctx, cliv_trainer_create(ctx, data, &(cliv_train_options){.model = "softmax", .l2 = -1}, &t), CLIV_VALUE,
               "l2");
  ASSERT_FAILS(ctx, cliv_trainer_create(ctx, data, &(cliv_train_options){.model = "softmax", .optimizer = "fast"}, &t),
               CLIV_NAME, "fast");
  ASSERT_FAILS(ctx, cliv_trainer_create(ctx, data, &(cliv_train_options){.model = "softmax", .preset = "jax"}, &t),
               CLIV_NAME, "there are: torch, keras");
  ASSERT_OK(ctx, cliv_trainer_create(ctx, data, &(cliv_train_options){.model = "softmax", .preset = "keras"}, &t));
  double eps = 0;
  ASSERT_OK(ctx, cliv_optimizer_get(cliv_trainer_optimizer(t), 0, "eps", &eps));
  assert_true(eps == 1e-7);
  cliv_trainer_free(t);
  cliv_train_options rest = {.model = "softmax", .rest_optimizer = "sgd"};
  ASSERT_FAILS(ctx, cliv_trainer_create(ctx, data, &rest, &t), CLIV_VALUE, "adamw takes all parameters");
  rest.optimizer = "muon", rest.rest_optimizer = "soap";
  ASSERT_FAILS(ctx, cliv_trainer_create(ctx, data, &rest, &t), CLIV_SHAPE, "soap steps matrices");
  rest.rest_optimizer = "fast";
  ASSERT_FAILS(ctx, cliv_trainer_create(ctx, data, &rest, &t), CLIV_NAME, "fast");
  rest.rest_optimizer = NULL, rest.rest_setting_count = 1;
  ASSERT_FAILS(ctx, cliv_trainer_create(ctx, data, &rest, &t), CLIV_NULL, "of the rest");
  rest.rest_settings = &(const cliv_setting){"momentum", 0};
  ASSERT_FAILS(ctx, cliv_trainer_create(ctx, data, &rest, &t), CLIV_NAME, "momentum");
  assert_null(t);
  const cliv_setting negative = {"lr", -1}, unknown = {"speed", 1};
  ASSERT_FAILS(ctx,
               cliv_trainer_create(
                   ctx, data, &(cliv_train_options){.model = "softmax", .settings = &negative, .setting_count = 1}, &t),
               CLIV_VALUE, "lr");
  ASSERT_FAILS(ctx,
               cliv_trainer_create(
                   ctx, data, &(cliv_train_options){.model = "softmax", .settings = &unknown, .setting_count = 1}, &t),
               CLIV_NAME, "speed");
  free(path), free(none);
  cliv_data_free(data), cliv_data_free(other);
  test_close(ctx);
}

/* ---- run folders ---- */

static size_t entries(const char *path) {
  size_t count = 0;
  DIR *dir = opendir(path);
  assert_non_null(dir);
  for (struct dirent *entry; (entry = readdir(dir));) count += entry->d_name[0] != '.' || strlen(entry->d_name) > 2;
  closedir(dir);
  return count;
}

static json_t *line_of(const char *path, size_t line) {
  size_t bytes;
  char *text = test_read_file(path, &bytes), *p = text;
  while (line--) p = strchr(p, '\n') + 1;
  json_t *json = json_loads(p, JSON_DISABLE_EOF_CHECK, NULL);
  free(text);
  assert_non_null(json);
  return json;
}

static int stop_after_two(void *user, const cliv_run_progress *p) {
  size_t *calls = user;
  ++*calls;
  assert_true(p->epoch >= 1 && p->epoch <= p->epochs && p->batch <= p->batches && p->data->features == FEATURES);
  return p->last && p->last->epoch == 2;
}

static void leaves_a_run_folder(void **state) {
  (void)state;
  static const char *const files[] = {"model.safetensors", "checkpoint.safetensors", "metrics.jsonl", "config.json",
                                      "report.html"};
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  char *data = example_file("softmax", 50), *out = test_join(folder, "runs/deep/one");
  size_t calls = 0;
  cliv_run_options o = {.path = data,
                        .data = &(cliv_data_options){.targets = &TARGET, .target_count = 1},
                        .training = &(cliv_train_options){.model = "softmax", .epochs = 5},
                        .out = out,
                        .progress = stop_after_two,
                        .user = &calls};
  cliv_run_result result;
  ASSERT_OK(ctx, cliv_train(ctx, &o, &result));
  assert_true(result.stopped && result.epochs == 2 && result.steps == 4 && calls == 3);
  assert_true(result.training.rows == 40 && result.validation.rows == 10 && result.classes == 3 &&
              result.constant == 1);
  assert_string_equal(result.folder, out);
  assert_int_equal(entries(out), 5);
  for (size_t i = 0; i < 5; i++) {
    char *path = test_join(out, files[i]);
    size_t bytes;
    char *text = test_read_file(path, &bytes);
    assert_true(bytes > 0);
    free(text), free(path);
  }
  char *metrics = test_join(out, "metrics.jsonl"), *model = test_join(out, "model.safetensors");
  const uint64_t early = hash_file(model);

  /* Two epochs and then three are five in one go; the metrics have all five. */
  o.progress = NULL;
  o.resume = 1;
  ASSERT_OK(ctx, cliv_train(ctx, &o, &result));
  assert_true(!result.stopped && result.epochs == 5 && hash_file(model) != early);
  const uint64_t resumed = hash_file(model);
  json_t *line = line_of(metrics, 4);
  assert_int_equal(json_integer_value(json_object_get(line, "epoch")), 5);
  ASSERT_NEAR(json_number_value(json_object_get(line, "validation_loss")), result.validation.loss, 0);
  ASSERT_NEAR(json_number_value(json_object_get(line, "validation_accuracy")), result.validation.accuracy, 0);
  json_decref(line);
  o.resume = 0;
  ASSERT_OK(ctx, cliv_train(ctx, &o, &result));
  assert_true(hash_file(model) == resumed);
  assert_int_equal(entries(out), 5);

  /* Without files. */
  o.out = "";
  ASSERT_OK(ctx, cliv_train(ctx, &o, &result));
  assert_string_equal(result.folder, "");
  free(metrics), free(model), free(data), free(out);
  test_close(ctx);
}

static void leaves_nothing_after_a_failure(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  char *data = example_file("linear", 50), *out = test_join(folder, "failed"), *taken = test_join(folder, "taken");
  char *file = test_join(taken, "precious.txt");
  const cliv_setting fast = {"lr", 1e30};
  cliv_train_options training = {
      .model = "linear", .optimizer = "sgd", .settings = &fast, .setting_count = 1, .epochs = 3};
  cliv_run_options o = {.path = data,
                        .data = &(cliv_data_options){.targets = &TARGET, .target_count = 1},
                        .training = &training,
                        .out = out};
  cliv_run_result result;
  ASSERT_FAILS(ctx, cliv_train(ctx, &o, &result), CLIV_DATA, "diverged");
  assert_int_equal(access(out, F_OK), -1);

  /* A disk that is full: no file may grow beyond 300 bytes. */
  training.setting_count = 0;
  struct rlimit before, low;
  assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
  low = (struct rlimit){300, before.rlim_max};
  void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
  const cliv_status full = cliv_train(ctx, &o, &result);
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
  signal(SIGXFSZ, handler);
  assert_int_equal(full, CLIV_FILE);
  assert_non_null(strstr(cliv_last_error(ctx), "config.json"));
  assert_int_equal(access(out, F_OK), -1);

  /* An older run stays whole when the new one cannot be written. */
  ASSERT_OK(ctx, cliv_train(ctx, &o, &result));
  char *model = test_join(out, "model.safetensors");
  const uint64_t old = hash_file(model);
  training.seed = 4;
  handler = signal(SIGXFSZ, SIG_IGN);
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
  const cliv_status again = cliv_train(ctx, &o, &result);
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
  signal(SIGXFSZ, handler);
  assert_int_equal(again, CLIV_FILE);
  assert_int_equal(entries(out), 5);
  assert_true(hash_file(model) == old);

  assert_int_equal(mkdir(taken, 0777), 0);
  test_write_file(file, "dear", 4);
  o.out = taken;
  ASSERT_FAILS(ctx, cliv_train(ctx, &o, &result), CLIV_FILE, "no run folder");
  assert_int_equal(entries(taken), 1);
  o.out = file;
  ASSERT_FAILS(ctx, cliv_train(ctx, &o, &result), CLIV_FILE, "no folder");
  o.out = out;
  o.resume = 1;
  ASSERT_FAILS(ctx, cliv_train(ctx, &o, &result), CLIV_DATA, "'seed'");
  assert_true(hash_file(model) == old);
  training.seed = 0;
  training.epochs = 1;
  ASSERT_FAILS(ctx, cliv_train(ctx, &o, &result), CLIV_VALUE, "3 epochs");
  o.out = NULL;
  ASSERT_FAILS(ctx, cliv_train(ctx, &o, &result), CLIV_VALUE, "folder");
  free(data), free(out), free(taken), free(file), free(model);
  test_close(ctx);
}

/* Without a folder given: runs/<name>-<model>-<n> below the working directory. */
static void numbers_its_runs(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  char *data = example_file("linear", 40), *here = realpath(".", NULL);
  cliv_run_options o = {.path = data,
                        .data = &(cliv_data_options){.targets = &TARGET, .target_count = 1},
                        .training = &(cliv_train_options){.model = "linear", .epochs = 1}};
  cliv_run_result result;
  assert_int_equal(chdir(folder), 0);
  ASSERT_OK(ctx, cliv_train(ctx, &o, &result));
  assert_string_equal(result.folder, "runs/linear40-linear-1");
  ASSERT_OK(ctx, cliv_train(ctx, &o, &result));
  assert_string_equal(result.folder, "runs/linear40-linear-2");
  assert_int_equal(chdir(here), 0);
  free(data), free(here);
  test_close(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(splits_and_standardises),
      cmocka_unit_test(numbers_the_classes),
      cmocka_unit_test(treats_missing_values),
      cmocka_unit_test(refuses_data),
      cmocka_unit_test(follows_a_reference),
      cmocka_unit_test(scores),
      cmocka_unit_test(reaches_least_squares),
      cmocka_unit_test(one_model_everywhere),
      cmocka_unit_test(model_file_has_what_using_it_needs),
      cmocka_unit_test(evaluates_what_is_to_be_evaluated),
      cmocka_unit_test(biases_have_a_rule_of_their_own),
      cmocka_unit_test(refuses_what_does_not_fit),
      cmocka_unit_test(leaves_a_run_folder),
      cmocka_unit_test(leaves_nothing_after_a_failure),
      cmocka_unit_test(numbers_its_runs),
  };
  return test_finish(cmocka_run_group_tests(tests, make_folder, remove_folder));
}
