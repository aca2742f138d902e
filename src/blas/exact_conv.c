/* The provider `exact`: convolutions as products of the weights with what cl/conv.cl unfolds of the data (or of the
 * result's gradient), part by part; and directly where every group has one channel of data. The rows of what is
 * unfolded are the terms of the sums in their order, so that gemm's chains are those of cliv/conv.h. */
#include "blas/conv.h"
#include "blas/exact.h"
#include "runtime/scratch.h"
#include "runtime/stage.h"

enum { ROOM_CPU = 1 << 22, ROOM_GPU = 1 << 26 }; /* bytes of what is unfolded at a time, about */
enum { LONG_SUM = 512 }; /* places of an image from which on its part of a sum is one of its own */
enum { CHAIN_CPU = 1 << 20, CHAIN_GPU = 1 << 17 }; /* terms of a launch where one work-item adds up all, at most … */
enum { CHAIN_LEAST = 1 << 12 };
enum { ROWS_MOST = 64 }; /* CPU walk: rows of a work-item that are convolved by themselves */
enum { TAP_ROWS = 4 };   /* CPU walk: rows of taps of a work-item, as in cl/conv.cl */
static const cl_ulong LAUNCH_WORK = (cl_ulong)1 << 31; /* … and multiply-adds of all of them, about */

/* What is multiplied with the weights: of place (i,j) and tap (a,b) the number at row base + i·step + a·tap, likewise
 * at its column; see cl/conv.cl. */
typedef struct taps {
  cliv__origin from; /* the first channel of the first image */
  cl_ulong channels, image;
  cl_uint count[2];
  cl_ulong places[2];
  cl_long base[2], step[2], tap[2], extent[2];
} taps;

static cl_ulong area(const cl_ulong sides[2]) { return sides[0] * sides[1]; }
static cl_ulong taps_of(const taps *t) { return t->channels * t->count[0] * t->count[1]; }

static taps taps_of_data(const cliv__conv *v) {
  taps t = {.from = v->x, .channels = v->groups * v->c, .image = v->groups * v->c * area(v->data)};
  for (int d = 0; d < 2; d++) {
    t.count[d] = (cl_uint)v->kernel[d];
    t.places[d] = v->result[d];
    t.base[d] = -v->padding[d];
    t.step[d] = v->stride[d];
    t.tap[d] = v->dilation[d];
    t.extent[d] = (cl_long)v->data[d];
  }
  return t;
}

/* Its taps are the data's own numbers, in their order. */
static bool is_plain(const taps *t) {
  for (int d = 0; d < 2; d++)
    if (t->count[d] != 1 || t->base[d] != 0 || t->step[d] != 1 || (cl_long)t->places[d] != t->extent[d]) return false;
  return true;
}

static cl_ulong room_for(const cliv_context *ctx, cliv_dtype dtype) {
  return (ctx->walk == CLIV_WALK_CPU ? ROOM_CPU : ROOM_GPU) / cliv_dtype_size(dtype);
}

/* Rows of work-items of a launch, where there are so many: along the second axis, or the third. */
static cl_ulong most_rows(const cliv_context *ctx, cl_ulong count) {
  return ctx->walk == CLIV_WALK_CPU ? cliv__most(1, count) : CLIV__AXIS_MOST;
}

/* Images from n on, `images` of them, `places` places from `begin` on, all taps. */
static cliv_status unfold(cliv_context *ctx, cliv_dtype dtype, const taps *t, cl_ulong n, cl_ulong images,
                          cl_ulong begin, cl_ulong places, cl_mem out, cl_ulong out_image, cl_ulong out_row) {
  cl_kernel kernel;
  TRY(cliv__blas_kernel(ctx, dtype, "blas.cl conv.cl", "unfold", "-D UNFOLD", &kernel));
  const cl_ulong first = t->from.first + n * t->image, all = taps_of(t);
  const cl_uint places_x = (cl_uint)t->places[1];
  const bool cpu = ctx->walk == CLIV_WALK_CPU;
  const size_t group = cliv__group(ctx, 64);
  const cl_ulong most_taps = most_rows(ctx, all), most_images = most_rows(ctx, images);
  for (cl_ulong i = 0; i < images; i += most_images)
    for (cl_ulong k = 0; k < all; k += most_taps) {
      const cl_ulong some = cliv__least(most_taps, all - k), few = cliv__least(most_images, images - i);
      const cliv__range range = cpu ? RANGE2(some, few, 1, 1) : (cliv__range){3, {places, some, few}, {group, 1, 1}};
      TRY(LAUNCH(ctx, kernel, range, SYNC_NONE, ARG(t->from.mem), ARG(first), ARG(t->image), ARG(out), ARG(out_image),
                 ARG(out_row), ARG(k), ARG(i), ARG(all), ARG(t->count[0]), ARG(t->count[1]), ARG(images), ARG(begin),
                 ARG(places), ARG(places_x), ARG(t->base[0]), ARG(t->base[1]), ARG(t->step[0]), ARG(t->step[1]),
                 ARG(t->tap[0]), ARG(t->tap[1]), ARG(t->extent[0]), ARG(t->extent[1])));
    }
  return CLIV_OK;
}

/* ---- sums over taps: the convolution, and its gradient by the data ---- */

/* weights · taps: of each group and image a matrix of `rows` channels by places. */
typedef struct product {
  const taps *t;
  cl_ulong images, groups, rows;
  cliv__origin weights; /* [groups, rows, taps of a group], dense */
  cliv__origin out;     /* [images, groups, rows, places], dense */
} product;

/* Of images from n on, and places from `begin` on. One group: a batch of images; else of the groups of one image. */
static cliv_status multiply_part(cliv_context *ctx, cliv_dtype dtype, const product *p, cl_ulong n, cl_ulong images,
                                 cl_ulong begin, cl_ulong places, cl_mem room) {
  const taps *const t = p->t;
  const bool plain = is_plain(t), whole = p->groups == 1;
  const cl_ulong k = taps_of(t) / p->groups, all = area(t->places), each = p->rows * all;
  if (!plain) TRY(unfold(ctx, dtype, t, n, images, begin, places, room, taps_of(t) * places, places));
  const cl_ulong pitch = plain ? all : places;
  const cliv__gemm g = {
      .dtype = dtype,
      .m = p->rows,
      .n = places,
      .k = k,
      .alpha = 1,
      .a = {p->weights.mem, p->weights.first, p->rows, k, k, whole ? 0 : p->rows * k},
      .b = {plain ? t->from.mem : room, plain ? t->from.first + n * t->image + begin : 0, k, places, pitch, k * pitch},
      .c = {p->out.mem, p->out.first + n * p->groups * each + begin, p->rows, places, all, each},
      .batch = whole ? images : p->groups};
  return cliv__blas_exact.gemm(ctx, &g, NULL);
}

static cliv_status multiply_taps(cliv_context *ctx, cliv_dtype dtype, const product *p) {
  const taps *const t = p->t;
  const bool plain = is_plain(t);
  const cl_ulong all = area(t->places), rows = taps_of(t), room = room_for(ctx, dtype);
  const cl_ulong places = plain ? all : cliv__least(all, cliv__most(1, room / rows));
  const cl_ulong some = p->groups > 1 ? 1 : plain ? p->images : cliv__most(1, room / rows / all);
  cl_mem unfolded = NULL;
  if (!plain)
    TRY(cliv__scratch(ctx, CLIV__SCRATCH_CONV_TAPS,
                      cliv__least(some, p->images) * rows * places * cliv_dtype_size(dtype), &unfolded));
  for (cl_ulong n = 0; n < p->images; n += some)
    for (cl_ulong begin = 0; begin < all; begin += places)
      TRY(multiply_part(ctx, dtype, p, n, cliv__least(some, p->images - n), begin, cliv__least(places, all - begin),
                        unfolded));
  return CLIV_OK;
}

/* In the CPU walk the planes are copied with the padding that taps reach: every vector of them is then one load. */
static void widen(const taps *t, taps *copy, taps *wide) {
  *copy = *wide = *t;
  for (int d = 0; d < 2; d++) {
    const cl_long reach = ((cl_long)t->count[d] - 1) * t->tap[d];
    const cl_long low = t->base[d] + (reach < 0 ? reach : 0);
    const cl_long high = t->base[d] + ((cl_long)t->places[d] - 1) * t->step[d] + (reach > 0 ? reach : 0);
    copy->count[d] = 1;
    copy->base[d] = low;
    copy->step[d] = 1;
    copy->tap[d] = 0;
    copy->places[d] = (cl_ulong)(high - low + 1);
    wide->base[d] = t->base[d] - low;
    wide->extent[d] = high - low + 1;
  }
  wide->image = t->channels * area(copy->places);
}

/* How many images fit there together. */
static cl_ulong widened_at_once(const cliv_context *ctx, cliv_dtype dtype, const taps *wide, cl_ulong images) {
  return cliv__least(images, cliv__most(1, room_for(ctx, dtype) / wide->image));
}

static cliv_status copy_widened(cliv_context *ctx, cliv_dtype dtype, const taps *copy, taps *wide, cl_ulong n,
                                cl_ulong images) {
  const cl_ulong beyond = 2 * cliv__lanes(dtype);
  wide->from.first = 0;
  TRY(cliv__scratch(ctx, CLIV__SCRATCH_CONV_TAPS, (images * wide->image + beyond) * cliv_dtype_size(dtype),
                    &wide->from.mem));
  return unfold(ctx, dtype, copy, n, images, 0, area(copy->places), wide->from.mem, wide->image, area(copy->places));
}

/* Channels that are convolved one by one: where the weights of one and its planes are, and the places of its result. */
typedef struct depthwise {
  cl_ulong count, w_channel, w_m, w_y, w_x;
  cl_uint multiplicity, plane_c, plane_by;
  cliv__origin w, out;
  cl_ulong out_plane, out_y, out_x;
} depthwise;

/* Terms of a launch, where so many chains grow side by side. */
static cl_ulong longest_chain(const cliv_context *ctx, cl_ulong chains) {
  const cl_ulong fair = cliv__most(CHAIN_LEAST, LAUNCH_WORK / cliv__most(1, chains));
  return ctx->walk == CLIV_WALK_CPU ? CHAIN_CPU : cliv__least(CHAIN_GPU, fair);
}

static cliv_status convolve_rows(cliv_context *ctx, cliv_dtype dtype, const taps *t, cl_ulong images,
                                 const depthwise *c, bool goes_on) {
  cl_kernel kernel;
  TRY(cliv__blas_kernel(ctx, dtype, "blas.cl conv.cl", "direct", "-D DIRECT", &kernel));
  const bool cpu = ctx->walk == CLIV_WALK_CPU;
  const cl_uint resumes = goes_on;
  const cl_ulong rows = images * c->count * t->places[0];
  const cl_ulong of_row = t->places[1] * c->multiplicity * t->count[0] * t->count[1];
  const cl_ulong most = cliv__least(most_rows(ctx, rows), cliv__most(1, LAUNCH_WORK / cliv__most(1, of_row)));
  const cl_ulong per = cpu ? cliv__blas_share(ctx, cliv__least(most, rows), ROWS_MOST) : 1;
  for (cl_ulong row = 0; row < rows; row += most) {
    const cl_ulong some = cliv__least(most, rows - row), end = row + some;
    const cliv__range range =
        RANGE2(cpu ? 1 : t->places[1], cliv__div_up(some, per), cpu ? 1 : cliv__group(ctx, 64), 1);
    TRY(LAUNCH(ctx, kernel, range, SYNC_NONE, ARG(t->from.mem), ARG(t->from.first), ARG(t->image), ARG(c->w.mem),
               ARG(c->w.first), ARG(c->w_channel), ARG(c->w_m), ARG(c->w_y), ARG(c->w_x), ARG(c->out.mem),
               ARG(c->out.first), ARG(c->out_plane), ARG(c->out_y), ARG(c->out_x), ARG(resumes), ARG(row), ARG(end),
               ARG(per), ARG(c->count), ARG(c->multiplicity), ARG(c->plane_c), ARG(c->plane_by), ARG(t->count[0]),
               ARG(t->count[1]), ARG(t->places[0]), ARG(t->places[1]), ARG(t->base[0]), ARG(t->base[1]),
               ARG(t->step[0]), ARG(t->step[1]), ARG(t->tap[0]), ARG(t->tap[1]), ARG(t->extent[0]), ARG(t->extent[1])));
  }
  return CLIV_OK;
}

/* All terms at once where no chain is too long for a launch; else some planes, rows of taps, or taps of a row. */
static cliv_status convolve_images(cliv_context *ctx, cliv_dtype dtype, const taps *t, cl_ulong images,
                                   const depthwise *c) {
  const cl_ulong chain = longest_chain(ctx, t->places[1]), of_plane = (cl_ulong)t->count[0] * t->count[1];
  const cl_ulong planes = cliv__least(c->multiplicity, cliv__most(1, chain / of_plane)),
                 rows = cliv__least(t->count[0], cliv__most(1, chain / t->count[1])),
                 columns = cliv__least(t->count[1], chain);
  for (cl_ulong m = 0; m < c->multiplicity; m += planes)
    for (cl_ulong a = 0; a < t->count[0]; a += rows)
      for (cl_ulong b = 0; b < t->count[1]; b += columns) {
        taps some = *t;
        depthwise part = *c;
        some.from.first += m * (cl_ulong)(t->extent[0] * t->extent[1]);
        some.count[0] = (cl_uint)cliv__least(rows, t->count[0] - a);
        some.count[1] = (cl_uint)cliv__least(columns, t->count[1] - b);
        some.base[0] += (cl_long)a * t->tap[0];
        some.base[1] += (cl_long)b * t->tap[1];
        part.w.first += m * c->w_m + a * c->w_y + b * c->w_x;
        part.multiplicity = (cl_uint)cliv__least(planes, c->multiplicity - m);
        TRY(convolve_rows(ctx, dtype, &some, images, &part, m + a + b > 0));
      }
  return CLIV_OK;
}

static cliv_status convolve_directly(cliv_context *ctx, cliv_dtype dtype, const taps *t, cl_ulong images,
                                     const depthwise *c) {
  if (ctx->walk != CLIV_WALK_CPU) return convolve_images(ctx, dtype, t, images, c);
  taps copy, wide;
  widen(t, &copy, &wide);
  const cl_ulong some = widened_at_once(ctx, dtype, &wide, images);
  for (cl_ulong n = 0; n < images; n += some) {
    const cl_ulong now = cliv__least(some, images - n);
    depthwise part = *c;
    part.out.first += n * c->count * c->out_plane;
    TRY(copy_widened(ctx, dtype, &copy, &wide, n, now));
    TRY(convolve_images(ctx, dtype, &wide, now, &part));
  }
  return CLIV_OK;
}

static cliv_status add_bias(cliv_context *ctx, const cliv__conv *v) {
  cl_kernel kernel;
  TRY(cliv__blas_kernel(ctx, v->dtype, "blas.cl conv.cl", "add_bias", "-D BIAS", &kernel));
  const cl_ulong of_image = v->groups * v->o, rows = v->images * of_image, places = area(v->result);
  const cl_ulong most = most_rows(ctx, rows);
  for (cl_ulong row = 0; row < rows; row += most) {
    const cl_ulong some = cliv__least(most, rows - row);
    const cliv__range range =
        ctx->walk == CLIV_WALK_CPU ? RANGE1(some, 1) : RANGE2(places, some, cliv__group(ctx, 64), 1);
    TRY(LAUNCH(ctx, kernel, range, SYNC_NONE, ARG(v->y.mem), ARG(v->y.first), ARG(v->bias.mem), ARG(v->bias.first),
               ARG(row), ARG(rows), ARG(of_image), ARG(places)));
  }
  return CLIV_OK;
}

cliv_status cliv__conv_zeros(cliv_context *ctx, cliv_dtype dtype, const cliv__origin *out, cl_ulong count,
                             const cliv_sync *sync) {
  const cliv__matrix all = {out->mem, out->first, 1, count, count, 0};
  return count ? cliv__blas_scale(ctx, dtype, 0, &all, sync) : cliv__nothing(ctx, sync);
}

static cliv_status forward(cliv_context *ctx, const cliv__conv *v) {
  const taps t = taps_of_data(v);
  const cl_ulong elements = v->groups * v->o * area(v->result), of_kernel = area(v->kernel);
  if (v->c == 0) { /* bias alone */
    TRY(cliv__conv_zeros(ctx, v->dtype, &v->y, v->images * elements, NULL));
  } else if (v->c == 1) {
    const depthwise c = {.count = v->groups * v->o,
                         .w_channel = of_kernel,
                         .w_y = v->kernel[1],
                         .w_x = 1,
                         .multiplicity = 1,
                         .plane_c = 1,
                         .plane_by = (cl_uint)v->o,
                         .w = v->w,
                         .out = v->y,
                         .out_plane = area(v->result),
                         .out_y = v->result[1],
                         .out_x = 1};
    TRY(convolve_directly(ctx, v->dtype, &t, v->images, &c));
  } else {
    const product p = {&t, v->images, v->groups, v->o, v->w, v->y};
    TRY(multiply_taps(ctx, v->dtype, &p));
  }
  return v->bias.mem ? add_bias(ctx, v) : CLIV_OK;
}

/* ---- the gradient by the data ----
 *
 * Along an axis the places r, r + stride, r + 2 stride, … are reached by the same taps: every `period`-th from `first`
 * on. So there are as many products as pairs of such r, each of taps that all count. */

typedef struct residue {
  cl_ulong r, places, first, period, taps; /* taps 0: none reaches them */
  cl_long base, tap;
} residue;

static cl_ulong common_divisor(cl_ulong a, cl_ulong b) {
  while (b) {
    const cl_ulong rest = a % b;
    a = b;
    b = rest;
  }
  return a;
}

static residue residue_of(const cliv__conv *v, int d, cl_ulong r) {
  const cl_ulong stride = (cl_ulong)v->stride[d], dilation = (cl_ulong)v->dilation[d];
  const cl_ulong period = stride / common_divisor(stride, dilation), at = r + (cl_ulong)v->padding[d];
  residue out = {.r = r, .places = (v->data[d] - r - 1) / stride + 1, .period = period};
  while (out.first < period && out.first < v->kernel[d] && (out.first * dilation) % stride != at % stride) out.first++;
  if (out.first >= period || out.first >= v->kernel[d]) return out;
  out.taps = (v->kernel[d] - 1 - out.first) / period + 1;
  out.base = ((cl_long)at - (cl_long)(out.first * dilation)) / (cl_long)stride;
  out.tap = -(cl_long)(period * dilation / stride);
  return out;
}

/* Of the axes those that have more than one index. */
static cliv_status copy(cliv_context *ctx, cliv_dtype dtype, const cliv__origin *from, const cliv__origin *to,
                        const cliv__axis *axes, int count) {
  cliv__axis kept[CLIV_MAX_DIMS] = {{1, 1, 1, false}};
  int n = 0;
  for (int i = 0; i < count; i++)
    if (axes[i].extent > 1) kept[n++] = axes[i];
  return cliv__copy_axes(ctx, dtype, from, to, kept, n ? n : 1, NULL);
}

/* Those taps of the weights, [groups, c, o, taps]. */
static cliv_status gather_weights(cliv_context *ctx, const cliv__conv *v, const residue r[2], cliv__origin *out) {
  const cl_ulong of_kernel = area(v->kernel), of_taps = r[0].taps * r[1].taps;
  const cliv__axis axes[] = {{v->groups, v->o * v->c * of_kernel, v->c * v->o * of_taps, false},
                             {v->c, of_kernel, v->o * of_taps, false},
                             {v->o, v->c * of_kernel, of_taps, false},
                             {r[0].taps, r[0].period * v->kernel[1], r[1].taps, false},
                             {r[1].taps, r[1].period, 1, false}};
  const cliv__origin from = {v->w.mem, v->w.first + r[0].first * v->kernel[1] + r[1].first};
  out->first = 0;
  TRY(cliv__scratch(ctx, CLIV__SCRATCH_CONV_WEIGHTS, v->groups * v->c * v->o * of_taps * cliv_dtype_size(v->dtype),
                    &out->mem));
  return copy(ctx, v->dtype, &from, out, axes, sizeof axes / sizeof *axes);
}

/* A product whose places are apart in dx is made beside it, image by image. */
static cliv_status multiply_residue(cliv_context *ctx, const cliv__conv *v, const residue r[2], const taps *t) {
  const cl_ulong planes = v->groups * v->c, all = area(t->places);
  product p = {t, v->images, v->groups, v->c, {0}, v->x};
  TRY(gather_weights(ctx, v, r, &p.weights));
  if (v->stride[0] == 1 && v->stride[1] == 1) return multiply_taps(ctx, v->dtype, &p);
  const cl_ulong some = cliv__least(v->images, cliv__most(1, room_for(ctx, v->dtype) / (planes * all)));
  p.out.first = 0;
  TRY(cliv__scratch(ctx, CLIV__SCRATCH_CONV_RESULT, some * planes * all * cliv_dtype_size(v->dtype), &p.out.mem));
  for (cl_ulong n = 0; n < v->images; n += some) {
    taps part = *t;
    part.from.first += n * t->image;
    p.t = &part;
    p.images = cliv__least(some, v->images - n);
    TRY(multiply_taps(ctx, v->dtype, &p));
    const cliv__axis axes[] = {{p.images * planes, all, area(v->data), false},
                               {t->places[0], t->places[1], (cl_ulong)v->stride[0] * v->data[1], false},
                               {t->places[1], 1, (cl_ulong)v->stride[1], false}};
    const cliv__origin to = {v->x.mem, v->x.first + n * planes * area(v->data) + r[0].r * v->data[1] + r[1].r};
    TRY(copy(ctx, v->dtype, &p.out, &to, axes, sizeof axes / sizeof *axes));
  }
  return CLIV_OK;
}

static cliv_status convolve_residue(cliv_context *ctx, const cliv__conv *v, const residue r[2], const taps *t) {
  const depthwise c = {.count = v->groups,
                       .w_channel = v->o * area(v->kernel),
                       .w_m = area(v->kernel),
                       .w_y = r[0].period * v->kernel[1],
                       .w_x = r[1].period,
                       .multiplicity = (cl_uint)v->o,
                       .plane_c = (cl_uint)v->o,
                       .plane_by = 1,
                       .w = {v->w.mem, v->w.first + r[0].first * v->kernel[1] + r[1].first},
                       .out = {v->x.mem, v->x.first + r[0].r * v->data[1] + r[1].r},
                       .out_plane = area(v->data),
                       .out_y = (cl_ulong)v->stride[0] * v->data[1],
                       .out_x = (cl_ulong)v->stride[1]};
  return convolve_directly(ctx, v->dtype, t, v->images, &c);
}

static cliv_status by_data(cliv_context *ctx, const cliv__conv *v) {
  bool gaps = false;
  for (int d = 0; d < 2; d++)
    for (cl_ulong r = 0; r < cliv__least((cl_ulong)v->stride[d], v->data[d]) && !gaps; r++)
      gaps = residue_of(v, d, r).taps == 0;
  if (gaps) TRY(cliv__conv_zeros(ctx, v->dtype, &v->x, v->images * v->groups * v->c * area(v->data), NULL));
  for (cl_ulong y = 0; y < cliv__least((cl_ulong)v->stride[0], v->data[0]); y++)
    for (cl_ulong x = 0; x < cliv__least((cl_ulong)v->stride[1], v->data[1]); x++) {
      const residue r[2] = {residue_of(v, 0, y), residue_of(v, 1, x)};
      if (r[0].taps == 0 || r[1].taps == 0) continue;
      taps t = {.from = v->y, .channels = v->groups * v->o, .image = v->groups * v->o * area(v->result)};
      for (int d = 0; d < 2; d++) {
        t.count[d] = (cl_uint)r[d].taps;
        t.places[d] = r[d].places;
        t.base[d] = r[d].base;
        t.step[d] = 1;
        t.tap[d] = r[d].tap;
        t.extent[d] = (cl_long)v->result[d];
      }
      TRY(v->c == 1 ? convolve_residue(ctx, v, r, &t) : multiply_residue(ctx, v, r, &t));
    }
  return CLIV_OK;
}

/* ---- the gradient by the weights: sums over images and places ---- */

/* The sums go on by `images` images from n on, places from `begin` on: result's gradient times taps, transposed. */
static cliv_status add_part(cliv_context *ctx, const cliv__conv *v, const taps *t, cl_ulong n, cl_ulong images,
                            cl_ulong begin, cl_ulong places, cl_mem room, cl_mem room_y) {
  const bool plain = is_plain(t) && images == 1, beside = images > 1;
  const cl_ulong k = images * places, all = area(v->result), columns = taps_of(t) / v->groups;
  const cl_ulong channels = v->groups * v->o, pitch = plain ? all : k;
  cliv__origin dy = {v->y.mem, v->y.first + n * channels * all + begin};
  if (beside) {
    const cliv__axis axes[] = {{channels, all, k, false}, {images, channels * all, all, false}, {all, 1, 1, false}};
    const cliv__origin to = {room_y, 0};
    TRY(copy(ctx, v->dtype, &dy, &to, axes, sizeof axes / sizeof *axes));
    dy = to;
  }
  if (!plain) TRY(unfold(ctx, v->dtype, t, n, images, begin, places, room, places, k));
  const cl_ulong dy_pitch = beside ? k : all;
  const cliv__gemm g = {.dtype = v->dtype,
                        .trans_b = true,
                        .m = v->o,
                        .n = columns,
                        .k = k,
                        .alpha = 1,
                        .a = {dy.mem, dy.first, v->o, k, dy_pitch, v->o * dy_pitch},
                        .b = {plain ? t->from.mem : room, plain ? t->from.first + n * t->image + begin : 0, columns, k,
                              pitch, columns * pitch},
                        .c = {v->w.mem, v->w.first, v->o, columns, columns, v->o * columns},
                        .batch = v->groups,
                        .resumes = n > 0 || begin > 0};
  return cliv__blas_exact.gemm(ctx, &g, NULL);
}

/* Small images are added up several at a time. */
static cliv_status by_weight(cliv_context *ctx, const cliv__conv *v) {
  const taps t = taps_of_data(v);
  const cl_ulong all = area(v->result), rows = taps_of(&t), room = room_for(ctx, v->dtype);
  const cl_ulong together = cliv__most(1, cliv__least(2 * LONG_SUM / all, room / rows / all));
  const cl_ulong some = all < LONG_SUM ? cliv__least(v->images, together) : 1;
  const cl_ulong places = is_plain(&t) && some == 1 ? all : cliv__least(all, cliv__most(1, room / rows));
  const size_t element = cliv_dtype_size(v->dtype);
  cl_mem unfolded = NULL, beside = NULL;
  if (!is_plain(&t) || some > 1)
    TRY(cliv__scratch(ctx, CLIV__SCRATCH_CONV_TAPS, rows * some * places * element, &unfolded));
  if (some > 1) TRY(cliv__scratch(ctx, CLIV__SCRATCH_CONV_RESULT, v->groups * v->o * some * all * element, &beside));
  for (cl_ulong n = 0; n < v->images; n += some)
    for (cl_ulong begin = 0; begin < all; begin += places)
      TRY(add_part(ctx, v, &t, n, cliv__least(some, v->images - n), begin, cliv__least(places, all - begin), unfolded,
                   beside));
  return CLIV_OK;
}

static cliv_status by_weight_directly(cliv_context *ctx, const cliv__conv *v) {
  const taps t = taps_of_data(v);
  cl_kernel kernel;
  TRY(cliv__blas_kernel(ctx, v->dtype, "blas.cl conv.cl", "by_weight", "-D WEIGHTS", &kernel));
  const bool cpu = ctx->walk == CLIV_WALK_CPU;
  const cl_ulong all = area(v->result), channels = v->groups * v->o, dy_image = channels * all;
  taps copy, wide;
  widen(&t, &copy, &wide);
  const cl_ulong chain = longest_chain(ctx, channels * t.count[0] * t.count[1]), places = cliv__least(all, chain);
  const cl_ulong some =
      cpu ? widened_at_once(ctx, v->dtype, &wide, v->images) : cliv__least(v->images, cliv__most(1, chain / all));
  const cl_uint multiplicity = (cl_uint)v->o, places_x = (cl_uint)t.places[1];
  const cliv__range range =
      RANGE2(cliv__div_up(t.count[1], cpu ? cliv__lanes(v->dtype) : 1),
             channels * cliv__div_up(t.count[0], cpu ? TAP_ROWS : 1), 1, cpu ? 1 : cliv__group(ctx, 64));
  for (cl_ulong n = 0; n < v->images; n += some) {
    const cl_ulong images = cliv__least(some, v->images - n);
    taps from = cpu ? wide : t;
    if (cpu) TRY(copy_widened(ctx, v->dtype, &copy, &from, n, images));
    else from.from.first += n * t.image;
    for (cl_ulong begin = 0; begin < all; begin += places) {
      const cl_ulong end = cliv__least(begin + places, all), dy_first = v->y.first + n * dy_image;
      const cl_uint resumes = n > 0 || begin > 0;
      TRY(LAUNCH(ctx, kernel, range, SYNC_NONE, ARG(from.from.mem), ARG(from.from.first), ARG(from.image),
                 ARG(v->y.mem), ARG(dy_first), ARG(dy_image), ARG(all), ARG(v->w.mem), ARG(v->w.first), ARG(resumes),
                 ARG(images), ARG(channels), ARG(multiplicity), ARG(t.count[0]), ARG(t.count[1]), ARG(begin), ARG(end),
                 ARG(places_x), ARG(from.base[0]), ARG(from.base[1]), ARG(t.step[0]), ARG(t.step[1]), ARG(t.tap[0]),
                 ARG(t.tap[1]), ARG(from.extent[0]), ARG(from.extent[1])));
    }
  }
  return CLIV_OK;
}

/* ---- all launches, or none ---- */

static cliv_status stage(cliv_context *ctx, cliv_status (*run)(cliv_context *, const cliv__conv *), const cliv__conv *v,
                         const cliv_sync *sync) {
  TRY(cliv__stage_begin(ctx));
  cliv_status status = cliv__nothing(ctx, SYNC_FIRST(sync));
  if (!status) status = run(ctx, v);
  if (!status) status = cliv__nothing(ctx, SYNC_LAST(sync));
  return cliv__stage_end(ctx, status, NULL);
}

cliv_status cliv__exact_conv(cliv_context *ctx, const cliv__conv *v, const cliv_sync *sync) {
  return stage(ctx, forward, v, sync);
}
cliv_status cliv__exact_conv_data(cliv_context *ctx, const cliv__conv *v, const cliv_sync *sync) {
  return stage(ctx, by_data, v, sync);
}
cliv_status cliv__exact_conv_weight(cliv_context *ctx, const cliv__conv *v, const cliv_sync *sync) {
  return stage(ctx, v->c == 1 ? by_weight_directly : by_weight, v, sync);
}
