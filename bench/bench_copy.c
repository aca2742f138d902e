/* Copying a tensor, against a native copy: what the device's memory does when nothing is computed. */
#include "bench.h"

#include <cliv/tensor.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "native.h"

typedef struct copies {
  cliv_tensor *from, *to;
  float *x, *y;
  size_t n;
} copies;

static void ours(void *arg) {
  copies *c = arg;
  cliv_context *ctx = cliv_tensor_context(c->from);
  BENCH_OK(ctx, cliv_tensor_copy(c->from, c->to, NULL));
  BENCH_OK(ctx, cliv_context_finish(ctx));
}

static void native(void *arg) {
  copies *c = arg;
  native_copy(c->x, c->y, c->n);
}

static bool same(void *arg, char *why, size_t room) {
  copies *c = arg;
  BENCH_OK(cliv_tensor_context(c->to), cliv_tensor_read(c->to, c->y, c->n * sizeof(float)));
  if (!memcmp(c->x, c->y, c->n * sizeof(float))) return true;
  snprintf(why, room, "the copy differs from the original");
  return false;
}

void bench_copy(bench *b) {
  if (!bench_wants(b, "copy", "16Mi")) return;
  cliv_context *ctx = bench_context(b);
  copies c = {.n = bench_size(b, 1 << 24, 1 << 12)};
  c.x = bench_alloc(c.n * sizeof(float));
  c.y = bench_alloc(c.n * sizeof(float));
  bench_fill(c.x, c.n, 1, -1, 1);
  BENCH_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 1, &c.n, &c.from));
  BENCH_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 1, &c.n, &c.to));
  BENCH_OK(ctx, cliv_tensor_write(c.from, c.x, c.n * sizeof(float)));
  bench_measure(b, &(bench_row){.operation = "copy",
                                .size = "16Mi",
                                .unit = "GB/s",
                                .work = 8e-9 * (double)c.n,
                                .check = same,
                                .check_arg = &c,
                                .sides = {{"cliv", ours, &c, NULL}, {"native copy", native, &c, NULL}}});
  cliv_tensor_free(c.from);
  cliv_tensor_free(c.to);
  free(c.x);
  free(c.y);
}
