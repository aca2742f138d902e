/* cliv/blas.h, triangles and symmetric matrices: bits against the definitions on the host, errors against double, both
 * walks, both providers. */
#include <cliv/blas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/context.h"
#include "runtime/tensor.h"
#include "support.h"

/* ---- batches of matrices in guarded memory ---- */

typedef struct matrix {
  size_t count, rows, columns, pitch, lead, total;
  cliv_dtype dtype;
  void *host;
  test_guarded base;
  cliv_tensor *view;
} matrix;

static matrix make(cliv_context *ctx, cliv_dtype dtype, size_t count, size_t rows, size_t columns, size_t gap,
                   uint64_t seed) {
  matrix m = {.count = count, .rows = rows, .columns = columns, .pitch = columns + gap, .lead = gap, .dtype = dtype};
  m.total = m.lead + count * rows * m.pitch;
  m.host = test_alloc(m.total * cliv_dtype_size(dtype));
  for (size_t i = 0; i < m.total; i++) test_put(dtype, m.host, i, test_normal(seed, i));
  m.base = test_guard1(ctx, dtype, m.total, seed % 3, m.host);
  const size_t shape[] = {count, rows, columns}, skip = count == 1 ? 1 : 0;
  if (count && rows && columns) {
    ASSERT_OK(ctx, cliv_tensor_view(m.base.tensor, m.lead, 3 - (int)skip, shape + skip, m.pitch, &m.view));
  } else {
    ASSERT_OK(ctx, cliv_tensor_create(ctx, dtype, 3 - (int)skip, shape + skip, &m.view));
  }
  return m;
}

static void release(matrix *m) {
  cliv_tensor_free(m->view);
  test_guard_free(&m->base);
  free(m->host);
}

static size_t at(const matrix *m, size_t b, size_t i, size_t j) { return m->lead + (b * m->rows + i) * m->pitch + j; }
static double get(const matrix *m, size_t b, size_t i, size_t j) { return test_get(m->dtype, m->host, at(m, b, i, j)); }
static void put(matrix *m, size_t b, size_t i, size_t j, double x) {
  test_put(m->dtype, m->host, at(m, b, i, j), isnan(x) ? (double)NAN : x);
}
/* To the device, after changes on the host. */
static void upload(const matrix *m) {
  ASSERT_OK(NULL, cliv_tensor_write(m->base.tensor, m->host, m->total * cliv_dtype_size(m->dtype)));
}

/* ---- arithmetic of a dtype, on doubles that hold its values ---- */

static double round_to(cliv_dtype t, double x) {
  const volatile float f = (float)x;
  return t == CLIV_F64 ? x : (double)f;
}
static double fused(cliv_dtype t, double a, double b, double c) {
  return t == CLIV_F64 ? fma(a, b, c) : (double)fmaf((float)a, (float)b, (float)c);
}

/* ---- the definitions ---- */

typedef enum routine { SYRK, SYMM, TRMM, TRSM, ROUTINES } routine;
static const unsigned known[] = {CLIV_UPPER | CLIV_TRANS, CLIV_RIGHT | CLIV_UPPER,
                                 CLIV_RIGHT | CLIV_UPPER | CLIV_TRANS | CLIV_UNIT,
                                 CLIV_RIGHT | CLIV_UPPER | CLIV_TRANS | CLIV_UNIT};

/* m × n results, a sum over k of syrk alone. */
typedef struct scene {
  routine routine;
  cliv_dtype dtype;
  unsigned how;
  size_t count, m, n, k, gap;
  double alpha, beta;
  bool in_place;
  matrix a, b, c;
} scene;

static bool stored(const scene *s, size_t i, size_t j) { return s->how & CLIV_UPPER ? j >= i : j <= i; }

/* What multiplies line k of B, or of X, for line i of the result: false where the triangle has nothing there. */
static bool factor(const scene *s, size_t b, size_t i, size_t k, double *out) {
  const bool flipped = !(s->how & CLIV_TRANS) != !(s->how & CLIV_RIGHT);
  const size_t row = flipped ? k : i, column = flipped ? i : k;
  if (s->routine == SYMM) {
    *out = stored(s, row, column) ? get(&s->a, b, row, column) : get(&s->a, b, column, row);
    return true;
  }
  if (!stored(s, row, column)) return false;
  *out = i == k && s->how & CLIV_UNIT ? 1 : get(&s->a, b, row, column);
  return true;
}

static double line(const scene *s, const matrix *x, size_t b, size_t k, size_t v) {
  return s->how & CLIV_RIGHT ? get(x, b, v, k) : get(x, b, k, v);
}

static double finish(const scene *s, double sum, double old) {
  const cliv_dtype t = s->dtype;
  return s->beta == 0 ? round_to(t, s->alpha * sum) : fused(t, s->alpha, sum, round_to(t, s->beta * old));
}

static double square_element(const scene *s, size_t b, size_t i, size_t j) {
  double sum = 0;
  for (size_t k = 0; k < s->k; k++)
    sum = s->how & CLIV_TRANS ? fused(s->dtype, get(&s->a, b, k, i), get(&s->a, b, k, j), sum)
                              : fused(s->dtype, get(&s->a, b, i, k), get(&s->a, b, j, k), sum);
  return sum;
}

static double product_element(const scene *s, size_t b, size_t i, size_t v, size_t n) {
  double sum = 0, f;
  for (size_t k = 0; k < n; k++)
    if (factor(s, b, i, k, &f)) sum = fused(s->dtype, f, line(s, &s->b, b, k, v), sum);
  return sum;
}

/* Vector v of the solution, into x. */
static void solve_vector(const scene *s, size_t b, size_t v, size_t n, double *x) {
  const cliv_dtype t = s->dtype;
  double f;
  const bool first = n < 2 || !factor(s, b, 0, 1, &f); /* ascending: line 0 is made of nothing else */
  for (size_t step = 0; step < n; step++) {
    const size_t i = first ? step : n - 1 - step, block = i / 32;
    double sum = 0, r = round_to(t, s->alpha * line(s, &s->b, b, i, v));
    for (size_t k = 0; k < n; k++)
      if (k / 32 != block && factor(s, b, i, k, &f)) sum = fused(t, f, x[k], sum);
    if (first ? block > 0 : block < (n - 1) / 32) r = fused(t, -1, sum, r);
    for (size_t j = 0; j < step; j++) {
      const size_t k = first ? j : n - 1 - j;
      if (k / 32 == block && factor(s, b, i, k, &f)) r = fused(t, -f, x[k], r);
    }
    (void)factor(s, b, i, i, &f);
    x[i] = s->how & CLIV_UNIT ? r : round_to(t, r / f);
  }
}

/* Into C's host copy. */
static void reference(scene *s) {
  const bool right = s->how & CLIV_RIGHT;
  const size_t n = right ? s->n : s->m, vectors = right ? s->m : s->n;
  double *const x = test_alloc(n * sizeof *x);
  for (size_t b = 0; b < s->count; b++)
    for (size_t v = 0; v < vectors; v++) {
      if (s->routine == TRSM) solve_vector(s, b, v, n, x);
      for (size_t i = 0; i < n; i++) {
        const size_t row = right ? v : i, column = right ? i : v;
        if (s->routine == SYRK && !stored(s, row, column)) continue;
        const double old = s->beta == 0 ? 0 : get(&s->c, b, row, column);
        if (s->routine == SYRK) x[i] = finish(s, square_element(s, b, row, column), old);
        else if (s->routine != TRSM) x[i] = finish(s, product_element(s, b, i, v, n), old);
      }
      for (size_t i = 0; i < n; i++)
        if (s->routine != SYRK || stored(s, i, v)) put(&s->c, b, right ? v : i, right ? i : v, x[i]);
    }
  free(x);
}

/* ---- one call ---- */

/* Triangles whose equations are well conditioned, and NaN in what must not be read. */
static void dress(scene *s) {
  matrix *const a = &s->a;
  for (size_t b = 0; b < s->count && s->routine != SYRK; b++)
    for (size_t i = 0; i < a->rows; i++)
      for (size_t j = 0; j < a->columns; j++) {
        if (!stored(s, i, j) || (i == j && s->how & CLIV_UNIT)) put(a, b, i, j, (double)NAN);
        else if (s->routine == TRSM)
          put(a, b, i, j, i == j ? 2 + fabs(get(a, b, i, j)) : get(a, b, i, j) / (double)a->rows);
      }
  for (size_t b = 0; b < s->count && s->beta == 0 && !s->in_place; b++)
    for (size_t i = 0; i < s->m; i++)
      for (size_t j = 0; j < s->n; j++)
        if (s->routine != SYRK || stored(s, i, j)) put(&s->c, b, i, j, (double)NAN);
  upload(a), upload(&s->c);
}

static void set_scene(cliv_context *ctx, scene *s, uint64_t seed) {
  const size_t side = s->how & CLIV_RIGHT ? s->n : s->m;
  const bool tall = s->routine == SYRK && s->how & CLIV_TRANS;
  s->a = make(ctx, s->dtype, s->count,
              tall                 ? s->k
              : s->routine == SYRK ? s->m
                                   : side,
              tall                 ? s->m
              : s->routine == SYRK ? s->k
                                   : side,
              s->gap, seed + 1);
  s->b = make(ctx, s->dtype, s->count, s->m, s->n, s->gap / 2, seed + 2);
  s->c = make(ctx, s->dtype, s->count, s->m, s->n, s->in_place ? s->gap / 2 : s->gap, seed + (s->in_place ? 2 : 3));
  dress(s);
}

static void clear_scene(scene *s) { release(&s->a), release(&s->b), release(&s->c); }

static cliv_status call(cliv_context *ctx, const scene *s, cliv_provider provider, const cliv_sync *sync) {
  const cliv_blas_options options = {.size = sizeof options, .provider = provider};
  const cliv_tensor *const a = s->a.view, *const b = s->in_place ? s->c.view : s->b.view;
  switch (s->routine) {
    case SYRK: return cliv_syrk(ctx, s->how, s->alpha, a, s->beta, s->c.view, &options, sync);
    case SYMM: return cliv_symm(ctx, s->how, s->alpha, a, b, s->beta, s->c.view, &options, sync);
    case TRMM: return cliv_trmm(ctx, s->how, s->alpha, a, b, s->c.view, &options, sync);
    default: return cliv_trsm(ctx, s->how, s->alpha, a, b, s->c.view, &options, sync);
  }
}

/* The bits of C, what lies between its rows, and around it; of clblast the numbers, and the rest untouched. */
static void check(cliv_context *ctx, scene *s, cliv_provider provider, uint64_t seed) {
  set_scene(ctx, s, seed);
  ASSERT_OK(ctx, call(ctx, s, provider, NULL));
  reference(s);
  void *const got = test_read(s->c.base.tensor);
  const bool half = s->dtype == CLIV_F16 || s->dtype == CLIV_BF16;
  const double unit = s->dtype == CLIV_F64 ? 0x1p-53 : 0x1p-24, once = !half                  ? 0
                                                                       : s->dtype == CLIV_F16 ? 0x1p-10
                                                                                              : 0x1p-7;
  if (provider == CLIV_PROVIDER_CLBLAST)
    for (size_t b = 0; b < s->count; b++)
      for (size_t i = 0; i < s->m; i++)
        for (size_t j = 0; j < s->n; j++)
          if (s->routine != SYRK || stored(s, i, j)) {
            const double want = get(&s->c, b, i, j), length = (double)(s->routine == SYRK ? s->k : s->m + s->n);
            ASSERT_NEAR(test_get(s->dtype, got, at(&s->c, b, i, j)), want, 16 * length * unit + once * fabs(want));
            test_put(s->dtype, got, at(&s->c, b, i, j), want);
          }
  ASSERT_SAME(s->dtype, got, s->c.host, s->c.total);
  free(got);
  clear_scene(s);
}

/* Software renderers without subnormals emulate fma, and take a hundred times as long. */
static bool small(cliv_context *ctx) { return test_small() || test_slow(ctx); }

/* ---- tests ---- */

static unsigned spread(unsigned flags, unsigned i) {
  unsigned how = 0;
  for (unsigned bit = 1; bit <= CLIV_UNIT; bit *= 2)
    if (flags & bit) {
      how |= i & 1 ? bit : 0;
      i /= 2;
    }
  return how;
}

static scene scene_of(routine r, unsigned how, cliv_dtype dtype, size_t side, size_t other, unsigned i) {
  static const double alphas[] = {1, -0.7, 1.5}, betas[] = {0, 1, -0.4};
  scene s = {.routine = r, .dtype = dtype, .how = how, .count = 1, .gap = i % 4};
  s.m = how & CLIV_RIGHT ? other : side;
  s.n = how & CLIV_RIGHT ? side : other;
  if (r == SYRK) s.m = s.n = side, s.k = other;
  s.alpha = round_to(dtype, alphas[i % 3]);
  s.beta = r == SYRK || r == SYMM ? round_to(dtype, betas[i / 3 % 3]) : 0;
  s.in_place = (r == TRMM || r == TRSM) && i % 2;
  return s;
}

/* Sides about a block, a span and a square of the implementation, and several of them. */
static void bits(routine r) {
  static const size_t all_sides[] = {1, 2, 31, 32, 33, 70, 128, 129, 257, 300};
  static const size_t few_sides[] = {1, 33, 70}, others[] = {1, 5, 17, 40};
  for (size_t w = test_first_walk(); w < TEST_WALKS; w++) {
    cliv_context *ctx = test_open(test_walks[w]);
    const size_t *const side = small(ctx) ? few_sides : all_sides, count = small(ctx) ? 3 : 10;
    unsigned flags = 1;
    while (spread(known[r], flags)) flags *= 2;
    for (unsigned i = 0; i < flags * count; i++) {
      if (small(ctx) && i % 3) continue;
      const size_t n = side[i % count];
      scene s = scene_of(r, spread(known[r], i / (unsigned)count), CLIV_F32, n, n > 128 ? 19 : others[i % 4], i);
      check(ctx, &s, CLIV_PROVIDER_EXACT, 40 * i);
      if (cliv_context_has(ctx, CLIV_F64) && n <= 70 && i % 3 == 0) {
        s = scene_of(r, s.how, CLIV_F64, n, others[i % 4], i);
        check(ctx, &s, CLIV_PROVIDER_EXACT, 40 * i);
      }
    }
    scene s = scene_of(r, 0, CLIV_F32, small(ctx) ? 34 : 45, 9, 4);
    s.count = 3;
    check(ctx, &s, CLIV_PROVIDER_EXACT, 7);
    test_close(ctx);
  }
}

/* Equations of so few vectors for each compute unit that these share the lines, and so many that each takes some
 * vectors: as if the device had so few or so many units. */
static void shared(void **state) {
  (void)state;
  static const size_t all_sides[] = {33, 70, 257, 300}, few_sides[] = {33, 70};
  static const cl_uint units[] = {1, 10000};
  cliv_context *ctx = test_open(CLIV_WALK_CPU);
  const cl_uint own = ctx->facts.compute_units;
  const size_t count = cliv_context_walk(ctx) != CLIV_WALK_CPU ? 0 : small(ctx) ? 2 : 4;
  for (unsigned i = 0; i < 16 * count; i++) {
    if (small(ctx) && i % 5) continue;
    const size_t n = small(ctx) ? few_sides[i % 2] : all_sides[i % 4];
    scene s = scene_of(TRSM, spread(known[TRSM], i / (unsigned)count), CLIV_F32, n, i % 3 ? 19 : 37, i);
    s.count = n < 100 ? 2 : 1;
    if (cliv_context_has(ctx, CLIV_F64) && i % 7 == 0) s.dtype = CLIV_F64;
    ctx->facts.compute_units = units[!small(ctx) && (i % 4 + i / 4) % 5 == 4];
    check(ctx, &s, CLIV_PROVIDER_EXACT, 50 * i);
  }
  ctx->facts.compute_units = own;
  test_close(ctx);
}

/* Batches that are cut. */
static void many(routine r) {
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  scene s = scene_of(r, 0, CLIV_F32, 2, 3, 1);
  s.count = small(ctx) ? 3 : 8200;
  check(ctx, &s, CLIV_PROVIDER_EXACT, 5);
  test_close(ctx);
}

static void batches(void **state) {
  (void)state;
  for (int r = 0; r < ROUTINES; r++) many((routine)r);
}

static void syrk(void **state) {
  (void)state;
  bits(SYRK);
}
static void symm(void **state) {
  (void)state;
  bits(SYMM);
}
static void trmm(void **state) {
  (void)state;
  bits(TRMM);
}
static void trsm(void **state) {
  (void)state;
  bits(TRSM);
}

/* Against products in double: what the definitions are worth. */
static void errors(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  for (unsigned i = 0; i < 2 * ROUTINES; i++) {
    const routine r = (routine)(i % ROUTINES);
    scene s = scene_of(r, spread(known[r], i + 1), CLIV_F32, small(ctx) ? 40 : 150, 21, 0);
    const bool right = s.how & CLIV_RIGHT;
    const size_t n = right ? s.n : s.m, vectors = right ? s.m : s.n;
    set_scene(ctx, &s, 900 + i);
    ASSERT_OK(ctx, call(ctx, &s, CLIV_PROVIDER_EXACT, NULL));
    float *const got = test_read(s.c.base.tensor);
    memcpy(s.c.host, got, s.c.total * sizeof *got);
    for (size_t v = 0; v < vectors; v++)
      for (size_t l = 0; l < n; l++) {
        const size_t row = right ? v : l, column = right ? l : v;
        if (r == SYRK && !stored(&s, row, column)) continue;
        double sum = 0, size = 0, f = 0;
        for (size_t k = 0; k < (r == SYRK ? s.k : n); k++) {
          if (r != SYRK && !factor(&s, 0, l, k, &f)) continue;
          const double term = r != SYRK            ? f * line(&s, r == TRSM ? &s.c : &s.b, 0, k, v)
                              : s.how & CLIV_TRANS ? get(&s.a, 0, k, row) * get(&s.a, 0, k, column)
                                                   : get(&s.a, 0, row, k) * get(&s.a, 0, column, k);
          sum += term;
          size += fabs(term);
        }
        const double want = r == TRSM ? line(&s, &s.b, 0, l, v) : line(&s, &s.c, 0, l, v);
        ASSERT_NEAR(want, sum, 4 * sqrt((double)n + 1) * 0x1p-24 * (size + fabs(want)));
      }
    free(got);
    clear_scene(&s);
  }
  test_close(ctx);
}

/* A and B are not read, nor C with beta = 0. */
static void nothing_to_sum(void **state) {
  (void)state;
  static const double betas[] = {0, 1, -0.5};
  for (size_t w = test_first_walk(); w < TEST_WALKS; w++) {
    cliv_context *ctx = test_open(test_walks[w]);
    for (unsigned i = 0; i < 6 * ROUTINES; i++) {
      const routine r = (routine)(i % ROUTINES);
      const bool empty = i / ROUTINES >= 3;
      scene s = scene_of(r, CLIV_UPPER, CLIV_F32, 35, empty ? 0 : 6, 0);
      s.alpha = empty ? 1 : i % 2 ? -0.0 : 1e-60;
      s.beta = r == SYRK || r == SYMM ? betas[i / ROUTINES % 3] : 0;
      set_scene(ctx, &s, i);
      for (size_t e = 0; e < s.a.total; e++) test_put(CLIV_F32, s.a.host, e, (double)NAN);
      upload(&s.a);
      ASSERT_OK(ctx, call(ctx, &s, CLIV_PROVIDER_EXACT, NULL));
      for (size_t row = 0; row < s.m; row++)
        for (size_t column = 0; column < s.n; column++)
          if (r != SYRK || stored(&s, row, column))
            put(&s.c, 0, row, column, s.beta == 0 ? 0 : round_to(CLIV_F32, s.beta * get(&s.c, 0, row, column)));
      void *const got = test_read(s.c.base.tensor);
      ASSERT_SAME(CLIV_F32, got, s.c.host, s.c.total);
      free(got);
      clear_scene(&s);
    }
    test_close(ctx);
  }
}

/* A NaN or an infinity goes where a sum has it, and no further: not past the triangle within a block. */
static void reach_of_nan(void **state) {
  (void)state;
  for (size_t w = test_first_walk(); w < TEST_WALKS; w++) {
    cliv_context *ctx = test_open(test_walks[w]);
    for (unsigned i = 0; i < 8; i++) {
      scene s = scene_of(i % 2 ? TRMM : TRSM, spread(CLIV_RIGHT | CLIV_UPPER, i / 2), CLIV_F32, 45, 18, 0);
      const bool right = s.how & CLIV_RIGHT;
      set_scene(ctx, &s, 60 + i);
      put(&s.b, 0, right ? 3 : 20, right ? 20 : 3, (double)NAN);
      put(&s.b, 0, right ? 17 : 7, right ? 7 : 17, (double)INFINITY);
      upload(&s.b);
      ASSERT_OK(ctx, call(ctx, &s, CLIV_PROVIDER_EXACT, NULL));
      reference(&s);
      void *const got = test_read(s.c.base.tensor);
      ASSERT_SAME(CLIV_F32, got, s.c.host, s.c.total);
      free(got);
      clear_scene(&s);
    }
    test_close(ctx);
  }
}

static void events(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  for (unsigned i = 0; i < ROUTINES; i++) {
    scene s = scene_of((routine)i, 0, CLIV_F32, 40, 9, 2);
    set_scene(ctx, &s, i);
    cl_int code;
    const cl_event gate = clCreateUserEvent(cliv_context_cl_context(ctx), &code);
    ASSERT_CL(code);
    cl_event done = NULL;
    ASSERT_OK(ctx, call(ctx, &s, CLIV_PROVIDER_EXACT, &(cliv_sync){1, &gate, &done}));
    cl_int execution = CL_COMPLETE;
    ASSERT_CL(clGetEventInfo(done, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof execution, &execution, NULL));
    assert_int_not_equal(execution, CL_COMPLETE);
    ASSERT_CL(clSetUserEventStatus(gate, CL_COMPLETE));
    ASSERT_CL(clWaitForEvents(1, &done));
    reference(&s);
    void *const got = test_read(s.c.base.tensor);
    ASSERT_SAME(CLIV_F32, got, s.c.host, s.c.total);
    free(got);
    clReleaseEvent(done), clReleaseEvent(gate);
    clear_scene(&s);
  }
  test_close(ctx);
}

static cliv_tensor *tensor(cliv_context *ctx, cliv_dtype dtype, int ndim, size_t s0, size_t s1, size_t s2) {
  cliv_tensor *t;
  ASSERT_OK(ctx, cliv_tensor_create(ctx, dtype, ndim, (size_t[]){s0, s1, s2}, &t));
  return t;
}

static void refusals(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO), *other = test_open(CLIV_WALK_AUTO);
  cliv_tensor *square = tensor(ctx, CLIV_F32, 2, 3, 3, 0), *wide = tensor(ctx, CLIV_F32, 2, 3, 5, 0),
              *out = tensor(ctx, CLIV_F32, 2, 3, 5, 0), *pair = tensor(ctx, CLIV_F32, 3, 2, 3, 3),
              *line = tensor(ctx, CLIV_F32, 1, 3, 0, 0), *half = tensor(ctx, CLIV_F16, 2, 3, 3, 0),
              *whole = tensor(ctx, CLIV_I32, 2, 3, 3, 0), *foreign = tensor(other, CLIV_F32, 2, 3, 3, 0),
              *big = tensor(ctx, CLIV_F32, 2, 8, 8, 0), *left, *over;
  ASSERT_OK(ctx, cliv_tensor_view(big, 0, 2, (size_t[]){3, 3}, 8, &left));
  ASSERT_OK(ctx, cliv_tensor_view(big, 1, 2, (size_t[]){3, 3}, 8, &over));
  cl_event done = (cl_event)&done;
  ASSERT_FAILS(ctx, cliv_syrk(ctx, 0, 1, NULL, 0, square, NULL, &(cliv_sync){0, NULL, &done}), CLIV_NULL, "'a'");
  assert_null(done);
  ASSERT_FAILS(NULL, cliv_syrk(NULL, 0, 1, wide, 0, square, NULL, NULL), CLIV_NULL, "ctx");
  ASSERT_FAILS(ctx, cliv_syrk(ctx, CLIV_RIGHT, 1, wide, 0, square, NULL, NULL), CLIV_VALUE, "CLIV_RIGHT");
  ASSERT_FAILS(ctx, cliv_syrk(ctx, 64, 1, wide, 0, square, NULL, NULL), CLIV_VALUE, "64");
  ASSERT_FAILS(ctx, cliv_syrk(ctx, CLIV_TRANS, 1, wide, 0, square, NULL, NULL), CLIV_SHAPE, "5 × 5");
  ASSERT_FAILS(ctx, cliv_syrk(ctx, 0, 1, left, 0, over, NULL, NULL), CLIV_OVERLAP, "shares memory");
  ASSERT_FAILS(ctx, cliv_syrk(ctx, 0, 1, half, 0, half, NULL, NULL), CLIV_OVERLAP, "shares memory");
  ASSERT_FAILS(ctx, cliv_syrk(ctx, 0, 1, whole, 0, whole, NULL, NULL), CLIV_DTYPE, "int32");
  ASSERT_FAILS(ctx, cliv_syrk(ctx, 0, 1, half, 0, square, NULL, NULL), CLIV_DTYPE, "float16");
  ASSERT_FAILS(ctx, cliv_symm(ctx, CLIV_TRANS, 1, square, wide, 0, out, NULL, NULL), CLIV_VALUE, "CLIV_TRANS");
  ASSERT_FAILS(ctx, cliv_symm(ctx, CLIV_RIGHT, 1, square, wide, 0, out, NULL, NULL), CLIV_SHAPE, "5 × 5");
  ASSERT_FAILS(ctx, cliv_symm(ctx, 0, 1, wide, wide, 0, out, NULL, NULL), CLIV_SHAPE, "square");
  ASSERT_FAILS(ctx, cliv_symm(ctx, 0, 1, square, wide, 0, wide, NULL, NULL), CLIV_OVERLAP, "'b'");
  ASSERT_FAILS(ctx, cliv_symm(ctx, 0, 1, foreign, wide, 0, out, NULL, NULL), CLIV_VALUE, "another context");
  ASSERT_FAILS(ctx, cliv_trmm(ctx, 0, 1, square, square, wide, NULL, NULL), CLIV_SHAPE, "equal");
  ASSERT_FAILS(ctx, cliv_trmm(ctx, 0, 1, pair, wide, out, NULL, NULL), CLIV_SHAPE, "as many matrices");
  ASSERT_FAILS(ctx, cliv_trmm(ctx, 0, 1, line, wide, out, NULL, NULL), CLIV_SHAPE, "two axes");
  ASSERT_FAILS(ctx, cliv_trmm(ctx, 0, 1, square, left, over, NULL, NULL), CLIV_OVERLAP, "'b'");
  ASSERT_FAILS(ctx, cliv_trsm(ctx, 0, 1, square, wide, NULL, NULL, NULL), CLIV_NULL, "'x'");
  ASSERT_FAILS(ctx, cliv_trsm(ctx, 0, 1, left, left, left, NULL, NULL), CLIV_OVERLAP, "'a'");
  ASSERT_FAILS(ctx, cliv_trsm(ctx, 0, 1, square, wide, out, &(cliv_blas_options){.provider = (cliv_provider)9}, NULL),
               CLIV_VALUE, "9");
  cliv_tensor *all[] = {square, wide, out, pair, line, half, whole, foreign, big, left, over};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) cliv_tensor_free(all[i]);
  test_close(ctx);
  test_close(other);
}

/* Not on oclgrind, see test_blas.c. */
static void clblast(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
#ifdef CLIV_HAVE_CLBLAST
  const bool here = !strstr(ctx->facts.platform_name, "Oclgrind");
  for (unsigned i = 0; i < (!here ? 0 : test_few() ? 1 : 3) * ROUTINES; i++) {
    const routine r = (routine)(i % ROUTINES);
    scene s = scene_of(r, spread(known[r], i / ROUTINES * 3), CLIV_F32, small(ctx) ? 20 : 45, 9, i / ROUTINES);
    s.count = i < ROUTINES ? 2 : 1;
    check(ctx, &s, CLIV_PROVIDER_CLBLAST, i);
    if (i >= ROUTINES) continue;
    s.dtype = i % 2 ? CLIV_BF16 : CLIV_F16;
    check(ctx, &s, CLIV_PROVIDER_CLBLAST, i);
  }
#else
  scene s = scene_of(SYRK, 0, CLIV_F32, 4, 3, 0);
  set_scene(ctx, &s, 1);
  ASSERT_FAILS(ctx, call(ctx, &s, CLIV_PROVIDER_CLBLAST, NULL), CLIV_NO_CLBLAST, "exact");
  clear_scene(&s);
#endif
  test_close(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(batches),      cmocka_unit_test(syrk),           cmocka_unit_test(symm),
      cmocka_unit_test(trmm),         cmocka_unit_test(trsm),           cmocka_unit_test(shared),
      cmocka_unit_test(errors),       cmocka_unit_test(nothing_to_sum), cmocka_unit_test(events),
      cmocka_unit_test(reach_of_nan), cmocka_unit_test(refusals),       cmocka_unit_test(clblast),
  };
  return test_finish(cmocka_run_group_tests(tests, NULL, test_forget_programs));
}
