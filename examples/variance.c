/* Logistic regression on the device, a sample at a time, by methods that reduce variance and by plain SGD: how far from
 * the minimum each is after every pass over the samples, as CSV. scripts/plot-variance makes docs/variance.svg of it.
 *
 * Build: cc variance.c $(pkg-config --cflags --libs cliv) -lm     Run: ./a.out examples/data/breast_cancer.csv 60 */
#include <cliv/cliv.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define TRY(call)                       \
  do {                                  \
    const cliv_status status_ = (call); \
    if (status_) return status_;        \
  } while (0)

static const double L2 = 0.01, LR = 0.02;

typedef struct problem {
  cliv_context *ctx;
  size_t rows, columns;
  cliv_tensor *x, *targets;                 /* (rows, columns), (rows, 1) */
  cliv_tensor **row, **target;              /* of each sample, views */
  cliv_tensor *logits, *slopes, *one, *sum; /* (rows, 1), (rows, 1), (1, 1), a number */
  cliv_tensor *losses;
} problem;

static const cliv_blas_options exact = {.provider = CLIV_PROVIDER_EXACT};

/* Features to mean 0 and standard deviation 1, and a column of ones. */
static cliv_status read_samples(const char *path, problem *p, float **x, float **y) {
  cliv_csv *table;
  cliv_csv_classes classes;
  TRY(cliv_csv_read(path, NULL, &table));
  const size_t rows = p->rows = cliv_csv_rows(table), features = cliv_csv_columns(table) - 1;
  const size_t columns = p->columns = features + 1;
  double *column = malloc(rows * sizeof *column);
  *x = malloc(rows * columns * sizeof **x);
  *y = malloc(rows * sizeof **y);
  for (size_t j = 0; j < features; j++) {
    double mean = 0, square = 0;
    TRY(cliv_csv_numbers(table, j, column, 1, NULL));
    for (size_t i = 0; i < rows; i++) mean += column[i] / (double)rows;
    for (size_t i = 0; i < rows; i++) square += (column[i] - mean) * (column[i] - mean) / (double)rows;
    for (size_t i = 0; i < rows; i++) (*x)[i * columns + j] = (float)((column[i] - mean) / sqrt(square));
  }
  for (size_t i = 0; i < rows; i++) (*x)[i * columns + features] = 1;
  TRY(cliv_csv_classify(table, features, &classes));
  for (size_t i = 0; i < rows; i++) (*y)[i] = (float)classes.codes[i];
  cliv_csv_classes_free(&classes);
  cliv_csv_free(table);
  free(column);
  return CLIV_OK;
}

static cliv_status upload(problem *p, const float *x, const float *y) {
  const size_t all[] = {p->rows, p->columns}, tall[] = {p->rows, 1}, one[] = {1, 1}, row[] = {1, p->columns};
  TRY(cliv_tensor_create(p->ctx, CLIV_F32, 2, all, &p->x));
  TRY(cliv_tensor_create(p->ctx, CLIV_F32, 2, tall, &p->targets));
  TRY(cliv_tensor_create(p->ctx, CLIV_F32, 2, tall, &p->logits));
  TRY(cliv_tensor_create(p->ctx, CLIV_F32, 2, tall, &p->slopes));
  TRY(cliv_tensor_create(p->ctx, CLIV_F32, 1, tall, &p->losses));
  TRY(cliv_tensor_create(p->ctx, CLIV_F32, 2, one, &p->one));
  TRY(cliv_tensor_create(p->ctx, CLIV_F32, 0, NULL, &p->sum));
  TRY(cliv_tensor_write(p->x, x, p->rows * p->columns * sizeof *x));
  TRY(cliv_tensor_write(p->targets, y, p->rows * sizeof *y));
  p->row = malloc(p->rows * sizeof(cliv_tensor *));
  p->target = malloc(p->rows * sizeof(cliv_tensor *));
  for (size_t i = 0; i < p->rows; i++) {
    TRY(cliv_tensor_view(p->x, i * p->columns, 2, row, 0, &p->row[i]));
    TRY(cliv_tensor_view(p->targets, i, 2, one, 0, &p->target[i]));
  }
  return CLIV_OK;
}

/* Of one sample: x_i (sigmoid(x_i·w) − y_i). Three launches. */
static cliv_status gradient(void *with, const cliv_tensor *w, size_t i, cliv_tensor *out) {
  problem *p = with;
  TRY(cliv_gemv(p->ctx, 0, 1, p->row[i], w, 0, p->one, &exact, NULL));
  TRY(cliv_loss(p->ctx, "binary_cross_entropy", p->one, p->target[i], 1, NULL, p->one, NULL));
  return cliv_gemv(p->ctx, 1, 1, p->row[i], p->one, 0, out, &exact, NULL);
}

/* Of all, divided by their number. */
static cliv_status mean(void *with, const cliv_tensor *w, cliv_tensor *out) {
  problem *p = with;
  TRY(cliv_gemv(p->ctx, 0, 1, p->x, w, 0, p->logits, &exact, NULL));
  TRY(cliv_loss(p->ctx, "binary_cross_entropy", p->logits, p->targets, 1 / (double)p->rows, p->losses, p->slopes,
                NULL));
  return cliv_gemv(p->ctx, 1, 1, p->x, p->slopes, 0, out, &exact, NULL);
}

static cliv_status number(problem *p, const char *op, const cliv_tensor *of, double *out) {
  float value;
  TRY(cliv_reduce(p->ctx, op, CLIV_ALL_AXES, of, NULL, p->sum, NULL));
  TRY(cliv_tensor_read(p->sum, &value, sizeof value));
  *out = (double)value;
  return CLIV_OK;
}

/* Mean loss and penalty, and their gradient: what L-BFGS asks for. */
static cliv_status value(void *with, const cliv_tensor *w, cliv_tensor *g, double *f) {
  problem *p = with;
  double square;
  if (g) {
    TRY(mean(with, w, g));
    TRY(cliv_axpy(p->ctx, L2, w, g, &exact, NULL));
  } else {
    TRY(cliv_gemv(p->ctx, 0, 1, p->x, w, 0, p->logits, &exact, NULL));
    TRY(cliv_loss(p->ctx, "binary_cross_entropy", p->logits, p->targets, 1, p->losses, NULL, NULL));
  }
  TRY(number(p, "sum_compensated", p->losses, f));
  TRY(number(p, "sumsq_compensated", w, &square));
  *f = *f / (double)p->rows + L2 / 2 * square;
  return CLIV_OK;
}

static cliv_status show(problem *p, const char *method, size_t pass, double lowest, const cliv_tensor *w) {
  double f;
  TRY(value(p, w, NULL, &f));
  printf("%s,%zu,%.6g\n", method, pass, f - lowest > 1e-9 ? f - lowest : 1e-9);
  return CLIV_OK;
}

/* As many gradients a pass as there are samples; a mean of all counts for as many. */
static cliv_status reduce_variance(problem *p, const char *method, size_t passes, double lowest, cliv_tensor *w) {
  const cliv_sum sum = {.with = p, .terms = p->rows, .gradient = gradient, .mean = mean};
  cliv_variance *v;
  TRY(cliv_tensor_fill(w, 0, NULL));
  TRY(cliv_variance_create(p->ctx, method, &sum, w, &(cliv_variance_options){.lr = LR, .l2 = L2, .seed = 1}, &v));
  for (size_t pass = 0; pass <= passes; pass++) {
    while (cliv_variance_gradients(v) < pass * p->rows) TRY(cliv_variance_run(v, 1, NULL, NULL));
    TRY(show(p, method, pass, lowest, w));
  }
  cliv_variance_free(v);
  return CLIV_OK;
}

static cliv_status descend(problem *p, size_t passes, double lowest, cliv_tensor *w) {
  cliv_tensor *g;
  cliv_optimizer *o;
  TRY(cliv_tensor_fill(w, 0, NULL));
  TRY(cliv_tensor_create(p->ctx, CLIV_F32, 1, &p->columns, &g));
  TRY(cliv_optimizer_create(p->ctx, "sgd", NULL, &o));
  TRY(cliv_optimizer_set(o, CLIV_ALL_GROUPS, "lr", LR));
  TRY(cliv_optimizer_set(o, CLIV_ALL_GROUPS, "weight_decay", L2));
  TRY(cliv_optimizer_add(o, w, g, CLIV_DEFAULT_GROUP));
  for (size_t pass = 0; pass <= passes; pass++) {
    for (uint64_t i = 0; pass && i < p->rows; i++) {
      const float u = cliv_random_uniform(1, pass, i);
      TRY(gradient(p, w, (size_t)((double)u * (double)p->rows), g));
      TRY(cliv_optimizer_step(o, NULL));
    }
    TRY(show(p, "sgd", pass, lowest, w));
  }
  cliv_optimizer_free(o);
  cliv_tensor_free(g);
  return CLIV_OK;
}

static cliv_status race(problem *p, const char *path, size_t passes) {
  float *x, *y;
  cliv_tensor *w;
  cliv_minimize_result minimum = {.size = sizeof minimum};
  const cliv_objective objective = {.with = p, .value = value};
  TRY(cliv_context_create(NULL, &p->ctx));
  TRY(read_samples(path, p, &x, &y));
  TRY(upload(p, x, y));
  TRY(cliv_tensor_create(p->ctx, CLIV_F32, 1, &p->columns, &w));
  TRY(cliv_tensor_fill(w, 0, NULL));
  TRY(cliv_minimize(p->ctx, "lbfgs", &objective, w, NULL, &minimum));
  printf("method,passes,gap\n");
  TRY(descend(p, passes, minimum.value, w));
  for (size_t i = 0; i < cliv_variance_count(); i++)
    TRY(reduce_variance(p, cliv_variance_get(i)->name, passes, minimum.value, w));
  cliv_tensor *all[] = {p->x, p->targets, p->logits, p->slopes, p->losses, p->one, p->sum, w};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) cliv_tensor_free(all[i]);
  for (size_t i = 0; i < p->rows; i++) cliv_tensor_free(p->row[i]), cliv_tensor_free(p->target[i]);
  free(p->row), free(p->target), free(x), free(y);
  return CLIV_OK;
}

int main(int count, char **arguments) {
  problem p = {0};
  const char *path = count > 1 ? arguments[1] : "examples/data/breast_cancer.csv";
  const cliv_status status = race(&p, path, count > 2 ? strtoul(arguments[2], NULL, 10) : 2);
  const char *sentence = cliv_last_error(p.ctx);
  if (status) fprintf(stderr, "%s\n", *sentence ? sentence : cliv_last_error(NULL));
  cliv_context_free(p.ctx);
  return status != CLIV_OK;
}
