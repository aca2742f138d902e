/* Every OpenCL call that a piece of work makes, and every allocation of the library in it, made to fail one after the
 * other: by itself, or with all calls after it (the device is lost). Each time the work ends with a status and a
 * sentence, or with the right result; no OpenCL object stays alive. Needs the fault layer:
 * OPENCL_LAYERS=…/libfault_layer.so. */
#include <cliv/cliv.h>
#include <cliv/reduce.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "layer.h"
#include "memfault.h"
#include "runtime/context.h"
#include "support.h"

enum { RESULT = 4096, ROWS = 40, COLUMNS = 25, COUNT = ROWS * COLUMNS };

static const fault_layer *layer;
static float numbers[COUNT];
static char *dir, *rows_file, *states_file; /* a file with rows to train on, one for an optimizer's states */
static const char *only = "";               /* works whose name contains this */

/* ---- pieces of work: each leaves what it computed in `result`, and everything it made freed ---- */

static const size_t shape[] = {ROWS, COLUMNS};

static cliv_status make(cliv_context *ctx, cliv_tensor **out) {
  const cliv_array array = {CLIV_F32, 2, {ROWS, COLUMNS}, numbers};
  return cliv_tensor_from_array(ctx, &array, out);
}

/* What a context knows of its device is a result too: it must not be wrong because a question failed. */
static cliv_status facts(cliv_context *ctx, float *result) {
  memcpy(result, &ctx->facts, sizeof ctx->facts);
  result[RESULT - 1] = (float)ctx->out_of_order;
  result[RESULT - 2] = (float)ctx->walk;
  return cliv_context_finish(ctx);
}

static cliv_status tensors(cliv_context *ctx, float *result) {
  cliv_tensor *a = NULL, *b = NULL, *view = NULL, *arena[2] = {NULL, NULL};
  static const int ndims[] = {1, 2};
  static const size_t shapes[] = {7, 5, 3}, row[] = {COLUMNS};
  cliv_status status = make(ctx, &a);
  if (!status) status = cliv_tensor_create(ctx, CLIV_F32, 2, shape, &b);
  if (!status) status = cliv_tensor_copy(a, b, NULL);
  if (!status) status = cliv_tensor_view(b, 3 * COLUMNS, 1, row, 0, &view);
  if (!status) status = cliv_tensor_fill(view, 2.5, NULL);
  if (!status) status = cliv_arena_create(ctx, CLIV_F32, 2, ndims, shapes, arena);
  if (!status) status = cliv_tensor_fill(arena[1], -1, NULL);
  if (!status) status = cliv_tensor_read(b, result, sizeof numbers);
  if (!status) status = cliv_tensor_read(arena[1], result + COUNT, 15 * sizeof(float));
  cliv_tensor_free(a);
  cliv_tensor_free(b);
  cliv_tensor_free(view);
  for (int i = 0; i < 2; i++) cliv_tensor_free(arena[i]);
  return status;
}

static cliv_status gather(cliv_context *ctx, float *result) {
  cliv_tensor *table = NULL, *indices = NULL, *out = NULL;
  int32_t picks[] = {3, 0, ROWS - 1, 3};
  const cliv_array wanted = {CLIV_I32, 1, {4}, picks};
  static const size_t four[] = {4, COLUMNS};
  cliv_status status = make(ctx, &table);
  if (!status) status = cliv_tensor_from_array(ctx, &wanted, &indices);
  if (!status) status = cliv_tensor_create(ctx, CLIV_F32, 2, four, &out);
  if (!status) status = cliv_gather(ctx, table, indices, out, NULL);
  if (!status) status = cliv_tensor_read(out, result, 4 * COLUMNS * sizeof(float));
  cliv_tensor_free(table);
  cliv_tensor_free(indices);
  cliv_tensor_free(out);
  return status;
}

/* exp(x), then times a row, then minus a number, into narrow storage. */
static cliv_status maps(cliv_context *ctx, float *result) {
  static const size_t columns[] = {COLUMNS};
  cliv_tensor *w = NULL, *x = NULL, *row = NULL, *narrow = NULL;
  cliv_status status = make(ctx, &w);
  if (!status) status = make(ctx, &x);
  if (!status) status = cliv_map(ctx, "exp", x, x, NULL);
  if (!status) status = cliv_tensor_view(w, 0, 1, columns, 0, &row);
  if (!status) status = cliv_map2(ctx, "mul", x, row, x, NULL);
  if (!status) status = cliv_tensor_create(ctx, CLIV_BF16, 2, shape, &narrow);
  if (!status) status = cliv_map(ctx, "copy", x, narrow, NULL);
  if (!status) status = cliv_map_scalar(ctx, "sub", x, 0.25, x, NULL);
  if (!status) status = cliv_tensor_read(x, result, sizeof numbers);
  if (!status) status = cliv_tensor_read(narrow, result + COUNT, COUNT * sizeof(uint16_t));
  cliv_tensor_free(w);
  cliv_tensor_free(x);
  cliv_tensor_free(row);
  cliv_tensor_free(narrow);
  return status;
}

/* Over all axes in two stages, and along rows. */
static cliv_status reductions(cliv_context *ctx, float *result) {
  static const size_t many[] = {3, 3000}, none[] = {0}, row[] = {ROWS};
  cliv_tensor *a = NULL, *all = NULL, *x = NULL, *rows = NULL;
  cliv_status status = cliv_tensor_create(ctx, CLIV_F32, 2, many, &a);
  if (!status) status = cliv_tensor_fill(a, 0.1, NULL);
  if (!status) status = cliv_tensor_create(ctx, CLIV_F32, 0, none, &all);
  if (!status) status = cliv_reduce(ctx, "var", CLIV_ALL_AXES, a, NULL, all, NULL);
  if (!status) status = make(ctx, &x);
  if (!status) status = cliv_tensor_create(ctx, CLIV_F32, 1, row, &rows);
  if (!status) status = cliv_reduce(ctx, "dot", -1, x, x, rows, NULL);
  if (!status) status = cliv_tensor_read(all, result, sizeof(float));
  if (!status) status = cliv_tensor_read(rows, result + 1, ROWS * sizeof(float));
  cliv_tensor_free(a);
  cliv_tensor_free(all);
  cliv_tensor_free(x);
  cliv_tensor_free(rows);
  return status;
}

/* One launch, four, and with the sums over rows. */
static cliv_status on_rows(cliv_context *ctx, float *result) {
  static const size_t many[] = {5000}, rows[] = {ROWS}, columns[] = {COLUMNS};
  cliv_tensor *long_one = NULL, *x = NULL, *out = NULL;
  cliv_rows_options o = {0};
  cliv_status status = cliv_tensor_create(ctx, CLIV_F32, 1, many, &long_one);
  if (!status) status = cliv_tensor_fill(long_one, 0.5, NULL);
  if (!status) status = cliv_rows(ctx, "softmax", long_one, NULL, long_one, NULL, NULL);
  if (!status) status = make(ctx, &x);
  if (!status) status = cliv_tensor_create(ctx, CLIV_F32, 2, shape, &out);
  if (!status) status = cliv_tensor_create(ctx, CLIV_F32, 1, rows, &o.mean);
  if (!status) status = cliv_tensor_create(ctx, CLIV_F32, 1, rows, &o.rstd);
  if (!status) status = cliv_rows(ctx, "layer_norm", x, NULL, out, &o, NULL);
  if (!status) status = cliv_tensor_create(ctx, CLIV_F32, 1, columns, &o.weight_gradient);
  if (!status) status = cliv_rows(ctx, "layer_norm_backward", x, out, out, &o, NULL);
  if (!status) status = cliv_tensor_read(out, result, sizeof numbers);
  if (!status) status = cliv_tensor_read(o.weight_gradient, result + COUNT, COLUMNS * sizeof(float));
  cliv_tensor *const made[] = {long_one, x, out, o.mean, o.rstd, o.weight_gradient};
  for (size_t i = 0; i < sizeof made / sizeof *made; i++) cliv_tensor_free(made[i]);
  return status;
}

/* In three launches and in place, and over segments. */
static cliv_status scans(cliv_context *ctx, float *result) {
  static const size_t many[] = {3, 3000}, some[] = {COUNT};
  static const uint64_t at[] = {0, 7, 7, COUNT};
  cliv_tensor *a = NULL, *part = NULL, *x = NULL, *flat = NULL;
  cliv_over over = {0};
  cliv_segments *pieces = NULL;
  cliv_status status = cliv_tensor_create(ctx, CLIV_F32, 2, many, &a);
  if (!status) status = cliv_tensor_fill(a, 0.1, NULL);
  if (!status) status = cliv_scan(ctx, "sum", CLIV_ALL_AXES, CLIV_EXCLUSIVE, a, a, NULL);
  if (!status) status = cliv_tensor_view(a, 8000, 1, some, 0, &part);
  if (!status) status = make(ctx, &x);
  if (!status) status = cliv_tensor_view(x, 0, 1, some, 0, &flat);
  if (!status) status = cliv_segments_create(ctx, 3, at, &pieces);
  over.segments = pieces;
  if (!status) status = cliv_scan_over(ctx, "max", &over, CLIV_INCLUSIVE, flat, flat, NULL);
  if (!status) status = cliv_tensor_read(part, result, sizeof numbers);
  if (!status) status = cliv_tensor_read(x, result + COUNT, sizeof numbers);
  cliv_tensor *const all[] = {a, part, x, flat};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) cliv_tensor_free(all[i]);
  cliv_segments_free(pieces);
  return status;
}

/* What a mask keeps, bins, and a sort of few digits. */
static cliv_status orders(cliv_context *ctx, float *result) {
  static const size_t flat[] = {COUNT}, bins = 5;
  cliv_tensor *x = NULL, *mask = NULL, *kept = NULL, *number = NULL, *counts = NULL, *sorted = NULL;
  cliv_status status = make(ctx, &x);
  if (!status) status = cliv_tensor_create(ctx, CLIV_U8, 2, shape, &mask);
  if (!status) status = cliv_map_scalar(ctx, "gt", x, 0, mask, NULL);
  if (!status) status = cliv_tensor_create(ctx, CLIV_F32, 1, flat, &kept);
  if (!status) status = cliv_tensor_fill(kept, 0, NULL);
  if (!status) status = cliv_tensor_create(ctx, CLIV_I64, 0, NULL, &number);
  if (!status) status = cliv_compact(ctx, x, mask, kept, number, NULL);
  if (!status) status = cliv_tensor_create(ctx, CLIV_I64, 1, &bins, &counts);
  if (!status) status = cliv_histogram(ctx, x, bins, -1, 1, counts, NULL);
  if (!status) status = cliv_tensor_create(ctx, CLIV_U8, 2, shape, &sorted);
  if (!status) status = cliv_sort(ctx, -1, CLIV_DESCENDING, mask, sorted, NULL, NULL);
  if (!status) status = cliv_tensor_read(kept, result, sizeof numbers);
  if (!status) status = cliv_tensor_read(sorted, result + COUNT, COUNT);
  if (!status) status = cliv_tensor_read(counts, result + 2 * COUNT, sizeof(int64_t) * bins);
  cliv_tensor *const all[] = {x, mask, kept, number, counts, sorted};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) cliv_tensor_free(all[i]);
  return status;
}

/* The first of a sort of few digits, and what lies between the elements of another. */
static cliv_status ranks(cliv_context *ctx, float *result) {
  static const size_t flat[] = {COUNT}, first[] = {7}, rows[] = {ROWS, 2};
  cliv_tensor *x = NULL, *narrow = NULL, *mask = NULL, *values = NULL, *places = NULL, *between = NULL;
  cliv_status status = make(ctx, &x);
  if (!status) status = cliv_tensor_create(ctx, CLIV_F16, 2, shape, &narrow);
  if (!status) status = cliv_map(ctx, "copy", x, narrow, NULL);
  if (!status) status = cliv_tensor_create(ctx, CLIV_U8, 1, flat, &mask);
  if (!status) status = cliv_tensor_fill(mask, 3, NULL);
  if (!status) status = cliv_tensor_create(ctx, CLIV_U8, 1, first, &values);
  if (!status) status = cliv_tensor_create(ctx, CLIV_I64, 1, first, &places);
  if (!status) status = cliv_topk(ctx, CLIV_ALL_AXES, first[0], CLIV_DESCENDING, mask, values, places, NULL);
  if (!status) status = cliv_tensor_create(ctx, CLIV_F16, 2, rows, &between);
  if (!status) status = cliv_quantile(ctx, -1, 2, (const double[]){0.3, 0.5}, narrow, between, NULL);
  if (!status) status = cliv_tensor_read(between, result, 2 * ROWS * sizeof(uint16_t));
  if (!status) status = cliv_tensor_read(places, result + ROWS, first[0] * sizeof(int64_t));
  if (!status) status = cliv_tensor_read(values, result + 2 * ROWS, first[0]);
  cliv_tensor *const all[] = {x, narrow, mask, values, places, between};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) cliv_tensor_free(all[i]);
  return status;
}

/* Every row of one tensor added to one of four of another. */
static cliv_status scatter(cliv_context *ctx, float *result) {
  static const size_t rows[] = {4, COLUMNS};
  int32_t at[ROWS];
  const cliv_array targets = {CLIV_I32, 1, {ROWS}, at};
  cliv_tensor *x = NULL, *indices = NULL, *sums = NULL;
  for (int i = 0; i < ROWS; i++) at[i] = i * 7 % 4;
  cliv_status status = make(ctx, &x);
  if (!status) status = cliv_tensor_from_array(ctx, &targets, &indices);
  if (!status) status = cliv_tensor_create(ctx, CLIV_F32, 2, rows, &sums);
  if (!status) status = cliv_tensor_fill(sums, 1, NULL);
  if (!status) status = cliv_scatter_add(ctx, x, indices, sums, NULL);
  if (!status) status = cliv_tensor_read(sums, result, 4 * COLUMNS * sizeof(float));
  cliv_tensor_free(x);
  cliv_tensor_free(indices);
  cliv_tensor_free(sums);
  return status;
}

/* Two allocations of shared virtual memory, a parameter and a gradient in each, by a rule of two launches. */
static cliv_status shared_memory(cliv_context *ctx, float *result) {
  cliv_tensor *t[4] = {NULL};
  cliv_optimizer *opt = NULL;
  void *svm[2];
  for (int i = 0; i < 2; i++) svm[i] = clSVMAlloc(ctx->context, CL_MEM_READ_WRITE, 2 * sizeof numbers, 0);
  cliv_status status = cliv_optimizer_create(ctx, "lamb", NULL, &opt);
  for (int i = 0; i < 4; i++) {
    const size_t offset = i % 2 ? sizeof numbers : 0;
    if (!status) status = cliv_tensor_wrap_svm(ctx, svm[i / 2], offset, CLIV_F32, 2, shape, &t[i]);
    if (!status) status = cliv_tensor_write(t[i], numbers, sizeof numbers);
  }
  if (!status) status = cliv_optimizer_add(opt, t[0], t[1], CLIV_DEFAULT_GROUP);
  if (!status) status = cliv_optimizer_add(opt, t[2], t[3], CLIV_DEFAULT_GROUP);
  if (!status) status = cliv_optimizer_step(opt, NULL);
  if (!status) status = cliv_tensor_read(t[2], result, sizeof numbers);
  cliv_optimizer_free(opt);
  for (int i = 0; i < 4; i++) cliv_tensor_free(t[i]);
  clFinish(ctx->queue);
  for (int i = 0; i < 2; i++) clSVMFree(ctx->context, svm[i]);
  return status;
}

/* Two parameters in different buffers, a gradient each, and an event of the last step. */
static cliv_status optimizer(cliv_context *ctx, float *result) {
  cliv_tensor *t[4] = {NULL};
  cliv_optimizer *opt = NULL;
  cl_event done = NULL;
  const cliv_sync sync = {0, NULL, &done};
  cliv_status status = cliv_optimizer_create(ctx, "adamw", NULL, &opt);
  for (int i = 0; !status && i < 4; i++) status = make(ctx, &t[i]);
  if (!status) status = cliv_optimizer_add(opt, t[0], t[1], CLIV_DEFAULT_GROUP);
  if (!status) status = cliv_optimizer_add(opt, t[2], t[3], CLIV_DEFAULT_GROUP);
  if (!status) status = cliv_optimizer_step(opt, NULL);
  if (!status) status = cliv_optimizer_step(opt, &sync);
  if (!status) status = cliv_tensor_read(t[2], result, sizeof numbers);
  if (done) clReleaseEvent(done);
  cliv_optimizer_free(opt);
  for (int i = 0; i < 4; i++) cliv_tensor_free(t[i]);
  return status;
}

/* Parameters that hold an average for a while, and then what a rule evaluates. */
static cliv_status averaged(cliv_context *ctx, float *result) {
  cliv_tensor *p = NULL, *g = NULL;
  cliv_optimizer *opt = NULL;
  cliv_average *average = NULL;
  cliv_status status = cliv_optimizer_create(ctx, "schedule_free_sgd", NULL, &opt);
  if (!status) status = make(ctx, &p);
  if (!status) status = make(ctx, &g);
  if (!status) status = cliv_optimizer_add(opt, p, g, CLIV_DEFAULT_GROUP);
  if (!status) status = cliv_average_create(opt, "ema", NULL, &average);
  if (!status) status = cliv_optimizer_step(opt, NULL);
  if (!status) status = cliv_average_update(average, NULL);
  for (int k = 0; !status && k < 2; k++) status = cliv_average_swap(average, NULL);
  for (int k = 1; !status && k >= 0; k--) status = cliv_optimizer_evaluate(opt, k, NULL);
  if (!status) status = cliv_tensor_read(p, result, sizeof numbers);
  cliv_average_free(average);
  cliv_optimizer_free(opt);
  cliv_tensor_free(p);
  cliv_tensor_free(g);
  return status;
}

/* Half the square of a vector's distance from 1, its gradient, and the product of its curvature with a vector. */
typedef struct bowl {
  cliv_context *ctx;
  cliv_tensor *sum;
} bowl;

static cliv_status bowl_value(void *with, const cliv_tensor *x, cliv_tensor *gradient, double *f) {
  const bowl *b = with;
  float sum = 0;
  cliv_status status = cliv_map_scalar(b->ctx, "sub", x, 1, gradient, NULL);
  if (!status) status = cliv_reduce(b->ctx, "sumsq", CLIV_ALL_AXES, gradient, NULL, b->sum, NULL);
  if (!status) status = cliv_tensor_read(b->sum, &sum, sizeof sum);
  *f = (double)sum / 2;
  return status;
}

static cliv_status bowl_product(void *with, const cliv_tensor *x, const cliv_tensor *v, cliv_tensor *out) {
  (void)with;
  (void)x;
  return cliv_tensor_copy(v, out, NULL);
}

static cliv_status bowl_term(void *with, const cliv_tensor *x, size_t term, cliv_tensor *out) {
  return cliv_map_scalar(((const bowl *)with)->ctx, "sub", x, (double)term, out, NULL);
}

/* One step with a line search, one by conjugate gradients. */
static cliv_status minimizers(cliv_context *ctx, float *result) {
  cliv_tensor *x = NULL;
  bowl b = {ctx, NULL};
  cliv_minimize_result reached = {.size = sizeof reached};
  const cliv_objective objective = {.with = &b, .value = bowl_value, .hessian_product = bowl_product};
  const cliv_minimize_options options = {.max_iterations = 1, .history = 2};
  cliv_status status = make(ctx, &x);
  if (!status) status = cliv_tensor_create(ctx, CLIV_F32, 0, NULL, &b.sum);
  if (!status) status = cliv_minimize(ctx, "lbfgs", &objective, x, &options, &reached);
  if (!status) status = cliv_minimize(ctx, "newton_cg", &objective, x, &options, &reached);
  if (!status) status = cliv_tensor_read(x, result, sizeof numbers);
  cliv_tensor_free(x);
  cliv_tensor_free(b.sum);
  return status;
}

/* A table that is added up anew, and a mean of all gradients. */
static cliv_status less_variance(cliv_context *ctx, float *result) {
  static const int32_t order[] = {1, 0, 1};
  cliv_tensor *x = NULL;
  bowl b = {ctx, NULL};
  cliv_variance *v = NULL;
  cl_event done = NULL;
  const cliv_sum sum = {.with = &b, .terms = 2, .gradient = bowl_term};
  const cliv_variance_options options = {.lr = 0.25, .l1 = 0.01};
  cliv_status status = make(ctx, &x);
  if (!status) status = cliv_variance_create(ctx, "saga", &sum, x, &options, &v);
  if (!status) status = cliv_variance_run(v, 3, order, &(cliv_sync){0, NULL, &done});
  if (done) clReleaseEvent(done);
  cliv_variance_free(v);
  v = NULL;
  if (!status) status = cliv_variance_create(ctx, "svrg", &sum, x, &options, &v);
  if (!status) status = cliv_variance_run(v, 1, order, NULL);
  cliv_variance_free(v);
  if (!status) status = cliv_tensor_read(x, result, sizeof numbers);
  cliv_tensor_free(x);
  return status;
}

/* Gradients looked at before each step; saved, loaded and gone on with. */
static cliv_status looked_at(cliv_context *ctx, float *result) {
  cliv_tensor *p = NULL, *g = NULL;
  cliv_optimizer *opt = NULL;
  cliv_gradient_state seen = {0};
  const cliv_gradient_options options = {.clip_norm = 1,
                                         .nonfinite = CLIV_NONFINITE_SKIP,
                                         .growth = 2,
                                         .interval = 2,
                                         .centralize = 1,
                                         .agc = 0.5,
                                         .clip_each = 1,
                                         .smooth = 1};
  cliv_status status = cliv_optimizer_create(ctx, "adamw", NULL, &opt);
  if (!status) status = make(ctx, &p);
  if (!status) status = make(ctx, &g);
  if (!status) status = cliv_optimizer_add(opt, p, g, CLIV_DEFAULT_GROUP);
  if (!status) status = cliv_optimizer_gradients(opt, &options);
  if (!status) status = cliv_optimizer_step(opt, NULL);
  if (!status) status = cliv_optimizer_step(opt, NULL);
  if (!status) status = cliv_optimizer_save(opt, states_file);
  if (!status) status = cliv_optimizer_load(opt, states_file);
  if (!status) status = cliv_optimizer_step(opt, NULL);
  if (!status) status = cliv_optimizer_gradient_state(opt, &seen);
  if (!status) status = cliv_tensor_read(p, result, sizeof numbers);
  result[COUNT] = (float)seen.norm, result[COUNT + 1] = (float)seen.scale;
  cliv_optimizer_free(opt);
  cliv_tensor_free(p);
  cliv_tensor_free(g);
  return status;
}

/* C = A Bᵀ + C, y = C x + y, y = y + x. */
static cliv_status products(cliv_context *ctx, cliv_provider provider, float *result) {
  const cliv_blas_options options = {.provider = provider};
  static const size_t square[] = {ROWS, ROWS}, column[] = {COLUMNS}, row[] = {ROWS};
  cliv_tensor *a = NULL, *b = NULL, *c = NULL, *x = NULL, *y = NULL, *z = NULL;
  cliv_status status = make(ctx, &a);
  if (!status) status = make(ctx, &b);
  if (!status) status = cliv_tensor_create(ctx, CLIV_F32, 2, square, &c);
  if (!status) status = cliv_tensor_fill(c, 0.5, NULL);
  if (!status) status = cliv_gemm(ctx, 0, 1, 1.5, a, b, 2, c, &options, NULL);
  if (!status) status = cliv_tensor_view(a, COLUMNS, 1, column, 0, &x);
  if (!status) status = cliv_tensor_create(ctx, CLIV_F32, 1, row, &y);
  if (!status) status = cliv_tensor_view(c, 2 * ROWS, 1, row, 0, &z);
  if (!status) status = cliv_gemv(ctx, 0, 1, a, x, 0, y, &options, NULL);
  if (!status) status = cliv_axpy(ctx, -0.5, z, y, &options, NULL);
  if (!status) status = cliv_tensor_read(c, result, ROWS * ROWS * sizeof(float));
  if (!status) status = cliv_tensor_read(y, result + ROWS * ROWS, ROWS * sizeof(float));
  cliv_tensor *const all[] = {a, b, c, x, y, z};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) cliv_tensor_free(all[i]);
  return status;
}

static cliv_status exact_products(cliv_context *ctx, float *result) {
  return products(ctx, CLIV_PROVIDER_EXACT, result);
}

/* A list of products at uneven places, with bias and activation; and one of a view of strides. */
static cliv_status listed_products(cliv_context *ctx, float *result) {
  enum { LIST = 3, M = 4, SIDE = 20 };
  static const size_t rows[LIST] = {0, 5, 7}, a_shape[] = {M, COLUMNS}, c_shape[] = {M, ROWS},
                      all[] = {LIST * M * ROWS}, row[] = {ROWS}, sides[] = {SIDE, 12}, strides[] = {2 * COLUMNS, 2},
                      square[] = {SIDE, SIDE};
  cliv_tensor *a = NULL, *b = NULL, *c = NULL, *bias = NULL, *spread = NULL, *d = NULL, *x[LIST] = {0}, *y[LIST] = {0};
  cliv_status status = make(ctx, &a);
  if (!status) status = make(ctx, &b);
  if (!status) status = cliv_tensor_create(ctx, CLIV_F32, 1, all, &c);
  if (!status) status = cliv_tensor_view(b, COLUMNS, 1, row, 0, &bias);
  for (size_t i = 0; i < LIST && !status; i++) {
    status = cliv_tensor_view(a, rows[i] * COLUMNS, 2, a_shape, 0, &x[i]);
    if (!status) status = cliv_tensor_view(c, i * M * ROWS, 2, c_shape, 0, &y[i]);
  }
  const cliv_blas_options options = {.provider = CLIV_PROVIDER_EXACT, .bias = bias, .activation = CLIV_ACTIVATION_RELU};
  const cliv_tensor *const same[] = {b, b, b};
  if (!status)
    status = cliv_gemm_batched(ctx, LIST, 0, 1, 1, (const cliv_tensor *const *)x, same, 0, y, &options, NULL);
  if (!status) status = cliv_tensor_view_strided(a, 0, 2, sides, strides, &spread);
  if (!status) status = cliv_tensor_create(ctx, CLIV_F32, 2, square, &d);
  if (!status)
    status = cliv_gemm(ctx, 0, 1, 1, spread, spread, 0, d, &(cliv_blas_options){.provider = CLIV_PROVIDER_EXACT}, NULL);
  if (!status) status = cliv_tensor_read(c, result, sizeof(float) * LIST * M * ROWS);
  if (!status) status = cliv_tensor_read(d, result + LIST * M * ROWS, sizeof(float) * SIDE * SIDE);
  cliv_tensor *const made[] = {a, b, c, bias, spread, d, x[0], x[1], x[2], y[0], y[1], y[2]};
  for (size_t i = 0; i < sizeof made / sizeof *made; i++) cliv_tensor_free(made[i]);
  return status;
}

/* Losses and gradients of single outputs and of rows of them. */
static cliv_status losses(cliv_context *ctx, float *result) {
  static const size_t column[] = {COUNT, 1}, rows[] = {ROWS};
  cliv_tensor *z = NULL, *t = NULL, *g = NULL, *l = NULL, *classes = NULL, *z1 = NULL, *t1 = NULL;
  cliv_status status = make(ctx, &z);
  if (!status) status = make(ctx, &t);
  if (!status) status = cliv_tensor_create(ctx, CLIV_F32, 2, shape, &g);
  if (!status) status = cliv_tensor_create(ctx, CLIV_F32, 1, rows, &l);
  if (!status) status = cliv_tensor_create(ctx, CLIV_I32, 1, rows, &classes);
  if (!status) status = cliv_tensor_fill(classes, 3, NULL);
  if (!status) status = cliv_tensor_view(z, 0, 2, column, 0, &z1);
  if (!status) status = cliv_tensor_view(t, 0, 2, column, 0, &t1);
  if (!status) status = cliv_loss(ctx, "cross_entropy", z, classes, 1, l, g, NULL);
  if (!status) status = cliv_loss(ctx, "mse", z1, t1, 1, NULL, z1, NULL);
  if (!status) status = cliv_loss(ctx, "binary_cross_entropy", z, t, 1, l, z, NULL);
  if (!status) status = cliv_tensor_read(l, result, ROWS * sizeof(float));
  if (!status) status = cliv_tensor_read(g, result + ROWS, COUNT * sizeof(float));
  if (!status) status = cliv_tensor_read(z, result + ROWS + COUNT, COUNT * sizeof(float));
  cliv_tensor *const all[] = {z, t, g, l, classes, z1, t1};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) cliv_tensor_free(all[i]);
  return status;
}

/* Two fills of one tensor, the second in a type of its own. */
static cliv_status random_numbers(cliv_context *ctx, float *result) {
  cliv_tensor *x = NULL, *y = NULL;
  cl_event done = NULL;
  const cliv_sync sync = {0, NULL, &done};
  uint8_t ones[COUNT];
  cliv_status status = cliv_tensor_create(ctx, CLIV_F32, 2, shape, &x);
  if (!status) status = cliv_tensor_create(ctx, CLIV_U8, 2, shape, &y);
  if (!status) status = cliv_random_fill(ctx, "normal", NULL, 1, 2, 3, x, NULL);
  if (!status) status = cliv_random_fill(ctx, "bernoulli", NULL, 1, 2, 3, y, &sync);
  if (!status) status = cliv_tensor_read(x, result, COUNT * sizeof(float));
  if (!status) status = cliv_tensor_read(y, ones, sizeof ones);
  if (!status) result[COUNT] = (float)(ones[0] + 2 * ones[1] + 4 * ones[2]);
  if (done) clReleaseEvent(done);
  cliv_tensor_free(x), cliv_tensor_free(y);
  return status;
}

/* A whole training, without files. */
static cliv_status training(cliv_context *ctx, float *result) {
  static const char *const target = "y";
  const cliv_run_options options = {.path = rows_file,
                                    .data = &(cliv_data_options){.targets = &target, .target_count = 1},
                                    .training = &(cliv_train_options){.model = "softmax", .epochs = 1, .batch = 8},
                                    .out = ""};
  cliv_run_result r;
  const cliv_status status = cliv_train(ctx, &options, &r);
  if (status) return status;
  result[0] = (float)r.training.loss;
  result[1] = (float)r.validation.loss;
  result[2] = (float)r.steps;
  return CLIV_OK;
}

/* Real numbers in two dimensions and back; then a length that is convolved, in place. */
static cliv_status transforms(cliv_context *ctx, float *result) {
  enum { LINES = 20, LENGTH = 50, HALF = LENGTH / 2 + 1, PAIRS = LINES * HALF * 2 };
  static const size_t reals[] = {LINES, LENGTH}, pairs[] = {LINES, HALF, 2};
  const cliv_fft_options both = {.axis_count = 2, .axes = (const int[]){0, 1}, .provider = CLIV_FFT_PROVIDER_EXACT};
  const cliv_fft_options one = {.provider = CLIV_FFT_PROVIDER_EXACT};
  cliv_tensor *a = NULL, *x = NULL, *y = NULL, *back = NULL;
  cliv_status status = make(ctx, &a);
  if (!status) status = cliv_tensor_view(a, 0, 2, reals, 0, &x);
  if (!status) status = cliv_tensor_create(ctx, CLIV_F32, 3, pairs, &y);
  if (!status) status = cliv_tensor_create(ctx, CLIV_F32, 2, reals, &back);
  if (!status) status = cliv_rfft(ctx, x, y, &both, NULL);
  if (!status) status = cliv_irfft(ctx, y, back, &both, NULL);
  if (!status) status = cliv_fft(ctx, y, y, &one, NULL);
  if (!status) status = cliv_tensor_read(y, result, PAIRS * sizeof(float));
  if (!status) status = cliv_tensor_read(back, result + PAIRS, LINES * LENGTH * sizeof(float));
  cliv_tensor *const all[] = {a, x, y, back};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) cliv_tensor_free(all[i]);
  return status;
}

/* What is made of transforms. */
static cliv_status spectra(cliv_context *ctx, float *result) {
  enum { LINES = 4, LENGTH = 10 };
  static const size_t lines[] = {LINES, LENGTH};
  const cliv_convolve_options same = {.mode = CLIV_CONVOLVE_SAME};
  cliv_tensor *a = NULL, *x = NULL, *y = NULL, *z = NULL;
  cliv_status status = make(ctx, &a);
  if (!status) status = cliv_tensor_view(a, 0, 2, lines, 0, &x);
  if (!status) status = cliv_tensor_create(ctx, CLIV_F32, 2, lines, &y);
  if (!status) status = cliv_tensor_create(ctx, CLIV_F32, 2, lines, &z);
  if (!status) status = cliv_dct(ctx, x, y, NULL, NULL);
  if (!status) status = cliv_fft_smooth(ctx, y, y, &(cliv_smooth_options){.strength = 1}, NULL);
  if (!status) status = cliv_fft_convolve(ctx, x, y, z, &same, NULL);
  if (!status) status = cliv_tensor_read(z, result, LINES * LENGTH * sizeof(float));
  cliv_tensor *const all[] = {a, x, y, z};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) cliv_tensor_free(all[i]);
  return status;
}

typedef enum start { OPENED, OPENING, WRAPPING } start;

static const struct work {
  const char *name;
  cliv_status (*run)(cliv_context *ctx, float *result);
  start start; /* whether opening the context, or wrapping one around an out-of-order queue, is part of it */
  long step;   /* from one call that fails to the next: more than 1 where there are many */
} works[] = {
    {"open a context", facts, OPENING, 1},
    {"tensors", tensors, OPENED, 1},
    {"tensors out of order", tensors, WRAPPING, 1},
    {"gather", gather, OPENED, 1},
    {"maps", maps, OPENED, 1},
    {"reductions", reductions, OPENED, 1},
    {"rows", on_rows, OPENED, 1},
    {"scans", scans, OPENED, 1},
    {"orders", orders, OPENED, 1},
    {"ranks", ranks, OPENED, 5},
    {"scatter", scatter, OPENED, 5},
    {"optimizer", optimizer, OPENED, 1},
    {"optimizer out of order", optimizer, WRAPPING, 1},
    {"shared virtual memory", shared_memory, OPENED, 5},
    {"averages", averaged, OPENED, 7},
    {"gradients", looked_at, OPENED, 3},
    {"gradients out of order", looked_at, WRAPPING, 7},
    {"minimizers", minimizers, OPENED, 13},
    {"less variance", less_variance, OPENED, 7},
    {"products", exact_products, OPENED, 1},
    {"listed products", listed_products, OPENED, 3},
    {"transforms", transforms, OPENED, 5},
    {"transforms out of order", transforms, WRAPPING, 7},
    {"spectra", spectra, OPENED, 13},
    {"losses", losses, OPENED, 1},
    {"random numbers", random_numbers, OPENED, 1},
    {"training", training, OPENED, 29},
};
enum { WORKS = sizeof works / sizeof works[0] };

/* ---- the sweep ---- */

typedef struct fault {
  bool memory; /* an allocation, else an OpenCL call */
  long n;
  int sticky;
  const char *among; /* of the calls whose name contains this; NULL: of all */
} fault;

static void arm(fault f) {
  if (f.memory) memfault_arm(f.n, f.sticky);
  else layer->arm(f.n, f.sticky, f.among);
}

static const char *fired(fault f) { return !f.memory ? layer->fired() : memfault_fired() ? "malloc" : NULL; }

/* The caller's objects for a context to be wrapped around. */
typedef struct guest {
  cl_context context;
  cl_device_id device;
  cl_command_queue queue;
} guest;

static guest make_guest(const cliv_context_options *options) {
  cliv_context *ctx;
  cl_int code;
  ASSERT_OK(NULL, cliv_context_create(options, &ctx));
  guest g = {.device = cliv_context_cl_device(ctx)};
  cliv_context_free(ctx);
  g.context = clCreateContext(NULL, 1, &g.device, NULL, NULL, &code);
  ASSERT_CL(code);
  g.queue = clCreateCommandQueue(g.context, g.device, CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE, &code);
  ASSERT_CL(code);
  return g;
}

static cliv_status get_context(start how, const cliv_context_options *options, const guest *g, cliv_context **ctx) {
  return how == WRAPPING ? cliv_context_wrap(g->context, g->device, g->queue, options, ctx)
                         : cliv_context_create(options, ctx);
}

/* The work under a fault, from a new context on. The sentence goes to `said`. */
static cliv_status run(const struct work *w, const cliv_context_options *options, fault f, float *result,
                       char said[256]) {
  cliv_context *ctx = NULL;
  guest g = {NULL, NULL, NULL};
  memset(result, 0, RESULT * sizeof(float));
  said[0] = 0;
  if (w->start == WRAPPING) g = make_guest(options);
  if (w->start != OPENED) arm(f);
  cliv_status status = get_context(w->start, options, &g, &ctx);
  if (w->start == OPENED) arm(f);
  if (!status) status = w->run(ctx, result);
  if (status) snprintf(said, 256, "%s", cliv_last_error(ctx));
  cliv_context_free(ctx);
  if (g.queue) clReleaseCommandQueue(g.queue);
  if (g.context) clReleaseContext(g.context);
  return status;
}

/* Whether a call failed at all; the test ends where what came of it is not right. */
static bool judge(const struct work *w, const cliv_context_options *options, fault f, cliv_status status,
                  const char *said, bool equal, const char *alive) {
  const char *call = fired(f);
  arm((fault){.memory = f.memory});
  /* The machine's or the driver's failure: not the caller's, and no defect of the library. */
  const bool told = status && status / 100 != 2 && status != CLIV_INTERNAL && said[0];
  const bool right = !status && equal;
  if (!(call ? told || right : right) || strcmp(layer->leaks(), alive) != 0)
    fail_msg("%s, %s walk, %s %ld%s (%s): status %d '%s'%s; alive: %s", w->name, test_walk_name(options->walk),
             f.memory ? "allocation" : "call", f.n, f.sticky ? " and all later" : "", call ? call : "none", (int)status,
             said, !status && !equal ? ", WRONG RESULT" : "", layer->leaks());
  return call != NULL;
}

static bool try_fault(const struct work *w, const cliv_context_options *options, fault f, const float *want) {
  static float got[RESULT];
  char said[256];
  const cliv_status status = run(w, options, f, got, said);
  return judge(w, options, f, status, said, memcmp(got, want, sizeof got) == 0, "none");
}

/* Sanitizers have time for one walk, and for every third call. */
static int walks(void) { return test_small() ? 1 : 2; }
static long step(const struct work *w, fault f) {
  const long all = f.among ? (w->step + 4) / 5 : w->step; /* few make up for what is left out */
  return *only ? 1 : test_small() ? 3 * all : all;
}

/* Every call fails by itself and with all later ones. Where a work is done in both walks, it makes about the same calls
 * in them: each fails in one way in the first walk, in the other way in the second, its neighbours the other way
 * round. */
typedef struct plan {
  fault f; /* as each fails, but for n and, where ways is not 1, sticky */
  bool no_disk_cache;
  int walks, ways; /* ways 1: by itself alone */
} plan;

static void sweep_work(const struct work *w, const cliv_context_options *options, const plan *p, int walk,
                       const float *want) {
  const bool dealt = p->ways > 1 && w->start != OPENING && p->walks > 1 && !*only;
  for (int way = 0; way < (dealt ? 1 : p->ways); way++) {
    fault f = p->f;
    long tries = 0;
    for (f.n = 1;; f.n += step(w, f), tries++) {
      f.sticky = dealt ? (int)(tries + walk) % 2 : way;
      if (!try_fault(w, options, f, want)) break;
    }
    print_message("%s, %s walk: %ld %s\n", w->name, test_walk_name(options->walk), f.n - 1,
                  f.memory ? "allocations" : "calls");
  }
}

static void sweep(const plan *p) {
  static float want[RESULT];
  char said[256];
  for (int k = 0; k < p->walks; k++) {
    const cliv_context_options options = {.walk = test_walks[k], .no_disk_cache = p->no_disk_cache};
    for (const struct work *w = works; w < works + WORKS; w++) {
      if (w->start == OPENING && k > 0) continue; /* the walk does not matter to it */
      if (!strstr(w->name, only)) continue;
      const cliv_status status = run(w, &options, (fault){.memory = p->f.memory}, want, said);
      if (status) fail_msg("%s, no fault: %s", w->name, said);
      sweep_work(w, &options, p, k, want);
    }
  }
}

static void every_call(void **state) {
  (void)state;
  sweep(&(plan){.walks = walks(), .ways = walks()});
}

/* What is compiled from its text and not read from a file: no other call knows of it. */
static void every_call_that_compiles(void **state) {
  (void)state;
  sweep(&(plan){.f.among = *only ? NULL : "Program", .no_disk_cache = true, .walks = 1, .ways = 1});
}

static void every_allocation(void **state) {
  (void)state;
  sweep(&(plan){.f.memory = true, .walks = 1, .ways = walks()});
}

#if defined CLIV_HAVE_CLBLAST || defined CLIV_HAVE_CLFFT
/* Of work that another library does, with its programs and plans made before: making them it leaves objects behind when
 * a call fails. */
static void sweep_warm(const struct work *w) {
  static float want[RESULT], got[RESULT];
  const cliv_context_options options = {.walk = CLIV_WALK_CPU};
  char alive[256];
  cliv_context *ctx;
  if (!strstr(w->name, only)) return;
  ASSERT_OK(NULL, cliv_context_create(&options, &ctx));
  memset(want, 0, sizeof want);
  ASSERT_OK(ctx, w->run(ctx, want));
  snprintf(alive, sizeof alive, "%s", layer->leaks());
  for (int sticky = 0; sticky < walks(); sticky++) {
    for (fault f = {.n = 1, .sticky = sticky};; f.n++) {
      memset(got, 0, sizeof got);
      arm(f);
      const cliv_status status = w->run(ctx, got);
      if (!judge(w, &options, f, status, cliv_last_error(ctx), memcmp(got, want, sizeof got) == 0, alive)) break;
    }
  }
  cliv_context_free(ctx);
}
#endif

#ifdef CLIV_HAVE_CLBLAST
static cliv_status clblast_products(cliv_context *ctx, float *result) {
  return products(ctx, CLIV_PROVIDER_CLBLAST, result);
}

/* In one context, since CLBlast compiles for seconds in each; what it keeps alive in it is what it kept before. */
static void every_call_of_clblast(void **state) {
  (void)state;
  static const struct work w = {"products by CLBlast", clblast_products, OPENED, 1};
  sweep_warm(&w);
}
#endif

#ifdef CLIV_HAVE_CLFFT
/* Offset, so that copies or parts of memory are needed. */
static cliv_status clfft_transforms(cliv_context *ctx, float *result) {
  enum { LINES = 20, LENGTH = 8, HALF = LENGTH / 2 + 1 };
  static const size_t reals[] = {LINES, LENGTH}, pairs[] = {LINES, HALF, 2};
  const cliv_fft_options o = {.provider = CLIV_FFT_PROVIDER_CLFFT};
  cliv_tensor *a = NULL, *x = NULL, *y = NULL;
  ctx->trials = false; /* children are no OpenCL calls */
  cliv_status status = make(ctx, &a);
  if (!status) status = cliv_tensor_view(a, 3, 2, reals, 0, &x);
  if (!status) status = cliv_tensor_create(ctx, CLIV_F32, 3, pairs, &y);
  if (!status) status = cliv_rfft(ctx, x, y, &o, NULL);
  if (!status) status = cliv_tensor_read(y, result, LINES * HALF * 2 * sizeof(float));
  cliv_tensor_free(a);
  cliv_tensor_free(x);
  cliv_tensor_free(y);
  return status;
}

static void every_call_of_clfft(void **state) {
  (void)state;
  static const struct work w = {"transforms by clFFT", clfft_transforms, OPENED, 1};
  sweep_warm(&w);
}
#endif

static void write_rows(void) {
  char text[20 * 40] = "a,b,y\n";
  for (uint64_t i = 0; i < 20; i++)
    sprintf(text + strlen(text), "%.3f,%.3f,%c\n", test_uniform(2, i, -1, 1), test_uniform(3, i, -1, 1), "pqr"[i % 3]);
  dir = test_temp_dir();
  rows_file = test_join(dir, "rows.csv");
  test_write_file(rows_file, text, strlen(text));
  states_file = test_join(dir, "states.safetensors");
}

static int prepare(void **state) {
  (void)state;
  layer = fault_layer_find();
  for (size_t i = 0; i < COUNT; i++) numbers[i] = (float)test_uniform(1, i, -1, 1);
  write_rows();
  return 0;
}

static int clean(void **state) {
  (void)state;
  test_remove_tree(dir);
  free(rows_file);
  free(states_file);
  free(dir);
  return 0;
}

/* fault_opencl [TEXT [TEST]]: all works, or those with the text in their name, whole; all tests, or those of this
 * pattern. */
int main(int argc, char **argv) {
  if (argc > 1) only = argv[1];
  if (argc > 2) cmocka_set_test_filter(argv[2]);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_call),
      cmocka_unit_test(every_call_that_compiles),
      cmocka_unit_test(every_allocation),
#ifdef CLIV_HAVE_CLBLAST
      cmocka_unit_test(every_call_of_clblast),
#endif
#ifdef CLIV_HAVE_CLFFT
      cmocka_unit_test(every_call_of_clfft),
#endif
  };
  return cmocka_run_group_tests(tests, prepare, clean);
}
