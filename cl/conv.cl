/* conv.cl: convolutions beside gemm (see blas.cl). All tensors are dense.
 *
 * What is multiplied with the weights are taps: of output place (i,j) and tap (a,b) the number at
 *   row y = y_base + i·y_step + a·y_tap,  column x = x_base + j·x_step + b·x_tap
 * of a plane of height × width numbers, and +0 outside of it.
 *
 * Rows of work-items begin at first_row, or k_first and n_first: launches are cut along them.
 *
 *   -D UNFOLD   unfold    out[n·out_image + k·out_row + p] = the number of image n for tap
 *                         k = (channel·taps_y + a)·taps_x + b and place p = i·places_x + j - begin, p < places. Images
 *                         are `image` elements apart.
 *   -D DIRECT   direct    where channels are convolved one by one: out(n, c, i, j) at out_first + (n·channels + c)·
 *                         out_plane + i·out_y + j·out_x is the chain over m < multiplicity, a, b of fma(w, number, s),
 *                         with w the element c·w_channel + m·w_m + a·w_y + b·w_x, the number one of plane
 *                         c·plane_c / plane_by + m; with `resumes` it goes on from what out holds
 *   -D WEIGHTS  by_weight dw(o, a, b) goes on, or begins, over images, places: fma(dy(n, o, i, j), number, s) of plane
 *                         o / multiplicity; w_y, w_x: places of a and b in dw
 *   -D BIAS     add_bias  y(row, p) += bias(row mod channels)
 */
#ifdef UNFOLD

__kernel void unfold(__global const SCALAR *from_, ulong from_first, ulong image, __global SCALAR *out_,
                     ulong out_image, ulong out_row, ulong k_first, ulong n_first, ulong taps,
                     uint taps_y, uint taps_x_, ulong images, ulong begin_, ulong places_,
                     uint places_x_, long y_base, long x_base, long y_step_, long x_step_, long y_tap, long x_tap,
                     long height_, long width_) {
  const ulong begin = begin_, places = places_;
  const uint places_x = places_x_, taps_x = taps_x_;
  const long y_step = y_step_, x_step = x_step_, height = height_, width = width_;
#ifdef WALK_CPU
  const ulong k = k_first + get_global_id(0), n = n_first + get_global_id(1), first = 0, last = places;
#else
  const ulong k = k_first + get_global_id(1), n = n_first + get_global_id(2), first = get_global_id(0);
  const ulong last = min(first + 1, places);
#endif
  if (k >= taps || n >= images) return;
  const ulong channel = k / (taps_y * taps_x), tap = k - channel * (taps_y * taps_x), a = tap / taps_x;
  const long y0 = y_base + (long)a * y_tap, x0 = x_base + (long)(tap - a * taps_x) * x_tap;
  __global const SCALAR *from = from_ + from_first + n * image + channel * (ulong)(height * width);
  __global SCALAR *out = out_ + n * out_image + k * out_row;
#ifdef WALK_CPU
  ulong p = first, i = (begin + p) / places_x, j = begin + p - i * places_x;
  while (p < last) {
    const ulong count = min(last - p, places_x - j);
    const long y = y0 + (long)i * y_step, x = x0 + (long)j * x_step;
    const bool inside = y >= 0 && y < height;
    __global const SCALAR *row = from + (inside ? y : 0) * width;
    __global SCALAR *to = out + p;
    ulong l = 0;
    if (inside && x_step == 1) {
      const ulong low = x < 0 ? min(count, (ulong)-x) : 0;
      const ulong high = x >= width ? low : max(low, min(count, (ulong)(width - x)));
      for (; l < low; l++) to[l] = 0;
      for (; l + W <= high; l += W) STORE_W(LOAD_W(row, x + (long)l), to, l);
      for (; l < high; l++) to[l] = row[x + (long)l];
    } else if (inside) {
      for (; l < count; l++) {
        const long at = x + (long)l * x_step;
        to[l] = at >= 0 && at < width ? row[at] : (SCALAR)0;
      }
    }
    for (; l + W <= count; l += W) STORE_W((real)0, to, l);
    for (; l < count; l++) to[l] = 0;
    p += count;
    i++;
    j = 0;
  }
#else
  if (first >= last) return;
  const ulong i = (begin + first) / places_x, j = begin + first - i * places_x;
  const long y = y0 + (long)i * y_step, x = x0 + (long)j * x_step;
  out[first] = y >= 0 && y < height && x >= 0 && x < width ? from[y * width + x] : (SCALAR)0;
#endif
}

#endif

#if (defined(DIRECT) || defined(WEIGHTS)) && W > 1
/* W numbers from x on, `step` apart, of which `live` count. The planes have been copied with all that is read around
 * them: nothing lies outside, and 2 W elements beyond a row may be read. */
real numbers(__global const SCALAR *row, long x, long step, uint live) {
  const real first = LOAD_W(row, x);
  if (step == 1) return first;
  if (step == 2) {
    const real second = LOAD_W(row, x + W);
    return (real)(first.even, second.even);
  }
  SCALAR lanes[W];
  for (uint l = 0; l < W; l++) lanes[l] = row[x + (long)min(l, live - 1) * step];
  return LOAD_W(lanes, 0);
}
#endif

#ifdef DIRECT

/* What a launch before has left of the chains of W places, `step` apart. */
real sums(__global const SCALAR *out, ulong step, uint live) {
#if W > 1
  if (step == 1) return take(out, 0, live);
  SCALAR lanes[W];
  for (uint l = 0; l < W; l++) lanes[l] = out[min(l, live - 1) * step];
  return LOAD_W(lanes, 0);
#else
  return out[0];
#endif
}

/* Work-item: `per` rows of places in the CPU walk, else a place. */
__kernel void direct(__global const SCALAR *from_, ulong from_first, ulong image, __global const SCALAR *w_,
                     ulong w_first, ulong w_channel, ulong w_m_, ulong w_y_, ulong w_x_, __global SCALAR *out_,
                     ulong out_first, ulong out_plane, ulong out_y, ulong out_x_, uint resumes_, ulong first_row,
                     ulong last_row, ulong per, ulong channels_, uint multiplicity_,
                     uint plane_c, uint plane_by, uint taps_y_, uint taps_x_, ulong places_y_, ulong places_x_,
                     long y_base_, long x_base_, long y_step, long x_step_, long y_tap_, long x_tap_, long height_,
                     long width_) {
  const ulong channels = channels_, places_y = places_y_, places_x = places_x_, out_x = out_x_;
  const ulong w_m = w_m_, w_y = w_y_, w_x = w_x_;
  const uint multiplicity = multiplicity_, taps_y = taps_y_, taps_x = taps_x_, resumes = resumes_;
  const long y_tap = y_tap_, x_tap = x_tap_, height = height_, width = width_, x_step = x_step_, x_base = x_base_;
#ifdef WALK_CPU
  const ulong begin = 0, end = places_x;
  /* The last vector of a row may begin before the one before it ends: nothing is added twice to what is begun here. */
  const bool again = places_x >= W && out_x == 1 && !resumes;
#else
  const ulong begin = get_global_id(0), end = min(begin + 1, places_x);
  const bool again = false;
#endif
  const ulong row_begin = first_row + get_global_id(1) * per, row_end = min(row_begin + per, last_row);
  for (ulong row = row_begin; row < row_end; row++) {
    const ulong plane = row / places_y, i = row - plane * places_y, n = plane / channels, c = plane - n * channels;
    const long y0 = y_base_ + (long)i * y_step;
    __global const SCALAR *first = from_ + from_first + n * image + (c * plane_c / plane_by) * (ulong)(height * width);
    __global const SCALAR *first_w = w_ + w_first + c * w_channel;
    __global SCALAR *row_out = out_ + out_first + plane * out_plane + i * out_y;
    for (ulong place = begin; place < end; place += W) {
      const ulong j = again ? min(place, places_x - W) : place;
      const uint live = (uint)min((ulong)W, places_x - j);
      const long x0 = x_base + (long)j * x_step;
      __global const SCALAR *from = first, *w = first_w;
      __global SCALAR *out = row_out + j * out_x;
      real s = resumes ? sums(out, out_x, live) : (real)0;
      for (uint m = 0; m < multiplicity; m++) {
        for (uint a = 0; a < taps_y; a++) {
          const long y = y0 + (long)a * y_tap;
          __global const SCALAR *w_row = w + a * w_y;
#if W > 1
          __global const SCALAR *line = from + y * width + x0;
          if (x_step == 1)
            for (uint b = 0; b < taps_x; b++) s = fma((real)w_row[b * w_x], LOAD_W(line, (long)b * x_tap), s);
          else
            for (uint b = 0; b < taps_x; b++)
              s = fma((real)w_row[b * w_x], numbers(line, (long)b * x_tap, x_step, live), s);
#else
          const bool inside = y >= 0 && y < height;
          __global const SCALAR *line = from + (inside ? y : 0) * width;
          for (uint b = 0; b < taps_x; b++) {
            const long x = x0 + (long)b * x_tap;
            const real v = inside && x >= 0 && x < width ? line[x] : (SCALAR)0;
            s = fma((real)w_row[b * w_x], v, s);
          }
#endif
        }
        from += height * width;
        w += w_m;
      }
      s = canonical(of_chain(s));
#if W > 1
      if (out_x == 1) {
        put(s, out, 0, live);
        continue;
      }
      SCALAR lanes[W];
      STORE_W(s, lanes, 0);
      for (uint l = 0; l < live; l++) out[l * out_x] = lanes[l];
#else
      out[0] = s;
#endif
    }
  }
}

#endif

#ifdef WEIGHTS

/* Work-item: in the CPU walk W columns b of TAP_ROWS rows a of taps, so many chains side by side; else one tap. */
#if W > 1
#define TAP_ROWS 4
#define EACH_TAP_ROW(X) X(0) X(1) X(2) X(3)
#define ROW_OF(q) (a + min((ulong)(q), rows - 1))
#define SUM_BEGIN(q) \
  __global SCALAR *to##q = dw + ROW_OF(q) * taps_x; \
  real s##q = resumes ? take(to##q, 0, live) : (real)0;
#define SUM_LINE(q) __global const SCALAR *line##q = from + (y0 + (long)ROW_OF(q) * y_tap) * width + x0;
#define SUM_STEP(q) s##q = fma(d, LOAD_W(line##q, x), s##q);
#define SUM_STEP_APART(q) s##q = fma(d, numbers(line##q, x, x_tap, live), s##q);
#define SUM_END(q) \
  if (q < rows) put(canonical(of_chain(s##q)), to##q, 0, live);
#else
#define TAP_ROWS 1
#endif
__kernel void by_weight(__global const SCALAR *from_, ulong from_first, ulong image, __global const SCALAR *dy_,
                        ulong dy_first, ulong dy_image_, ulong dy_plane, __global SCALAR *dw_, ulong dw_first,
                        uint resumes, ulong images_,
                        ulong channels, uint multiplicity, uint taps_y, uint taps_x_, ulong begin_, ulong end_,
                        uint places_x_, long y_base, long x_base, long y_step_, long x_step_, long y_tap_, long x_tap_,
                        long height_, long width_) {
  const ulong images = images_, dy_image = dy_image_, begin = begin_, end = end_;
  const uint places_x = places_x_, taps_x = taps_x_;
  const long y_step = y_step_, x_step = x_step_, y_tap = y_tap_, x_tap = x_tap_, height = height_, width = width_;
  const uint b = (uint)get_global_id(0) * W, parts = (taps_y + TAP_ROWS - 1) / TAP_ROWS;
  const ulong part = get_global_id(1), o = part / parts, a = (part - o * parts) * TAP_ROWS;
  if (b >= taps_x || o >= channels) return;
  const uint live = min((uint)W, taps_x - b);
  const long x0 = x_base + (long)b * x_tap;
  __global SCALAR *dw = dw_ + dw_first + o * taps_y * taps_x + b;
#if W > 1
  const ulong rows = min((ulong)TAP_ROWS, taps_y - a);
  EACH_TAP_ROW(SUM_BEGIN)
#else
  dw += a * taps_x;
  real s = resumes ? dw[0] : (real)0;
#endif
  for (ulong n = 0; n < images; n++) {
    __global const SCALAR *from = from_ + from_first + n * image + o / multiplicity * (ulong)(height * width);
    __global const SCALAR *dy = dy_ + dy_first + n * dy_image + o * dy_plane;
    ulong i = begin / places_x, j = begin - i * places_x;
    for (ulong p = begin; p < end; i++, j = 0) {
      const ulong count = min(end - p, places_x - j);
      const long y0 = y_base + (long)i * y_step;
      long x = (long)j * x_step;
#if W > 1
      EACH_TAP_ROW(SUM_LINE)
      if (x_tap == 1) {
        for (ulong l = 0; l < count; l++, x += x_step) {
          const real d = (real)dy[p + l];
          EACH_TAP_ROW(SUM_STEP)
        }
      } else {
        for (ulong l = 0; l < count; l++, x += x_step) {
          const real d = (real)dy[p + l];
          EACH_TAP_ROW(SUM_STEP_APART)
        }
      }
#else
      const long y = y0 + (long)a * y_tap;
      const bool inside = y >= 0 && y < height;
      __global const SCALAR *line = from + (inside ? y : 0) * width;
      x += x0;
      for (ulong l = 0; l < count; l++, x += x_step)
        s = fma(dy[p + l], inside && x >= 0 && x < width ? line[x] : (SCALAR)0, s);
#endif
      p += count;
    }
  }
#if W > 1
  EACH_TAP_ROW(SUM_END)
#else
  dw[0] = canonical(of_chain(s));
#endif
}

#endif

#ifdef BIAS

__kernel void add_bias(__global SCALAR *y_, ulong y_first, __global const SCALAR *bias, ulong bias_first,
                       ulong first_row, ulong rows, ulong channels, ulong places_) {
  const ulong places = places_;
#ifdef WALK_CPU
  const ulong row = first_row + get_global_id(0), begin = 0, end = places;
#else
  const ulong row = first_row + get_global_id(1), begin = get_global_id(0), end = min(begin + 1, places);
#endif
  if (row >= rows) return;
  __global SCALAR *y = y_ + y_first + row * places;
  const real add = (real)bias[bias_first + row % channels];
  for (ulong p = begin; p < end; p += W) {
    const uint live = (uint)min((ulong)W, end - p);
    put(canonical(take(y + p, 0, live) + add), y + p, 0, live);
  }
}

#endif
