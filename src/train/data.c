/* From a CSV table to standardised arrays in two parts. See cliv/data.h. */
#include <cliv/csv.h>
#include <cliv/data.h>
#include <cliv/random.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/options.h"
#include "base/status.h"

struct cliv_data {
  cliv_data_info info;
  char *path, **feature_names, **target_names, **class_names;
  double *feature_mean, *feature_std, *target_mean, *target_std;
  float *features[2], *numbers[2];
  int32_t *classes[2];
};

enum { DROPPED = 2 }; /* beside the values of cliv_part */

/* The table while it is being split and standardised. */
typedef struct builder {
  const cliv_data_options *options;
  cliv_csv *csv;
  const char *path;               /* as sentences show it */
  size_t rows, *feature, *target; /* rows of the file; columns of features and targets */
  double *x, *y;                  /* rows × features, rows × targets */
  cliv_csv_classes labels;
  unsigned char *part; /* a cliv_part or DROPPED, for each row */
  cliv_data *data;
} builder;

/* At least one byte, so that NULL always means that memory ran out. */
static cliv_status allocate(const builder *b, size_t count, size_t size, void *out) {
  void *memory = calloc(count ? count : 1, size);
  REQUIRE(NULL, memory != NULL, HOST_MEMORY, "%s: no memory for %zu values of %zu bytes", b->path, count, size);
  memcpy(out, &memory, sizeof memory);
  return CLIV_OK;
}

static void builder_free(builder *b) {
  cliv_csv_classes_free(&b->labels);
  cliv_csv_free(b->csv);
  free(b->feature), free(b->target), free(b->x), free(b->y), free(b->part);
}

static void free_names(char **names, size_t count) {
  for (size_t i = 0; names && i < count; i++) free(names[i]);
  free(names);
}

void cliv_data_free(cliv_data *d) {
  if (!d) return;
  free_names(d->feature_names, d->info.features);
  free_names(d->target_names, d->info.targets);
  free_names(d->class_names, d->info.classes);
  free(d->path), free(d->feature_mean), free(d->feature_std), free(d->target_mean), free(d->target_std);
  for (int part = 0; part < 2; part++) free(d->features[part]), free(d->numbers[part]), free(d->classes[part]);
  free(d);
}

/* ---- columns ---- */

/* Which columns are targets and which are features. */
static cliv_status choose_columns(builder *b) {
  cliv_data_info *info = &b->data->info;
  const size_t columns = cliv_csv_columns(b->csv), targets = b->options->target_count;
  bool *is_target = NULL;
  TRY(allocate(b, targets, sizeof *b->target, &b->target));
  TRY(allocate(b, columns, sizeof *b->feature, &b->feature));
  TRY(allocate(b, columns, sizeof *is_target, &is_target));
  cliv_status status = CLIV_OK;
  for (size_t t = 0; t < targets && !status; t++) {
    status = cliv_csv_find(b->csv, b->options->targets[t], &b->target[t]);
    if (status) break;
    if (is_target[b->target[t]])
      status = cliv__fail(NULL, CLIV_VALUE, "%s: column '%.60s' is given as a target twice", b->path,
                          cliv_csv_name(b->csv, b->target[t]));
    is_target[b->target[t]] = true;
  }
  for (size_t c = 0; c < columns; c++)
    if (!is_target[c]) b->feature[info->features++] = c;
  free(is_target);
  if (status) return status;
  info->targets = targets;
  REQUIRE(NULL, info->features > 0, DATA, "%s: every column is a target: nothing is left to learn from", b->path);
  return CLIV_OK;
}

static cliv_status copy_names(const builder *b, const size_t *columns, size_t count, char ***out) {
  TRY(allocate(b, count, sizeof **out, out));
  for (size_t i = 0; i < count; i++) {
    (*out)[i] = strdup(cliv_csv_name(b->csv, columns[i]));
    REQUIRE(NULL, (*out)[i] != NULL, HOST_MEMORY, "%s: no memory for column names", b->path);
  }
  return CLIV_OK;
}

static cliv_status missing_target(const builder *b, size_t row, size_t column) {
  return cliv__fail(
      NULL, CLIV_DATA,
      "%s, line %zu, column '%.60s': the target is missing; set 'missing' to drop, which leaves such rows out", b->path,
      cliv_csv_line(b->csv, row), cliv_csv_name(b->csv, column));
}

/* One column as numbers. Where nothing may be missing, the sentence says what can be done about it. */
static cliv_status read_numbers(const builder *b, size_t column, double *to, size_t stride) {
  size_t missing;
  const bool allowed = b->options->missing != CLIV_MISSING_ERROR;
  const cliv_status status = cliv_csv_numbers(b->csv, column, to, stride, allowed ? &missing : NULL);
  if (status != CLIV_DATA) return status;
  char *sentence = strdup(cliv_last_error(NULL));
  if (sentence)
    cliv__fail(NULL, status, "%s; set 'missing' to drop, which leaves such rows out, or mean, which fills it in",
               sentence);
  free(sentence);
  return status;
}

/* Features and targets as numbers, NaN where missing; the class of each row, -1 where missing. Targets missing in a row
 * that is not to be dropped are refused here, missing features by cliv_csv_numbers. */
static cliv_status read_columns(builder *b) {
  const cliv_data_info *info = &b->data->info;
  const bool drop = b->options->missing == CLIV_MISSING_DROP;
  TRY(allocate(b, info->features <= SIZE_MAX / b->rows ? b->rows * info->features : SIZE_MAX, sizeof *b->x, &b->x));
  for (size_t f = 0; f < info->features; f++) TRY(read_numbers(b, b->feature[f], b->x + f, info->features));
  if (b->options->classes) {
    TRY(cliv_csv_classify(b->csv, b->target[0], &b->labels));
    for (size_t r = 0; r < b->rows && !drop; r++)
      if (b->labels.codes[r] < 0) return missing_target(b, r, b->target[0]);
    return CLIV_OK;
  }
  TRY(allocate(b, info->targets <= SIZE_MAX / b->rows ? b->rows * info->targets : SIZE_MAX, sizeof *b->y, &b->y));
  for (size_t t = 0; t < info->targets; t++) {
    TRY(read_numbers(b, b->target[t], b->y + t, info->targets));
    for (size_t r = 0; r < b->rows && !drop; r++)
      if (isnan(b->y[r * info->targets + t])) return missing_target(b, r, b->target[t]);
  }
  return CLIV_OK;
}

/* ---- rows ---- */

static bool has_missing(const builder *b, size_t row) {
  const cliv_data_info *info = &b->data->info;
  bool missing = b->options->classes && b->labels.codes[row] < 0;
  for (size_t f = 0; f < info->features; f++) missing = missing || isnan(b->x[row * info->features + f]);
  for (size_t t = 0; b->y && t < info->targets; t++) missing = missing || isnan(b->y[row * info->targets + t]);
  return missing;
}

/* Decides for every row whether it trains, is held out, or is dropped. */
static cliv_status split(builder *b) {
  cliv_data_info *info = &b->data->info;
  TRY(allocate(b, b->rows, 1, &b->part));
  if (b->options->missing == CLIV_MISSING_DROP)
    for (size_t r = 0; r < b->rows; r++)
      if (has_missing(b, r)) b->part[r] = DROPPED, info->dropped++;

  const size_t kept = b->rows - info->dropped;
  const double fraction = b->options->validation == 0 ? 0.2 : b->options->validation;
  size_t held = fraction < 0 ? 0 : (size_t)(fraction * (double)kept + 0.5);
  if (fraction > 0 && held == 0) held = 1;
  REQUIRE(NULL, kept >= held + 2, DATA,
          "%s: %zu usable row%s (%zu dropped) %s too few: 2 are needed to train, %zu would be held out", b->path, kept,
          kept == 1 ? "" : "s", info->dropped, kept == 1 ? "is" : "are", held);
  info->rows[CLIV_TRAINING] = kept - held;
  info->rows[CLIV_VALIDATION] = held;
  if (held == 0) return CLIV_OK;

  int32_t *order = NULL;
  size_t *row = NULL; /* of the file, for each kept one */
  TRY(allocate(b, kept, sizeof *order, &order));
  cliv_status status = allocate(b, kept, sizeof *row, &row);
  if (!status) {
    size_t k = 0;
    for (size_t r = 0; r < b->rows; r++)
      if (b->part[r] != DROPPED) row[k++] = r;
    status = cliv_random_permutation(b->options->seed, CLIV_STREAM_SPLIT, kept, order);
    for (size_t i = 0; i < held && !status; i++) b->part[row[order[i]]] = CLIV_VALIDATION;
    free(row);
  }
  free(order);
  return status;
}

/* ---- classes ---- */

/* Class numbers of the labels that are left when rows have been dropped. */
static cliv_status take_classes(builder *b) {
  cliv_data *d = b->data;
  const char *name = d->target_names[0];
  int32_t *number = NULL; /* of each label: -1 none left, else its place among those that are */
  size_t *training = NULL;
  TRY(allocate(b, b->labels.count, sizeof *number, &number));
  cliv_status status = allocate(b, b->labels.count, sizeof *training, &training);
  if (!status) status = allocate(b, b->labels.count, sizeof *d->class_names, &d->class_names);
  if (status) {
    free(number);
    return status;
  }
  for (size_t r = 0; r < b->rows; r++) {
    if (b->part[r] == DROPPED) continue;
    number[b->labels.codes[r]] = 1;
    training[b->labels.codes[r]] += b->part[r] == CLIV_TRAINING;
  }
  size_t trained = 0;
  for (size_t c = 0; c < b->labels.count && !status; c++) {
    if (!number[c]) continue;
    number[c] = (int32_t)d->info.classes;
    trained += training[c] > 0;
    d->class_names[d->info.classes] = strdup(b->labels.names[c]);
    if (d->class_names[d->info.classes]) d->info.classes++;
    else status = cliv__fail(NULL, CLIV_HOST_MEMORY, "%s: no memory for class names", b->path);
  }
  if (!status && d->info.classes < 2)
    status = cliv__fail(NULL, CLIV_DATA,
                        "%s: the target '%.60s' has only one class, '%.60s': there is nothing to tell apart", b->path,
                        name, d->class_names[0]);
  if (!status && trained < 2)
    status = cliv__fail(NULL, CLIV_DATA,
                        "%s: the training rows are all of one class of '%.60s'; hold out fewer rows, or split by "
                        "another seed",
                        b->path, name);
  for (int part = 0; part < 2 && !status; part++) {
    status = allocate(b, d->info.rows[part], sizeof *d->classes[part], &d->classes[part]);
    for (size_t r = 0, i = 0; r < b->rows && !status; r++)
      if (b->part[r] == part) d->classes[part][i++] = number[b->labels.codes[r]];
  }
  free(number);
  free(training);
  return status;
}

/* ---- numbers ---- */

/* Missing values of one column become the mean of the training rows that have it. */
static cliv_status fill_missing(builder *b, double *x, size_t columns, const char *name) {
  double sum = 0;
  size_t present = 0, missing = 0;
  for (size_t r = 0; r < b->rows; r++) {
    if (isnan(x[r * columns])) missing++;
    else if (b->part[r] == CLIV_TRAINING) sum += x[r * columns], present++;
  }
  if (missing == 0) return CLIV_OK;
  REQUIRE(NULL, present > 0, DATA,
          "%s: column '%.60s' has no value in any training row: leave the column out of the file", b->path, name);
  for (size_t r = 0; r < b->rows; r++)
    if (isnan(x[r * columns])) x[r * columns] = sum / (double)present;
  b->data->info.filled += missing;
  return CLIV_OK;
}

/* Mean and population standard deviation of one column over the training rows; a constant is told by its values, not by
 * its rounded deviation. */
static cliv_status measure(const builder *b, const double *x, size_t columns, const char *name, double *mean,
                           double *std) {
  const double n = (double)b->data->info.rows[CLIV_TRAINING];
  double sum = 0, squares = 0, low = INFINITY, high = -INFINITY;
  for (size_t r = 0; r < b->rows; r++) {
    if (b->part[r] != CLIV_TRAINING) continue;
    sum += x[r * columns];
    low = fmin(low, x[r * columns]);
    high = fmax(high, x[r * columns]);
  }
  *mean = low == high ? low : sum / n;
  for (size_t r = 0; r < b->rows; r++)
    if (b->part[r] == CLIV_TRAINING) squares += (x[r * columns] - *mean) * (x[r * columns] - *mean);
  *std = low == high ? 0 : sqrt(squares / n);
  REQUIRE(NULL, isfinite(*mean) && isfinite(*std), DATA,
          "%s: the values of column '%.60s' are too large to be standardised", b->path, name);
  return CLIV_OK;
}

/* One column into both parts of `out`. */
static cliv_status standardise(const builder *b, const double *x, size_t columns, const char *name, double mean,
                               double std, float *const out[2], size_t column) {
  size_t next[2] = {0, 0};
  for (size_t r = 0; r < b->rows; r++) {
    const unsigned char part = b->part[r];
    if (part == DROPPED) continue;
    const float value = (float)((x[r * columns] - mean) / std);
    REQUIRE(NULL, isfinite(value), DATA,
            "%s, line %zu, column '%.60s': the value is too far from the training rows' for float32", b->path,
            cliv_csv_line(b->csv, r), name);
    out[part][next[part]++ * columns + column] = value;
  }
  return CLIV_OK;
}

static cliv_status take_features(builder *b) {
  cliv_data *d = b->data;
  const size_t n = d->info.features;
  for (int part = 0; part < 2; part++) TRY(allocate(b, d->info.rows[part] * n, sizeof(float), &d->features[part]));
  TRY(allocate(b, n, sizeof(double), &d->feature_mean));
  TRY(allocate(b, n, sizeof(double), &d->feature_std));
  for (size_t f = 0; f < n; f++) {
    if (b->options->missing == CLIV_MISSING_MEAN) TRY(fill_missing(b, b->x + f, n, d->feature_names[f]));
    TRY(measure(b, b->x + f, n, d->feature_names[f], &d->feature_mean[f], &d->feature_std[f]));
    if (d->feature_std[f] == 0) d->feature_std[f] = 1, d->info.constant++;
    TRY(standardise(b, b->x + f, n, d->feature_names[f], d->feature_mean[f], d->feature_std[f], d->features, f));
  }
  return CLIV_OK;
}

static cliv_status take_numbers(builder *b) {
  cliv_data *d = b->data;
  const size_t n = d->info.targets;
  for (int part = 0; part < 2; part++) TRY(allocate(b, d->info.rows[part] * n, sizeof(float), &d->numbers[part]));
  TRY(allocate(b, n, sizeof(double), &d->target_mean));
  TRY(allocate(b, n, sizeof(double), &d->target_std));
  for (size_t t = 0; t < n; t++) {
    TRY(measure(b, b->y + t, n, d->target_names[t], &d->target_mean[t], &d->target_std[t]));
    REQUIRE(NULL, d->target_std[t] > 0, DATA,
            "%s: the target '%.60s' is %g in every training row: there is nothing to learn", b->path,
            d->target_names[t], d->target_mean[t]);
    TRY(standardise(b, b->y + t, n, d->target_names[t], d->target_mean[t], d->target_std[t], d->numbers, t));
  }
  return CLIV_OK;
}

/* ---- all of it ---- */

static cliv_status build(builder *b, const char *path) {
  cliv_data *d = b->data;
  TRY(cliv_csv_read(path, &(cliv_csv_options){.no_header = b->options->no_header}, &b->csv));
  b->rows = cliv_csv_rows(b->csv);
  d->path = strdup(path);
  REQUIRE(NULL, d->path != NULL, HOST_MEMORY, "%s: no memory", b->path);
  TRY(choose_columns(b));
  TRY(copy_names(b, b->feature, d->info.features, &d->feature_names));
  TRY(copy_names(b, b->target, d->info.targets, &d->target_names));
  TRY(read_columns(b));
  TRY(split(b));
  TRY(take_features(b));
  TRY(b->options->classes ? take_classes(b) : take_numbers(b));
  d->info.path = d->path;
  d->info.feature_names = (const char *const *)d->feature_names;
  d->info.target_names = (const char *const *)d->target_names;
  d->info.class_names = (const char *const *)d->class_names;
  d->info.feature_mean = d->feature_mean, d->info.feature_std = d->feature_std;
  d->info.target_mean = d->target_mean, d->info.target_std = d->target_std;
  return CLIV_OK;
}

static cliv_status check_options(const cliv_data_options *o) {
  REQUIRE(NULL, o->target_count > 0, VALUE, "no target column is given");
  REQUIRE_NOT_NULL(NULL, o->targets);
  for (size_t i = 0; i < o->target_count; i++)
    REQUIRE(NULL, o->targets[i] != NULL, NULL, "the name of target %zu is NULL", i);
  REQUIRE(NULL, !o->classes || o->target_count == 1, VALUE, "classes are learned from one target column; %zu are given",
          o->target_count);
  REQUIRE(NULL, o->missing >= CLIV_MISSING_ERROR && o->missing <= CLIV_MISSING_MEAN, VALUE,
          "%d is no way to treat missing values", (int)o->missing);
  REQUIRE(NULL, o->validation < 1 && !isnan(o->validation), VALUE,
          "the fraction of rows held out must be below 1, not %g", o->validation);
  return CLIV_OK;
}

cliv_status cliv_data_read(const char *path, const cliv_data_options *options, cliv_data **out) {
  REQUIRE_NOT_NULL(NULL, out);
  *out = NULL;
  REQUIRE_NOT_NULL(NULL, path);
  REQUIRE_NOT_NULL(NULL, options);
  cliv_data_options o;
  TRY(OPTIONS(NULL, options, &o));
  TRY(check_options(&o));
  builder b = {.options = &o, .path = cliv__shown(path), .data = calloc(1, sizeof *b.data)};
  REQUIRE(NULL, b.data != NULL, HOST_MEMORY, "%s: no memory", b.path);
  const cliv_status status = build(&b, path);
  builder_free(&b);
  if (status) cliv_data_free(b.data);
  else *out = b.data;
  return status;
}

const cliv_data_info *cliv_data_describe(const cliv_data *data) { return data ? &data->info : NULL; }

static int valid(const cliv_data *data, cliv_part part) {
  return data && (part == CLIV_TRAINING || part == CLIV_VALIDATION) && data->info.rows[part] > 0;
}

const float *cliv_data_features(const cliv_data *data, cliv_part part) {
  return valid(data, part) ? data->features[part] : NULL;
}
const float *cliv_data_numbers(const cliv_data *data, cliv_part part) {
  return valid(data, part) ? data->numbers[part] : NULL;
}
const int32_t *cliv_data_classes(const cliv_data *data, cliv_part part) {
  return valid(data, part) ? data->classes[part] : NULL;
}
