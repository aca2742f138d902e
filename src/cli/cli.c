/* cli.c: command lines, errors and JSON, the same for every verb. */
#include "cli/cli.h"

#include <cliv/optim.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

/* ---- results and errors ---- */

json_t *cli_json_real(double x) { return isfinite(x) ? json_real(x) : json_null(); }

json_t *cli_json_text(const char *text) {
  json_t *const string = json_string(text);
  if (string) return string;
  char *const copy = strdup(text);
  if (!copy) return NULL;
  for (char *p = copy; *p; p++)
    if ((unsigned char)*p >= 0x80) *p = '?';
  json_t *const plain = json_string(copy);
  free(copy);
  return plain;
}

json_t *cli_json_error(cliv_status status, const char *sentence) {
  return json_pack("{s:s, s:i, s:o}", "status", cliv_status_name(status), "code", (int)status, "message",
                   cli_json_text(sentence));
}

const char *cli_walk_name(const cliv_context *ctx) { return cliv_context_walk(ctx) == CLIV_WALK_CPU ? "cpu" : "gpu"; }

static void print_document(json_t *document) {
  if (!document || json_dumpf(document, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(17)))
    fprintf(stderr, "cliv: out of memory while writing JSON\n");
  putchar('\n');
  json_decref(document);
}

void cli_print_json(cli *c, json_t *document) {
  (void)c;
  print_document(document);
}

int cli_flush(int exit_code) {
  if (!fflush(stdout) && !ferror(stdout)) return exit_code;
  fprintf(stderr, "cliv: standard output cannot be written: %s\n", strerror(errno));
  return CLI_FAILED;
}

/* `text`: the sentence; after a newline a log may follow. */
static int report(const char *verb, bool json, cliv_status status, const char *text) {
  fprintf(stderr, "cliv%s%s: %s\n", *verb ? " " : "", verb, text);
  if (json) {
    const char *const end = strchr(text, '\n');
    char *const sentence = end ? strndup(text, (size_t)(end - text)) : strdup(text);
    json_t *const error = cli_json_error(status, sentence ? sentence : "");
    if (end) json_object_set_new(error, "log", cli_json_text(end + 1));
    print_document(json_pack("{s:o}", "error", error));
    free(sentence);
  }
  return status == CLIV_VALUE || status == CLIV_NAME || status == CLIV_SELECTOR ? CLI_USAGE : CLI_FAILED;
}

static int vreport(const char *verb, bool json, cliv_status status, const char *format, va_list args) {
  char sentence[2048];
  vsnprintf(sentence, sizeof sentence, format, args);
  return report(verb, json, status, sentence);
}

void cli_report(cli *c, cliv_status status, const char *format, ...) {
  va_list args;
  va_start(args, format);
  c->exit_code = vreport(c->usage->verb, c->json, status, format, args);
  va_end(args);
}

void cli_report_with(cli *c, const cliv_context *ctx, cliv_status status) {
  const char *sentence = cliv_last_error(ctx);
  const char *const space = strrchr(c->usage->verb, ' '), *const name = space ? space + 1 : c->usage->verb;
  const size_t length = strlen(name);
  if (!strncmp(sentence, name, length) && !strncmp(sentence + length, ": ", 2)) /* "gemm: …" of `cliv op gemm` */
    sentence += length + 2;
  c->exit_code = report(c->usage->verb, c->json, status, *sentence ? sentence : cliv_status_gloss(status));
}

int cli_fail(cli *c, cliv_status status, const char *format, ...) {
  va_list args;
  va_start(args, format);
  c->exit_code = vreport(c->usage->verb, c->json, status, format, args);
  va_end(args);
  return cli_done(c);
}

int cli_fail_with(cli *c, const cliv_context *ctx, cliv_status status) {
  cli_report_with(c, ctx, status);
  return cli_done(c);
}

bool cli_number(const char *text, double *value) {
  char *end;
  *value = strtod(text, &end);
  return end != text && !*end;
}

/* ---- did you mean ---- */

static const char *closest(const char *wrong, const char *const *names, size_t count) {
  const char *best = NULL;
  size_t least = 0;
  for (size_t i = 0; i < count; i++)
    if (names[i] && cliv__closer(wrong, names[i], &least)) best = names[i];
  return best;
}

/* Whether some rule has a hyper-parameter that is called as the option, or as what is before its '='. */
static bool is_hyper(const char *option) {
  char name[64];
  snprintf(name, sizeof name, "%.*s", (int)strcspn(option, "="), option);
  for (char *c = name; *c; c++)
    if (*c == '-') *c = '_';
  for (size_t i = 0; i < cliv_rule_count(); i++)
    for (size_t k = 0; k < cliv_rule_get(i)->hyper_count; k++)
      if (!strcmp(cliv_rule_get(i)->hypers[k].name, name)) return true;
  return false;
}

static bool refuse_unknown(cli *c, const char *bad) {
  const char *names[CLI_MAX_OPTIONS + CLI_MAX_COMMON];
  size_t n = 0;
  bool sets = false;
  for (const struct poptOption *o = c->options; o->longName; o++) {
    names[n++] = o->longName;
    sets |= !strcmp(o->longName, "set");
  }
  for (const struct poptOption *o = c->common; o->longName; o++) names[n++] = o->longName;
  const bool is_long = !strncmp(bad, "--", 2);
  if (sets && is_long && is_hyper(bad + 2))
    return cli_refuse(c, "unknown option '%s'; a rule's hyper-parameters are given as --set NAME=NUMBER", bad);
  const char *const close = is_long ? closest(bad + 2, names, n) : NULL;
  return close ? cli_refuse(c, "unknown option '%s'; did you mean --%s?", bad, close)
               : cli_refuse(c, "unknown option '%s'; `cliv %s --help` lists the options", bad, c->usage->verb);
}

/* ---- the command line ---- */

enum { FIRST_VALUE = 1000 }; /* popt's return codes of options that take a text: this plus their row */

static void indent(const char *text) {
  for (const char *line = text; *line;) {
    const size_t length = strcspn(line, "\n");
    printf("  %.*s\n", (int)length, line);
    line += length + (line[length] == '\n');
  }
}

static void print_help(cli *c) {
  printf("cliv %s: %s\n\n", c->usage->verb, c->usage->about);
  poptPrintHelp(c->popt, stdout, 0);
  if (c->usage->example) {
    printf("\nExample:\n");
    indent(c->usage->example);
  }
}

/* popt's tables: the verb's own rows and the common ones. Every value gets a return code of its own, so that one given
 * twice is seen. */
static void lay_tables(cli *c) {
  const struct poptOption device[] = {
      {"device", 0, POPT_ARG_STRING, &c->device, 0,
       "Device to use (see `cliv devices`); default: $CLIV_DEVICE, or auto", "SELECTOR"},
      {"walk", 0, POPT_ARG_STRING, &c->walk_name, 0, "How kernels walk memory: auto, cpu or gpu; the bits are the same",
       "WALK"},
      {"no-cache", 0, POPT_ARG_NONE, &c->no_cache, 0,
       "Neither read nor keep compiled programs and verdicts on drivers on disk", NULL}};
  const struct poptOption every[] = {
      {"json", 0, POPT_ARG_NONE, &c->json, 0, "One JSON document on standard output, nothing else", NULL},
      {"help", 'h', POPT_ARG_NONE, &c->help, 0, "This text", NULL}};
  int n = 0;
  for (const struct poptOption *o = c->usage->options; o && o->longName && n < CLI_MAX_OPTIONS; o++)
    c->options[n++] = *o;
  int m = 0;
  for (size_t i = 0; i < 3 && !c->usage->no_device; i++) c->common[m++] = device[i];
  for (size_t i = 0; i < 2; i++) c->common[m++] = every[i];
  for (int i = 0; i < n; i++)
    if ((c->options[i].argInfo & POPT_ARG_MASK) == POPT_ARG_STRING) c->options[i].val = FIRST_VALUE + i;
  for (int i = 0; i < m; i++)
    if ((c->common[i].argInfo & POPT_ARG_MASK) == POPT_ARG_STRING) c->common[i].val = FIRST_VALUE + CLI_MAX_OPTIONS + i;
  c->table[0] = (struct poptOption){NULL, 0, POPT_ARG_INCLUDE_TABLE, c->options, 0, n ? "Options:" : NULL, NULL};
  c->table[1] = (struct poptOption){NULL, 0, POPT_ARG_INCLUDE_TABLE, c->common, 0, "Common options:", NULL};
}

bool cli_refuse(cli *c, const char *format, ...) {
  va_list args;
  va_start(args, format);
  c->exit_code = vreport(c->usage->verb, c->json, CLIV_VALUE, format, args);
  va_end(args);
  return false;
}

/* popt names the argument that holds the bad number: `3q`, or `--alpha=3q`. */
static bool refuse_number(cli *c, const char *bad, const char **argv, bool overflow) {
  const char *const equals = strchr(bad, '=');
  const char *const value = equals ? equals + 1 : bad;
  const char *option = bad;
  for (const char **a = argv + 1; *a && !equals; a++)
    if (!strcmp(*a, bad)) option = a[-1];
  return cli_refuse(c, "option '%.*s' needs a number%s, not '%s'", equals ? (int)(equals - bad) : (int)strlen(option),
                    option, overflow ? " of its range" : "", value);
}

/* What popt found wrong, in words that name the option and the fix. */
static bool refuse_option(cli *c, int code, const char **argv) {
  const char *const bad = poptBadOption(c->popt, POPT_BADOPTION_NOALIAS);
  const char *const verb = c->usage->verb;
  switch (code) {
    case POPT_ERROR_BADOPT: return refuse_unknown(c, bad);
    case POPT_ERROR_NOARG: return cli_refuse(c, "option '%s' needs a value; see `cliv %s --help`", bad, verb);
    case POPT_ERROR_UNWANTEDARG:
      return cli_refuse(c, "option '%s' takes no value; leave out what follows the '='", bad);
    case POPT_ERROR_BADNUMBER:
    case POPT_ERROR_OVERFLOW: return refuse_number(c, bad, argv, code == POPT_ERROR_OVERFLOW);
    default: return cli_refuse(c, "option '%s': %s", bad ? bad : "", poptStrerror(code));
  }
}

/* Every option in turn; a value is refused the second time. */
static bool read_options(cli *c, const char **argv) {
  int code;
  while ((code = poptGetNextOpt(c->popt)) >= FIRST_VALUE) {
    const int row = code - FIRST_VALUE;
    const struct poptOption *const option =
        row < CLI_MAX_OPTIONS ? &c->options[row] : &c->common[row - CLI_MAX_OPTIONS];
    char **const value = option->arg;
    if (c->given[row]) {
      free(*value);
      *value = NULL;
      return cli_refuse(c, "option '--%s' is given twice; give it once", option->longName);
    }
    c->given[row] = *value;
  }
  return code == -1 ? true : refuse_option(c, code, argv);
}

static bool read_walk(cli *c) {
  static const char *const names[] = {"auto", "cpu", "gpu"};
  if (!c->walk_name) return true;
  for (int i = 0; i < 3; i++)
    if (!strcmp(c->walk_name, names[i])) {
      c->walk = (cliv_walk)i;
      return true;
    }
  return cli_refuse(c, "option '--walk': there is no walk '%s'; choose auto, cpu or gpu", c->walk_name);
}

/* An empty text is mostly a variable of a script that was never set. */
static bool check_device(cli *c) {
  return !c->device || *c->device || cli_refuse(c, "option '--device' is empty; `auto` takes the best device");
}

static bool count_arguments(cli *c) {
  const cli_usage *const u = c->usage;
  while (c->args && c->args[c->count]) c->count++;
  if (c->count > u->most)
    return cli_refuse(c, "unexpected argument '%s'; see `cliv %s --help`", c->args[u->most], u->verb);
  if (c->count < u->least)
    return cli_refuse(c, "%s missing; usage: cliv %s %s", c->count ? "an argument is" : "arguments are", u->verb,
                      u->arguments ? u->arguments : "");
  return true;
}

static bool asks_for_json(int argc, const char **argv) {
  for (int i = 1; i < argc && strcmp(argv[i], "--"); i++)
    if (!strcmp(argv[i], "--json")) return true;
  return false;
}

bool cli_parse(cli *c, const cli_usage *usage, int argc, const char **argv) {
  memset(c, 0, sizeof *c);
  c->usage = usage;
  lay_tables(c);
  snprintf(c->name, sizeof c->name, "cliv %s", usage->verb);
  argv[0] = c->name; /* what popt's usage line begins with */
  c->popt = poptGetContext(NULL, argc, argv, c->table, 0);
  if (!c->popt) {
    cli_report(c, CLIV_HOST_MEMORY, "out of memory");
    return false;
  }
  poptSetOtherOptionHelp(c->popt, usage->arguments ? usage->arguments : "[OPTION]...");
  c->json = asks_for_json(argc, argv); /* an error before the option itself is reached is JSON all the same */
  const bool good = read_options(c, argv);
  if (good && c->help) {
    print_help(c);
    return false;
  }
  c->args = poptGetArgs(c->popt);
  return good && check_device(c) && read_walk(c) && count_arguments(c);
}

int cli_done(cli *c) {
  for (size_t i = 0; i < sizeof c->given / sizeof *c->given; i++) {
    free(c->given[i]);
    c->given[i] = NULL;
  }
  for (const struct poptOption *o = c->options; o->longName; o++) {
    if ((o->argInfo & POPT_ARG_MASK) != POPT_ARG_ARGV) continue;
    char ***const list = o->arg;
    for (char **p = *list; p && *p; p++) free(*p);
    free(*list);
    *list = NULL;
  }
  if (c->popt) poptFreeContext(c->popt);
  c->popt = NULL;
  return c->exit_code;
}

bool cli_open(cli *c, cliv_context **out) {
  const cliv_context_options options = {
      .size = sizeof options, .device = c->device, .walk = c->walk, .no_disk_cache = c->no_cache};
  const cliv_status status = cliv_context_create(&options, out);
  const char *const variable = c->device ? NULL : getenv("CLIV_DEVICE");
  if (variable && (status == CLIV_SELECTOR || status == CLIV_NO_DEVICE)) /* or the user wonders who asked for it */
    cli_report(c, status, "environment variable CLIV_DEVICE: %s", cliv_last_error(NULL));
  else if (status) cli_report_with(c, NULL, status);
  return !status;
}

/* ---- verbs ---- */

static void print_commands(const cli_group *g) {
  const char *const space = *g->prefix ? " " : "";
  int width = 0;
  for (const cli_command *row = g->commands; row->name; row++)
    if ((int)strlen(row->name) > width) width = (int)strlen(row->name);
  printf("cliv%s%s: %s\n\nUsage: cliv%s%s %s [OPTION]...\n\n", space, g->prefix, g->about, space, g->prefix,
         g->noun_caps);
  for (const cli_command *row = g->commands; row->name; row++) printf("  %-*s  %s\n", width, row->name, row->summary);
  printf("\n`cliv%s%s %s --help` tells the rest%s.\n\nExample:\n", space, g->prefix, g->noun_caps,
         *g->prefix ? "" : ", `cliv --version` the version");
  indent(g->example);
}

int cli_dispatch(const cli_group *group, int argc, const char **argv) {
  const char *names[32];
  size_t count = 0;
  char list[1024] = "";
  for (const cli_command *row = group->commands; row->name && count < 32; row++) {
    snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", count ? ", " : "", row->name);
    names[count++] = row->name;
  }
  const bool json = asks_for_json(argc, argv);
  char sentence[2048];
  if (argc < 2 || (argc == 2 && json)) {
    snprintf(sentence, sizeof sentence, "%s missing; choose one of: %s", group->noun, list);
    return report(group->prefix, json, CLIV_VALUE, sentence);
  }
  if (!strcmp(argv[1], "--json")) { /* `cliv --json VERB` is `cliv VERB --json` */
    argv[1] = argv[2];
    argv[2] = "--json";
  }
  const char *const name = argv[1];
  if (!strcmp(name, "--help") || !strcmp(name, "-h") || !strcmp(name, "help")) {
    print_commands(group);
    return CLI_DONE;
  }
  for (size_t i = 0; i < count; i++)
    if (!strcmp(name, names[i])) return group->commands[i].run(argc - 1, argv + 1);
  const char *const close = closest(name, names, count);
  snprintf(sentence, sizeof sentence, "unknown %s '%.200s'%s%s%s; choose one of: %s", group->noun, name,
           close ? " (did you mean " : "", close ? close : "", close ? "?)" : "", list);
  return report(group->prefix, json, CLIV_NAME, sentence);
}
