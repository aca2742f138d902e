/* Operations on rows against references in double, and against themselves: both walks, every group size, offsets,
 * pitches, in place. */
#include <cliv/rows.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"

#define U 0x1p-24

/* ---- references: a row's results, and how far each may be off (cliv/rows.h, "Errors") ---- */

typedef struct host {
  cliv_dtype dtype;
  size_t rows, columns;
  void *x, *y, *weight, *bias; /* as stored */
  float *mean, *rstd;          /* given to gradients */
} host;

typedef struct answer {
  double *value, *bound;
} answer;

/* One row, in double. */
typedef struct one_row {
  size_t n;
  const double *x, *y, *weight, *bias;
  double mean, rstd;
} one_row;

/* max x and log Σ e^(x − max x). */
static double greatest(const double *x, size_t n) {
  double m = -INFINITY;
  for (size_t i = 0; i < n; i++) m = x[i] > m ? x[i] : m;
  return m;
}
static double log_of_sum(const double *x, size_t n, double m) {
  long double s = 0;
  for (size_t i = 0; i < n; i++) s += expl((long double)x[i] - m);
  return (double)logl(s);
}

static void ref_softmax(const one_row *r, answer a) {
  const size_t n = r->n;
  const double *x = r->x;
  const double m = greatest(x, n), s = exp(log_of_sum(x, n, m));
  for (size_t i = 0; i < n; i++) {
    a.value[i] = exp(x[i] - m) / s;
    a.bound[i] = (96 + fabs(x[i] - m)) * U * a.value[i] + 0x1p-149;
  }
}
static void ref_log_softmax(const one_row *r, answer a) {
  const size_t n = r->n;
  const double *x = r->x;
  const double m = greatest(x, n), l = log_of_sum(x, n, m);
  for (size_t i = 0; i < n; i++) {
    a.value[i] = x[i] - m - l;
    a.bound[i] = (96 + 4 * fabs(a.value[i])) * U;
  }
}
static void ref_softmax_backward(const one_row *r, answer a) {
  const size_t n = r->n;
  const double *x = r->x, *y = r->y;
  long double sum = 0, terms = 0;
  for (size_t i = 0; i < n; i++) sum += (long double)x[i] * y[i], terms += fabsl((long double)x[i] * y[i]);
  for (size_t i = 0; i < n; i++) {
    a.value[i] = x[i] * (y[i] - (double)sum);
    a.bound[i] = fabs(x[i]) * U * (64 * (double)terms + 4 * fabs(y[i])) + 0x1p-149;
  }
}
static void ref_log_softmax_backward(const one_row *r, answer a) {
  const size_t n = r->n;
  const double *x = r->x, *y = r->y;
  long double sum = 0, terms = 0;
  for (size_t i = 0; i < n; i++) sum += y[i], terms += fabs(y[i]);
  for (size_t i = 0; i < n; i++) {
    a.value[i] = y[i] - exp(x[i]) * (double)sum;
    a.bound[i] = U * (64 * exp(x[i]) * (double)terms + 4 * fabs(y[i])) + 0x1p-149;
  }
}

static double mean_of(const double *x, size_t n) {
  long double sum = 0;
  for (size_t i = 0; i < n; i++) sum += x[i];
  return (double)(sum / (long double)n);
}
/* The mean square of the distances from `from`. */
static double square_of(const double *x, size_t n, double from) {
  long double sum = 0;
  for (size_t i = 0; i < n; i++) sum += ((long double)x[i] - from) * ((long double)x[i] - from);
  return (double)(sum / (long double)n);
}
static void ref_norm(const one_row *r, double mean, double rstd, answer a) {
  for (size_t i = 0; i < r->n; i++) {
    const double h = (r->x[i] - mean) * rstd;
    a.value[i] = h * r->weight[i] + r->bias[i];
    a.bound[i] = 80 * U * (fabs(h) + 1) * fabs(r->weight[i]) + 2 * U * fabs(a.value[i]);
  }
}
static void ref_layer_norm(const one_row *r, answer a) {
  const double mean = mean_of(r->x, r->n);
  ref_norm(r, mean, 1 / sqrt(square_of(r->x, r->n, mean) + 1e-5), a);
}
static void ref_rms_norm(const one_row *r, answer a) {
  ref_norm(r, 0, 1 / sqrt(square_of(r->x, r->n, 0) + 0x1p-23), a);
}
static void ref_norm_backward(const one_row *r, double mean, bool centred, answer a) {
  const double n = (double)r->n;
  long double sum = 0, terms = 0, sum_h = 0, terms_h = 0;
  for (size_t i = 0; i < r->n; i++) {
    const long double g = (long double)r->y[i] * r->weight[i], h = (r->x[i] - mean) * r->rstd;
    if (centred) sum += g, terms += fabsl(g);
    sum_h += g * h, terms_h += fabsl(g * h);
  }
  for (size_t i = 0; i < r->n; i++) {
    const double g = r->y[i] * r->weight[i], h = (r->x[i] - mean) * r->rstd;
    a.value[i] = r->rstd * (g - (double)sum / n - h * (double)sum_h / n);
    a.bound[i] = 96 * U * r->rstd * (fabs(g) + (double)terms / n + fabs(h) * (double)terms_h / n);
  }
}
static void ref_layer_norm_backward(const one_row *r, answer a) { ref_norm_backward(r, r->mean, true, a); }
static void ref_rms_norm_backward(const one_row *r, answer a) { ref_norm_backward(r, 0, false, a); }

static const struct {
  const char *op;
  void (*of)(const one_row *r, answer a);
} references[] = {
#define ROW(op) \
  { #op, ref_##op }
    ROW(softmax),    ROW(log_softmax), ROW(softmax_backward),    ROW(log_softmax_backward),
    ROW(layer_norm), ROW(rms_norm),    ROW(layer_norm_backward), ROW(rms_norm_backward),
#undef ROW
};

static void refer(const char *op, const one_row *r, answer a) {
  for (size_t i = 0; i < sizeof references / sizeof *references; i++)
    if (!strcmp(references[i].op, op)) {
      references[i].of(r, a);
      return;
    }
  fail_msg("'%s' has no reference in this test", op);
}

/* ---- running ---- */

/* Two inputs such as the operations get: logits; or probabilities, or their logarithms, and gradients; or numbers far
 * from 0. */
static host make(cliv_dtype dtype, const char *op, size_t rows, size_t columns, uint64_t seed) {
  const size_t n = rows * columns, bytes = cliv_dtype_size(dtype);
  host h = {dtype,
            rows,
            columns,
            test_alloc(n * bytes),
            test_alloc(n * bytes),
            test_alloc(columns * bytes),
            test_alloc(columns * bytes),
            test_alloc(rows * sizeof(float)),
            test_alloc(rows * sizeof(float))};
  const bool norm = strstr(op, "norm") != NULL;
  for (size_t i = 0; i < n; i++) {
    const double z = test_normal(seed, i), logarithm = -log((double)columns) + z;
    const bool shares = !strcmp(op, "softmax_backward"), logs = !strcmp(op, "log_softmax_backward");
    test_put(dtype, h.x, i, shares ? exp(logarithm) : logs ? logarithm : norm ? 3 * z + 7 : 5 * z);
    test_put(dtype, h.y, i, test_normal(seed + 1, i) + 0.5);
  }
  for (size_t i = 0; i < columns; i++) {
    test_put(dtype, h.weight, i, 1 + test_normal(seed + 2, i));
    test_put(dtype, h.bias, i, test_normal(seed + 3, i));
  }
  for (size_t r = 0; r < rows; r++)
    h.mean[r] = 7 + (float)test_normal(seed + 4, r), h.rstd[r] = 1.0f / (3 + (float)(r % 5));
  return h;
}

static void host_free(host *h) {
  void *const all[] = {h->x, h->y, h->weight, h->bias, h->mean, h->rstd};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
}

/* What an operation gives besides out, as far as it does. */
typedef struct result {
  void *out, *weight_gradient, *bias_gradient;
  float *mean, *rstd;
} result;

static void result_free(result *r) {
  void *const all[] = {r->out, r->weight_gradient, r->bias_gradient, r->mean, r->rstd};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
}

/* Where the result goes. */
typedef enum where { APART, IN_X, IN_Y } where;

/* A tensor with `gap` elements from each row's end to the next one's start, which hold 77. */
static test_guarded pitched(cliv_context *ctx, const host *h, const void *data, size_t shift, size_t gap,
                            cliv_tensor **view) {
  const size_t pitch = h->columns + gap, shape[] = {h->rows, h->columns}, all[] = {h->rows, pitch};
  const size_t bytes = cliv_dtype_size(h->dtype);
  char *wide = test_alloc(h->rows * pitch * bytes);
  for (size_t i = 0; i < h->rows * pitch; i++) test_put(h->dtype, wide, i, 77);
  for (size_t r = 0; data && r < h->rows; r++)
    memcpy(wide + r * pitch * bytes, (const char *)data + r * h->columns * bytes, h->columns * bytes);
  test_guarded g = test_guard(ctx, h->dtype, 2, all, shift, wide);
  ASSERT_OK(ctx, cliv_tensor_view(g.tensor, 0, 2, shape, pitch, view));
  free(wide);
  return g;
}

static void gaps_are_whole(const test_guarded *g, const host *h, size_t gap) {
  void *wide = test_read(g->tensor);
  for (size_t r = 0; r < h->rows; r++)
    for (size_t i = 0; i < gap; i++)
      if (test_get(h->dtype, wide, r * (h->columns + gap) + h->columns + i) != 77)
        fail_msg("row %zu wrote past its end", r);
  free(wide);
}

/* Which companions the operation gets: all that it takes, or only those it needs. */
typedef enum company { ALL, NEEDED } company;

static result run(cliv_context *ctx, const char *op, const host *h, size_t shift, size_t gap, where place,
                  company with) {
  const cliv_rows_info *info = cliv_rows_find(op);
  const bool two = info->inputs == 2, all = with == ALL;
  cliv_tensor *x, *y, *apart;
  test_guarded gx = pitched(ctx, h, h->x, shift, gap, &x), gy = pitched(ctx, h, h->y, 2 * shift, gap, &y);
  test_guarded go = pitched(ctx, h, NULL, shift, gap, &apart);
  cliv_tensor *out = place == IN_X ? x : place == IN_Y ? y : apart;

  test_guarded weight = test_guard1(ctx, h->dtype, h->columns, shift, h->weight);
  test_guarded bias = test_guard1(ctx, h->dtype, h->columns, 2 * shift, h->bias);
  test_guarded mean = test_guard1(ctx, CLIV_F32, h->rows, shift, two ? h->mean : NULL);
  test_guarded rstd = test_guard1(ctx, CLIV_F32, h->rows, 2 * shift, two ? h->rstd : NULL);
  test_guarded weight_gradient = test_guard1(ctx, h->dtype, h->columns, 2 * shift, NULL);
  test_guarded bias_gradient = test_guard1(ctx, h->dtype, h->columns, shift, NULL);
  const bool gives_mean = info->mean == CLIV_ROWS_WRITES && all, gives_rstd = info->rstd == CLIV_ROWS_WRITES && all;
  const bool gives_weight = two && info->weight && all, gives_bias = two && info->bias && all;
  const cliv_rows_options options = {
      .weight = info->weight && all ? weight.tensor : NULL,
      .bias = info->bias && !two && all ? bias.tensor : NULL,
      .mean = gives_mean || info->mean == CLIV_ROWS_READS ? mean.tensor : NULL,
      .rstd = gives_rstd || info->rstd == CLIV_ROWS_READS ? rstd.tensor : NULL,
      .weight_gradient = gives_weight ? weight_gradient.tensor : NULL,
      .bias_gradient = gives_bias ? bias_gradient.tensor : NULL,
  };
  ASSERT_OK(ctx, cliv_rows(ctx, op, x, two ? y : NULL, out, &options, NULL));
  const result given = {test_read(out), gives_weight ? test_read(weight_gradient.tensor) : NULL,
                        gives_bias ? test_read(bias_gradient.tensor) : NULL, gives_mean ? test_read(mean.tensor) : NULL,
                        gives_rstd ? test_read(rstd.tensor) : NULL};
  gaps_are_whole(place == IN_X ? &gx : place == IN_Y ? &gy : &go, h, gap);
  cliv_tensor *const views[] = {apart, y, x};
  for (size_t i = 0; i < sizeof views / sizeof *views; i++) cliv_tensor_free(views[i]);
  test_guarded *const guards[] = {&go, &gy, &gx, &weight, &bias, &mean, &rstd, &weight_gradient, &bias_gradient};
  for (size_t i = 0; i < sizeof guards / sizeof *guards; i++) test_guard_free(guards[i]);
  return given;
}

/* The same of an operation without companions. */
static void *run_plain(cliv_context *ctx, const char *op, const host *h, size_t shift) {
  return run(ctx, op, h, shift, 0, APART, NEEDED).out;
}

static void same_results(const host *h, const result *a, const result *b) {
  ASSERT_SAME(h->dtype, a->out, b->out, h->rows * h->columns);
  if (a->weight_gradient) ASSERT_SAME(h->dtype, a->weight_gradient, b->weight_gradient, h->columns);
  if (a->bias_gradient) ASSERT_SAME(h->dtype, a->bias_gradient, b->bias_gradient, h->columns);
  if (a->mean) ASSERT_SAME(CLIV_F32, a->mean, b->mean, h->rows);
  if (a->rstd) ASSERT_SAME(CLIV_F32, a->rstd, b->rstd, h->rows);
}

/* What storing in the type may add. */
static double stored(cliv_dtype dtype, double value) {
  return dtype == CLIV_F16 ? 0x1p-11 * fabs(value) + 0x1p-25 : dtype == CLIV_BF16 ? 0x1p-8 * fabs(value) : 0;
}

static void within(double got, double want, double bound, const char *op, const char *what, const host *h, size_t row,
                   size_t column) {
  if (!(fabs(got - want) <= bound))
    fail_msg("%s %zu x %zu %s, %s of row %zu, column %zu: %.9g, not %.17g within %g", op, h->rows, h->columns,
             cliv_dtype_name(h->dtype), what, row, column, got, want, bound);
}

static void check_statistics(const char *op, const host *h, const result *got, const double *x, size_t row) {
  const double mean = got->mean ? mean_of(x, h->columns) : 0, square = got->rstd ? square_of(x, h->columns, mean) : 0;
  if (got->mean) within((double)got->mean[row], mean, U * fabs(mean) + 64 * U * sqrt(square), op, "mean", h, row, 0);
  const double rstd = 1 / sqrt(square + (got->mean ? 1e-5 : 0x1p-23));
  if (got->rstd) within((double)got->rstd[row], rstd, 64 * U * rstd, op, "rstd", h, row, 0);
}

static void check_column(const char *op, const host *h, const result *got, size_t c) {
  long double dw = 0, dw_terms = 0, db = 0, db_terms = 0;
  for (size_t r = 0; r < h->rows; r++) {
    const double mean = cliv_rows_find(op)->mean ? (double)h->mean[r] : 0,
                 y = test_get(h->dtype, h->y, r * h->columns + c);
    const double n = (test_get(h->dtype, h->x, r * h->columns + c) - mean) * (double)h->rstd[r];
    db += y, db_terms += fabs(y);
    dw += (long double)y * n, dw_terms += fabsl((long double)y * n);
  }
  const double w = (double)dw, b = (double)db;
  if (got->weight_gradient)
    within(test_get(h->dtype, got->weight_gradient, c), w, 64 * U * (double)dw_terms + stored(h->dtype, w), op,
           "weight's gradient", h, 0, c);
  if (got->bias_gradient)
    within(test_get(h->dtype, got->bias_gradient, c), b, 64 * U * (double)db_terms + stored(h->dtype, b), op,
           "bias's gradient", h, 0, c);
}

static void compare(const char *op, const host *h, const result *got, company with) {
  const size_t n = h->columns;
  const cliv_rows_info *info = cliv_rows_find(op);
  double *all = test_alloc((6 * n + 1) * sizeof *all), *x = all, *y = x + n, *w = y + n, *b = w + n;
  const answer a = {b + n, b + 2 * n};
  for (size_t i = 0; i < n; i++) {
    w[i] = info->weight && with == ALL ? test_get(h->dtype, h->weight, i) : 1;
    b[i] = info->bias && with == ALL ? test_get(h->dtype, h->bias, i) : 0;
  }
  for (size_t r = 0; r < h->rows; r++) {
    for (size_t i = 0; i < n; i++) {
      x[i] = test_get(h->dtype, h->x, r * n + i);
      y[i] = test_get(h->dtype, h->y, r * n + i);
    }
    refer(op, &(one_row){n, x, y, w, b, (double)h->mean[r], (double)h->rstd[r]}, a);
    for (size_t i = 0; i < n; i++)
      within(test_get(h->dtype, got->out, r * n + i), a.value[i], a.bound[i] + stored(h->dtype, a.value[i]), op,
             "result", h, r, i);
    if (n) check_statistics(op, h, got, x, r);
  }
  for (size_t c = 0; c < n && h->rows && (got->weight_gradient || got->bias_gradient); c++) check_column(op, h, got, c);
  free(all);
}

/* Rows of one vector, of some, of one block, of more; several of each, so that the last group is not full. */
static const size_t shapes[][2] = {{0, 5},    {3, 0},    {70, 1},   {1, 7},     {40, 10},   {33, 16},
                                   {17, 64},  {5, 65},   {18, 255}, {3, 256},   {2, 257},   {3, 1000},
                                   {1, 4095}, {1, 4096}, {2, 4097}, {1, 70001}, {3, 12289}, {1, 1000003}};
enum { SHAPES = sizeof shapes / sizeof *shapes };

static bool is_one_of(const char *op, const char *const *list) {
  while (*list && strcmp(op, *list) != 0) list++;
  return *list != NULL;
}

/* One of each kind of what a row is folded to; what the others differ in is a line of arithmetic. */
static bool stands_for_kind(const char *op) {
  return is_one_of(op, (const char *[]){"softmax", "softmax_backward", "layer_norm", "layer_norm_backward", NULL});
}

/* Each length of row is a program. The longest is for one operation with each number of inputs: what is done with it is
 * the same in the others. */
static bool tried(const char *op, size_t shape) {
  const size_t columns = shapes[shape][1], n = shapes[shape][0] * columns;
  if (!stands_for_kind(op)) return !test_few() && (columns == 64 || columns == 4097);
  if (test_small()) return n <= 1100 || (n == 4096 && !strcmp(op, "softmax"));
  return n <= 100000 || !strcmp(op, "softmax") || !strcmp(op, "layer_norm_backward");
}

/* All operations and shapes: right, and the same bits in both walks, at every group size, in place and with pitches. */
static void works_on_rows(void **state) {
  (void)state;
  const char *const every_group[] = {"layer_norm_backward", test_few() ? NULL : "softmax", NULL};
  const test_ways all = test_open_all();
  for (size_t o = 0; o < cliv_rows_count(); o++) {
    const cliv_rows_info *info = cliv_rows_get(o);
    for (size_t s = 0; s < SHAPES; s++) {
      if (!tried(info->name, s) || (test_slow(all.ctx[0]) && shapes[s][0] * shapes[s][1] > 50000)) continue;
      host h = make(CLIV_F32, info->name, shapes[s][0], shapes[s][1], 100 * o + s);
      const size_t bytes = h.rows * h.columns * sizeof(float);
      result first = run(all.ctx[0], info->name, &h, s % 3, 0, APART, ALL);
      if (bytes) compare(info->name, &h, &first, ALL);
      for (size_t c = 0; bytes && c < all.count; c++) {
        if (c > 1 && (bytes > 300000 || !is_one_of(info->name, every_group))) continue;
        const where place = s % 2 == 0 || info->inputs == 1 ? IN_X : IN_Y;
        result again = run(all.ctx[c], info->name, &h, s % 2, (s + c) % 4 * 3, c == 3 ? APART : place, ALL);
        same_results(&h, &again, &first);
        result_free(&again);
      }
      result_free(&first);
      host_free(&h);
    }
  }
  test_close_all(&all);
}

/* How an element is stored and what is done with it are apart: the narrow floats are tried with one operation of one
 * and of two inputs. */
static void rounds_narrow_floats_once(void **state) {
  (void)state;
  static const char *const ops[] = {"layer_norm", "layer_norm_backward"};
  static const size_t some[][2] = {{20, 10}, {2, 4099}};
  cliv_context *cpu = test_open(CLIV_WALK_CPU), *gpu = test_open(CLIV_WALK_GPU);
  for (size_t o = 0; o < sizeof ops / sizeof *ops; o++)
    for (int d = CLIV_F16; d <= CLIV_BF16; d++)
      for (size_t s = 0; s < sizeof some / sizeof *some; s++) {
        if (test_small() && some[s][1] > 4096) continue;
        host h = make((cliv_dtype)d, ops[o], some[s][0], some[s][1], 7 + s);
        result a = run(cpu, ops[o], &h, 1, 0, APART, ALL), b = run(gpu, ops[o], &h, 0, 5, IN_X, ALL);
        compare(ops[o], &h, &a, ALL);
        same_results(&h, &b, &a);
        result_free(&a);
        result_free(&b);
        host_free(&h);
      }
  test_close(gpu);
  test_close(cpu);
}

/* Without weight and bias, and without anyone asking for mean and rstd. */
static void companions_may_stay_away(void **state) {
  (void)state;
  cliv_context *cpu = test_open(CLIV_WALK_CPU), *gpu = test_open(CLIV_WALK_GPU);
  for (size_t o = 0; o < cliv_rows_count(); o++) {
    const cliv_rows_info *info = cliv_rows_get(o);
    if (!info->weight || !stands_for_kind(info->name)) continue;
    host h = make(CLIV_F32, info->name, 3, 300, o);
    result a = run(cpu, info->name, &h, 1, 0, APART, NEEDED), b = run(gpu, info->name, &h, 0, 5, IN_X, NEEDED);
    compare(info->name, &h, &a, NEEDED);
    same_results(&h, &b, &a);
    result_free(&a);
    result_free(&b);
    host_free(&h);
  }
  test_close(gpu);
  test_close(cpu);
}

/* A mean beside which the deviations are small, in rows of one block and of several, and rows without any. */
static void norms_keep_small_deviations(void **state) {
  (void)state;
  static const size_t some[][2] = {{5, 40}, {2, 700}, {2, 9000}};
  for (size_t w = test_first_walk(); w < TEST_WALKS; w++) {
    cliv_context *ctx = test_open(test_walks[w]);
    for (size_t s = 0; s < sizeof some / sizeof *some; s++) {
      if (test_small() && some[s][1] > 4096) continue;
      host h = make(CLIV_F32, "layer_norm", some[s][0], some[s][1], 11);
      for (size_t i = 0; i < h.rows * h.columns; i++)
        ((float *)h.x)[i] = i < h.columns ? 3e7f : (float)(1e5 + 0.1 * test_normal(12, i));
      result got = run(ctx, "layer_norm", &h, 0, 0, APART, ALL);
      compare("layer_norm", &h, &got, ALL);
      result_free(&got);
      host_free(&h);
    }
    test_close(ctx);
  }
}

/* More rows than a block, so that the gradients of weight and bias are joined from several. */
static void gradients_join_many_rows(void **state) {
  (void)state;
  static const char *const ops[] = {"layer_norm_backward", "rms_norm_backward"};
  cliv_context *cpu = test_open(CLIV_WALK_CPU), *gpu = test_open_group(CLIV_WALK_GPU, 128);
  for (size_t o = 0; o < 2 && !test_small(); o++) {
    host h = make(CLIV_F32, ops[o], 9000, 19, 5);
    result a = run(cpu, ops[o], &h, 0, 0, IN_X, ALL), b = run(gpu, ops[o], &h, 1, 2, IN_Y, ALL);
    compare(ops[o], &h, &a, ALL);
    same_results(&h, &b, &a);
    result_free(&a);
    result_free(&b);
    host_free(&h);
  }
  test_close(gpu);
  test_close(cpu);
}

/* A row of a matrix gives the bits that the row alone gives: the definition knows no surroundings. */
static void rows_are_independent(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  for (size_t columns = 13; columns < 400; columns *= 5) {
    host h = make(CLIV_F32, "softmax", 21, columns, 5);
    float *all = run_plain(ctx, "softmax", &h, 1);
    for (size_t r = 0; r < h.rows; r += 4) {
      host one = h;
      one.rows = 1;
      one.x = (float *)h.x + r * columns;
      float *alone = run_plain(ctx, "softmax", &one, 0);
      ASSERT_SAME(CLIV_F32, alone, all + r * columns, columns);
      free(alone);
    }
    free(all);
    host_free(&h);
  }
  test_close(ctx);
}

static void knows_special_values(void **state) {
  (void)state;
  static const struct {
    const char *op;
    size_t n;
    float x[5];
    double want[5];
  } cases[] = {
      {"softmax", 1, {-0.0f}, {1}},
      {"softmax", 2, {3e38f, 3e38f}, {0.5, 0.5}},
      {"softmax", 2, {-3e38f, 3e38f}, {0, 1}},
      {"softmax", 3, {-INFINITY, 2, 2}, {0, 0.5, 0.5}},
      {"softmax", 2, {-INFINITY, -INFINITY}, {NAN, NAN}},
      {"softmax", 3, {INFINITY, 2, -INFINITY}, {NAN, NAN, NAN}},
      {"softmax", 3, {1, NAN, 2}, {NAN, NAN, NAN}},
      {"softmax", 3, {-INFINITY, NAN, INFINITY}, {NAN, NAN, NAN}},
      {"softmax", 2, {0, -103}, {1, 0x1p-149}}, /* e^-103 = 1.33 * 2^-149 */
      {"log_softmax", 1, {7}, {0}},
      {"log_softmax", 2, {-INFINITY, 2}, {-INFINITY, 0}},
      {"log_softmax", 2, {1000, -1000}, {0, -2000}},
      {"log_softmax", 2, {-INFINITY, -INFINITY}, {NAN, NAN}},
      {"log_softmax", 2, {INFINITY, 0}, {NAN, NAN}},
      {"log_softmax", 2, {NAN, 0}, {NAN, NAN}},
  };
  for (size_t w = test_first_walk(); w < TEST_WALKS; w++) {
    cliv_context *ctx = test_open(test_walks[w]);
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
      host h = make(CLIV_F32, "softmax", 1, cases[c].n, 1);
      memcpy(h.x, cases[c].x, cases[c].n * sizeof(float));
      float *got = run_plain(ctx, cases[c].op, &h, 1);
      for (size_t i = 0; i < cases[c].n; i++) {
        const double want = cases[c].want[i];
        if (isnan(want) ? !isnan(got[i]) : got[i] != want) fail_msg("case %zu: %g, not %g", c, (double)got[i], want);
        if (isnan(want)) assert_int_equal(((uint32_t *)got)[i], 0x7fc00000);
      }
      free(got);
      host_free(&h);
    }
    test_close(ctx);
  }
}

/* What is not finite in a block of its own reaches the others. */
static void special_values_cross_blocks(void **state) {
  (void)state;
  static const float odd[] = {NAN, INFINITY, -INFINITY};
  const size_t n = 9000;
  for (size_t w = 0; w < TEST_WALKS && !test_small(); w++) {
    cliv_context *ctx = test_open(test_walks[w]);
    for (size_t k = 0; k < 3; k++) {
      host h = make(CLIV_F32, "softmax", 1, n, 3);
      for (size_t i = 4096; i < 8192; i++) ((float *)h.x)[i] = k == 2 || i == 5000 ? odd[k] : 1;
      float *got = run_plain(ctx, "softmax", &h, 0);
      for (size_t i = 0; i < n; i++)
        if (k < 2 ? !isnan(got[i]) : (got[i] == 0) != (i >= 4096 && i < 8192)) fail_msg("%g at %zu", (double)got[i], i);
      free(got);
      host_free(&h);
    }
    test_close(ctx);
  }
}

static void refuses_bad_calls(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO), *other = test_open(CLIV_WALK_AUTO);
  cliv_tensor *x, *out, *wrong, *integers, *none, *half, *shifted;
  const size_t shape[] = {3, 4}, turned[] = {4, 3}, part[] = {2, 4};
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 2, shape, &x));
  ASSERT_OK(ctx, cliv_tensor_fill(x, 1, NULL));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 2, shape, &out));
  ASSERT_OK(ctx, cliv_tensor_fill(out, 42, NULL));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 2, turned, &wrong));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_I32, 2, shape, &integers));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 0, NULL, &none));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F16, 2, shape, &half));
  ASSERT_FAILS(NULL, cliv_rows(NULL, "softmax", x, NULL, out, NULL, NULL), CLIV_NULL, "ctx");
  ASSERT_FAILS(ctx, cliv_rows(ctx, "softmax", NULL, NULL, out, NULL, NULL), CLIV_NULL, "x");
  ASSERT_FAILS(ctx, cliv_rows(ctx, "softmax", x, NULL, NULL, NULL, NULL), CLIV_NULL, "out");
  ASSERT_FAILS(ctx, cliv_rows(ctx, "softmin", x, NULL, out, NULL, NULL), CLIV_NAME, "softmin");
  ASSERT_FAILS(ctx, cliv_rows(ctx, NULL, x, NULL, out, NULL, NULL), CLIV_NAME, "NULL");
  ASSERT_FAILS(ctx, cliv_rows(ctx, "softmax", x, x, out, NULL, NULL), CLIV_NULL, "one input");
  ASSERT_FAILS(ctx, cliv_rows(ctx, "softmax_backward", x, NULL, out, NULL, NULL), CLIV_NULL, "second input");
  ASSERT_FAILS(ctx, cliv_rows(ctx, "softmax", integers, NULL, integers, NULL, NULL), CLIV_DTYPE, "int32");
  ASSERT_FAILS(ctx, cliv_rows(ctx, "softmax", none, NULL, none, NULL, NULL), CLIV_SHAPE, "no axes");
  ASSERT_FAILS(ctx, cliv_rows(ctx, "softmax", x, NULL, wrong, NULL, NULL), CLIV_SHAPE, "[4, 3]");
  ASSERT_FAILS(ctx, cliv_rows(ctx, "softmax", x, NULL, half, NULL, NULL), CLIV_SHAPE, "float16");
  ASSERT_FAILS(ctx, cliv_rows(ctx, "softmax_backward", x, wrong, out, NULL, NULL), CLIV_SHAPE, "y is");
  ASSERT_FAILS(other, cliv_rows(other, "softmax", x, NULL, out, NULL, NULL), CLIV_VALUE, "another context");
  cliv_tensor *above;
  ASSERT_OK(ctx, cliv_tensor_view(x, 0, 2, part, 0, &above));
  ASSERT_OK(ctx, cliv_tensor_view(x, 4, 2, part, 0, &shifted));
  ASSERT_FAILS(ctx, cliv_rows(ctx, "softmax", above, NULL, shifted, NULL, NULL), CLIV_OVERLAP, "the same or apart");
  float *kept = test_read(out);
  for (size_t i = 0; i < 12; i++) assert_true(kept[i] == 42);
  free(kept);
  cliv_tensor *const made[] = {x, out, wrong, integers, none, half, shifted, above};
  for (size_t i = 0; i < sizeof made / sizeof *made; i++) cliv_tensor_free(made[i]);
  test_close(other);
  test_close(ctx);
}

/* Every companion's own checks, in the order of the options. */
static void refuses_bad_companions(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  const size_t shape[] = {3, 4}, turned[] = {4, 3};
  cliv_tensor *x, *out, *column, *row, *matrix, *half, *inside;
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 2, shape, &x));
  ASSERT_OK(ctx, cliv_tensor_fill(x, 1, NULL));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 2, shape, &out));
  ASSERT_OK(ctx, cliv_tensor_fill(out, 42, NULL));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 1, shape, &row));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 1, turned, &column));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 2, turned, &matrix));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F16, 1, turned, &half));
  ASSERT_OK(ctx, cliv_tensor_view(out, 1, 1, shape, 0, &inside));
#define BAD(op, y, status, part, ...) \
  ASSERT_FAILS(ctx, cliv_rows(ctx, op, x, y, out, &(cliv_rows_options){__VA_ARGS__}, NULL), status, part)
  BAD("layer_norm", NULL, CLIV_VALUE, "size", .size = 3);
  BAD("layer_norm", NULL, CLIV_VALUE, "eps", .eps = -1);
  BAD("layer_norm", NULL, CLIV_VALUE, "eps", .eps = NAN);
  BAD("layer_norm", NULL, CLIV_VALUE, "eps", .eps = 1e39);
  BAD("softmax", NULL, CLIV_VALUE, "takes no eps", .eps = 1);
  BAD("softmax", NULL, CLIV_VALUE, "takes no weight", .weight = column);
  BAD("rms_norm", NULL, CLIV_VALUE, "takes no bias", .bias = column);
  BAD("rms_norm", NULL, CLIV_VALUE, "takes no mean", .mean = row);
  BAD("layer_norm", NULL, CLIV_VALUE, "takes no weight_gradient", .weight_gradient = column);
  BAD("layer_norm", NULL, CLIV_SHAPE, "a column", .weight = row);
  BAD("layer_norm", NULL, CLIV_SHAPE, "a column", .bias = matrix);
  BAD("layer_norm", NULL, CLIV_SHAPE, "a row", .mean = column);
  BAD("layer_norm", NULL, CLIV_DTYPE, "float16", .weight = half);
  BAD("layer_norm", NULL, CLIV_OVERLAP, "rstd and out", .rstd = inside);
  BAD("layer_norm", NULL, CLIV_OVERLAP, "mean and rstd", .mean = row, .rstd = row);
  BAD("layer_norm_backward", x, CLIV_NULL, "needs mean", .rstd = row);
  BAD("rms_norm_backward", x, CLIV_NULL, "needs rstd", .weight = column);
  BAD("layer_norm_backward", x, CLIV_VALUE, "takes no bias", .mean = row, .rstd = row, .bias = column);
  BAD("rms_norm_backward", x, CLIV_VALUE, "takes no bias_gradient", .rstd = row, .bias_gradient = column);
  BAD("layer_norm_backward", x, CLIV_OVERLAP, "weight and weight_gradient", .mean = row, .rstd = row, .weight = column,
      .weight_gradient = column);
#undef BAD
  float *kept = test_read(out);
  for (size_t i = 0; i < 12; i++) assert_true(kept[i] == 42);
  free(kept);
  cliv_tensor *const made[] = {inside, half, matrix, column, row, out, x};
  for (size_t i = 0; i < sizeof made / sizeof *made; i++) cliv_tensor_free(made[i]);
  test_close(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(works_on_rows),
      cmocka_unit_test(rounds_narrow_floats_once),
      cmocka_unit_test(companions_may_stay_away),
      cmocka_unit_test(norms_keep_small_deviations),
      cmocka_unit_test(gradients_join_many_rows),
      cmocka_unit_test(rows_are_independent),
      cmocka_unit_test(knows_special_values),
      cmocka_unit_test(special_values_cross_blocks),
      cmocka_unit_test(refuses_bad_calls),
      cmocka_unit_test(refuses_bad_companions),
  };
  return test_finish(cmocka_run_group_tests(tests, NULL, NULL));
}
