/* Numbered slots of device memory that grow on demand. */
#include "runtime/scratch.h"

#include <stdlib.h>

#include "runtime/stage.h"

struct cliv__scratch {
  cl_mem mem[CLIV__SCRATCH_SLOTS];
  size_t bytes[CLIV__SCRATCH_SLOTS];
};

cliv_status cliv__scratch(cliv_context *ctx, int slot, size_t bytes, cl_mem *out) {
  *out = NULL;
  if (!ctx->scratch) ctx->scratch = calloc(1, sizeof *ctx->scratch);
  REQUIRE(ctx, ctx->scratch != NULL, HOST_MEMORY, "no memory for the scratch table");
  struct cliv__scratch *s = ctx->scratch;
  if (s->bytes[slot] < bytes || !s->mem[slot]) {
    const size_t wanted = bytes < 4096 ? 4096 : bytes;
    cl_int code;
    TRY(cliv__stage_reserve(ctx));
    const cl_mem mem = clCreateBuffer(ctx->context, CL_MEM_READ_WRITE, wanted, NULL, &code);
    CL_TRY(ctx, code, "allocating scratch memory");
    if (s->mem[slot]) cliv__stage_release(ctx, s->mem[slot]);
    s->mem[slot] = mem;
    s->bytes[slot] = wanted;
  }
  *out = s->mem[slot];
  return CLIV_OK;
}

void cliv__scratch_free(cliv_context *ctx) {
  if (!ctx->scratch) return;
  for (int i = 0; i < CLIV__SCRATCH_SLOTS; i++)
    if (ctx->scratch->mem[i]) clReleaseMemObject(ctx->scratch->mem[i]);
  free(ctx->scratch);
  ctx->scratch = NULL;
}

cliv_status cliv__upload(cliv_context *ctx, const void *host, size_t bytes, const char *what, cl_mem *out) {
  cl_int code;
  *out = clCreateBuffer(ctx->context, CL_MEM_READ_ONLY | CL_MEM_COPY_HOST_PTR, bytes, (void *)(uintptr_t)host, &code);
  CL_TRY(ctx, code, what);
  return CLIV_OK;
}
