/* The plan of a step: where states live, which tensors share a launch, how each launch is cut into chunks and runs. */
#include <cliv/map.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "optim/optim.h"
#include "runtime/launch.h"
#include "runtime/program.h"
#include "runtime/scratch.h"
#include "runtime/tensor.h"

enum {
  GROUP_SIZE = 256,
  CODED_GROUP_SIZE = 64, /* of 256, AMD's compiler keeps scalars in memory */
  STATE_ALIGN = 64,      /* elements: a cache line, and what float16 wants */
  RUNS_PER_UNIT = 8,     /* runs for each compute unit, so that they can be dealt out evenly … */
  RUN_LEAST = 4096,      /* … but none shorter than this, to be worth its start, … */
  RUN_ENOUGH = 32768,    /* … and more of them when they would be longer than this */
  CHUNK_WEIGHT = 64      /* what a chunk costs beside its elements, in elements */
};

/* As in cl/optim.cl. */
typedef struct chunk {
  cl_ulong p, g, s;
  cl_uint count, row;
} chunk;

/* Units that a chunk goes through: `rest` elements of the first one, then the next ones of `length` each. */
typedef struct pieces {
  cl_uint unit, rest, length;
} pieces;

/* As in cl/optim.cl: of a chunk. */
typedef struct origin {
  cl_ulong start, born;
  cl_uint param, unused;
} origin;

static cliv_status allocate(cliv_context *ctx, size_t count, size_t size, void **out) {
  *out = calloc(count ? count : 1, size);
  REQUIRE(ctx, *out != NULL, HOST_MEMORY, "no memory for the plan of an optimizer's step (%zu entries)", count);
  return CLIV_OK;
}
#define ALLOCATE(ctx, count, pointer) allocate((ctx), (count), sizeof **(pointer), (void **)(pointer))

void cliv__plan_free(cliv__plan *plan) {
  for (size_t i = 0; i < CLIV__SLOTS; i++) {
    if (!plan->slots[i].written) continue;
    clWaitForEvents(1, &plan->slots[i].written);
    clReleaseEvent(plan->slots[i].written);
  }
  free(plan->slots[0].values);
  const cl_mem buffers[] = {plan->chunks, plan->runs,    plan->scalars, plan->sent,
                            plan->pieces, plan->origins, plan->lattices};
  for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++)
    if (buffers[i]) clReleaseMemObject(buffers[i]);
  for (size_t i = 0; plan->places && i < plan->param_count; i++)
    for (size_t k = 0; k < CLIV__MAX_SQUARES; k++) cliv_tensor_free(plan->places[i].squares[k]);
  for (size_t i = 0; i < plan->bank_count; i++)
    for (size_t k = 0; k < CLIV__PLANES; k++) cliv_tensor_free(plan->banks[i].plane[k]);
  cliv__norming_free(&plan->norming);
  cliv__factors_free(&plan->factors);
  free(plan->places);
  free(plan->banks);
  for (size_t i = 0; i < plan->batch_count; i++) cliv__batch_free(&plan->batches[i]);
  free(plan->batches);
  free(plan->rows);
  *plan = (cliv__plan){0};
}

/* ---- states ---- */

/* Bytes of an element of the widest plane. */
static size_t widest_element(const cliv_optimizer *o, unsigned kept, cliv_dtype param) {
  size_t widest = 1;
  for (size_t k = 0; k < CLIV__ABSMAX_PLANE; k++) {
    if (!(kept >> k & 1)) continue;
    const size_t size = cliv_dtype_size(cliv__plane_dtype(o, kept, param, k));
    widest = size > widest ? size : widest;
  }
  return widest;
}

/* Deals the parameters out to banks, in the order they were added. */
static cliv_status place(const cliv_optimizer *o, cliv__plan *plan) {
  plan->param_count = o->param_count;
  TRY(ALLOCATE(o->ctx, o->param_count, &plan->places));
  TRY(ALLOCATE(o->ctx, o->param_count, &plan->banks));
  for (size_t i = 0; i < o->param_count; i++) {
    const unsigned kept = cliv__planes(o, i, cliv__hyper(o, o->params[i].group)) & ~cliv__other_states(o->rule);
    const cliv_dtype param = kept >> CLIV__WEIGHT_PLANE & 1 ? o->params[i].p->dtype : CLIV_F32;
    const size_t align = cliv__coded(kept) ? CLIV__BLOCK : STATE_ALIGN;
    const size_t needed = kept ? cliv__round_up(o->params[i].p->count, align) : 0;
    const size_t widest = widest_element(o, kept, param);
    const size_t room = o->ctx->facts.max_allocation / widest / STATE_ALIGN * STATE_ALIGN;
    REQUIRE(o->ctx, needed <= room, DEVICE_MEMORY,
            "a state of parameter %zu needs %zu elements of %zu bytes in one piece; device '%s' allocates at most %zu",
            i, needed, widest, o->ctx->facts.name, room);
    size_t b = plan->bank_count;
    while (b > 0 && (plan->banks[b - 1].kept != kept || plan->banks[b - 1].param != param ||
                     plan->banks[b - 1].elements > room - needed))
      b--;
    b = b ? b - 1 : plan->bank_count++;
    plan->banks[b].kept = kept;
    plan->banks[b].param = param;
    plan->places[i] = (cliv__place){.kept = kept,
                                    .prox = cliv__has_prox(o, o->params[i].group),
                                    .cautious = cliv__is_cautious(o, o->params[i].group) && !cliv__coded(kept),
                                    .bank = b,
                                    .first = plan->banks[b].elements};
    plan->banks[b].elements += needed;
  }
  return CLIV_OK;
}

static double initial_value(const cliv_optimizer *o, size_t param, size_t state) {
  const char *hyper = o->rule->info.states[state].initial;
  return hyper ? cliv__hyper(o, o->params[param].group)[cliv__rule_hyper(o->rule, hyper)] : 0;
}

/* What a plane begins with; of codes, that of 1 or of 0, whose block has the state's beginning for its greatest. */
static double initial_state(const cliv_optimizer *o, size_t param, size_t k) {
  if (k == CLIV__WEIGHT_PLANE) return 0;
  const size_t state = k < CLIV__ABSMAX_PLANE ? k : k - CLIV__ABSMAX_PLANE;
  const double value = initial_value(o, param, state);
  const unsigned kept = cliv__planes(o, param, cliv__hyper(o, o->params[param].group));
  if (k >= CLIV__ABSMAX_PLANE || !(kept >> (CLIV__ABSMAX_PLANE + k) & 1)) return value;
  return value > 0 ? 255 : o->rule->info.states[k].kind == CLIV_STATE_NONNEGATIVE ? 0 : 127;
}

static cliv_status state_view(const cliv_optimizer *o, const cliv__plan *plan, size_t param, size_t state,
                              cliv_tensor **out) {
  const cliv__place *at = &plan->places[param];
  const size_t count = o->params[param].p->count, blocks = cliv__div_up(count, CLIV__BLOCK);
  cliv_tensor *plane = plan->banks[at->bank].plane[state];
  if (state < CLIV__ABSMAX_PLANE) return cliv_tensor_view(plane, at->first, 1, &count, 0, out);
  return cliv_tensor_view(plane, at->first / CLIV__BLOCK, 1, &blocks, 0, out);
}

cliv_status cliv__plane_view(const cliv_optimizer *o, size_t param, size_t k, cliv_tensor **out) {
  if (cliv__state_shape(o->rule, k) == CLIV_STATE_TENSOR) return cliv__norming_state(o, param, k, out);
  const cliv__place *at = &o->plan.places[param];
  const cliv_state_shape kind = cliv__state_shape(o->rule, k);
  if (kind == CLIV_STATE_ROW || kind == CLIV_STATE_COLUMN) return cliv__factors_view(o, param, k, out);
  const double *hyper = cliv__hyper(o, o->params[param].group);
  const cliv__shape shape = cliv__plane_shape(o->rule, o->params[param].p, hyper, k);
  const int square = cliv__square_of(o->rule, k);
  if (square >= 0) return cliv_tensor_view(at->squares[square], 0, shape.ndim, shape.axes, 0, out);
  cliv_tensor *plane = o->plan.banks[at->bank].plane[k];
  const size_t first = k < CLIV__ABSMAX_PLANE ? at->first : at->first / CLIV__BLOCK;
  return cliv_tensor_view(plane, first, shape.ndim, shape.axes, 0, out);
}

/* The parameter itself, converted. */
static cliv_status copy_weights(const cliv_optimizer *o, size_t param, cliv_tensor *to) {
  const cliv_tensor *p = o->params[param].p;
  cliv_tensor *from;
  TRY(cliv_tensor_view(p, 0, 1, &p->count, 0, &from));
  const cliv_status status = cliv_map(o->ctx, "copy", from, to, NULL);
  cliv_tensor_free(from);
  return status;
}

/* A state's first contents: carried over from the plan in force, or initial where that differs from the rest of the
 * plane. */
static cliv_status settle_state(const cliv_optimizer *o, const cliv__plan *plan, size_t param, size_t state,
                                double filled) {
  const bool carried = param < o->plan.param_count && o->plan.places[param].kept >> state & 1;
  const bool weights = state == CLIV__WEIGHT_PLANE && o->precision.weights == CLIV__WEIGHTS_MASTER;
  const double initial = initial_state(o, param, state);
  if (o->params[param].p->count == 0 || (!carried && !weights && initial == filled)) return CLIV_OK;
  cliv_tensor *to = NULL, *from = NULL;
  TRY(state_view(o, plan, param, state, &to));
  cliv_status status = carried ? state_view(o, &o->plan, param, state, &from) : CLIV_OK;
  if (!status)
    status = carried   ? cliv_tensor_copy(from, to, NULL)
             : weights ? copy_weights(o, param, to)
                       : cliv_tensor_fill(to, initial, NULL);
  cliv_tensor_free(from);
  cliv_tensor_free(to);
  return status;
}

static cliv_status fill_plane(const cliv_optimizer *o, cliv__plan *plan, size_t bank, size_t state) {
  cliv__bank *in = &plan->banks[bank];
  cliv_tensor **plane = &in->plane[state];
  const size_t elements = state < CLIV__ABSMAX_PLANE ? in->elements : in->elements / CLIV__BLOCK;
  TRY(cliv_tensor_create(o->ctx, cliv__plane_dtype(o, in->kept, in->param, state), 1, &elements, plane));
  size_t param = 0;
  while (plan->places[param].bank != bank) param++;
  const double filled = initial_state(o, param, state);
  TRY(cliv_tensor_fill(*plane, filled, NULL));
  for (; param < plan->param_count; param++)
    if (plan->places[param].bank == bank) TRY(settle_state(o, plan, param, state, filled));
  return CLIV_OK;
}

static bool same_places(const cliv__plan *a, const cliv__plan *b) {
  if (a->param_count != b->param_count || a->bank_count != b->bank_count) return false;
  for (size_t i = 0; i < a->param_count; i++)
    if (a->places[i].kept != b->places[i].kept || a->places[i].bank != b->places[i].bank ||
        a->places[i].first != b->places[i].first)
      return false;
  return true;
}

static cliv_status make_banks(const cliv_optimizer *o, cliv__plan *plan) {
  const bool keep = same_places(plan, &o->plan);
  for (size_t b = 0; b < plan->bank_count; b++) {
    cliv__bank *bank = &plan->banks[b];
    for (size_t k = 0; k < CLIV__PLANES; k++) {
      if (!(bank->kept >> k & 1)) continue;
      const size_t elements = k < CLIV__ABSMAX_PLANE ? bank->elements : bank->elements / CLIV__BLOCK;
      if (keep) TRY(cliv_tensor_view(o->plan.banks[b].plane[k], 0, 1, &elements, 0, &bank->plane[k]));
      else TRY(fill_plane(o, plan, b, k));
    }
  }
  return CLIV_OK;
}

/* `value` on the diagonal: a column whose rows lie a row and an element apart. */
static cliv_status fill_square(cliv_tensor *square, double value) {
  const size_t side = square->shape[0], shape[] = {side, 1};
  TRY(cliv_tensor_fill(square, 0, NULL));
  if (value == 0) return CLIV_OK;
  cliv_tensor *diagonal;
  TRY(cliv_tensor_view(square, 0, 2, shape, side + 1, &diagonal));
  float *host = malloc(side * sizeof *host);
  for (size_t i = 0; host && i < side; i++) host[i] = (float)value;
  const cliv_status status = host ? cliv_tensor_write(diagonal, host, side * sizeof *host)
                                  : cliv__fail(square->ctx, CLIV_HOST_MEMORY, "no memory for %zu numbers", side);
  free(host);
  cliv_tensor_free(diagonal);
  return status;
}

/* States that are square matrices: those of the plan in force, or new ones. */
static cliv_status make_squares(const cliv_optimizer *o, cliv__plan *plan) {
  for (size_t i = 0; i < o->param_count; i++)
    for (size_t k = 0; k < o->rule->info.state_count; k++) {
      const int q = cliv__square_of(o->rule, k);
      if (q < 0 || o->params[i].p->count == 0) continue;
      const double *hyper = cliv__hyper(o, o->params[i].group);
      const cliv__shape shape = cliv__plane_shape(o->rule, o->params[i].p, hyper, k);
      const cliv_tensor *old = i < o->plan.param_count ? o->plan.places[i].squares[q] : NULL;
      cliv_tensor **to = &plan->places[i].squares[q];
      if (old) TRY(cliv_tensor_view(old, 0, shape.ndim, shape.axes, 0, to));
      else TRY(cliv_tensor_create(o->ctx, CLIV_F32, shape.ndim, shape.axes, to));
      if (!old) TRY(fill_square(*to, initial_state(o, i, k)));
    }
  return CLIV_OK;
}

/* ---- launches ---- */

/* Within reach of one launch. */
static bool together(const cliv_tensor *a, const cliv_tensor *b) {
  return a->dtype == b->dtype && (a->svm ? b->svm != NULL : !b->svm && a->mem == b->mem);
}

static bool share_launch(const cliv_optimizer *o, const cliv__plan *plan, size_t a, size_t b) {
  const cliv_tensor *p = o->params[a].p, *q = o->params[b].p, *g = cliv__gradient(o, a), *h = cliv__gradient(o, b);
  return together(p, q) && together(g, h) && plan->places[a].bank == plan->places[b].bank &&
         plan->places[a].prox == plan->places[b].prox && plan->places[a].cautious == plan->places[b].cautious &&
         plan->places[a].factors.on == plan->places[b].factors.on;
}

static bool same_row(const cliv__row *a, const cliv__row *b) {
  return a->group == b->group && a->frozen == b->frozen && a->born == b->born &&
         a->past.remembered == b->past.remembered && !memcmp(a->past.memory, b->past.memory, sizeof a->past.memory);
}

/* Deals the parameters out to rows. One that has a row in the plan in force brings its past along. */
static cliv_status line_up(const cliv_optimizer *o, cliv__plan *plan) {
  TRY(ALLOCATE(o->ctx, o->param_count, &plan->rows));
  for (size_t i = 0; i < o->param_count; i++) {
    const cliv__param *x = &o->params[i];
    const cliv__row row = {
        .group = x->group, .frozen = x->frozen, .born = x->frozen ? 0 : x->born, .past = *cliv__past_of(o, i)};
    /* With norms each has numbers of its own, a matrix scalars of its sides. */
    size_t r = plan->norming.of || o->rule->of_shape ? plan->row_count : 0;
    while (r < plan->row_count && !same_row(&plan->rows[r], &row)) r++;
    if (r == plan->row_count) plan->rows[plan->row_count++] = row;
    plan->places[i].row = r;
  }
  return CLIV_OK;
}

static const char *storage(cliv_dtype dtype) { return dtype == CLIV_F16 ? "f16" : dtype == CLIV_BF16 ? "bf16" : "f32"; }

/* The launches of a step: the only one, of the library's rules or the caller's, with states that are codes or without,
 * and what goes before it where it is cautious; two of a rule with norms, or those of a rule that takes matrices. */
typedef enum phase { ONLY, OWN, CODED, CODED_OWN, LOOK, LOOK_OWN, PREPARE, STEP, MATRIX } phase;
static const struct {
  const char *files, *kernel;
} programs[] = {
    [ONLY] = {"divide.cl fused.cl optim_math.cl optim_ops.cl optim_row.cl optim.cl", "optim_step"},
    [OWN] = {"divide.cl fused.cl math.cl optim_math.cl optim_user.cl user optim_row.cl optim.cl", "optim_step"},
    [CODED] = {"divide.cl fused.cl optim_math.cl optim_ops.cl dynamic_map.cl dynamic_map_lines.cl optim_row.cl "
               "optim.cl optim_8bit.cl",
               "optim_step"},
    [CODED_OWN] = {"divide.cl fused.cl math.cl optim_math.cl optim_user.cl user dynamic_map.cl dynamic_map_lines.cl "
                   "optim_row.cl optim.cl optim_8bit.cl",
                   "optim_step"},
    [LOOK] = {"divide.cl fused.cl optim_math.cl optim_ops.cl block.cl optim_row.cl optim.cl optim_prepare.cl",
              "optim_prepare"},
    [LOOK_OWN] = {"divide.cl fused.cl math.cl optim_math.cl optim_user.cl user block.cl optim_row.cl optim.cl "
                  "optim_prepare.cl",
                  "optim_prepare"},
    [PREPARE] = {"divide.cl fused.cl optim_math.cl optim_norm_ops.cl block.cl optim_row.cl optim.cl optim_prepare.cl",
                 "optim_prepare"},
    [STEP] = {"divide.cl fused.cl optim_math.cl optim_norm_ops.cl optim_row.cl optim.cl", "optim_step"},
    [MATRIX] = {"divide.cl fused.cl optim_math.cl optim_matrix_ops.cl optim_row.cl optim.cl", "optim_step"},
};

/* Bits of the states as the program counts them: those that are kept, one after the other. */
static unsigned kept_bits(unsigned states, unsigned kept) {
  unsigned bits = 0;
  for (int k = 0, at = 0; k < CLIV__MAX_STATES; k++)
    if (kept >> k & 1) bits |= (states >> k & 1) << at++;
  return bits;
}

static void add_traffic(const cliv__traffic *t, bool steps, unsigned kept, cliv__text *options) {
  cliv__text_add(options, " -D READS=%uu -D WRITES=%uu",
                 kept_bits(t->reads, kept) | (t->reads & CLIV__GRADIENT ? 1u << 31 : 0),
                 kept_bits(t->writes, kept) | (steps ? 1u << 31 : 0));
}

/* k: of the phases of a rule that takes matrices. */
static void add_phase(const cliv__rule *rule, const cliv__norms_of_rule *norms, phase which, size_t k, unsigned kept,
                      cliv__text *options) {
  if (which == PREPARE || which == LOOK || which == LOOK_OWN) {
    add_traffic(&norms->prepare, false, kept, options);
    cliv__text_add(options, " -D PREPARE -D MEASURES=%u", norms->measures);
  } else if (which == STEP) {
    add_traffic(&rule->norms.step, true, kept, options);
    cliv__text_add(options, " -D NUMBERED");
  } else if (which == MATRIX) add_traffic(&rule->phases[k].traffic, rule->phases[k].steps, kept, options);
}

/* The states of a parameter, as a program's options; the count of those that have a number for each element. */
static int state_options(const cliv_optimizer *o, const cliv__plan *plan, size_t param, cliv__text *text) {
  const cliv_rule_info *rule = &o->rule->info;
  const unsigned kept = plan->places[param].kept;
  const unsigned all = cliv__planes(o, param, cliv__hyper(o, o->params[param].group));
  int states = 0;
  for (size_t k = 0; k < cliv__state_total(o->rule); k++) {
    if (kept >> k & 1) {
      const cliv_dtype dtype = cliv__plane_dtype(o, kept, o->params[param].p->dtype, k);
      cliv__text_add(text, " -D S%d=%s", states, rule->states[k].name);
      const char *const codes = rule->states[k].kind == CLIV_STATE_NONNEGATIVE ? "unsigned8" : "signed8";
      if (dtype != CLIV_F32) cliv__text_add(text, " -D S%d_T=%s", states, dtype == CLIV_U8 ? codes : storage(dtype));
      states++;
    }
    if (all >> k & 1) cliv__text_add(text, " -D WITH_%s", rule->states[k].name);
  }
  return states;
}

static cliv_status find_kernel(const cliv_optimizer *o, const cliv__plan *plan, size_t param, phase which, size_t k,
                               size_t local, cl_kernel *out) {
  const char *function = which == MATRIX ? o->rule->phases[k].function : o->rule->function;
  const cliv__param *x = &o->params[param];
  const char *weights = cliv__weights_word(&o->precision, x->p->dtype);
  cliv__text text = {0}, names = {0};
  const bool coded = cliv__coded(plan->places[param].kept), random = cliv__random(&o->precision, x->p->dtype);
  const int states = state_options(o, plan, param, &names);
  cliv__text_add(&text, "-D RULE=%s -D P_T=%s -D G_T=%s -D STATES=%d%s%s%s%s", function, storage(x->p->dtype),
                 storage(cliv__gradient(o, param)->dtype), states, o->control.on ? " -D CONTROLLED" : "",
                 cliv__by_units(&o->control) ? " -D UNITS" : "", plan->places[param].prox ? " -D PROX" : "",
                 states && names.data ? names.data : "");
  if (plan->places[param].factors.on) cliv__text_add(&text, " -D FACTORED");
  if (o->own) cliv__text_add(&text, " -D SCALAR_NAMES=%s", o->rule->scalar_names);
  if (o->own && states) cliv__text_add(&text, " -D STATE_NAMES=%s", o->rule->state_names);
  if (weights) cliv__text_add(&text, " -D WEIGHTS_%s", weights);
  if (x->p->svm) cliv__text_add(&text, " -D P_ANYWHERE");
  if (cliv__gradient(o, param)->svm) cliv__text_add(&text, " -D G_ANYWHERE");
  if (coded) cliv__text_add(&text, " -D CODED");
  if (coded && o->ctx->walk == CLIV_WALK_CPU && o->ctx->facts.vector_width >= 16) cliv__text_add(&text, " -D PICKS=16");
  if (coded && o->ctx->walk == CLIV_WALK_GPU) cliv__text_add(&text, " -D GROUP=%zu", local);
  if (plan->places[param].cautious) cliv__text_add(&text, " -D CAUTIOUS");
  if (plan->places[param].cautious && which != LOOK && which != LOOK_OWN) cliv__text_add(&text, " -D NUMBERED");
  add_phase(o->rule, plan->norming.of, which, k, plan->places[param].kept, &text);
  char *named = cliv__text_take(&names), *options = cliv__text_take(&text);
  char *files = cliv__format("%s%s", random ? "philox.cl " : "", programs[which].files);
  const cliv_status status = named && options && files
                                 ? cliv__kernel_with(o->ctx, files, o->rule->text, options, programs[which].kernel, out)
                                 : cliv__fail(o->ctx, CLIV_HOST_MEMORY, "no memory for a program's options");
  free(files);
  free(named);
  free(options);
  return status;
}

/* The device's tables, made on the host. */
typedef struct tables {
  size_t *launch; /* one a parameter: which launch it belongs to */
  size_t *order;  /* the parameters that take part, sorted by launch, else as added */
  size_t launch_count, order_count, chunk_count, run_count;
  chunk *chunks;
  pieces *pieces;                /* one a chunk, where units are asked for */
  origin *origins;               /* one a chunk, where weights are rounded by chance */
  cliv__chunk_lattice *lattices; /* one a chunk, where some parameters have rows and columns */
  size_t *unit;                  /* the first one of each parameter */
  cl_uint *runs;                 /* first chunk of each run, then the end of the last */
} tables;

static void tables_free(tables *t) {
  free(t->launch);
  free(t->order);
  free(t->chunks);
  free(t->pieces);
  free(t->origins);
  free(t->lattices);
  free(t->unit);
  free(t->runs);
}

/* Fills launch and order by counting. */
static cliv_status sort_launches(const cliv_optimizer *o, const cliv__plan *plan, tables *t) {
  size_t *leader; /* of each launch, its first parameter; then where its next one goes in the order */
  TRY(ALLOCATE(o->ctx, o->param_count, &leader));
  size_t *size = calloc(o->param_count + 1, sizeof *size);
  for (size_t i = 0; size && i < o->param_count; i++) {
    if (!cliv__takes_part(o, i)) continue;
    size_t l = t->launch_count;
    while (l > 0 && !share_launch(o, plan, leader[l - 1], i)) l--;
    if (l == 0) leader[l = t->launch_count++] = i;
    else l--;
    t->launch[i] = l;
    size[l]++;
    t->order_count++;
  }
  for (size_t l = 0, at = 0; size && l < t->launch_count; at += size[l++]) leader[l] = at;
  for (size_t i = 0; size && i < o->param_count; i++)
    if (cliv__takes_part(o, i)) t->order[leader[t->launch[i]]++] = i;
  const bool failed = size == NULL;
  free(size);
  free(leader);
  REQUIRE(o->ctx, !failed, HOST_MEMORY, "no memory for the plan of an optimizer's step");
  return CLIV_OK;
}

/* Lengths end at 2^30, which is beyond any chunk. */
static cl_uint capped(size_t n) { return n < (1u << 30) ? (cl_uint)n : 1u << 30; }

static pieces pieces_at(const cliv_optimizer *o, const tables *t, size_t param, size_t i) {
  const size_t length = o->params[param].p->count / cliv__unit_count(o, param);
  return (pieces){(cl_uint)(t->unit[param] + i / length), capped(length - i % length), capped(length)};
}

/* Of a tensor's element i, as kernels have it. */
static cl_ulong where(const cliv_tensor *t, size_t i) {
  return t->svm ? cliv__address(t) + i * cliv_dtype_size(t->dtype) : cliv__first(t) + i;
}

static void add_chunks(const cliv_optimizer *o, cliv__plan *plan, size_t param, tables *t) {
  const cliv__param *x = &o->params[param];
  const cl_uint row = (cl_uint)plan->places[param].row;
  for (size_t i = 0; i < x->p->count; i += plan->chunk) {
    const size_t rest = x->p->count - i, count = rest < plan->chunk ? rest : plan->chunk;
    if (t->pieces) t->pieces[t->chunk_count] = pieces_at(o, t, param, i);
    if (t->lattices && plan->places[param].factors.on)
      t->lattices[t->chunk_count] = cliv__factors_at(&plan->places[param].factors, i);
    if (t->origins) t->origins[t->chunk_count] = (origin){.start = i, .born = x->born, .param = (cl_uint)param};
    t->chunks[t->chunk_count++] =
        (chunk){where(x->p, i), where(cliv__gradient(o, param), i), plan->places[param].first + i, (cl_uint)count, row};
  }
}

/* Cuts chunks into runs of about equal weight. */
static void cut_runs(const cliv_context *ctx, size_t from, size_t end, tables *t) {
  size_t total = 0, weight = 0;
  for (size_t k = from; k < end; k++) total += t->chunks[k].count + CHUNK_WEIGHT;
  size_t aim = total / ((size_t)ctx->facts.compute_units * RUNS_PER_UNIT + 1);
  aim = aim < RUN_LEAST ? RUN_LEAST : aim > RUN_ENOUGH ? RUN_ENOUGH : aim;
  for (size_t k = from; k < end; k++) {
    if (weight == 0) t->runs[t->run_count++] = (cl_uint)k;
    weight += t->chunks[k].count + CHUNK_WEIGHT;
    if (weight >= aim) weight = 0;
  }
  t->runs[t->run_count] = (cl_uint)end;
}

/* Work-items a group in the GPU walk: of codes, a power of two that a block is a multiple of. */
static size_t group_size(const cliv_optimizer *o, bool coded) {
  const size_t wanted = cliv__group(o->ctx, coded ? CODED_GROUP_SIZE : GROUP_SIZE);
  size_t power = 1;
  while (2 * power <= wanted && 2 * power <= CLIV__BLOCK) power *= 2;
  return coded ? power : wanted;
}

/* Those of the launches that the parameter takes part in. */
static cliv_status find_kernels(const cliv_optimizer *o, const cliv__plan *plan, size_t param, cliv__batch *out) {
  const bool matrix = cliv__takes_matrices(o->rule), two = o->rule->norms.measures > 0;
  const phase look = o->own ? LOOK_OWN : LOOK;
  for (size_t k = 0; k < CLIV__MAX_PHASES && o->rule->phases[k].function; k++) {
    TRY(find_kernel(o, plan, param, MATRIX, k, out->local, &out->phases[k]));
    out->kernel = out->phases[k];
  }
  if (two || plan->places[param].cautious)
    TRY(find_kernel(o, plan, param, two ? PREPARE : look, 0, out->local, &out->prepare));
  if (matrix) return CLIV_OK;
  const phase which = cliv__coded(plan->places[param].kept) ? (o->own ? CODED_OWN : CODED)
                      : two                                 ? STEP
                      : o->own                              ? OWN
                                                            : ONLY;
  return find_kernel(o, plan, param, which, 0, out->local, &out->kernel);
}

/* The chunks of one launch from `from` on, in as many batches as the limit of a launch asks for. */
static cliv_status add_batches(const cliv_optimizer *o, cliv__plan *plan, const size_t *params, size_t count,
                               size_t from, tables *t) {
  const size_t param = params[0];
  const cliv__param *x = &o->params[param];
  cliv__batch batch = {.p = x->p->mem, .g = cliv__gradient(o, param)->mem, .bank = plan->places[param].bank};
  batch.random = cliv__random(&o->precision, x->p->dtype);
  batch.factored = plan->places[param].factors.on;
  batch.local = group_size(o, cliv__coded(plan->places[param].kept));
  TRY(find_kernels(o, plan, param, &batch));
  TRY(cliv__batch_own(o, params, count, &batch));
  while (from < t->chunk_count) {
    size_t end = from, elements = 0;
    while (end < t->chunk_count && elements < o->launch) elements += t->chunks[end++].count;
    batch.first = (cl_uint)from;
    batch.count = (cl_uint)(end - from);
    if (o->ctx->walk == CLIV_WALK_CPU) {
      batch.first = (cl_uint)t->run_count;
      cut_runs(o->ctx, from, end, t);
      batch.count = (cl_uint)t->run_count - batch.first;
    }
    plan->batches[plan->batch_count++] = batch;
    batch.owns = false;
    from = end;
  }
  return CLIV_OK;
}

/* The tables of units, numbered in the order of the parameters. */
static cliv_status number_units(const cliv_optimizer *o, size_t chunks, tables *t) {
  if (!cliv__by_units(&o->control)) return CLIV_OK;
  TRY(ALLOCATE(o->ctx, chunks, &t->pieces));
  TRY(ALLOCATE(o->ctx, o->param_count, &t->unit));
  for (size_t i = 0, next = 0; i < o->param_count; i++) {
    t->unit[i] = next;
    if (cliv__takes_part(o, i)) next += cliv__unit_count(o, i);
  }
  return CLIV_OK;
}

static cliv_status fill_tables(const cliv_optimizer *o, cliv__plan *plan, tables *t) {
  TRY(ALLOCATE(o->ctx, o->param_count, &t->launch));
  TRY(ALLOCATE(o->ctx, o->param_count, &t->order));
  TRY(sort_launches(o, plan, t));
  size_t chunks = 0;
  for (size_t i = 0; i < o->param_count; i++)
    if (cliv__takes_part(o, i)) chunks += cliv__div_up(o->params[i].p->count, plan->chunk);
  REQUIRE(o->ctx, chunks < CL_UINT_MAX, DEVICE_LIMIT, "%zu chunks of %zu elements are too many; set a larger chunk",
          chunks, plan->chunk);
  TRY(ALLOCATE(o->ctx, chunks, &t->chunks));
  TRY(ALLOCATE(o->ctx, chunks + 1, &t->runs));
  TRY(number_units(o, chunks, t));
  if (o->precision.weights == CLIV__WEIGHTS_STOCHASTIC) TRY(ALLOCATE(o->ctx, chunks, &t->origins));
  if (plan->factors.numbers) TRY(ALLOCATE(o->ctx, chunks, &t->lattices));
  TRY(ALLOCATE(o->ctx, t->launch_count + chunks * plan->chunk / o->launch, &plan->batches));
  for (size_t i = 0; i < t->order_count;) {
    const size_t from = t->chunk_count, *first = &t->order[i];
    do add_chunks(o, plan, t->order[i++], t);
    while (i < t->order_count && t->launch[t->order[i]] == t->launch[*first]);
    TRY(add_batches(o, plan, first, (size_t)(&t->order[i] - first), from, t));
  }
  return CLIV_OK;
}

static cliv_status make_scalars(const cliv_optimizer *o, cliv__plan *plan) {
  plan->row_floats = CLIV__ROW_COMMON + o->rule->scalar_count;
  plan->bound = cliv__any_bound(o);
  const size_t read = plan->row_count * plan->row_floats, floats = plan->bound ? 2 * read : read;
  TRY(ALLOCATE(o->ctx, CLIV__SLOTS * floats, &plan->slots[0].values));
  for (size_t i = 1; i < CLIV__SLOTS; i++) plan->slots[i].values = plan->slots[0].values + i * floats;
  TRY(cliv__upload(o->ctx, plan->slots[0].values, floats * sizeof(float), "clCreateBuffer", &plan->sent));
  if (plan->bound) { /* a kernel writes them */
    cl_int code;
    plan->scalars = clCreateBuffer(o->ctx->context, CL_MEM_READ_WRITE, read * sizeof(float), NULL, &code);
    CL_TRY(o->ctx, code, "clCreateBuffer");
    return CLIV_OK;
  }
  plan->scalars = plan->sent;
  CL_TRY(o->ctx, clRetainMemObject(plan->scalars), "clRetainMemObject");
  return CLIV_OK;
}

/* What there is to sum up between two launches, if anything. */
static void choose_norms(const cliv_optimizer *o, cliv__plan *plan) {
  if (o->rule->norms.measures) plan->norming.of = &o->rule->norms;
  for (size_t i = 0; i < plan->param_count; i++)
    if (plan->places[i].cautious && cliv__takes_part(o, i)) plan->norming.of = &cliv__cautious_norms;
  plan->chunk = plan->norming.of ? CLIV__NORM_CHUNK : o->chunk;
}

static cliv_status build(const cliv_optimizer *o, cliv__plan *plan, tables *t) {
  TRY(place(o, plan));
  choose_norms(o, plan);
  TRY(line_up(o, plan));
  TRY(cliv__factors_place(o, plan));
  TRY(fill_tables(o, plan, t));
  if (t->chunk_count) {
    TRY(cliv__upload(o->ctx, t->chunks, t->chunk_count * sizeof *t->chunks, "clCreateBuffer", &plan->chunks));
    if (t->run_count)
      TRY(cliv__upload(o->ctx, t->runs, (t->run_count + 1) * sizeof *t->runs, "clCreateBuffer", &plan->runs));
    if (t->pieces)
      TRY(cliv__upload(o->ctx, t->pieces, t->chunk_count * sizeof *t->pieces, "clCreateBuffer", &plan->pieces));
    if (t->origins)
      TRY(cliv__upload(o->ctx, t->origins, t->chunk_count * sizeof *t->origins, "clCreateBuffer", &plan->origins));
    if (t->lattices)
      TRY(cliv__upload(o->ctx, t->lattices, t->chunk_count * sizeof *t->lattices, "clCreateBuffer", &plan->lattices));
    TRY(make_scalars(o, plan));
  }
  TRY(cliv__factors_make(o, plan, t->order, t->order_count));
  if (plan->norming.of) TRY(cliv__norming_make(o, plan, t->order, t->order_count, t->chunk_count));
  TRY(make_squares(o, plan));
  return make_banks(o, plan);
}

cliv_status cliv__plan_make(cliv_optimizer *o) {
  TRY(cliv__control_settle(o)); /* while a step's verdict is out, its rows hold the past to go back to */
  o->stale = true;              /* until all is made: the old plan names what is remade first */
  TRY(cliv__smooth_make(o));
  cliv__plan plan = {0};
  tables t = {0};
  const cliv_status status = build(o, &plan, &t);
  tables_free(&t);
  if (status) {
    cliv__plan_free(&plan);
    return status;
  }
  cliv__plan_free(&o->plan);
  o->plan = plan;
  o->stale = false;
  return CLIV_OK;
}
