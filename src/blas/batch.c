/* cliv_gemm_batched: products of matrices that lie anywhere. */
#include <stdlib.h>

#include "blas/epilogue.h"
#include "blas/product.h"
#include "runtime/stage.h"
#include "runtime/tensor.h"

/* One of the 3 · count tensors, by where its memory begins. */
typedef struct place {
  const cliv_tensor *tensor;
  uintptr_t memory;
  cl_ulong at;
  bool result;
  size_t next; /* the next result */
} place;

static place place_of(const cliv_tensor *t, bool result) {
  return (place){t, t->svm ? 0 : (uintptr_t)t->mem, t->svm ? cliv__address(t) : t->offset, result, 0};
}

static int by_place(const void *a_, const void *b_) {
  const place *const a = a_, *const b = b_;
  if (a->memory != b->memory) return a->memory < b->memory ? -1 : 1;
  return a->at == b->at ? 0 : a->at < b->at ? -1 : 1;
}

/* No result shares memory with an operand of any product, or with another result. places: room for 3 · count. Operands
 * are not compared with each other, since many may lie at one place. */
static cliv_status check_apart(cliv_context *ctx, size_t count, place *places) {
  char x[160], y[160];
  const size_t all = 3 * count;
  qsort(places, all, sizeof *places, by_place);
  for (size_t i = all, result = all; i-- > 0;) { /* the next result, from each */
    places[i].next = result;
    if (places[i].result) result = i;
  }
  for (size_t i = 0; i < all; i++) {
    const place *const p = &places[i];
    for (size_t j = p->result ? i + 1 : p->next; j < all; j = p->result ? j + 1 : places[j].next) {
      const place *const q = &places[j];
      if (q->memory != p->memory || q->at - p->at >= p->tensor->span) break;
      REQUIRE(ctx, !cliv__overlap(p->tensor, q->tensor), OVERLAP,
              "the result %s shares memory with %s of the same batch; results are written elsewhere",
              cliv__describe((p->result ? p : q)->tensor, x), cliv__describe((p->result ? q : p)->tensor, y));
    }
  }
  return CLIV_OK;
}

static cliv_status check_overlaps(cliv_context *ctx, size_t count, const cliv_tensor *const *a,
                                  const cliv_tensor *const *b, cliv_tensor *const *c) {
  place *places = malloc(3 * count * sizeof *places);
  REQUIRE(ctx, places != NULL, HOST_MEMORY, "no memory for a list of %zu matrices", 3 * count);
  for (size_t i = 0; i < count; i++) {
    places[3 * i] = place_of(a[i], false);
    places[3 * i + 1] = place_of(b[i], false);
    places[3 * i + 2] = place_of(c[i], true);
  }
  const cliv_status status = check_apart(ctx, count, places);
  free(places);
  return status;
}

/* Whether product z is the first one moved: the same memory and pitches. */
static bool goes_with(const cliv__gemm *g, const cliv__gemm *next) {
  return g->dtype == next->dtype && g->a.mem == next->a.mem && g->b.mem == next->b.mem && g->c.mem == next->c.mem &&
         g->a.pitch == next->a.pitch && g->b.pitch == next->b.pitch && g->c.pitch == next->c.pitch;
}

/* Products that go together, of which `places` tells the beginnings: those that are equally far apart need no list. */
static cliv__gemm joined(const cliv__gemm *first, size_t count, const cl_ulong *places) {
  cliv__gemm g = *first;
  cliv__matrix *const matrix[] = {&g.a, &g.b, &g.c};
  g.batch = count;
  bool even = true;
  for (size_t z = 1; z < count && even; z++)
    for (size_t i = 0; i < 3; i++)
      even =
          even && places[3 * z + i] - places[3 * z - 3 + i] == places[3 + i] - places[i] && places[3 + i] >= places[i];
  for (size_t i = 0; i < 3 && even && count > 1; i++) matrix[i]->each = places[3 + i] - places[i];
  if (!even) g.places = places;
  return g;
}

typedef struct batch {
  cliv_context *ctx;
  const cliv__blas_provider *provider;
  const cliv__gemm *products;
  size_t count;
  cl_ulong *places;
  const cliv_sync *sync;
} batch;

static cliv_status multiply(const batch *b) {
  for (size_t z = 0, next; z < b->count; z = next) {
    for (next = z; next < b->count && goes_with(&b->products[z], &b->products[next]); next++) {
      b->places[3 * next] = b->products[next].a.first;
      b->places[3 * next + 1] = b->products[next].b.first;
      b->places[3 * next + 2] = b->products[next].c.first;
    }
    const cliv__gemm g = joined(&b->products[z], next - z, b->places + 3 * z);
    const cliv_sync part = cliv__sync_part(b->sync, z == 0, next == b->count);
    TRY(b->provider->gemm(b->ctx, &g, &part));
  }
  return CLIV_OK;
}

/* Of matrices of any layout and type: all launches, or none, where they are of the provider that can. */
static cliv_status one_by_one(const batch *t, const cliv_tensor *const *a, const cliv_tensor *const *b,
                              cliv_tensor *const *c) {
  const bool staged = t->provider == &cliv__blas_exact;
  cliv_status status = CLIV_OK;
  if (staged) TRY(cliv__stage_begin(t->ctx));
  for (size_t z = 0; z < t->count && !status; z++) {
    const cliv_sync part = cliv__sync_part(t->sync, z == 0, z + 1 == t->count);
    status = cliv__multiply(t->ctx, t->provider, &t->products[z], a[z], b[z], c[z], &part);
  }
  return staged ? cliv__stage_end(t->ctx, status, NULL) : status;
}

/* Rows of one pitch in a wide type, all of them: what providers know as lists. */
static bool plain(size_t count, const cliv_tensor *const *a, const cliv_tensor *const *b, cliv_tensor *const *c) {
  for (size_t z = 0; z < count; z++)
    if (a[z]->strided || b[z]->strided || c[z]->strided || cliv_dtype_size(c[z]->dtype) < sizeof(float)) return false;
  return true;
}

static cliv_status check_list(cliv_context *ctx, size_t count, const cliv_tensor *const *list, const char *name) {
  char x[160], y[160];
  REQUIRE(ctx, list != NULL, NULL, "gemm_batched: the list '%s' of %zu matrices is NULL", name, count);
  for (size_t i = 0; i < count; i++) {
    REQUIRE(ctx, list[i] != NULL, NULL, "gemm_batched: matrix %zu of '%s' is NULL", i, name);
    REQUIRE(ctx, list[i]->ndim == 2, SHAPE, "gemm_batched: matrix %zu of '%s' must have two axes, not be %s", i, name,
            cliv__describe(list[i], x));
    REQUIRE(ctx, cliv__same_shape(list[i], list[0]), SHAPE,
            "gemm_batched: matrix %zu of '%s' is %s and the first is %s: all have one shape", i, name,
            cliv__describe(list[i], x), cliv__describe(list[0], y));
  }
  return CLIV_OK;
}

cliv_status cliv_gemm_batched(cliv_context *ctx, size_t count, int trans_a, int trans_b, double alpha,
                              const cliv_tensor *const *a, const cliv_tensor *const *b, double beta,
                              cliv_tensor *const *c, const cliv_blas_options *options, const cliv_sync *sync) {
  TRY(cliv__check_sync(ctx, sync));
  REQUIRE_NOT_NULL(ctx, ctx);
  batch all = {.ctx = ctx, .count = count, .sync = sync};
  cliv_blas_options own;
  TRY(cliv__blas_choose(ctx, options, &own, &all.provider));
  if (count == 0) return cliv__nothing(ctx, sync);
  TRY(check_list(ctx, count, a, "a"));
  TRY(check_list(ctx, count, b, "b"));
  TRY(check_list(ctx, count, (const cliv_tensor *const *)c, "c"));
  cliv__gemm *const products = malloc(count * (sizeof *products + 3 * sizeof *all.places));
  REQUIRE(ctx, products != NULL, HOST_MEMORY, "no memory for a list of %zu products", count);
  all.products = products;
  all.places = (cl_ulong *)(products + count);
  cliv_status status = CLIV_OK;
  for (size_t z = 0; z < count && !status; z++)
    status = cliv__check_product(ctx, trans_a != 0, trans_b != 0, a[z], b[z], c[z], &products[z]);
  for (size_t z = 0; z < count && !status; z++) status = cliv__epilogue_check(ctx, &own, c[z], &products[z]);
  if (!status) status = check_overlaps(ctx, count, a, b, c);
  for (size_t z = 0; z < count && !status; z++) {
    products[z].alpha = cliv__blas_rounded(c[z]->dtype, alpha);
    products[z].beta = cliv__blas_rounded(c[z]->dtype, beta);
  }
  const cliv__gemm *const g = products;
  if (!status && c[0]->count && g->k && g->alpha != 0 && plain(count, a, b, c)) {
    for (size_t z = 0; z < count; z++) {
      products[z].a = cliv__matrices_of(a[z]);
      products[z].b = cliv__matrices_of(b[z]);
      products[z].c = cliv__matrices_of(c[z]);
    }
    status = multiply(&all);
  } else if (!status) {
    status = one_by_one(&all, a, b, c);
  }
  free(products);
  return status;
}
