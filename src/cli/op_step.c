/* cliv op step: an update rule over a sequence of gradients. */
#include <cliv/optim.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/average.h"
#include "cli/op.h"
#include "cli/own_rule.h"
#include "cli/svm.h"

typedef struct step_options {
  char *rule, *preset, *schedule, *param, *grads, *load, *save, *states, *average, *output;
  double perturb;
  long accumulate;
  int adaptive;
  const char **set; /* NAME=VALUE, ended by NULL; may be NULL */
  char *nonfinite;
  double clip_norm, clip_value, clip_each, agc, smooth, scale;
  int centralize, evaluate, svm;
  char *store, *weights;
  long long seed;
  own_rule_options own;
} step_options;

static bool check_options(cli *c, const step_options *o) {
  return op_require(c, o->rule, "--rule", "`cliv op list step` names the rules") &&
         op_require(c, o->param, "--param", "it names the .npy file of the parameter") &&
         op_require(c, o->grads, "--grads", "it names the .npy file of the gradients, one a step") &&
         op_require(c, o->output, "-o", "it names the .npy file to write") &&
         (!o->average || op_require(c, o->states, "--states", "it names the folder that the average is written to"));
}

/* NAME=VALUE into group 0. */
static bool set_hyper(op_run *run, cliv_optimizer *optimizer, const char *text) {
  const char *const equals = strchr(text, '=');
  double value;
  char name[64];
  if (!equals || equals == text || (size_t)(equals - text) >= sizeof name || !cli_number(equals + 1, &value))
    return cli_refuse(run->c, "option '--set' wants NAME=NUMBER, as in lr=1e-3, not '%s'", text);
  memcpy(name, text, (size_t)(equals - text));
  name[equals - text] = 0;
  return op_check(run, cliv_optimizer_set(optimizer, CLIV_DEFAULT_GROUP, name, value));
}

/* The gradients' shape must be (T, *S) where S is the parameter's. */
static bool check_shapes(op_run *run) {
  const cliv_tensor *const param = run->tensor[0], *const grads = run->tensor[1];
  const int ndim = cliv_tensor_ndim(param);
  if (cliv_tensor_ndim(grads) == ndim + 1 &&
      (!ndim || !memcmp(cliv_tensor_shape(grads) + 1, cliv_tensor_shape(param), (size_t)ndim * sizeof(size_t))))
    return true;
  cli_report(
      run->c, CLIV_SHAPE,
      "the gradients must have the parameter's shape behind one axis of steps, (T, *S); the parameter has %d axes and "
      "%zu elements, the gradients have %d and %zu",
      ndim, cliv_tensor_count(param), cliv_tensor_ndim(grads), cliv_tensor_count(grads));
  return false;
}

/* Steps that were left out are no failure, but not what was asked for either. */
static bool tell_skipped(op_run *run, cliv_optimizer *optimizer, size_t steps) {
  cliv_gradient_state state = {.size = sizeof state};
  if (!op_check(run, cliv_optimizer_gradient_state(optimizer, &state))) return false;
  if (state.skipped)
    fprintf(stderr, "%llu of %zu steps left out: their gradients are not finite\n", (unsigned long long)state.skipped,
            steps);
  return true;
}

/* average: to be updated after each; or NULL. */
/* A step behind each `parts` gradients. */
static bool take_in(op_run *run, cliv_optimizer *optimizer, size_t t, size_t parts, cliv_average *average) {
  if (parts > 1 && !op_check(run, cliv_optimizer_accumulate(optimizer, NULL))) return false;
  if ((t + 1) % parts) return true;
  return op_check(run, cliv_optimizer_step(optimizer, NULL)) &&
         (!average || op_check(run, cliv_average_update(average, NULL)));
}

static bool check_parts(op_run *run, size_t steps, long parts) {
  if (parts >= 1 && steps % (size_t)parts == 0) return true;
  return cli_refuse(run->c, "option '--accumulate' wants a count that divides the %zu gradients, not %ld", steps,
                    parts);
}

static bool take_steps(op_run *run, cliv_optimizer *optimizer, cliv_tensor *grad, long parts, cliv_average *average) {
  const cliv_tensor *const grads = run->tensor[1];
  const size_t steps = cliv_tensor_shape(grads)[0], count = cliv_tensor_count(grad);
  if (!check_parts(run, steps, parts)) return false;
  for (size_t t = 0; t < steps; t++) {
    cliv_tensor *view = NULL;
    if (!op_check(run, cliv_tensor_view(grads, t * count, cliv_tensor_ndim(grad), cliv_tensor_shape(grad), 0, &view)))
      return false;
    const bool good =
        op_check(run, cliv_tensor_copy(view, grad, NULL)) && take_in(run, optimizer, t, (size_t)parts, average);
    cliv_tensor_free(view);
    if (!good) return false;
  }
  return tell_skipped(run, optimizer, steps);
}

/* Where sharpness-aware minimization would look for its second gradient. */
static bool perturb(op_run *run, const step_options *o, cliv_optimizer *optimizer) {
  return o->perturb == 0 || op_check(run, cliv_optimizer_perturb(optimizer, o->perturb, o->adaptive, NULL));
}

/* ---- the states: all or none, and only with the output. They wait under another name until that is written ---- */

typedef struct states {
  const char *dir;  /* NULL: not wanted */
  const char *file; /* that of --save; NULL: not wanted */
  bool made;        /* the folder is this run's */
  cliv_optimizer *optimizer;
  cliv_average *average; /* NULL: not wanted */
  size_t waiting;        /* written, not yet named */
  bool file_waiting;
} states;

/* Behind the states the average. */
static const char *state_name(const states *s, size_t k) {
  const char *const name = cliv_optimizer_state_name(s->optimizer, 0, k);
  return name ? name : "average";
}

static cliv_status state_view(const states *s, size_t k, cliv_tensor **view) {
  const char *const name = cliv_optimizer_state_name(s->optimizer, 0, k);
  return name ? cliv_optimizer_state(s->optimizer, 0, name, view) : cliv_average_tensor(s->average, 0, view);
}

static void state_paths(const states *s, size_t k, char waiting[OP_PATH_ROOM], char final[OP_PATH_ROOM]) {
  const char *const name = state_name(s, k);
  snprintf(waiting, OP_PATH_ROOM, "%s/.%s.npy.cliv-waiting", s->dir, name);
  snprintf(final, OP_PATH_ROOM, "%s/%s.npy", s->dir, name);
}

static bool write_states(op_run *run, states *s) {
  s->made = mkdir(s->dir, 0777) == 0;
  if (!s->made && errno != EEXIST) {
    cli_report(run->c, CLIV_FILE, "folder '%s' cannot be made: %s", s->dir, strerror(errno));
    return false;
  }
  bool good = true;
  for (size_t k = 0; good && k < cliv_optimizer_state_count(s->optimizer, 0) + (s->average != NULL); k++) {
    char waiting[OP_PATH_ROOM], final[OP_PATH_ROOM];
    cliv_tensor *state = NULL;
    state_paths(s, k, waiting, final);
    good = op_check(run, state_view(s, k, &state)) && op_write(run, state, waiting);
    s->waiting += good;
    cliv_tensor_free(state);
  }
  return good;
}

static bool write_file(op_run *run, states *s, cliv_optimizer *optimizer) {
  char waiting[OP_PATH_ROOM];
  op_waiting(s->file, waiting);
  s->file_waiting = op_check(run, cliv_optimizer_save(optimizer, waiting));
  return s->file_waiting;
}

/* The output is written: the states get their names. */
static bool name_states(op_run *run, void *with) {
  states *const s = with;
  for (size_t k = 0; k < s->waiting; k++) {
    char waiting[OP_PATH_ROOM], final[OP_PATH_ROOM];
    state_paths(s, k, waiting, final);
    if (!op_name(run, waiting, final)) return false;
  }
  s->waiting = 0;
  s->made = false;
  char waiting[OP_PATH_ROOM];
  if (s->file_waiting) op_waiting(s->file, waiting);
  if (s->file_waiting && !op_name(run, waiting, s->file)) return false;
  s->file_waiting = false;
  return true;
}

/* After a failure: nothing of them stays. */
static void drop_states(const states *s) {
  for (size_t k = 0; k < s->waiting; k++) {
    char waiting[OP_PATH_ROOM], final[OP_PATH_ROOM];
    state_paths(s, k, waiting, final);
    unlink(waiting);
  }
  if (s->made) rmdir(s->dir);
  char waiting[OP_PATH_ROOM];
  if (s->file_waiting) op_waiting(s->file, waiting), unlink(waiting);
}

/* Of lr. The schedule is the caller's to free. */
static bool set_schedule(op_run *run, cliv_optimizer *optimizer, const char *text, cliv_schedule **schedule) {
  return !text || (op_check(run, cliv_schedule_create(run->ctx, text, NULL, schedule)) &&
                   op_check(run, cliv_optimizer_schedule(optimizer, CLIV_ALL_GROUPS, "lr", *schedule)));
}

/* What is done to the gradients first. */
static bool set_gradients(op_run *run, cliv_optimizer *optimizer, const step_options *o) {
  static const char *const policies[] = {
      [CLIV_NONFINITE_PASS] = "pass", [CLIV_NONFINITE_SKIP] = "skip", [CLIV_NONFINITE_FAIL] = "fail"};
  cliv_gradient_options g = {.scale = o->scale,
                             .clip_norm = o->clip_norm,
                             .clip_value = o->clip_value,
                             .clip_each = o->clip_each,
                             .agc = o->agc,
                             .smooth = o->smooth,
                             .centralize = o->centralize};
  while (o->nonfinite && g.nonfinite < 3 && strcmp(o->nonfinite, policies[g.nonfinite])) g.nonfinite++;
  if (g.nonfinite == 3)
    return cli_refuse(run->c, "option '--nonfinite' wants pass, skip or fail, not '%s'", o->nonfinite);
  return op_check(run, cliv_optimizer_gradients(optimizer, &g));
}

static bool settle(op_run *run, const step_options *o, cliv_optimizer *optimizer, cliv_schedule **schedule) {
  if (!set_gradients(run, optimizer, o)) return false;
  if (o->load && !op_check(run, cliv_optimizer_load(optimizer, o->load))) return false;
  for (const char **text = o->set; text && *text; text++)
    if (!set_hyper(run, optimizer, *text)) return false;
  return set_schedule(run, optimizer, o->schedule, schedule);
}

static bool create(op_run *run, const step_options *o, const own_rule *own, cliv_optimizer **optimizer) {
  const cliv_optimizer_options options = {
      .size = sizeof options, .preset = o->preset, .state = o->store, .weights = o->weights, .seed = (uint64_t)o->seed};
  return op_check(run, own->text ? cliv_optimizer_create_user(run->ctx, &own->rule, &options, optimizer)
                                 : cliv_optimizer_create(run->ctx, o->rule, &options, optimizer));
}

/* The average has a file beside the states'. */
static bool check_names(op_run *run, const cliv_optimizer *optimizer) {
  const cliv_rule_info *rule = cliv_optimizer_rule(optimizer);
  for (size_t k = 0; k < rule->state_count; k++)
    if (!strcmp(rule->states[k].name, "average"))
      return cli_refuse(run->c, "a state of '%s' is called average, as option '--average' calls its file", rule->name);
  return true;
}

/* Where the steps are taken: the parameter as it was read, and room for a gradient; or both in shared virtual memory.
 */
static bool make_tensors(op_run *run, const step_options *o, op_svm *svm, cliv_tensor **param, cliv_tensor **grad) {
  const cliv_tensor *const read = run->tensor[0];
  const cliv_dtype dtypes[] = {cliv_tensor_dtype(read), cliv_tensor_dtype(run->tensor[1])};
  const int ndim = cliv_tensor_ndim(read);
  const size_t *shape = cliv_tensor_shape(read);
  *param = run->tensor[0];
  if (!o->svm) return op_make(run, dtypes[1], ndim, shape, grad);
  for (int k = 0; k < 2; k++)
    if (!op_svm_make(run, k, dtypes[k], ndim, shape, svm)) return false;
  *param = svm->tensor[0];
  *grad = svm->tensor[1];
  return op_check(run, cliv_tensor_copy(read, *param, NULL));
}

static bool step(op_run *run, const step_options *o, const own_rule *own, states *s, cliv_schedule **schedule,
                 op_svm *svm) {
  cliv_tensor *param, *grad;
  return create(run, o, own, &s->optimizer) && check_shapes(run) && make_tensors(run, o, svm, &param, &grad) &&
         op_check(run, cliv_optimizer_add(s->optimizer, param, grad, CLIV_DEFAULT_GROUP)) &&
         settle(run, o, s->optimizer, schedule) &&
         (!o->average ||
          (check_names(run, s->optimizer) && average_create(run, s->optimizer, o->average, &s->average))) &&
         take_steps(run, s->optimizer, grad, o->accumulate, s->average) && (!s->dir || write_states(run, s)) &&
         (!s->file || write_file(run, s, s->optimizer)) &&
         op_check(run, cliv_optimizer_evaluate(s->optimizer, o->evaluate, NULL)) && perturb(run, o, s->optimizer) &&
         op_deliver(run, param, "step", o->rule);
}

static int run_step(cli *c, const step_options *o) {
  states s = {.dir = o->states, .file = o->save};
  op_run run = {.c = c, .output = o->output, .settle = name_states, .with = &s};
  cliv_schedule *schedule = NULL;
  own_rule own = {0};
  op_svm svm = {0};
  if (check_options(c, o) && own_rule_read(c, o->rule, &o->own, &own) && op_read(&run, o->param) &&
      op_read(&run, o->grads) && op_open(&run))
    step(&run, o, &own, &s, &schedule, &svm);
  drop_states(&s);
  cliv_average_free(s.average);
  cliv_optimizer_free(s.optimizer);
  op_svm_free(&run, &svm);
  cliv_schedule_free(schedule);
  own_rule_free(&own);
  return op_finish(&run);
}

int op_step(int argc, const char **argv) {
  step_options o = {.accumulate = 1};
  const struct poptOption options[] = {
      {"rule", 0, POPT_ARG_STRING, &o.rule, 0, "The update rule (see `cliv op list step`)", "NAME"},
      {"source", 0, POPT_ARG_STRING, &o.own.source, 0,
       "A file of OpenCL C with a function NAME, a rule of your own (see cliv/optim.h)", "FILE.cl"},
      {"hyper", 0, POPT_ARG_ARGV, &o.own.hypers, 0, "A hyper-parameter of it; may be given often, as the next two",
       "NAME=NUMBER"},
      {"state", 0, POPT_ARG_ARGV, &o.own.states, 0, "A state of it, 0 at first, or what a hyper-parameter is",
       "NAME[=HYPER]"},
      {"scalar", 0, POPT_ARG_ARGV, &o.own.scalars, 0,
       "A number that is worked out for each step, such as\n"
       "'rate=lr / (1 - beta^step)'",
       "NAME=FORMULA"},
      {"set", 0, POPT_ARG_ARGV, &o.set, 0, "A hyper-parameter; may be given often", "NAME=NUMBER"},
      {"preset", 0, POPT_ARG_STRING, &o.preset, 0,
       "Whose formula and defaults hold: torch, keras, ...; default: the rule's first", "NAME"},
      {"schedule", 0, POPT_ARG_STRING, &o.schedule, 0, "Of lr, such as \"warmup(10) cosine(90)\"", "TEXT"},
      {"param", 0, POPT_ARG_STRING, &o.param, 0, "The parameter, of any shape S", "P.npy"},
      {"grads", 0, POPT_ARG_STRING, &o.grads, 0, "The gradients, of shape (T, *S): one a step", "G.npy"},
      {"clip-norm", 0, POPT_ARG_DOUBLE, &o.clip_norm, 0, "Shorten each step's gradients to this length", "LENGTH"},
      {"clip-value", 0, POPT_ARG_DOUBLE, &o.clip_value, 0, "Keep each element within this of 0", "SIZE"},
      {"clip-each", 0, POPT_ARG_DOUBLE, &o.clip_each, 0, "The same for each tensor by itself", "LENGTH"},
      {"agc", 0, POPT_ARG_DOUBLE, &o.agc, 0, "Shorten each row to this part of its weight's length", "PART"},
      {"centralize", 0, POPT_ARG_NONE, &o.centralize, 0, "Take its mean off each row", NULL},
      {"smooth", 0, POPT_ARG_DOUBLE, &o.smooth, 0, "Smooth gradients first: Laplacian smoothing", "STRENGTH"},
      {"accumulate", 0, POPT_ARG_LONG | POPT_ARGFLAG_SHOW_DEFAULT, &o.accumulate, 0,
       "Take a step by the mean of so many gradients", "COUNT"},
      {"perturb", 0, POPT_ARG_DOUBLE, &o.perturb, 0, "Then move the weights this far up the last gradient, as SAM does",
       "RHO"},
      {"adaptive", 0, POPT_ARG_NONE, &o.adaptive, 0, "... in units of the weights, as ASAM does", NULL},
      {"scale", 0, POPT_ARG_DOUBLE, &o.scale, 0, "The gradients are those of the loss times this", "SCALE"},
      {"nonfinite", 0, POPT_ARG_STRING, &o.nonfinite, 0, "Gradients that are not finite; default: pass",
       "pass|skip|fail"},
      {"store", 0, POPT_ARG_STRING, &o.store, 0, "What states are stored as; default: float32",
       "float32|bfloat16|8bit"},
      {"weights", 0, POPT_ARG_STRING, &o.weights, 0,
       "How a float16 parameter goes from step to step;\ndefault: nearest", "nearest|master|kahan|stochastic"},
      {"seed", 0, POPT_ARG_LONGLONG, &o.seed, 0, "Of stochastic weights; default: 0", "N"},
      {"load", 0, POPT_ARG_STRING, &o.load, 0,
       "States and hyper-parameters to go on with, as --save or PyTorch left them", "FILE"},
      {"save", 0, POPT_ARG_STRING, &o.save, 0, "File to write them to: PyTorch's state_dict as safetensors", "FILE"},
      {"states", 0, POPT_ARG_STRING, &o.states, 0, "Folder to write the rule's states to, as NAME.npy", "DIR"},
      {"average", 0, POPT_ARG_STRING, &o.average, 0,
       "An average of the parameter, for DIR/average.npy, such as \"ema decay=0.99\"", "KIND [NAME=NUMBER]..."},
      {"evaluate", 0, POPT_ARG_NONE, &o.evaluate, 0,
       "Write the weights to evaluate, which schedule-free rules have beside those they train", NULL},
      {"svm", 0, POPT_ARG_NONE, &o.svm, 0, "Parameter and gradient lie in shared virtual memory", NULL},
      {"output", 'o', POPT_ARG_STRING, &o.output, 0, "File to write: the parameter after T steps", "OUT.npy"},
      POPT_TABLEEND};
  const cli_usage usage = {
      .verb = "op step",
      .arguments = "[OPTION]... --rule NAME --param P.npy --grads G.npy -o OUT.npy",
      .about = "An update rule over a sequence of gradients, as an optimizer would apply it.",
      .example =
          "cliv op step --rule adamw --set lr=1e-3 --set weight_decay=0.01 --param p.npy --grads g.npy -o out.npy "
          "--states s\n"
          "cliv op step --rule mine --source mine.cl --hyper lr=0.1 --hyper beta=0.9 --state velocity --param p.npy "
          "--grads g.npy -o out.npy",
      .options = options};
  cli c;
  if (!cli_parse(&c, &usage, argc, argv)) { return cli_done(&c); }
  return run_step(&c, &o);
}
