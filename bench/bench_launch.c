/* What a call costs on the host: many maps of one element, against launches of as small a kernel by OpenCL's own call
 * with all else left out: no checks, no arguments set, no program looked up. */
#include "bench.h"

#include <cliv/map.h>
#include <stdio.h>

typedef struct launches {
  cliv_tensor *x, *y;
  cl_kernel kernel;
  size_t count;
} launches;

static void ours(void *arg) {
  launches *l = arg;
  cliv_context *ctx = cliv_tensor_context(l->x);
  for (size_t i = 0; i < l->count; i++) BENCH_OK(ctx, cliv_map(ctx, "neg", l->x, l->y, NULL));
  BENCH_OK(ctx, cliv_context_finish(ctx));
}

static void bare(void *arg) {
  launches *l = arg;
  cliv_context *ctx = cliv_tensor_context(l->x);
  const cl_command_queue queue = cliv_context_cl_queue(ctx);
  static const size_t one = 1;
  for (size_t i = 0; i < l->count; i++)
    if (clEnqueueNDRangeKernel(queue, l->kernel, 1, NULL, &one, &one, 0, NULL, NULL)) return;
  BENCH_OK(ctx, cliv_context_finish(ctx));
}

static bool negated(void *arg, char *why, size_t room) {
  launches *l = arg;
  float y = 0;
  BENCH_OK(cliv_tensor_context(l->y), cliv_tensor_read(l->y, &y, sizeof y));
  if (y == -3.0f) return true;
  snprintf(why, room, "-3 came out as %g", (double)y);
  return false;
}

static cl_kernel bare_kernel(cliv_context *ctx, cl_mem mem) {
  const char *source = "__kernel void negate(__global float *y) { y[0] = -3.0f; }";
  cl_int code;
  const cl_program program = clCreateProgramWithSource(cliv_context_cl_context(ctx), 1, &source, NULL, &code);
  if (code || clBuildProgram(program, 0, NULL, "", NULL, NULL)) return NULL;
  const cl_kernel kernel = clCreateKernel(program, "negate", &code);
  clReleaseProgram(program);
  return code || clSetKernelArg(kernel, 0, sizeof mem, &mem) ? NULL : kernel;
}

void bench_launch(bench *b) {
  const char *name = "launch of a map";
  if (!bench_wants(b, name)) return;
  cliv_context *ctx = bench_context(b);
  static const size_t one = 1;
  static const float three = 3;
  launches l = {.count = bench_size(b, 1000, 10)};
  BENCH_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 1, &one, &l.x));
  BENCH_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 1, &one, &l.y));
  BENCH_OK(ctx, cliv_tensor_write(l.x, &three, sizeof three));
  l.kernel = bare_kernel(ctx, cliv_tensor_mem(l.y));
  if (!l.kernel) bench_skip(b, name, "a kernel of one line did not compile");
  else
    bench_measure(b, &(bench_row){.name = name,
                                  .unit = "kcall/s",
                                  .work = 1e-3 * (double)l.count,
                                  .check = negated,
                                  .check_arg = &l,
                                  .sides = {{"cliv", ours, &l}, {"bare OpenCL", bare, &l}}});
  if (l.kernel) clReleaseKernel(l.kernel);
  cliv_tensor_free(l.x);
  cliv_tensor_free(l.y);
}
