/* Classes of products, and matrices of small whole numbers. */
#include "blas/sample.h"

#include <stdio.h>
#include <stdlib.h>

#include "runtime/measure.h"

static const double MOST_BYTES = 0x1p26;

void cliv__gemm_class(const cliv__gemm *g, char name[static CLIV__CLASS_NAME]) {
  snprintf(name, CLIV__CLASS_NAME, "%s %c%c %u %u %u %u", cliv_dtype_name(g->dtype), g->trans_a ? 't' : 'n',
           g->trans_b ? 't' : 'n', cliv__log2(g->m), cliv__log2(g->n), cliv__log2(g->k), cliv__log2(g->batch));
}

static bool too_large(const cl_ulong size[static 4], cliv_dtype dtype, double work) {
  const double m = (double)size[0], n = (double)size[1], k = (double)size[2], batch = (double)size[3];
  return m * n * k * batch > work || (m * k + k * n + m * n) * batch * (double)cliv_dtype_size(dtype) > MOST_BYTES;
}

void cliv__sample_cut(cl_ulong size[static 4], cliv_dtype dtype, double work) {
  while (too_large(size, dtype, work)) {
    size_t longest = 3;
    for (size_t i = 0; size[3] <= 2 && i < 3; i++) /* a batch remains one */
      if (size[i] > size[longest]) longest = i;
    size[longest] = (size[longest] + 1) / 2;
  }
}

cliv_status cliv__sample_matrix(cliv_context *ctx, cliv_dtype dtype, size_t batch, size_t rows, size_t columns,
                                unsigned seed, cliv_tensor **out) {
  const size_t shape[] = {batch, rows, columns}, count = batch * rows * columns;
  TRY(batch > 1 ? cliv_tensor_create(ctx, dtype, 3, shape, out) : cliv_tensor_create(ctx, dtype, 2, shape + 1, out));
  if (!seed) return CLIV_OK;
  const size_t each = cliv_dtype_size(dtype);
  void *numbers = malloc(count * each);
  REQUIRE(ctx, numbers, HOST_MEMORY, "no memory for %zu numbers", count);
  for (size_t i = 0; i < count; i++) {
    seed = seed * 1664525u + 1013904223u;
    const int x = (int)(seed >> 16) % 5 - 2;
    if (dtype == CLIV_F64) ((double *)numbers)[i] = x;
    else ((float *)numbers)[i] = (float)x;
  }
  const cliv_status status = cliv_tensor_write(*out, numbers, count * each);
  free(numbers);
  return status;
}
