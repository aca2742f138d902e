/* What the verbs of the `cliv` program share: the command line, errors, JSON.
 *
 * A verb is a function in cmd_<verb>.c, declared at the end of this file, and one row of the table in main.c:
 *
 *   int cmd_devices(int argc, const char **argv) {
 *     char *why = NULL;
 *     const struct poptOption options[] = {
 *         {"why", 0, POPT_ARG_STRING, &why, 0, "Say which device this selector takes, and why", "SELECTOR"},
 *         POPT_TABLEEND};
 *     const cli_usage usage = {
 *         .verb = "devices", .about = "…", .example = "cliv devices --why gpu", .options = options};
 *     cli c;
 *     if (!cli_parse(&c, &usage, argc, argv)) return cli_done(&c);
 *     …
 *     const cliv_status status = cliv_…(…);
 *     if (status) return cli_fail_with(&c, ctx, status);
 *     if (c.json) cli_print_json(&c, json_pack(…)); else printf(…);
 *     return cli_done(&c);
 *   }
 *
 * Results go to standard output, progress and messages to standard error. Exit code 0: done. 2: the command line has to
 * change (what the option parser refuses, and the statuses VALUE, NAME and SELECTOR). 1: everything else, a file, the
 * data, the machine.
 */
#ifndef CLIV_CLI_H
#define CLIV_CLI_H

#include <cliv/context.h>
#include <cliv/status.h>
#include <jansson.h>
#include <popt.h>
#include <stdbool.h>

enum { CLI_DONE = 0, CLI_FAILED = 1, CLI_USAGE = 2, CLI_INTERRUPTED = 130 }; /* 130: as shells say it of SIGINT */
enum { CLI_MAX_OPTIONS = 40, CLI_MAX_COMMON = 5 };

/* What a verb (or a verb of a verb: "op reduce") accepts; everything --help says. */
typedef struct cli_usage {
  const char *verb;      /* "op reduce" */
  const char *arguments; /* of the usage line: "[OPTION]... X.npy -o Y.npy" (ASCII); NULL: "[OPTION]..." */
  const char *about;     /* a sentence or a paragraph */
  const char *example;   /* one or several lines, each a command */
  const struct poptOption
      *options;    /* the verb's own, ended by POPT_TABLEEND; NULL for none. The common ones are added. */
  int least, most; /* how many arguments that are no options */
  bool no_device;  /* the verb opens no device: no --device, --walk, --no-cache */
} cli_usage;

/* A verb's command line, parsed. */
typedef struct cli {
  const cli_usage *usage;
  const char **args; /* arguments that are no options, `count` of them, then NULL */
  int count;
  int json;     /* --json */
  char *device; /* --device, or NULL */
  cliv_walk walk;
  int no_cache;
  int exit_code;
  /* cli.c's own: */
  int help;
  char *walk_name, name[64];
  poptContext popt;
  struct poptOption table[3], options[CLI_MAX_OPTIONS + 1], common[CLI_MAX_COMMON + 1];
  char *given[CLI_MAX_OPTIONS + CLI_MAX_COMMON]; /* strings that popt allocated, by row */
} cli;

/* Parses argv (argv[0] is skipped) into *c and the variables that the options point at. False: leave at once by `return
 * cli_done(c)`; help or an error has been printed. Strings that options were set to are freed by cli_done; an option
 * that takes a value may be given once, unless it is a POPT_ARG_ARGV. */
bool cli_parse(cli *c, const cli_usage *usage, int argc, const char **argv);

/* Frees what cli_parse made; gives the exit code: the failure's, or 0. */
int cli_done(cli *c);

/* A failure: one line `cliv VERB: sentence` on standard error, and with --json the object {"error": {"status", "code",
 * "message"}} on standard output. Ends in cli_done, so a verb frees what it owns first, and writes
 * `return cli_fail(…)`. */
int cli_fail(cli *c, cliv_status status, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* The same with the library's sentence for the failure that just happened in ctx (NULL: a call without a context). */
int cli_fail_with(cli *c, const cliv_context *ctx, cliv_status status);
/* Reports only, for verbs that have to free something afterwards: sets c->exit_code. */
void cli_report(cli *c, cliv_status status, const char *format, ...) __attribute__((format(printf, 3, 4)));
void cli_report_with(cli *c, const cliv_context *ctx, cliv_status status);

/* Reports a wrong command line (VALUE); gives false, for `return cli_refuse(…)` in a function that checks. */
bool cli_refuse(cli *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The whole text as a number, with a point whatever the locale; infinities and NaN ("inf", "nan") are numbers here. */
bool cli_number(const char *text, double *value);

/* Opens the device that the command line asks for. False: reported; leave by cli_done. */
bool cli_open(cli *c, cliv_context **out);

/* Prints the one document of --json and releases it. */
void cli_print_json(cli *c, json_t *document);
/* A JSON number, or null for NaN and infinities, which JSON has not. */
json_t *cli_json_real(double x);
/* A JSON string; bytes that are no UTF-8 (file names may hold any) become '?'. */
json_t *cli_json_text(const char *text);
/* The object under "error": {"status", "code", "message"}. */
json_t *cli_json_error(cliv_status status, const char *sentence);
const char *cli_walk_name(const cliv_context *ctx); /* "cpu" or "gpu" */

/* A verb: argv[0] is its name, what follows is its own. Gives the exit code. */
typedef struct cli_command {
  const char *name, *summary;
  int (*run)(int argc, const char **argv);
} cli_command;

/* Commands of one level: the verbs of cliv, or the operation kinds of `cliv op`. */
typedef struct cli_group {
  const char *prefix;           /* "" or "op" */
  const char *noun, *noun_caps; /* what a row is called: "verb", "VERB" */
  const char *about, *example;  /* for --help */
  const cli_command *commands;  /* ended by a NULL name */
} cli_group;

/* Runs the row that argv[1] names. */
int cli_dispatch(const cli_group *group, int argc, const char **argv);

/* Flushes standard output; a failure to write it (disk full, closed) turns `exit_code` into CLI_FAILED with a
 * sentence. */
int cli_flush(int exit_code);

int cmd_devices(int argc, const char **argv);
int cmd_train(int argc, const char **argv);
int cmd_op(int argc, const char **argv);
int cmd_selftest(int argc, const char **argv);
int cmd_tune(int argc, const char **argv);
int cmd_cache(int argc, const char **argv);

#endif
