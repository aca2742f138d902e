/* Products and equations with triangles, see triangle.h. A triangle is cut along its diagonal into blocks of BLOCK
 * lines; what lies beside them is left to gemm, in parts as large as the order of the sums allows. A line of X is one
 * of its rows where the triangle is on the left, else one of its columns. */
#include "blas/triangle.h"

#include "runtime/scratch.h"

enum { BLOCK = CLIV__TRIANGLE_BLOCK };
enum { SPAN = 256 };     /* lines whose sums are made together: whole blocks */
enum { SQUARE = 128 };   /* rows of a block on the diagonal of a matrix times itself */
enum { EXPANDED = 256 }; /* rows of a symmetric matrix that are expanded at a time, at least */
enum { ROOM = 1 << 26 }; /* bytes of scratch memory, about, beyond which work is cut */

/* ---- kernels ---- */

static cliv_status get(cliv_context *ctx, cliv_dtype dtype, bool lines, const char *entry, cl_kernel *out) {
  return cliv__blas_kernel(ctx, dtype, "divide.cl blas.cl triangle.cl", entry, lines ? "-D LINES" : "-D ELEMENTS", out);
}

static cl_ulong lanes(const cliv_context *ctx, cliv_dtype dtype) {
  return ctx->walk == CLIV_WALK_CPU ? cliv__lanes(dtype) : 1;
}

cliv_status cliv__stack_finish(cliv_context *ctx, int part_, double alpha_, const cliv__stack *s, double beta_,
                               const cliv__stack *out) {
  cl_kernel kernel;
  TRY(get(ctx, out->dtype, false, "finish_part", &kernel));
  const cliv__scalar alpha = cliv__scalar_of(out->dtype, alpha_), beta = cliv__scalar_of(out->dtype, beta_);
  const cliv__stack *const from = s ? s : out;
  const cl_ulong total = out->count * out->rows;
  const cl_uint part = (cl_uint)part_, empty = s == NULL;
  return LAUNCH(ctx, kernel, cliv__stack_elements(ctx, total, out->columns), SYNC_NONE, ARG(from->mem),
                ARG(from->first), ARG(from->pitch), ARG(from->each), ARG(out->mem), ARG(out->first), ARG(out->pitch),
                ARG(out->each), ARG(total), ARG(out->rows), ARG(out->columns), ARG_SCALAR(alpha), ARG_SCALAR(beta),
                ARG(part), ARG(empty));
}

/* ---- lines ---- */

/* X seen along the triangle. */
static cl_ulong lines_of(const cliv__triangle *t, const cliv__stack *x) { return t->right ? x->columns : x->rows; }
static cl_ulong vectors_of(const cliv__triangle *t, const cliv__stack *x) { return t->right ? x->rows : x->columns; }
static cliv__stack lines(const cliv__triangle *t, const cliv__stack *x, cl_ulong from, cl_ulong count) {
  return t->right ? cliv__stack_block(x, 0, from, x->rows, count) : cliv__stack_block(x, from, 0, count, x->columns);
}
static cliv__stack vectors(const cliv__triangle *t, const cliv__stack *x, cl_ulong from, cl_ulong count) {
  return t->right ? cliv__stack_block(x, from, 0, count, x->columns) : cliv__stack_block(x, 0, from, x->rows, count);
}

/* Line i of the result is made of lines k of X by the element (i,k) of op(T), or (k,i) where it is on the right:
 * whether that is T's (k,i); and whether it is there for k >= i. */
static bool flipped(const cliv__triangle *t) { return t->trans != t->right; }
static bool descends(const cliv__triangle *t) { return t->upper != flipped(t); }

/* Sums of lines i, `size` of them, by lines k of X, `depth` of them: fresh ones, or such as go on. */
static cliv_status add_lines(cliv_context *ctx, const cliv__triangle *t, cl_ulong i, cl_ulong size, cl_ulong k,
                             cl_ulong depth, const cliv__stack *x, const cliv__stack *sums, bool resumes) {
  if (depth == 0) return CLIV_OK;
  const cliv__stack side =
      flipped(t) ? cliv__stack_block(&t->t, k, i, depth, size) : cliv__stack_block(&t->t, i, k, size, depth);
  const cliv__stack from = lines(t, x, k, depth);
  const bool trans_left = !t->right && t->trans, trans_right = t->right && t->trans;
  const cliv__stack *const left = t->right ? &from : &side, *const right = t->right ? &side : &from;
  if (resumes) return cliv__stack_resume(ctx, trans_left, trans_right, left, right, sums);
  return cliv__stack_product(ctx, trans_left, trans_right, 1, left, right, 0, sums, NULL);
}

/* Both kernels of lines. t: of the blocks on the diagonal alone. */
static cliv_status launch_lines(cliv_context *ctx, const char *entry, const cliv__triangle *t, cl_ulong blocks,
                                const cliv__stack *x, const cliv__stack *sums, bool goes_on) {
  cl_kernel kernel;
  TRY(get(ctx, x->dtype, true, entry, &kernel));
  const cl_ulong t_row = flipped(t) ? 1 : t->t.pitch, t_column = flipped(t) ? t->t.pitch : 1;
  const cl_ulong x_step = t->right ? 1 : x->pitch, x_vector = t->right ? x->pitch : 1;
  const cl_ulong s_step = t->right ? 1 : sums->pitch, s_vector = t->right ? sums->pitch : 1;
  const cl_uint size = (cl_uint)lines_of(t, x), flag = goes_on, unit = t->unit, upper = descends(t);
  const cl_ulong count = vectors_of(t, x);
  const cliv__range range = RANGE2(cliv__div_up(count, lanes(ctx, x->dtype)), x->count * blocks,
                                   ctx->walk == CLIV_WALK_CPU ? 1 : cliv__group(ctx, 64), 1);
  return LAUNCH(ctx, kernel, range, SYNC_NONE, ARG(t->t.mem), ARG(t->t.first), ARG(t_row), ARG(t_column),
                ARG(t->t.each), ARG(x->mem), ARG(x->first), ARG(x_step), ARG(x_vector), ARG(x->each), ARG(sums->mem),
                ARG(sums->first), ARG(s_step), ARG(s_vector), ARG(sums->each), ARG(size), ARG(count), ARG(x->count),
                ARG(flag), ARG(unit), ARG(upper));
}

/* The part of the triangle on its diagonal from line i on. */
static cliv__triangle on_diagonal(const cliv__triangle *t, cl_ulong i, cl_ulong size) {
  cliv__triangle part = *t;
  part.t = cliv__stack_block(&t->t, i, i, size, size);
  return part;
}

/* Vectors whose sums of `height` lines there is room for. */
static cl_ulong vectors_at_once(const cliv__stack *x, cl_ulong height, cl_ulong all) {
  const cl_ulong each = x->count * height * cliv_dtype_size(x->dtype);
  return cliv__least(all, cliv__round_up(cliv__most(1, ROOM / each), 64));
}

static cliv_status room_for_sums(cliv_context *ctx, const cliv__triangle *t, const cliv__stack *x, cl_ulong height,
                                 cl_ulong width, cliv__stack *sums) {
  return cliv__stack_room(ctx, CLIV__SCRATCH_TRIANGLE, x->dtype, x->count, t->right ? width : height,
                          t->right ? height : width, sums);
}

/* ---- triangle times matrix ---- */

/* Lines from i on of the result, for some vectors. Each sum goes through k in ascending order: first what lies before
 * its block, then the block, or the other way round. */
static cliv_status multiply_span(cliv_context *ctx, const cliv__triangle *t, double alpha, const cliv__stack *b,
                                 const cliv__stack *out, cl_ulong i, cl_ulong size, const cliv__stack *room) {
  const cl_ulong n = lines_of(t, b), end = i + size;
  const bool down = descends(t);
  const cliv__stack sums = lines(t, room, 0, size), x = lines(t, b, i, size), to = lines(t, out, i, size);
  const cliv__triangle diagonal = on_diagonal(t, i, size);
  if (down) TRY(launch_lines(ctx, "multiply", &diagonal, cliv__div_up(size, BLOCK), &x, &sums, false));
  else TRY(add_lines(ctx, t, i, size, 0, i, b, &sums, false));
  for (cl_ulong at = i; at < end; at += BLOCK) {
    const cl_ulong height = cliv__least(BLOCK, end - at), next = at + height;
    const cliv__stack own = lines(t, &sums, at - i, height);
    if (down) TRY(add_lines(ctx, t, at, height, next, end - next, b, &own, true));
    else TRY(add_lines(ctx, t, at, height, i, at - i, b, &own, i > 0));
  }
  if (down) TRY(add_lines(ctx, t, i, size, end, n - end, b, &sums, true));
  else TRY(launch_lines(ctx, "multiply", &diagonal, cliv__div_up(size, BLOCK), &x, &sums, i > 0));
  return cliv__stack_finish(ctx, CLIV__PART_ALL, alpha, &sums, 0, &to);
}

/* No lines are written while others are still to be made of them. */
cliv_status cliv__triangle_multiply(cliv_context *ctx, const cliv__triangle *t, double alpha, const cliv__stack *b,
                                    const cliv__stack *out) {
  const cl_ulong n = lines_of(t, b), all = vectors_of(t, b), spans = cliv__div_up(n, SPAN),
                 height = cliv__least(n, SPAN);
  const cl_ulong width = vectors_at_once(b, height, all);
  cliv__stack room;
  TRY(room_for_sums(ctx, t, b, height, width, &room));
  for (cl_ulong v = 0; v < all; v += width) {
    const cl_ulong some = cliv__least(width, all - v);
    const cliv__stack from = vectors(t, b, v, some), to = vectors(t, out, v, some), sums = vectors(t, &room, 0, some);
    for (cl_ulong s = 0; s < spans; s++) {
      const cl_ulong i = (descends(t) ? s : spans - 1 - s) * SPAN;
      TRY(multiply_span(ctx, t, alpha, &from, &to, i, cliv__least(SPAN, n - i), &sums));
    }
  }
  return CLIV_OK;
}

/* ---- equations ---- */

cliv_status cliv__triangle_solve_block(cliv_context *ctx, const cliv__triangle *t, const cliv__stack *x) {
  return launch_lines(ctx, "solve", t, 1, x, x, false);
}

/* Lines from i on: block after block, each first less what the lines before it make. A sum goes through them in
 * ascending order, so that of ascending blocks those before i may be summed for all of them at once. */
static cliv_status solve_span(cliv_context *ctx, const cliv__triangle *t, const cliv__stack *x, cl_ulong i,
                              cl_ulong size, const cliv__stack *room) {
  const cl_ulong n = lines_of(t, x), blocks = cliv__div_up(size, BLOCK);
  const bool down = descends(t);
  const cliv__stack sums = lines(t, room, 0, size);
  if (!down) TRY(add_lines(ctx, t, i, size, 0, i, x, &sums, false));
  for (cl_ulong s = 0; s < blocks; s++) {
    const cl_ulong at = i + (down ? blocks - 1 - s : s) * BLOCK, height = cliv__least(BLOCK, i + size - at);
    const cl_ulong next = at + height;
    const cliv__stack own = lines(t, &sums, at - i, height), to = lines(t, x, at, height);
    if (down) TRY(add_lines(ctx, t, at, height, next, n - next, x, &own, false));
    else TRY(add_lines(ctx, t, at, height, i, at - i, x, &own, i > 0));
    const cliv__triangle diagonal = on_diagonal(t, at, height);
    TRY(launch_lines(ctx, "solve", &diagonal, 1, &to, &own, down ? next < n : at > 0));
  }
  return CLIV_OK;
}

/* All lines of some vectors at a time, of as many matrices as there is room for their triangles. */
static cliv_status solve_panels(cliv_context *ctx, const cliv__triangle *t, const cliv__stack *x) {
  const cl_ulong n = lines_of(t, x), all = vectors_of(t, x);
  const cl_ulong packed = cliv__least(n, SPAN) * n * cliv_dtype_size(x->dtype), most = cliv__most(1, ROOM / packed);
  for (cl_ulong z = 0; z < x->count; z += most) {
    const cl_ulong count = cliv__least(most, x->count - z);
    cliv__triangle triangles = *t;
    triangles.t = cliv__stack_some(&t->t, z, count);
    const cliv__stack own = cliv__stack_some(x, z, count);
    const cl_ulong width = vectors_at_once(&own, n, all);
    for (cl_ulong v = 0; v < all; v += width) {
      const cliv__stack some = vectors(t, &own, v, cliv__least(width, all - v));
      TRY(cliv__triangle_solve_panels(ctx, &triangles, &some));
    }
  }
  return CLIV_OK;
}

cliv_status cliv__triangle_solve(cliv_context *ctx, const cliv__triangle *t, const cliv__stack *x) {
  const cl_ulong n = lines_of(t, x), all = vectors_of(t, x), spans = cliv__div_up(n, SPAN),
                 height = cliv__least(n, SPAN);
  if (n <= BLOCK) return cliv__triangle_solve_block(ctx, t, x);
  if (cliv__triangle_has_panels(ctx, t, x)) return solve_panels(ctx, t, x);
  const cl_ulong width = vectors_at_once(x, height, all);
  cliv__stack room;
  TRY(room_for_sums(ctx, t, x, height, width, &room));
  for (cl_ulong v = 0; v < all; v += width) {
    const cl_ulong some = cliv__least(width, all - v);
    const cliv__stack to = vectors(t, x, v, some), sums = vectors(t, &room, 0, some);
    for (cl_ulong s = 0; s < spans; s++) {
      const cl_ulong i = (descends(t) ? spans - 1 - s : s) * SPAN;
      TRY(solve_span(ctx, t, &to, i, cliv__least(SPAN, n - i), &sums));
    }
  }
  return CLIV_OK;
}

/* ---- a matrix times itself ---- */

static cliv__stack rows_of(const cliv__stack *a, bool trans, cl_ulong from, cl_ulong count) {
  return trans ? cliv__stack_block(a, 0, from, a->rows, count) : cliv__stack_block(a, from, 0, count, a->columns);
}

/* The blocks on the diagonal, made whole beside C, of which their triangles are taken. */
static cliv_status square_diagonal(cliv_context *ctx, bool upper, bool trans, double alpha, const cliv__stack *a,
                                   double beta, const cliv__stack *c) {
  const cl_ulong n = c->rows;
  cliv__stack room;
  TRY(cliv__stack_room(ctx, CLIV__SCRATCH_TRIANGLE, c->dtype, c->count, cliv__least(n, SQUARE), cliv__least(n, SQUARE),
                       &room));
  for (cl_ulong i = 0; i < n; i += SQUARE) {
    const cl_ulong size = cliv__least(SQUARE, n - i);
    const cliv__stack from = rows_of(a, trans, i, size), sums = cliv__stack_block(&room, 0, 0, size, size),
                      to = cliv__stack_block(c, i, i, size, size);
    TRY(cliv__stack_product(ctx, trans, !trans, 1, &from, &from, 0, &sums, NULL));
    TRY(cliv__stack_finish(ctx, upper ? CLIV__PART_UPPER : CLIV__PART_LOWER, alpha, &sums, beta, &to));
  }
  return CLIV_OK;
}

/* Beside the diagonal: squares of SQUARE rows, then of twice as many, and so on. */
cliv_status cliv__triangle_square(cliv_context *ctx, bool upper, bool trans, double alpha, const cliv__stack *a,
                                  double beta, const cliv__stack *c) {
  const cl_ulong n = c->rows;
  TRY(square_diagonal(ctx, upper, trans, alpha, a, beta, c));
  for (cl_ulong size = SQUARE; size < n; size *= 2)
    for (cl_ulong i = 0; i + size < n; i += 2 * size) {
      const cl_ulong next = i + size, height = cliv__least(size, n - next);
      const cliv__stack first = rows_of(a, trans, i, size), second = rows_of(a, trans, next, height);
      const cliv__stack to =
          upper ? cliv__stack_block(c, i, next, size, height) : cliv__stack_block(c, next, i, height, size);
      TRY(cliv__stack_product(ctx, trans, !trans, alpha, upper ? &first : &second, upper ? &second : &first, beta, &to,
                              NULL));
    }
  return CLIV_OK;
}

/* ---- symmetric times matrix ---- */

static cliv_status expand(cliv_context *ctx, const cliv__stack *s, bool upper_, cl_ulong from, const cliv__stack *out) {
  cl_kernel kernel;
  TRY(get(ctx, s->dtype, false, "expand", &kernel));
  const cl_uint upper = upper_;
  const cliv__range range = ctx->walk == CLIV_WALK_CPU
                                ? RANGE1(out->count * cliv__div_up(out->rows, lanes(ctx, s->dtype)), 1)
                                : cliv__stack_elements(ctx, out->count * out->rows, out->columns);
  return LAUNCH(ctx, kernel, range, SYNC_NONE, ARG(s->mem), ARG(s->first), ARG(s->pitch), ARG(s->each), ARG(out->mem),
                ARG(out->first), ARG(out->pitch), ARG(out->each), ARG(out->rows), ARG(out->columns), ARG(out->count),
                ARG(from), ARG(upper));
}

/* As many of its rows at a time as there is room for: of C the same rows, or columns. */
cliv_status cliv__triangle_symmetric(cliv_context *ctx, bool right, bool upper, double alpha, const cliv__stack *s,
                                     const cliv__stack *b, double beta, const cliv__stack *c) {
  const cl_ulong n = s->rows;
  const cl_ulong height = cliv__least(n, cliv__most(EXPANDED, ROOM / (s->count * n * cliv_dtype_size(s->dtype))));
  cliv__stack room;
  TRY(cliv__stack_room(ctx, CLIV__SCRATCH_TRIANGLE, s->dtype, s->count, height, n, &room));
  for (cl_ulong i = 0; i < n; i += height) {
    const cl_ulong some = cliv__least(height, n - i);
    const cliv__stack whole = cliv__stack_block(&room, 0, 0, some, n);
    const cliv__stack to =
        right ? cliv__stack_block(c, 0, i, c->rows, some) : cliv__stack_block(c, i, 0, some, c->columns);
    TRY(expand(ctx, s, upper, i, &whole));
    if (right) TRY(cliv__stack_product(ctx, false, true, alpha, b, &whole, beta, &to, NULL));
    else TRY(cliv__stack_product(ctx, false, false, alpha, &whole, b, beta, &to, NULL));
  }
  return CLIV_OK;
}
