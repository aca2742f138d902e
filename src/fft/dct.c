/* Cosine and sine transforms by transforms of real numbers. See cliv/dct.h and cl/fft_dct.cl. */
#include <cliv/dct.h>
#include <math.h>

#include "base/options.h"
#include "fft/axes.h"
#include "fft/plan.h"
#include "fft/real.h"
#include "runtime/program.h"
#include "runtime/scratch.h"
#include "runtime/stage.h"

enum { GROUP = 256, CPU_SHARE = 1024 };

typedef struct request {
  cliv_dct_options o;
  const cliv_tensor *x;
  cliv_tensor *out;
  cliv__fft_axes axes;
  bool third; /* what is computed is type III's sum: of III, or of II's inverse */
} request;

/* A kernel of cl/fft_dct.cl over `count` elements. */
typedef struct stage {
  const char *entry;
  cliv__fft_place x, y;
  cl_ulong count;
  cl_mem turns; /* NULL: the kernel takes none, nor factors */
} stage;

static cliv__fft_cosines cosines_of(const request *q, const cliv__fft_axis *a) {
  const bool divided = q->o.norm == CLIV_FFT_FORWARD;
  const double n = (double)a->length, orthogonal = 1 / sqrt(2 * n);
  const double f = q->o.norm == CLIV_FFT_ORTHO ? orthogonal : divided != (q->o.inverse != 0) ? 1 / (2 * n) : 1;
  const bool bent = q->o.norm == CLIV_FFT_ORTHO; /* k = 0 stands by itself */
  const double rest = q->third ? f : 2 * f, alone = bent ? 1 / sqrt(n) : rest;
  return (cliv__fft_cosines){alone, rest, q->o.sine != 0};
}

static cliv_status run_stage(cliv_context *ctx, const request *q, const stage *s, const cliv__fft_axis *a,
                             const cliv_sync *sync) {
  cl_kernel kernel;
  TRY(cliv__kernel(ctx, "fft_radix.cl fft_dct.cl", a->wide ? "-D REAL_F64" : "", s->entry, &kernel));
  const cliv__fft_cosines c = cosines_of(q, a);
  const cl_float first = (cl_float)c.first, scale = (cl_float)c.rest;
  cl_ulong share;
  const cliv__range range = cliv__fft_deal(ctx, s->count, CPU_SHARE, GROUP, &share);
  const cl_uint sine = q->o.sine != 0;
  const cliv__arg args[] = {ARG(s->x.mem),
                            ARG(s->x.first),
                            ARG(s->y.mem),
                            ARG(s->y.first),
                            ARG(s->count),
                            ARG(a->length),
                            ARG(a->inner),
                            ARG(share),
                            ARG(sine),
                            ARG(s->turns),
                            a->wide ? ARG(c.first) : ARG(first),
                            a->wide ? ARG(c.rest) : ARG(scale)};
  return cliv__launch(ctx, kernel, range, sync, args, s->turns ? 12 : 9);
}

/* One axis, from x to y, which may be the same place: numbers in between are in scratch memory. */
static cliv_status run_axis(cliv_context *ctx, const request *q, const cliv__fft_axis *a, const cliv_sync *sync) {
  const cl_ulong lines = a->outer * a->inner, half = a->length / 2 + 1;
  const cliv__fft_plan *plan;
  cliv__fft_place v = {0}, spectrum = {0};
  cliv__fft_axis middle = *a;
  middle.inverse = middle.last = q->third;
  bool done;
  const cliv__fft_cosines cosines = cosines_of(q, a);
  TRY(cliv__fft_real_lines(ctx, &middle, &cosines, sync, &done));
  if (done) return CLIV_OK;
  TRY(cliv__fft_find(ctx, a->length, CLIV__FFT_QUARTERS, a->wide, &plan));
  TRY(cliv__scratch(ctx, CLIV__SCRATCH_FFT_ROOM_A, (size_t)(lines * a->length) * cliv__fft_pair(a) / 2, &v.mem));
  TRY(cliv__scratch(ctx, CLIV__SCRATCH_FFT_ROOM_B, (size_t)(lines * half) * cliv__fft_pair(a), &spectrum.mem));
  middle.x = q->third ? spectrum : v;
  middle.y = q->third ? v : spectrum;
  const stage in = q->third ? (stage){"fft_dct_join", a->x, spectrum, lines * half, plan->table}
                            : (stage){"fft_dct_spread", a->x, v, lines * a->length, NULL};
  const stage out = q->third ? (stage){"fft_dct_gather", v, a->y, lines * a->length, NULL}
                             : (stage){"fft_dct_split", spectrum, a->y, lines * half, plan->table};
  TRY(run_stage(ctx, q, &in, a, SYNC_FIRST(sync)));
  TRY(cliv__fft_real(ctx, &middle, SYNC_NONE));
  return run_stage(ctx, q, &out, a, SYNC_LAST(sync));
}

static cliv_status run(cliv_context *ctx, const request *q, const cliv_sync *sync) {
  for (int i = 0; i < q->axes.count; i++) {
    const cliv_tensor *const from = i ? q->out : q->x;
    cliv__fft_axis a = cliv__fft_axis_of(q->x, q->axes.axis[i]);
    a.x = (cliv__fft_place){from->mem, cliv__first(from)};
    a.y = (cliv__fft_place){q->out->mem, cliv__first(q->out)};
    const cliv_sync part = cliv__sync_part(sync, i == 0, i + 1 == q->axes.count);
    TRY(run_axis(ctx, q, &a, &part));
  }
  return CLIV_OK;
}

/* What is not dense is transformed where it is to go, or in scratch memory, after a copy and before one. */
static cliv_status run_strided(cliv_context *ctx, const request *q, const cliv_sync *sync) {
  const bool in = !cliv__dense(q->x), out = !cliv__dense(q->out);
  cliv_tensor dense;
  request d = *q;
  if (out) {
    TRY(cliv__scratch_tensor(ctx, CLIV__SCRATCH_FFT_STRIDED_OUT, q->out->dtype, q->out->ndim, q->out->shape, &dense));
    d.out = &dense;
  }
  if (in) {
    TRY(cliv__copy_strided(q->x, d.out, SYNC_FIRST(sync)));
    d.x = d.out;
  }
  const cliv_sync middle = cliv__sync_part(sync, !in, !out);
  TRY(run(ctx, &d, &middle));
  return out ? cliv__copy_strided(d.out, q->out, SYNC_LAST(sync)) : CLIV_OK;
}

static cliv_status check(cliv_context *ctx, request *q) {
  char a[160], b[160];
  const cliv_tensor *const x = q->x, *const out = q->out;
  if (q->o.type == 0) q->o.type = 2;
  REQUIRE(ctx, q->o.type == 2 || q->o.type == 3, VALUE, "dct: there is no type %d here; there are 2 and 3", q->o.type);
  REQUIRE(ctx, cliv_fft_norm_name(q->o.norm)[0] != '?', VALUE, "dct: %d is no norm: 0 backward, 1 ortho, 2 forward",
          (int)q->o.norm);
  REQUIRE(ctx, x->ctx == ctx && out->ctx == ctx, VALUE,
          "dct: the tensors belong to another context than the one given");
  REQUIRE(ctx, (x->dtype == CLIV_F32 || x->dtype == CLIV_F64) && out->dtype == x->dtype, DTYPE,
          "dct: numbers are float32 or float64, x's and out's the same; x is %s and out is %s", cliv__describe(x, a),
          cliv__describe(out, b));
  REQUIRE(ctx, cliv__same_shape(x, out), SHAPE, "dct: x is %s and out is %s: their shapes must be equal",
          cliv__describe(x, a), cliv__describe(out, b));
  REQUIRE(ctx, cliv__same_place(x, out) || !cliv__overlap(x, out), OVERLAP,
          "dct: x and out share a part of their memory; give the same tensor, or others");
  q->third = (q->o.type == 3) != (q->o.inverse != 0);
  return cliv__fft_take_axes(ctx, "dct", x, q->o.axis_count, q->o.axes, &q->axes);
}

cliv_status cliv_dct(cliv_context *ctx, const cliv_tensor *x, cliv_tensor *out, const cliv_dct_options *options,
                     const cliv_sync *sync) {
  TRY(cliv__check_sync(ctx, sync));
  REQUIRE_NOT_NULL(NULL, ctx);
  REQUIRE_NOT_NULL(ctx, x);
  REQUIRE_NOT_NULL(ctx, out);
  request q = {.x = x, .out = out};
  TRY(OPTIONS(ctx, options, &q.o));
  TRY(check(ctx, &q));
  if (x->count == 0) return cliv__nothing(ctx, sync);
  cliv__fft_plans_trim(ctx);
  TRY(cliv__stage_begin(ctx));
  const bool dense = cliv__dense(x) && cliv__dense(out);
  return cliv__stage_end(ctx, (dense ? run : run_strided)(ctx, &q, sync), NULL);
}
