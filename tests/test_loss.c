/* cliv/loss.h: double references, equal bits in both walks and every group size, hostile logits, guard zones. */
#include <cliv/loss.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"

#define UNIT 0x1p-24 /* half a unit in the last place of 1 */

/* One row in double: loss, gradient (of the loss, unscaled), and bounds on the errors of both. Sums of K float32 terms
 * in 16 lanes err by at most K/16 + 5 roundings; the functions by a few units. */
typedef struct row_reference {
  double loss, bound;
  double *gradient, *gradient_bound;
} row_reference;

static void reference_mse(const float *z, const float *t, size_t k, row_reference *r) {
  const double roundings = (double)k / 16 + 8;
  r->loss = 0;
  for (size_t j = 0; j < k; j++) {
    const double e = (double)z[j] - (double)t[j];
    r->loss += e * e / (double)k;
    r->gradient[j] = 2 * e / (double)k;
    r->gradient_bound[j] = 4 * UNIT * fabs(r->gradient[j]);
  }
  r->bound = roundings * UNIT * r->loss;
}

static void reference_bce(const float *z, const float *t, size_t k, row_reference *r) {
  const double roundings = (double)k / 16 + 12;
  double terms = 0;
  r->loss = 0;
  for (size_t j = 0; j < k; j++) {
    const double x = (double)z[j], y = (double)t[j], soft = log1p(exp(-fabs(x)));
    r->loss += (fmax(x, 0) - x * y + soft) / (double)k;
    terms += (fabs(x) + soft) / (double)k;
    const double s = x >= 0 ? 1 / (1 + exp(-x)) : exp(x) / (1 + exp(x));
    r->gradient[j] = (s - y) / (double)k;
    r->gradient_bound[j] = 8 * UNIT * (s + fabs(s - y)) / (double)k;
  }
  r->bound = roundings * UNIT * terms;
}

static void reference_cross(const float *z, int32_t t, size_t k, row_reference *r) {
  const double roundings = (double)k / 16 + 12;
  double most = -INFINITY, sum = 0, spread = 0;
  for (size_t j = 0; j < k; j++) most = fmax(most, (double)z[j]);
  for (size_t j = 0; j < k; j++) sum += exp((double)z[j] - most);
  for (size_t j = 0; j < k; j++) spread += exp((double)z[j] - most) / sum * (isinf(z[j]) ? 0 : most - (double)z[j]);
  r->loss = log(sum) + most - (double)z[t];
  r->bound = UNIT * (roundings + spread + 2 * log(sum) + 2 * (most - (double)z[t]));
  for (size_t j = 0; j < k; j++) {
    const double p = exp((double)z[j] - most) / sum;
    r->gradient[j] = p - (j == (size_t)t);
    r->gradient_bound[j] =
        UNIT * (p * (roundings + spread + (isinf(z[j]) ? 0 : most - (double)z[j])) + 2 * fabs(r->gradient[j])) +
        0x1p-148;
  }
}

typedef struct problem {
  const cliv_loss_info *loss;
  size_t m, k;
  float *z, *t;
  int32_t *classes;
} problem;

static problem make_problem(const cliv_loss_info *loss, size_t m, size_t k) {
  problem p = {loss, m, k, test_alloc(m * k * 4), test_alloc(m * k * 4), test_alloc(m * 4)};
  for (size_t i = 0; i < m * k; i++) {
    p.z[i] = (float)(test_normal(m + k, i) * (i % 7 == 0 ? 30 : 3));
    p.t[i] = strcmp(loss->name, "mse") ? (float)test_uniform(3, i, 0, 1) : (float)test_normal(4, i);
    if (i % 3 == 0) p.t[i] = (float)(test_bits(8, i) % 2);
  }
  for (size_t i = 0; i < m; i++) p.classes[i] = (int32_t)(test_bits(6, i) % k);
  return p;
}

static void free_problem(problem *p) { free(p->z), free(p->t), free(p->classes); }

/* Runs with guard zones; losses: m values, gradient: m × k. `pitch` may be wider than k, `place`: gradient over the
 * logits. */
static void run_loss(cliv_context *ctx, const problem *p, double scale, size_t pitch, size_t shift, bool in_place,
                     float *losses, float *gradient) {
  const size_t m = p->m, k = p->k;
  float *spread = test_alloc(m * pitch * 4);
  memset(spread, 0, m * pitch * 4);
  for (size_t i = 0; i < m; i++) memcpy(spread + i * pitch, p->z + i * k, k * 4);
  test_guarded z = test_guard1(ctx, CLIV_F32, m * pitch, shift, spread),
               g = test_guard1(ctx, CLIV_F32, m * pitch, shift, spread);
  test_guarded t = p->loss->takes_classes ? test_guard1(ctx, CLIV_I32, m, shift, p->classes)
                                          : test_guard(ctx, CLIV_F32, 2, (size_t[]){m, k}, shift, p->t);
  test_guarded l = test_guard1(ctx, CLIV_F32, m, shift, NULL);
  cliv_tensor *zv, *gv;
  ASSERT_OK(ctx, cliv_tensor_view(z.tensor, 0, 2, (size_t[]){m, k}, pitch, &zv));
  ASSERT_OK(ctx, cliv_tensor_view(g.tensor, 0, 2, (size_t[]){m, k}, pitch, &gv));
  ASSERT_OK(ctx, cliv_loss(ctx, p->loss->name, zv, t.tensor, scale, l.tensor, in_place ? zv : gv, NULL));
  float *got = test_read(l.tensor), *wide = test_read(in_place ? z.tensor : g.tensor);
  memcpy(losses, got, m * 4);
  for (size_t i = 0; i < m; i++) {
    memcpy(gradient + i * k, wide + i * pitch, k * 4);
    for (size_t j = k; j < pitch; j++) assert_true(wide[i * pitch + j] == 0);
  }
  free(got), free(wide), free(spread);
  cliv_tensor_free(zv), cliv_tensor_free(gv);
  test_guard_free(&z), test_guard_free(&g), test_guard_free(&t), test_guard_free(&l);
}

static void compare(const problem *p, double scale, const float *losses, const float *gradient) {
  row_reference r = {.gradient = test_alloc(p->k * 8), .gradient_bound = test_alloc(p->k * 8)};
  for (size_t i = 0; i < p->m; i++) {
    const float *z = p->z + i * p->k, *t = p->t + i * p->k;
    if (p->loss->takes_classes) reference_cross(z, p->classes[i], p->k, &r);
    else if (!strcmp(p->loss->name, "mse")) reference_mse(z, t, p->k, &r);
    else reference_bce(z, t, p->k, &r);
    ASSERT_NEAR((double)losses[i], r.loss, r.bound);
    for (size_t j = 0; j < p->k; j++)
      ASSERT_NEAR((double)gradient[i * p->k + j], scale * r.gradient[j],
                  fabs(scale) * (r.gradient_bound[j] + 0x1p-140) + 0x1p-149);
  }
  free(r.gradient), free(r.gradient_bound);
}

static const struct {
  size_t m, k;
} SHAPES[] = {{1, 1},   {257, 1}, {4097, 1}, {2, 2},    {33, 3},   {255, 10}, {64, 15},    {64, 16},   {63, 17},
              {5, 255}, {5, 256}, {3, 257},  {1, 4097}, {2, 1000}, {1, 4096}, {100003, 1}, {30011, 10}};

static void every_loss_every_shape(void **state) {
  (void)state;
  for (size_t w = test_first_walk(); w < TEST_WALKS; w++) {
    cliv_context *ctx = test_open(test_walks[w]);
    for (size_t n = 0; n < cliv_loss_count(); n++)
      for (size_t s = 0; s < sizeof SHAPES / sizeof *SHAPES; s++) {
        if (test_small() && SHAPES[s].m * SHAPES[s].k > 5000) continue;
        problem p = make_problem(cliv_loss_at(n), SHAPES[s].m, SHAPES[s].k);
        float *losses = test_alloc(p.m * 4), *gradient = test_alloc(p.m * p.k * 4);
        const double scale = 1 / (double)p.m;
        run_loss(ctx, &p, scale, p.k, s % 4, false, losses, gradient);
        compare(&p, (double)(float)scale, losses, gradient);
        free(losses), free(gradient);
        free_problem(&p);
      }
    test_close(ctx);
  }
}

/* Walks, group sizes, pitches, gradients in place: the bits are those of the first run. */
static void one_result(void **state) {
  (void)state;
  static const size_t columns[] = {1, 3, 10, 16, 40, 300};
  const struct {
    cliv_walk walk;
    size_t group;
  } shapes[] = {{CLIV_WALK_CPU, 0}, {CLIV_WALK_GPU, 0}, {CLIV_WALK_GPU, 16}, {CLIV_WALK_GPU, 256}};
  for (size_t n = 0; n < cliv_loss_count(); n++)
    for (size_t c = 0; c < sizeof columns / sizeof *columns; c++) {
      problem p = make_problem(cliv_loss_at(n), columns[c] > 40 ? 9 : 101, columns[c]);
      p.z[p.k / 2] = NAN, p.z[p.k] = INFINITY, p.z[2 * p.k] = -INFINITY, p.z[3 * p.k] = -0.0f, p.z[4 * p.k] = 1e-40f;
      p.classes[5] = -1, p.classes[6] = (int32_t)p.k;
      float *first = test_alloc(p.m * (p.k + 1) * 4), *now = test_alloc(p.m * (p.k + 1) * 4);
      for (size_t s = 0; s < 4; s++) {
        cliv_context *ctx = test_open_group(shapes[s].walk, shapes[s].group);
        for (size_t k = 0; k < 3; k++) {
          float *to = s || k ? now : first;
          run_loss(ctx, &p, 0.37, p.k + k, k, k == 2, to, to + p.m);
          ASSERT_SAME(CLIV_F32, to, first, p.m * (p.k + 1));
        }
        test_close(ctx);
      }
      free(first), free(now);
      free_problem(&p);
    }
}

/* The bits of a fixed problem: the same on every device there is. */
static void same_on_every_device(void **state) {
  (void)state;
  static const uint64_t PINNED[] = {0xc497ed80c89b2b8c, 0x172c3e5a7263dc4a, 0xf3398e675ea6d0ba};
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  for (size_t n = 0; n < cliv_loss_count(); n++) {
    problem p = {cliv_loss_at(n), 100, 20, test_alloc(8000), test_alloc(8000), test_alloc(400)};
    for (size_t i = 0; i < 2000; i++) {
      p.z[i] = (float)((int)(test_bits(1, i) % 65536) - 32768) / 2048.0f;
      p.t[i] = (float)(test_bits(2, i) % 1025) / 1024.0f;
    }
    for (size_t i = 0; i < 100; i++) p.classes[i] = (int32_t)(i % 20);
    float all[2100];
    run_loss(ctx, &p, 0.01, 20, 0, false, all, all + 100);
    uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a over the words */
    for (size_t i = 0; i < 2100; i++) {
      uint32_t word;
      memcpy(&word, all + i, 4);
      hash = (hash ^ word) * 0x100000001b3u;
    }
    if (hash != PINNED[n]) fail_msg("%s: 0x%016llx", p.loss->name, (unsigned long long)hash);
    free_problem(&p);
  }
  test_close(ctx);
}

static void hostile_logits(void **state) {
  (void)state;
  for (size_t w = test_first_walk(); w < TEST_WALKS; w++) {
    cliv_context *ctx = test_open(test_walks[w]);
    const cliv_loss_info *cross = NULL;
    for (size_t n = 0; n < cliv_loss_count(); n++)
      if (cliv_loss_at(n)->takes_classes) cross = cliv_loss_at(n);
    float z[] = {1e4f,    -1e4f, 0,  /**/ -INFINITY, 1, 2, /**/ 0,     NAN,    0,
                 /**/ 88, 88,    88, /**/ 0,         0, 0, /**/ 3e38f, -3e38f, 1};
    int32_t classes[] = {1, 2, 0, 0, 7, 0};
    problem p = {cross, 6, 3, z, NULL, classes};
    float losses[8], g[18];
    run_loss(ctx, &p, 1, 3, 0, false, losses, g);
    assert_true(losses[0] == 2e4f && g[0] == 1 && g[1] == -1 && g[2] == 0);
    ASSERT_NEAR((double)losses[1], log1p(exp(-1)), 3e-7);
    assert_true(g[3] == 0);
    assert_true(isnan(losses[2]) && isnan(g[6]) && isnan(g[7]) && isnan(g[8]));
    ASSERT_NEAR((double)losses[3], log(3), 3e-7);
    assert_true(isnan(losses[4]) && isnan(g[12]) && isnan(g[13]) && isnan(g[14]));
    assert_true(losses[5] == 0 && g[15] == 0 && g[16] == 0);

    float far[] = {200, -200, 0, -0.0f, 1e30f, -1e30f, NAN, INFINITY}, truth[] = {1, 1, 0.5f, 0, 0, 0, 1, 0};
    problem b = {NULL, 8, 1, far, truth, NULL};
    for (size_t n = 0; n < cliv_loss_count(); n++)
      if (!strcmp(cliv_loss_at(n)->name, "binary_cross_entropy")) b.loss = cliv_loss_at(n);
    run_loss(ctx, &b, 1, 1, 0, false, losses, g);
    assert_true(losses[0] == 0 && g[0] == 0 && losses[1] == 200 && g[1] == -1 && g[2] == 0 && g[3] == 0.5f);
    ASSERT_NEAR((double)losses[2], log(2), 1e-7);
    ASSERT_NEAR((double)losses[3], log(2), 1e-7);
    assert_true(losses[4] == 1e30f && g[4] == 1 && losses[5] == 0 && g[5] == 0);
    assert_true(isnan(losses[6]) && isnan(g[6]));
    test_close(ctx);
  }
}

static void parts_and_refusals(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  const float zero[6] = {0};
  test_guarded z = test_guard(ctx, CLIV_F32, 2, (size_t[]){2, 3}, 0, zero),
               g = test_guard(ctx, CLIV_F32, 2, (size_t[]){2, 3}, 0, zero);
  test_guarded t = test_guard1(ctx, CLIV_I32, 2, 0, (const int32_t[]){0, 2}),
               l = test_guard1(ctx, CLIV_F32, 2, 0, NULL);
  test_guarded three = test_guard1(ctx, CLIV_F32, 3, 0, zero),
               none = test_guard(ctx, CLIV_F32, 2, (size_t[]){0, 3}, 0, NULL);
  test_guarded no_classes = test_guard1(ctx, CLIV_I32, 0, 0, NULL);
  ASSERT_OK(ctx, cliv_loss(ctx, "cross_entropy", z.tensor, t.tensor, 1, l.tensor, NULL, NULL));
  float *got = test_read(l.tensor);
  ASSERT_NEAR((double)got[1], log(3), 2e-7);
  free(got);
  ASSERT_OK(ctx, cliv_loss(ctx, "cross_entropy", z.tensor, t.tensor, 3, NULL, g.tensor, NULL));
  got = test_read(g.tensor);
  ASSERT_NEAR((double)got[0], -2, 3e-7);
  free(got);
  ASSERT_OK(ctx, cliv_loss(ctx, "cross_entropy", none.tensor, no_classes.tensor, 1, NULL, NULL, NULL));

  ASSERT_FAILS(ctx, cliv_loss(ctx, "hinge", z.tensor, t.tensor, 1, NULL, g.tensor, NULL), CLIV_NAME, "cross_entropy");
  ASSERT_FAILS(ctx, cliv_loss(ctx, "mse", z.tensor, t.tensor, 1, NULL, g.tensor, NULL), CLIV_DTYPE, "int32");
  ASSERT_FAILS(ctx, cliv_loss(ctx, "mse", z.tensor, three.tensor, 1, NULL, g.tensor, NULL), CLIV_SHAPE, "[3]");
  ASSERT_FAILS(ctx, cliv_loss(ctx, "cross_entropy", three.tensor, t.tensor, 1, NULL, NULL, NULL), CLIV_SHAPE,
               "[rows, outputs]");
  ASSERT_FAILS(ctx, cliv_loss(ctx, "cross_entropy", z.tensor, t.tensor, 1, three.tensor, NULL, NULL), CLIV_SHAPE,
               "2 rows");
  ASSERT_FAILS(ctx, cliv_loss(ctx, "cross_entropy", z.tensor, t.tensor, NAN, NULL, g.tensor, NULL), CLIV_VALUE,
               "scale");
  ASSERT_FAILS(ctx, cliv_loss(ctx, "cross_entropy", NULL, t.tensor, 1, NULL, g.tensor, NULL), CLIV_NULL, "logits");
  test_guard_free(&z), test_guard_free(&g), test_guard_free(&t), test_guard_free(&l);
  test_guard_free(&three), test_guard_free(&none), test_guard_free(&no_classes);
  test_close(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_loss_every_shape), cmocka_unit_test(one_result),
      cmocka_unit_test(same_on_every_device),   cmocka_unit_test(hostile_logits),
      cmocka_unit_test(parts_and_refusals),
  };
  return test_finish(cmocka_run_group_tests(tests, NULL, NULL));
}
