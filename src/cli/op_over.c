/* What --axis and --segments of `cliv op` say. */
#include <cliv/npy.h>
#include <stdlib.h>
#include <string.h>

#include "cli/op.h"

static bool read_axes(cli *c, const char *text, op_over *o) {
  o->all = !text || !strcmp(text, "all");
  if (o->all) return true;
  o->over.axes = o->axes;
  if (!strcmp(text, "last")) {
    o->axes[o->over.axis_count++] = -1;
    return true;
  }
  for (const char *at = text;;) {
    char *end;
    const long axis = strtol(at, &end, 10);
    if (end == at || (*end && *end != ',') || labs(axis) > CLIV_MAX_DIMS || o->over.axis_count == CLIV_MAX_DIMS)
      return cli_refuse(c, "option '--axis': '%s' is not all, last, or numbers like 0,2", text);
    o->axes[o->over.axis_count++] = (int)axis;
    if (!*end) return true;
    at = end + 1;
  }
}

/* The offsets of --segments, from a file of int32 or int64. */
static bool read_offsets(cli *c, const char *path, op_over *o) {
  cliv_array array = {0};
  const cliv_status status = cliv_npy_read(path, &array);
  if (status) cli_report_with(c, NULL, status);
  if (status) return false;
  const bool narrow = array.dtype == CLIV_I32, right = (narrow || array.dtype == CLIV_I64) && array.ndim == 1;
  const size_t n = right ? array.shape[0] : 0;
  bool done = right && n > 0;
  if (!done)
    cli_report(c, CLIV_DATA, "'%s' holds no list of offsets: int32 or int64, one more than there are segments", path);
  o->offsets = malloc((n + 1) * sizeof *o->offsets);
  if (done && !o->offsets) cli_report(c, CLIV_HOST_MEMORY, "no memory for %zu offsets", n);
  done = done && o->offsets;
  for (size_t i = 0; done && i < n; i++) {
    const int64_t at = narrow ? ((const int32_t *)array.data)[i] : ((const int64_t *)array.data)[i];
    if (at < 0) cli_report(c, CLIV_DATA, "'%s': offset %zu is %lld; offsets begin at 0", path, i, (long long)at);
    done = at >= 0;
    o->offsets[i] = (uint64_t)at;
  }
  o->count = done ? n - 1 : 0;
  cliv_array_free(&array);
  return done;
}

bool op_over_read(cli *c, const char *axis, const char *segments, op_over *o) {
  if (!read_axes(c, axis, o)) return false;
  if (segments && axis) return cli_refuse(c, "--axis and --segments exclude each other");
  return !segments || read_offsets(c, segments, o);
}

bool op_over_open(op_run *run, op_over *o) {
  if (!o->offsets) return true;
  const bool done = op_check(run, cliv_segments_create(run->ctx, o->count, o->offsets, &o->segments));
  o->over.segments = o->segments;
  return done;
}

void op_over_free(op_over *o) {
  cliv_segments_free(o->segments);
  free(o->offsets);
}
