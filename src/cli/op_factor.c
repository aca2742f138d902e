/* cliv op factor: one factorisation, or a solution by one. */
#include <cliv/factor.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/op.h"

typedef struct factor_options {
  char *op, *output, *second, *coefficients, *eps, *ridge, *floor;
  int p, steps, sweeps, bfloat16, upper, trans;
} factor_options;

enum { MOST_COEFFICIENTS = 300 };

typedef struct factor_call {
  op_run *run;
  const factor_options *o;
  const cliv_tensor *a, *b;
  cliv_tensor *out, *second;
  double eps, ridge, floor, coefficients[MOST_COEFFICIENTS];
  size_t coefficient_count;
  bool waiting; /* the second result is written, not yet named */
} factor_call;

/* A result for each matrix of A's batch. */
static bool make(factor_call *f, cliv_dtype dtype, int axes, const size_t *lengths, cliv_tensor **out) {
  const int batch = cliv_tensor_ndim(f->a) - 2;
  size_t shape[3] = {cliv_tensor_shape(f->a)[0]};
  for (int i = 0; i < axes; i++) shape[batch + i] = lengths[i];
  return op_make(f->run, dtype, batch + axes, shape, out);
}

static bool make_matrix(factor_call *f, size_t rows, size_t columns, cliv_tensor **out) {
  return make(f, CLIV_F32, 2, (const size_t[]){rows, columns}, out);
}
static bool make_vector(factor_call *f, size_t length, cliv_tensor **out) { return make(f, CLIV_F32, 1, &length, out); }
static bool make_info(factor_call *f) { return make(f, CLIV_I32, 0, NULL, &f->second); }

/* Whether every matrix was positive definite: where one was not, there is no result. */
static bool check_info(factor_call *f) {
  cliv_array info = {0};
  if (!op_check(f->run, cliv_tensor_to_array(f->second, &info))) return false;
  const int32_t *const rows = info.data;
  size_t k = 0;
  const size_t count = cliv_array_count(&info);
  while (k < count && rows[k] == 0) k++;
  if (k < count && info.ndim)
    cli_report(
        f->run->c, CLIV_DATA,
        "matrix %zu of the batch (from 0) is not positive definite: info is %d, its first row whose pivot is not "
        "above 0 or not finite",
        k, (int)rows[k]);
  else if (k < count)
    cli_report(
        f->run->c, CLIV_DATA,
        "the matrix is not positive definite: info is %d, its first row whose pivot is not above 0 or not finite",
        (int)rows[k]);
  cliv_array_free(&info);
  return k == count;
}

static size_t axis(const cliv_tensor *t, int from_last) {
  return cliv_tensor_shape(t)[cliv_tensor_ndim(t) - from_last];
}

static bool orthogonalize(factor_call *f) {
  const cliv_orthogonalize_options options = {.size = sizeof options,
                                              .steps = (size_t)f->o->steps,
                                              .coefficients = f->coefficient_count ? f->coefficients : NULL,
                                              .triples = f->coefficient_count / 3,
                                              .eps = f->eps,
                                              .bfloat16 = f->o->bfloat16};
  return make_matrix(f, axis(f->a, 2), axis(f->a, 1), &f->out) &&
         op_check(f->run, cliv_orthogonalize(f->run->ctx, f->a, f->out, &options, NULL));
}

static bool inverse_root(factor_call *f) {
  const cliv_inverse_root_options options = {.size = sizeof options, .ridge = f->ridge, .floor = f->floor};
  return make_matrix(f, axis(f->a, 2), axis(f->a, 1), &f->out) &&
         op_check(f->run, cliv_inverse_root(f->run->ctx, f->a, (unsigned)f->o->p, f->out, &options, NULL));
}

static bool qr(factor_call *f) {
  return make_matrix(f, axis(f->a, 2), axis(f->a, 1), &f->out) &&
         make_matrix(f, axis(f->a, 1), axis(f->a, 1), &f->second) &&
         op_check(f->run, cliv_qr(f->run->ctx, f->a, f->out, f->second, NULL));
}

static bool eigen(factor_call *f) {
  const cliv_eigen_options options = {.size = sizeof options, .sweeps = (size_t)f->o->sweeps};
  return make_matrix(f, axis(f->a, 2), axis(f->a, 1), &f->out) && make_vector(f, axis(f->a, 1), &f->second) &&
         op_check(f->run, cliv_eigen(f->run->ctx, f->a, f->second, f->out, &options, NULL));
}

static bool cholesky(factor_call *f) {
  return make_matrix(f, axis(f->a, 2), axis(f->a, 1), &f->out) && make_info(f) &&
         op_check(f->run, cliv_cholesky(f->run->ctx, f->a, f->out, f->second, NULL)) && check_info(f);
}

static bool solve(factor_call *f) {
  return make_matrix(f, axis(f->a, 1), axis(f->b, 1), &f->out) && make_info(f) &&
         op_check(f->run, cliv_solve(f->run->ctx, f->a, f->b, f->out, f->second, NULL)) && check_info(f);
}

static bool solve_triangular(factor_call *f) {
  return make_matrix(f, axis(f->a, 1), axis(f->b, 1), &f->out) &&
         op_check(f->run, cliv_solve_triangular(f->run->ctx, f->a, f->o->upper, f->o->trans, f->b, f->out, NULL));
}

static bool least_squares(factor_call *f) {
  return make_matrix(f, axis(f->a, 1), axis(f->b, 1), &f->out) &&
         op_check(f->run, cliv_least_squares(f->run->ctx, f->a, f->b, f->out, NULL));
}

static const struct {
  op_factor_info info;
  bool (*run)(factor_call *f);
} operations[] = {
    {{"orthogonalize", "the orthogonal factor, roughly, by Newton-Schulz", 1, NULL}, orthogonalize},
    {{"inverse_root", "A^(-1/p) of a symmetric positive semi-definite matrix", 1, NULL}, inverse_root},
    {{"qr", "Q with orthonormal columns; R, upper triangular", 1, "R"}, qr},
    {{"eigen", "eigenvectors of a symmetric matrix; eigenvalues, ascending", 1, "values"}, eigen},
    {{"cholesky", "L of A = L L' for a positive definite matrix", 1, "info"}, cholesky},
    {{"solve", "A^-1 B for a positive definite A", 2, "info"}, solve},
    {{"solve_triangular", "T^-1 B for a triangular T", 2, NULL}, solve_triangular},
    {{"least_squares", "the X that makes the norm of A X - B least", 2, NULL}, least_squares},
};
enum { OPERATIONS = sizeof operations / sizeof *operations };

const op_factor_info *op_factor_get(size_t index) { return index < OPERATIONS ? &operations[index].info : NULL; }

static bool find(cli *c, const factor_options *o, size_t *index) {
  for (*index = 0; *index < OPERATIONS; (*index)++)
    if (!strcmp(operations[*index].info.name, o->op)) break;
  if (*index == OPERATIONS) {
    cli_report(c, CLIV_NAME, "there is no factorisation named '%s'; `cliv op list factor` names them", o->op);
    return false;
  }
  const op_factor_info *const info = &operations[*index].info;
  if (c->count != info->inputs)
    return cli_refuse(c, "'%s' takes %d file%s, not %d", o->op, info->inputs, info->inputs == 1 ? "" : "s", c->count);
  if (o->second && !info->second) return cli_refuse(c, "option '--second': '%s' has no second result", o->op);
  if (o->second && !strcmp(o->second, o->output)) return cli_refuse(c, "'--second' and '-o' name the same file");
  if (o->p < 1 || o->steps < 0 || o->sweeps < 0)
    return cli_refuse(c, "'--p' is at least 1, '--steps' and '--sweeps' at least 0");
  return true;
}

static bool read_number(cli *c, const char *option, const char *text, double *out) {
  return !text || cli_number(text, out) || cli_refuse(c, "option '%s' needs a number, not '%s'", option, text);
}

/* "3.4445,-4.775,2.0315", one triple or more. */
static bool read_coefficients(cli *c, const char *text, factor_call *f) {
  for (const char *at = text; at;) {
    char *end;
    const double number = strtod(at, &end);
    if (end == at || (*end && *end != ',') || f->coefficient_count == MOST_COEFFICIENTS)
      return cli_refuse(c, "option '--coefficients': '%s' is not triples of numbers like 2,-1.5,0.5", text);
    f->coefficients[f->coefficient_count++] = number;
    at = *end ? end + 1 : NULL;
  }
  return f->coefficient_count % 3 == 0 ||
         cli_refuse(c, "option '--coefficients': %zu numbers are not triples", f->coefficient_count);
}

static bool read_matrices(op_run *run) {
  for (int i = 0; i < run->c->count; i++)
    if (!op_read(run, run->c->args[i]) || !op_has_axes(run, i, 2, 3, "a matrix has two, a batch of matrices three"))
      return false;
  return true;
}

/* The second result: only with the output, as whole as that. It waits under another name until that is written. */
static bool write_second(factor_call *f) {
  char waiting[OP_PATH_ROOM];
  op_waiting(f->o->second, waiting);
  f->waiting = op_write(f->run, f->second, waiting);
  return f->waiting;
}

static bool name_second(op_run *run, void *with) {
  factor_call *const f = with;
  char waiting[OP_PATH_ROOM];
  if (!f->waiting) return true;
  op_waiting(f->o->second, waiting);
  if (!op_name(run, waiting, f->o->second)) return false;
  f->waiting = false;
  return true;
}

static void drop_second(const factor_call *f) {
  char waiting[OP_PATH_ROOM];
  if (f->waiting) op_waiting(f->o->second, waiting), unlink(waiting);
}

static int factor(cli *c, const factor_options *o) {
  factor_call f = {.o = o};
  op_run run = {.c = c, .output = o->output, .settle = name_second, .with = &f};
  f.run = &run;
  size_t index;
  if (!op_require(c, o->op, "--op", "`cliv op list factor` names the operations") ||
      !op_require(c, o->output, "-o", "it names the .npy file to write") || !find(c, o, &index) ||
      !read_number(c, "--eps", o->eps, &f.eps) || !read_number(c, "--ridge", o->ridge, &f.ridge) ||
      !read_number(c, "--floor", o->floor, &f.floor) || !read_coefficients(c, o->coefficients, &f))
    return cli_done(c);
  bool good = read_matrices(&run) && op_open(&run);
  f.a = run.tensor[0];
  f.b = run.tensor[1];
  good = good && operations[index].run(&f) && (!o->second || write_second(&f));
  if (good) op_deliver(&run, f.out, "factor", o->op);
  drop_second(&f);
  return op_finish(&run);
}

int op_factor(int argc, const char **argv) {
  factor_options o = {.p = 2};
  const struct poptOption options[] = {
      {"op", 0, POPT_ARG_STRING, &o.op, 0, "The operation (see `cliv op list factor`)", "NAME"},
      {"output", 'o', POPT_ARG_STRING, &o.output, 0, "File to write", "OUT.npy"},
      {"second", 0, POPT_ARG_STRING, &o.second, 0, "R of qr, values of eigen, info of cholesky and solve", "FILE.npy"},
      {"p", 0, POPT_ARG_INT | POPT_ARGFLAG_SHOW_DEFAULT, &o.p, 0, "inverse_root: which root", "NUMBER"},
      {"ridge", 0, POPT_ARG_STRING, &o.ridge, 0,
       "inverse_root: part of the greatest eigenvalue that is added; 1e-6 unless given", "NUMBER"},
      {"floor", 0, POPT_ARG_STRING, &o.floor, 0,
       "inverse_root: what that eigenvalue is at least taken as; 1e-6 unless given", "NUMBER"},
      {"steps", 0, POPT_ARG_INT, &o.steps, 0, "orthogonalize: how many; 5 unless given", "NUMBER"},
      {"coefficients", 0, POPT_ARG_STRING, &o.coefficients, 0,
       "orthogonalize: triples, one a step; 3.4445,-4.775,2.0315 unless given", "A,B,C[,...]"},
      {"eps", 0, POPT_ARG_STRING, &o.eps, 0, "orthogonalize: what is added to the norm; 1e-7 unless given", "NUMBER"},
      {"bfloat16", 0, POPT_ARG_NONE, &o.bfloat16, 0, "orthogonalize: round as PyTorch's Muon does", NULL},
      {"sweeps", 0, POPT_ARG_INT, &o.sweeps, 0, "eigen: how many times through all pairs of rows; 12 unless given",
       "NUMBER"},
      {"upper", 0, POPT_ARG_NONE, &o.upper, 0, "solve_triangular: T is upper triangular", NULL},
      {"trans", 0, POPT_ARG_NONE, &o.trans, 0, "solve_triangular: take T transposed", NULL},
      POPT_TABLEEND};
  const cli_usage usage = {.verb = "op factor",
                           .arguments = "[OPTION]... --op NAME A.npy [B.npy] -o OUT.npy",
                           .about = "A factorisation of a float32 matrix, or of a batch of them, or a solution by one.",
                           .example =
                               "cliv op factor --op qr --second r.npy a.npy -o q.npy\n"
                               "cliv op factor --op inverse_root --p 4 a.npy -o root.npy\n"
                               "cliv op factor --op least_squares a.npy b.npy -o x.npy",
                           .options = options,
                           .least = 1,
                           .most = 2};
  cli c;
  if (!cli_parse(&c, &usage, argc, argv)) return cli_done(&c);
  return factor(&c, &o);
}
