/* cliv/data.h: a table made ready to train on: features and targets apart, standardised, a part of the rows held out.
 *
 *   cliv_data *data;
 *   const char *target = "digit";
 *   cliv_data_read("digits.csv", &(cliv_data_options){.targets = &target, .target_count = 1, .classes = 1}, &data);
 *   const cliv_data_info *info = cliv_data_describe(data);
 *   … info->features, cliv_data_features(data, CLIV_TRAINING) …
 *   cliv_data_free(data);
 *
 * Everything happens on the host, in float64 and in a fixed order, and is rounded to float32 once, at the end: the same
 * file, options and seed give the same arrays on every machine.
 *
 * Rows are numbered as in the file, without the header. Held-out rows are the first ones of the permutation (seed,
 * stream CLIV_STREAM_SPLIT) of cliv/random.h; both parts keep the order of the file. Feature x becomes (x - mean) /
 * std, with mean and population standard deviation of the training rows; a feature that is the same in all of them has
 * std 1, so that it becomes 0. Targets that are numbers are standardised likewise; a target of classes becomes class
 * numbers 0, 1, … in the order of the labels: by value when all are numbers, else by bytes.
 *
 * No call takes a context: the sentence of a failure is cliv_last_error(NULL).
 */
#ifndef CLIV_DATA_H
#define CLIV_DATA_H

#include <cliv/status.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cliv_data cliv_data;

/* What each use of a training seed is called (cliv/random.h: stream). The shuffle of epoch e is CLIV_STREAM_SHUFFLE +
 * e. */
#define CLIV_STREAM_SPLIT UINT64_C(0x100000000)
#define CLIV_STREAM_SHUFFLE UINT64_C(0x200000000)

/* What to do about missing values (cliv/csv.h says which cells are). */
typedef enum cliv_missing {
  CLIV_MISSING_ERROR = 0, /* refuse: DATA, naming row and column */
  CLIV_MISSING_DROP,      /* leave out rows with a missing value */
  CLIV_MISSING_MEAN       /* fill in the mean of the training rows that have the feature; a missing target is refused */
} cliv_missing;

typedef struct cliv_data_options {
  size_t size;                /* sizeof(cliv_data_options) of the caller; 0: this version's */
  const char *const *targets; /* names or 0-based indices of columns; every other column is a feature */
  size_t target_count;        /* at least 1 */
  int classes;                /* 1: the target (only one) names a class; 0: targets are numbers */
  int no_header;              /* 1: the first line is data; columns are named "0", "1", … */
  cliv_missing missing;
  double validation; /* fraction of the rows held out, below 1, rounded to rows, at least one; 0: 0.2; negative: none */
  uint64_t seed;     /* of the split */
} cliv_data_options;

typedef enum cliv_part { CLIV_TRAINING = 0, CLIV_VALIDATION } cliv_part;

typedef struct cliv_data_info {
  const char *path;
  size_t rows[2]; /* in the training and the held-out part */
  size_t dropped; /* rows left out for missing values */
  size_t filled;  /* missing features that became means */
  size_t features, targets;
  const char *const *feature_names, *const *target_names;
  const double *feature_mean, *feature_std; /* features values */
  size_t constant;                          /* features that are the same in every training row */
  size_t classes;                           /* 0: targets are numbers */
  const char *const *class_names;           /* classes labels, as the file spells them */
  const double *target_mean, *target_std;   /* targets values; NULL with classes */
} cliv_data_info;

/* Blocks. Fails with what reading a CSV file fails with, NAME (a column that is not there), VALUE (options), FORMAT
 * (text in a column of numbers) and DATA: a missing value, no feature column, too few rows, a target with one class or
 * one value. */
CLIV_API cliv_status cliv_data_read(const char *path, const cliv_data_options *options,
                                    cliv_data **out) CLIV_MUST_CHECK;
/* NULL does nothing. */
CLIV_API void cliv_data_free(cliv_data *data);

/* Lives as long as the data. */
CLIV_API const cliv_data_info *cliv_data_describe(const cliv_data *data);
/* rows × features, row-major, standardised. NULL for a part without rows, as below. */
CLIV_API const float *cliv_data_features(const cliv_data *data, cliv_part part);
/* rows × targets, row-major, standardised; NULL with classes. */
CLIV_API const float *cliv_data_numbers(const cliv_data *data, cliv_part part);
/* One class number a row; NULL without classes. */
CLIV_API const int32_t *cliv_data_classes(const cliv_data *data, cliv_part part);

#ifdef __cplusplus
}
#endif
#endif
