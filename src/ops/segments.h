/* Internal side of cliv/segments.h. */
#ifndef CLIV_OPS_SEGMENTS_H
#define CLIV_OPS_SEGMENTS_H

#include <cliv/segments.h>

#include "runtime/tensor.h"

enum { CLIV__SEGMENT_STAGES = 4 };

/* For each stage of a reduction, its blocks: in the first of the elements, in the others of the parts that the stage
 * before left, of those segments that have several. As in cl/reduce.cl. */
struct cliv_segments {
  cliv_context *ctx;
  size_t count, longest, shortest;
  uint64_t end;
  cl_mem offsets; /* count + 1 cl_ulong */
  int stages;
  struct {
    cl_mem table;
    size_t blocks;
  } stage[CLIV__SEGMENT_STAGES];
};

/* For the flat list of checks: the segments are of this context, and x is dense and long enough. */
cliv_status cliv__check_segments(cliv_context *ctx, const cliv_segments *segments, const cliv_tensor *x);

#endif
