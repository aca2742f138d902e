/* cliv op gemv, ger, axpy, syrk, symm, trmm, trsm: one call of cliv/blas.h each, by one table. */
#include "cli/op_blas.h"

#include <string.h>

typedef struct blas_options {
  int right, upper, trans, unit;
  double alpha, beta;
  char *beta_text, *addend, *output, *provider;
} blas_options;

/* One run. The tensors are those of the files in their order, then what --y or --c named. */
typedef struct blas_call {
  op_run *run;
  const blas_options *o;
  cliv_blas_options own;
  unsigned how; /* flags of cliv/blas.h */
  cliv_tensor *out;
} blas_call;

/* ---- the options that kinds share ---- */

bool op_blas_provider(cli *c, const char *text, cliv_provider *out) {
  *out = CLIV_PROVIDER_AUTO;
  const cliv_status status = text ? cliv_provider_parse(text, out) : CLIV_OK;
  if (status) cli_report_with(c, NULL, status);
  return !status;
}

bool op_blas_beta(cli *c, const char *text, const char *option, const char *addend, double *out) {
  *out = addend ? 1 : 0;
  if (!text) return true;
  if (!addend)
    return cli_refuse(c, "option '--beta' is %s, but there is nothing that it multiplies; name its file by %s", text,
                      option);
  return cli_number(text, out) || cli_refuse(c, "option '--beta' needs a number, not '%s'", text);
}

/* ---- the routines ---- */

static const size_t *sides(const cliv_tensor *t) { return cliv_tensor_shape(t) + cliv_tensor_ndim(t) - 2; }

/* y is laid as x is: one axis, a row or a column. */
static bool gemv(blas_call *k) {
  const cliv_tensor *const a = k->run->tensor[0], *const x = k->run->tensor[1];
  const size_t *const xs = cliv_tensor_shape(x), m = sides(a)[k->o->trans ? 1 : 0];
  k->out = k->run->tensor[2];
  if (!k->out) {
    const bool column = cliv_tensor_ndim(x) == 2 && xs[1] == 1, row = cliv_tensor_ndim(x) == 2 && !column;
    const size_t shape[] = {row ? 1 : m, row ? m : 1};
    if (!op_make(k->run, cliv_tensor_dtype(a), cliv_tensor_ndim(x), shape, &k->out)) return false;
  }
  return op_check(k->run, cliv_gemv(k->run->ctx, k->o->trans, k->o->alpha, a, x, k->o->beta, k->out, &k->own, NULL));
}

static bool ger(blas_call *k) {
  k->out = k->run->tensor[2];
  return op_check(k->run,
                  cliv_ger(k->run->ctx, k->o->alpha, k->run->tensor[0], k->run->tensor[1], k->out, &k->own, NULL));
}

static bool axpy(blas_call *k) {
  k->out = k->run->tensor[1];
  return op_check(k->run, cliv_axpy(k->run->ctx, k->o->alpha, k->run->tensor[0], k->out, &k->own, NULL));
}

/* The triangle that is not computed is C's, or of zeros. */
static bool syrk(blas_call *k) {
  const cliv_tensor *const a = k->run->tensor[0];
  k->out = k->run->tensor[1];
  if (!k->out) {
    const size_t n = sides(a)[k->o->trans ? 1 : 0], batch[] = {cliv_tensor_shape(a)[0], n, n};
    const int ndim = cliv_tensor_ndim(a);
    if (!op_make(k->run, cliv_tensor_dtype(a), ndim, batch + 3 - ndim, &k->out) ||
        !op_check(k->run, cliv_tensor_fill(k->out, 0, NULL)))
      return false;
  }
  return op_check(k->run, cliv_syrk(k->run->ctx, k->how, k->o->alpha, a, k->o->beta, k->out, &k->own, NULL));
}

static bool symm(blas_call *k) {
  const cliv_tensor *const a = k->run->tensor[0], *const b = k->run->tensor[1];
  k->out = k->run->tensor[2];
  if (!k->out && !op_make(k->run, cliv_tensor_dtype(b), cliv_tensor_ndim(b), cliv_tensor_shape(b), &k->out))
    return false;
  return op_check(k->run, cliv_symm(k->run->ctx, k->how, k->o->alpha, a, b, k->o->beta, k->out, &k->own, NULL));
}

static bool trmm(blas_call *k) {
  k->out = k->run->tensor[1];
  return op_check(k->run,
                  cliv_trmm(k->run->ctx, k->how, k->o->alpha, k->run->tensor[0], k->out, k->out, &k->own, NULL));
}

static bool trsm(blas_call *k) {
  k->out = k->run->tensor[1];
  return op_check(k->run,
                  cliv_trsm(k->run->ctx, k->how, k->o->alpha, k->run->tensor[0], k->out, k->out, &k->own, NULL));
}

/* ---- the table ---- */

enum { SIDES = CLIV_RIGHT | CLIV_UPPER, TRIANGULAR = SIDES | CLIV_TRANS | CLIV_UNIT };

/* operands: of each file, v a vector, m a matrix, s a matrix or a stack of them, t any array.
 * addend: the option that names what beta multiplies; NULL: there is no beta. */
typedef struct routine {
  const char *name, *operands, *arguments;
  struct addend {
    const char *option, *meaning, *shown;
  } addend;
  const char *about, *example;
  unsigned flags; /* that it takes */
  bool triangle;  /* AUTO is exact */
  bool (*run)(blas_call *k);
} routine;

#define NO_ADDEND \
  { NULL, NULL, NULL }
#define ADDEND_C \
  { "c", "The matrix C, added beta times; none unless given", "C.npy" }

static const routine routines[] = {
    {"gemv",
     "mv",
     "A.npy X.npy",
     {"y", "The vector y, added beta times; none unless given", "Y.npy"},
     "OUT = alpha A x + beta y, for a matrix A and vectors x and y: of one axis, one row or one column.",
     "cliv op gemv a.npy x.npy -o y.npy\ncliv op gemv --trans --alpha 0.5 --y y.npy a.npy x.npy -o z.npy",
     CLIV_TRANS,
     false,
     gemv},
    {"ger", "vvm", "X.npy Y.npy A.npy", NO_ADDEND,
     "OUT = A + alpha x y', for a matrix A and vectors x and y: of one axis, one row or one column.",
     "cliv op ger --alpha -1 x.npy y.npy a.npy -o out.npy", 0, false, ger},
    {"axpy", "tt", "X.npy Y.npy", NO_ADDEND, "OUT = y + alpha x, for arrays of one shape, whichever it is.",
     "cliv op axpy --alpha -0.1 x.npy y.npy -o out.npy", 0, false, axpy},
    {"syrk", "s", "A.npy", ADDEND_C,
     "OUT = alpha A A' + beta C, of which one triangle is computed, the lower one unless told otherwise; the\n"
     "other is C's, or zeros without it. A: a matrix, or with three axes a batch of matrices, and C as many.",
     "cliv op syrk a.npy -o c.npy\ncliv op syrk --trans --upper --c c.npy a.npy -o d.npy", CLIV_UPPER | CLIV_TRANS,
     true, syrk},
    {"symm", "ss", "A.npy B.npy", ADDEND_C,
     "OUT = alpha A B + beta C for a symmetric A, of which one triangle is read, the lower one unless told\n"
     "otherwise. Matrices, or with three axes batches of as many matrices.",
     "cliv op symm a.npy b.npy -o c.npy\ncliv op symm --right --upper a.npy b.npy -o c.npy", SIDES, true, symm},
    {"trmm", "ss", "A.npy B.npy", NO_ADDEND,
     "OUT = alpha A B for a triangular A, of which one triangle is read, the lower one unless told otherwise.\n"
     "Matrices, or with three axes batches of as many matrices.",
     "cliv op trmm a.npy b.npy -o x.npy\ncliv op trmm --right --upper --unit a.npy b.npy -o x.npy", TRIANGULAR, true,
     trmm},
    {"trsm", "ss", "A.npy B.npy", NO_ADDEND,
     "OUT = the X of A X = alpha B for a triangular A, of which one triangle is read, the lower one unless told\n"
     "otherwise. Matrices, or with three axes batches of as many matrices.",
     "cliv op trsm a.npy b.npy -o x.npy\ncliv op trsm --right --trans a.npy b.npy -o x.npy", TRIANGULAR, true, trsm},
};

/* ---- a run ---- */

/* Whether every file has the axes that its place wants. */
static bool check_operands(op_run *run, const routine *r) {
  static const struct {
    char code;
    int least, most;
    const char *wanted;
  } places[] = {{'v', 1, 2, "a vector has one, or two of which one is of length 1"},
                {'m', 2, 2, "a matrix has two"},
                {'s', 2, 3, "a matrix has two, a batch of matrices three"},
                {'t', 0, CLIV_MAX_DIMS, ""}};
  for (int i = 0; r->operands[i]; i++) {
    const cliv_array *const x = &run->array[i];
    int p = 0;
    while (places[p].code != r->operands[i]) p++;
    if (!op_has_axes(run, i, places[p].least, places[p].most, places[p].wanted)) return false;
    if (places[p].code != 'v' || x->ndim != 2 || x->shape[0] == 1 || x->shape[1] == 1) continue;
    cli_report(run->c, CLIV_SHAPE, "'%s' has two axes, %zu and %zu long; %s", run->path[i], x->shape[0], x->shape[1],
               places[p].wanted);
    return false;
  }
  return op_same_types(run);
}

static bool read_all(op_run *run, const blas_options *o) {
  for (int i = 0; i < run->c->count; i++)
    if (!op_read(run, run->c->args[i])) return false;
  return !o->addend || op_read(run, o->addend);
}

/* What AUTO took: exact for triangles and for narrow types. */
static cliv_provider taken(const blas_call *k, const routine *r) {
  const cliv_dtype dtype = cliv_tensor_dtype(k->out);
  if (k->own.provider != CLIV_PROVIDER_AUTO) return k->own.provider;
  return r->triangle || cliv_dtype_size(dtype) == 2 ? CLIV_PROVIDER_EXACT : cliv_blas_auto(k->run->ctx);
}

static int compute(cli *c, const routine *r, blas_options *o) {
  op_run run = {.c = c, .output = o->output};
  blas_call k = {.run = &run, .o = o, .own = {.size = sizeof k.own}};
  char option[8];
  snprintf(option, sizeof option, "--%s", r->addend.option ? r->addend.option : "");
  if (!op_require(c, o->output, "-o", "it names the .npy file to write") ||
      !op_blas_provider(c, o->provider, &k.own.provider) || !op_blas_beta(c, o->beta_text, option, o->addend, &o->beta))
    return cli_done(c);
  k.how = (o->right ? CLIV_RIGHT : 0) | (o->upper ? CLIV_UPPER : 0) | (o->trans ? CLIV_TRANS : 0) |
          (o->unit ? CLIV_UNIT : 0);
  if (read_all(&run, o) && check_operands(&run, r) && op_open(&run) && r->run(&k)) {
    run.provider = cliv_provider_name(taken(&k, r));
    op_deliver(&run, k.out, r->name, r->name);
  }
  return op_finish(&run);
}

/* The options that a routine has, for popt. */
enum { MOST_OPTIONS = 16 };
static void lay_options(const routine *r, blas_options *o, struct poptOption *row) {
  const struct poptOption flags[] = {
      {"right", 0, POPT_ARG_NONE, &o->right, CLIV_RIGHT, "A is the right side of the product; else the left", NULL},
      {"upper", 0, POPT_ARG_NONE, &o->upper, CLIV_UPPER, "The upper triangle; else the lower", NULL},
      {"trans", 0, POPT_ARG_NONE, &o->trans, CLIV_TRANS, "Take A transposed", NULL},
      {"unit", 0, POPT_ARG_NONE, &o->unit, CLIV_UNIT, "Take A's diagonal as 1; it is not read", NULL}};
  *row++ = (struct poptOption){"output", 'o', POPT_ARG_STRING, &o->output, 0, "File to write", "OUT.npy"};
  for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
    if (!(r->flags & (unsigned)flags[i].val)) continue;
    *row = flags[i];
    row++->val = 0; /* popt would give it to the caller */
  }
  *row++ =
      (struct poptOption){"alpha", 0, POPT_ARG_DOUBLE | POPT_ARGFLAG_SHOW_DEFAULT, &o->alpha, 0, "A factor", "NUMBER"};
  const struct addend *const a = &r->addend;
  if (a->option) {
    *row++ = (struct poptOption){a->option, 0, POPT_ARG_STRING, &o->addend, 0, a->meaning, a->shown};
    *row++ = (struct poptOption){"beta", 0, POPT_ARG_STRING, &o->beta_text, 0, "Its factor; 1 unless given", "NUMBER"};
  }
  *row++ = (struct poptOption){"provider",   0, POPT_ARG_STRING,
                               &o->provider, 0, "auto (unless given), exact (the same bits on every device) or clblast",
                               "NAME"};
  *row = (struct poptOption)POPT_TABLEEND;
}

int op_blas(int argc, const char **argv) {
  const routine *r = routines;
  while (strcmp(r->name, argv[0])) r++;
  blas_options o = {.alpha = 1};
  struct poptOption options[MOST_OPTIONS];
  lay_options(r, &o, options);
  char verb[16], arguments[64], about[512];
  snprintf(verb, sizeof verb, "op %s", r->name);
  snprintf(arguments, sizeof arguments, "[OPTION]... %s -o OUT.npy", r->arguments);
  const int files = (int)strlen(r->operands);
  snprintf(about, sizeof about, "%s\nAll of one type: float32, float16, bfloat16, or float64 where the device has it.",
           r->about);
  const cli_usage usage = {.verb = verb,
                           .arguments = arguments,
                           .about = about,
                           .example = r->example,
                           .options = options,
                           .least = files,
                           .most = files};
  cli c;
  if (!cli_parse(&c, &usage, argc, argv)) return cli_done(&c);
  return compute(&c, r, &o);
}
