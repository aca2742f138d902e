/* Blocks dealt out to work-items. */
#include "ops/blocks.h"

#include "runtime/launch.h"

enum {
  RUNS_PER_UNIT = 8,   /* so that they can be dealt out evenly … */
  RUN_ELEMENTS = 65536 /* … but not so short that their start counts */
};

cl_ulong cliv__run_length(const cliv_context *ctx, cl_ulong blocks, cl_ulong elements) {
  const cl_ulong runs = (cl_ulong)ctx->facts.compute_units * RUNS_PER_UNIT;
  const cl_ulong even = cliv__div_up(blocks, runs ? runs : 1), longest = cliv__div_up(RUN_ELEMENTS, elements);
  return even < longest ? even : longest;
}

cl_ulong cliv__spread(cl_ulong longest) {
  cl_ulong lanes = 1;
  while (lanes < CLIV__LANES && lanes < longest) lanes *= 2;
  return lanes;
}
