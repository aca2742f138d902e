/* cliv op random: a tensor of random numbers. */
#include <cliv/random.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/op.h"

enum { MOST_PARAMS = 8 };

typedef struct random_options {
  char *distribution, *shape, *dtype, *seed, *stream, *first, *output;
  const char **set; /* NAME=VALUE, ended by NULL; may be NULL */
} random_options;

typedef struct draw {
  const cliv_random_info *info;
  double params[MOST_PARAMS];
  int ndim;
  size_t shape[CLIV_MAX_DIMS];
  cliv_dtype dtype;
  uint64_t seed, stream, first;
} draw;

/* A whole number of 64 bits; `end` is where it stops. */
static bool read_whole(const char *text, const char **end, uint64_t *value) {
  char *stop;
  if (*text < '0' || *text > '9') return false;
  errno = 0;
  *value = strtoull(text, &stop, 10);
  *end = stop;
  return errno == 0;
}

static bool read_count(cli *c, const char *option, const char *text, uint64_t *value) {
  const char *end;
  if (!text || (read_whole(text, &end, value) && !*end)) return true;
  return cli_refuse(c, "option '%s' wants a whole number below 2^64, not '%s'", option, text);
}

/* "1000,64". */
static bool read_shape(cli *c, const char *text, draw *d) {
  const char *at = text;
  for (d->ndim = 0; d->ndim < CLIV_MAX_DIMS; at++) {
    uint64_t extent;
    if (!read_whole(at, &at, &extent) || extent > SIZE_MAX || (*at && *at != ',')) break;
    d->shape[d->ndim++] = (size_t)extent;
    if (!*at) return true;
  }
  return cli_refuse(c, "option '--shape' wants up to %d whole numbers between commas, as in 1000,64, not '%s'",
                    CLIV_MAX_DIMS, text);
}

static bool set_param(cli *c, draw *d, const char *text) {
  const char *const equals = strchr(text, '=');
  const size_t length = equals ? (size_t)(equals - text) : 0;
  for (size_t i = 0; equals && i < d->info->param_count; i++) {
    const char *const name = d->info->params[i].name;
    if (strlen(name) == length && !strncmp(name, text, length) && cli_number(equals + 1, &d->params[i])) return true;
  }
  return cli_refuse(c, "option '--set' wants NAME=NUMBER with a parameter of '%s', not '%s'; see `cliv op list random`",
                    d->info->name, text);
}

static bool check_options(cli *c, const random_options *o, draw *d) {
  if (!op_require(c, o->distribution, "--dist", "`cliv op list random` names the distributions") ||
      !op_require(c, o->shape, "--shape", "it gives the extents, as in 1000,64") ||
      !op_require(c, o->output, "-o", "it names the .npy file to write"))
    return false;
  d->info = cliv_random_find(o->distribution);
  if (!d->info) {
    cli_report(c, CLIV_NAME, "there is no distribution '%s'; `cliv op list random` names them all", o->distribution);
    return false;
  }
  for (size_t i = 0; i < d->info->param_count; i++) d->params[i] = d->info->params[i].initial;
  for (const char **text = o->set; text && *text; text++)
    if (!set_param(c, d, *text)) return false;
  d->dtype = d->info->dtype;
  const cliv_status status = o->dtype ? cliv_dtype_parse(o->dtype, &d->dtype) : CLIV_OK;
  if (status) cli_report_with(c, NULL, status);
  return !status && read_shape(c, o->shape, d) && read_count(c, "--seed", o->seed, &d->seed) &&
         read_count(c, "--stream", o->stream, &d->stream) && read_count(c, "--first", o->first, &d->first);
}

static int run_random(cli *c, const random_options *o) {
  op_run run = {.c = c, .output = o->output};
  draw d = {0};
  cliv_tensor *out;
  if (check_options(c, o, &d) && op_open(&run) && op_make(&run, d.dtype, d.ndim, d.shape, &out) &&
      op_check(&run, cliv_random_fill(run.ctx, d.info->name, d.params, d.seed, d.stream, d.first, out, NULL)))
    op_deliver(&run, out, "random", d.info->name);
  return op_finish(&run);
}

int op_random(int argc, const char **argv) {
  random_options o = {0};
  const struct poptOption options[] = {
      {"dist", 0, POPT_ARG_STRING, &o.distribution, 0, "The distribution (see `cliv op list random`)", "NAME"},
      {"shape", 0, POPT_ARG_STRING, &o.shape, 0, "Extents of the result", "N,M,..."},
      {"set", 0, POPT_ARG_ARGV, &o.set, 0, "A parameter of the distribution; may be given often", "NAME=NUMBER"},
      {"seed", 0, POPT_ARG_STRING, &o.seed, 0, "Seed, a whole number (default 0)", "SEED"},
      {"stream", 0, POPT_ARG_STRING, &o.stream, 0, "Which of the seed's streams (default 0)", "STREAM"},
      {"first", 0, POPT_ARG_STRING, &o.first, 0, "Element of the stream to begin with (default 0)", "ELEMENT"},
      {"dtype", 0, POPT_ARG_STRING, &o.dtype, 0, "float32, float16, bfloat16 ...", "TYPE"},
      {"output", 'o', POPT_ARG_STRING, &o.output, 0, "File to write", "OUT.npy"},
      POPT_TABLEEND};
  const cli_usage usage = {.verb = "op random",
                           .arguments = "[OPTION]... --dist NAME --shape N,M,... -o OUT.npy",
                           .about =
                               "Random numbers: each depends on seed, stream and its place, and on nothing else, so "
                               "that they are the\nsame on every device.",
                           .example =
                               "cliv op random --dist normal --shape 1000,64 --seed 1 -o x.npy\n"
                               "cliv op random --dist uniform --shape 1000 --set low=-1 --set high=1 -o x.npy",
                           .options = options};
  cli c;
  if (!cli_parse(&c, &usage, argc, argv)) return cli_done(&c);
  return run_random(&c, &o);
}
