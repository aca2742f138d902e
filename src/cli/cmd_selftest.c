/* cliv selftest: known answers on this device. */
#include <cliv/selftest.h>
#include <cliv/version.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

enum { MAX_KINDS = 16 };

typedef struct tally {
  cli *c;
  cliv_selftest_result kinds[MAX_KINDS];
  json_t *failures; /* --json only */
  int answers;      /* print the table of answers instead of judging */
  bool terminal;    /* standard error is one: show how far we are */
  size_t cases;
} tally;

static size_t kind_index(const char *kind) {
  size_t i = 0;
  while (i < MAX_KINDS - 1 && cliv_selftest_kind(i) && strcmp(cliv_selftest_kind(i), kind)) i++;
  return i;
}

static void report_failure(tally *t, const cliv_selftest_case *r) {
  if (t->c->json)
    json_array_append_new(
        t->failures,
        json_pack("{s:s, s:s, s:s, s:o, s:o, s:s, s:o}", "kind", r->kind, "op", r->operation, "case", r->name,
                  "expected", json_sprintf("%016" PRIx64, r->expected), "got", json_sprintf("%016" PRIx64, r->got),
                  "status", cliv_status_name(r->status), "message", cli_json_text(r->message)));
  else if (r->status) printf("FAILED  %s %s, %s: %s\n", r->kind, r->operation, r->name, r->message);
  else if (!r->expected)
    printf("FAILED  %s %s, %s: no known answer; got %016" PRIx64 "\n", r->kind, r->operation, r->name, r->got);
  else
    printf("FAILED  %s %s, %s: expected %016" PRIx64 ", got %016" PRIx64 "\n", r->kind, r->operation, r->name,
           r->expected, r->got);
}

static void count_case(void *user, const cliv_selftest_case *r) {
  tally *const t = user;
  cliv_selftest_result *const kind = &t->kinds[kind_index(r->kind)];
  kind->passed += r->passed ? 1 : 0;
  kind->skipped += r->skipped ? 1 : 0;
  kind->failed += r->passed || r->skipped ? 0 : 1;
  t->cases++;
  if (t->terminal) fprintf(stderr, "\r%s %s\033[K", r->kind, r->operation);
  if (t->answers) {
    if (!r->status && !r->skipped)
      printf("{\"%s\", \"%s\", \"%s\", UINT64_C(0x%016" PRIx64 ")},\n", r->kind, r->operation, r->name, r->got);
  } else if (!r->passed && !r->skipped) {
    report_failure(t, r);
  }
}

static json_t *kinds_json(const tally *t) {
  json_t *const kinds = json_object();
  for (size_t i = 0; cliv_selftest_kind(i) && i < MAX_KINDS; i++)
    json_object_set_new(kinds, cliv_selftest_kind(i),
                        json_pack("{s:I, s:I, s:I}", "passed", (json_int_t)t->kinds[i].passed, "failed",
                                  (json_int_t)t->kinds[i].failed, "skipped", (json_int_t)t->kinds[i].skipped));
  return kinds;
}

static void print_kinds(const tally *t) {
  for (size_t i = 0; cliv_selftest_kind(i) && i < MAX_KINDS; i++) {
    const cliv_selftest_result *const k = &t->kinds[i];
    if (!(k->passed + k->failed + k->skipped)) continue;
    printf("%-7s %4zu passed", cliv_selftest_kind(i), k->passed);
    if (k->failed) printf(", %zu FAILED", k->failed);
    if (k->skipped) printf(", %zu skipped (the device lacks the element type, or shared virtual memory)", k->skipped);
    putchar('\n');
  }
}

/* One document, also when results are wrong: then with the "error" that every failure has. */
static void print_document(tally *t, const cliv_context *ctx, const char *sentence) {
  json_t *const document = json_pack("{s:s, s:o, s:s, s:o, s:o}", "version", cliv_version(), "device",
                                     cli_json_text(cliv_context_device_name(ctx)), "walk", cli_walk_name(ctx), "kinds",
                                     kinds_json(t), "failures", json_incref(t->failures));
  if (sentence) json_object_set_new(document, "error", cli_json_error(CLIV_DRIVER, sentence));
  cli_print_json(t->c, document);
}

static void judge(tally *t, const cliv_context *ctx, const cliv_selftest_result *result) {
  char sentence[512];
  snprintf(sentence, sizeof sentence,
           "%zu of %zu results are wrong on %s; its driver, or this version of Cliv on it, is not to be trusted: try "
           "another driver, or report it",
           result->failed, result->failed + result->passed, cliv_context_device_name(ctx));
  if (t->c->json) print_document(t, ctx, result->failed ? sentence : NULL);
  else print_kinds(t);
  if (!result->failed) return;
  fprintf(stderr, "cliv selftest: %s\n", sentence);
  t->c->exit_code = CLI_FAILED;
}

int cmd_selftest(int argc, const char **argv) {
  char *kind = NULL;
  tally t = {0};
  const struct poptOption options[] = {
      {"kind", 0, POPT_ARG_STRING, &kind, 0,
       "Only this kind: map, reduce, scan, sort, rows, random, step, average, gemm, triangle, conv, minimize, fft or "
       "factor",
       "KIND"},
      {"answers", 0, POPT_ARG_NONE | POPT_ARGFLAG_DOC_HIDDEN, &t.answers, 0,
       "Print what src/selftest/answers.inc holds", NULL},
      POPT_TABLEEND};
  const cli_usage usage = {
      .verb = "selftest",
      .about =
          "Does this device compute right? Every operation is run on fixed inputs, and the bits of its results are\n"
          "compared with the known answers in the library. What fails is named. Where the device was not used\n"
          "before, its programs are compiled first, which takes a while.",
      .example = "cliv selftest\ncliv selftest --device gpu --kind reduce",
      .options = options};
  cli c;
  if (!cli_parse(&c, &usage, argc, argv)) return cli_done(&c);
  if (t.answers && c.json) return cli_fail(&c, CLIV_VALUE, "--answers prints C, not JSON; leave out --json");
  t.c = &c;
  t.failures = json_array();
  t.terminal = isatty(STDERR_FILENO);

  cliv_context *ctx = NULL;
  cliv_selftest_result result;
  const cliv_selftest_options wanted = {.size = sizeof wanted, .kind = kind, .report = count_case, .user = &t};
  if (cli_open(&c, &ctx)) {
    const cliv_status status = cliv_selftest(ctx, &wanted, &result);
    if (t.terminal) fprintf(stderr, "\r\033[K");
    if (status) cli_report_with(&c, ctx, status);
    else if (!t.answers) judge(&t, ctx, &result);
  }
  cliv_context_free(ctx);
  json_decref(t.failures);
  return cli_done(&c);
}
