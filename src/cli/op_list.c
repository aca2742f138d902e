/* cliv op list: every operation of every kind, from the library's tables. */
#include <cliv/average.h>
#include <cliv/blas.h>
#include <cliv/map.h>
#include <cliv/optim.h>
#include <cliv/random.h>
#include <cliv/reduce.h>
#include <cliv/rows.h>
#include <cliv/scan.h>
#include <cliv/schedule.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/op.h"

/* ---- reduce, scan, map ---- */

static json_t *reductions_json(void) {
  static const char *const results[] = {[CLIV_REDUCE_VALUE] = "value",
                                        [CLIV_REDUCE_TOTAL] = "total",
                                        [CLIV_REDUCE_INDEX] = "index",
                                        [CLIV_REDUCE_TRUTH] = "truth"};
  json_t *const list = json_array();
  for (size_t i = 0; i < cliv_reduce_count(); i++) {
    const cliv_reduce_info *const r = cliv_reduce_get(i);
    json_array_append_new(list, json_pack("{s:s, s:s, s:i, s:s, s:b, s:b, s:b}", "name", r->name, "summary", r->summary,
                                          "inputs", r->inputs, "result", results[r->result], "integers", r->integers,
                                          "float64", r->float64, "needs_elements", r->needs_elements));
  }
  return list;
}

static void print_reductions(void) {
  for (size_t i = 0; i < cliv_reduce_count(); i++) {
    const cliv_reduce_info *const r = cliv_reduce_get(i);
    printf("  %-16s %s\n", r->name, r->summary);
  }
}

static json_t *scans_json(void) {
  json_t *const list = json_array();
  for (size_t i = 0; i < cliv_scan_count(); i++) {
    const cliv_scan_info *const s = cliv_scan_get(i);
    json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "name", s->name, "summary", s->summary, "result",
                                          s->total ? "total" : "value"));
  }
  return list;
}

static void print_scans(void) {
  for (size_t i = 0; i < cliv_scan_count(); i++)
    printf("  %-16s %s\n", cliv_scan_get(i)->name, cliv_scan_get(i)->summary);
}

static json_t *maps_json(void) {
  static const char *const results[] = {[CLIV_MAP_VALUE] = "value", [CLIV_MAP_TRUTH] = "truth", [CLIV_MAP_ANY] = "any"};
  json_t *const list = json_array();
  for (size_t i = 0; i < cliv_map_count(); i++) {
    const cliv_map_info *const m = cliv_map_get(i);
    json_array_append_new(
        list, json_pack("{s:s, s:i, s:s, s:s, s:s, s:f, s:b, s:b}", "name", m->name, "arity", m->arity, "formula",
                        m->formula, "summary", m->summary, "result", results[m->result], "ulp", m->ulp, "float64",
                        m->float64, "integers", m->integers));
  }
  return list;
}

static void print_maps(void) {
  for (size_t i = 0; i < cliv_map_count(); i++) {
    const cliv_map_info *const m = cliv_map_get(i);
    char error[32] = "exact";
    if (m->ulp > 0) snprintf(error, sizeof error, "%g ulp", m->ulp);
    printf("  %-16s %-24s %-10s %s\n", m->name, m->formula, error, m->summary);
  }
}

/* ---- rows ---- */

static json_t *rows_json(void) {
  static const char *const uses[] = {
      [CLIV_ROWS_NONE] = "none", [CLIV_ROWS_WRITES] = "writes", [CLIV_ROWS_READS] = "reads"};
  json_t *const list = json_array();
  for (size_t i = 0; i < cliv_rows_count(); i++) {
    const cliv_rows_info *const r = cliv_rows_get(i);
    json_array_append_new(
        list, json_pack("{s:s, s:s, s:s, s:i, s:b, s:b, s:s, s:s, s:f}", "name", r->name, "formula", r->formula,
                        "summary", r->summary, "inputs", r->inputs, "weight", r->weight, "bias", r->bias, "mean",
                        uses[r->mean], "rstd", uses[r->rstd], "eps", r->eps));
  }
  return list;
}

static void print_rows(void) {
  for (size_t i = 0; i < cliv_rows_count(); i++) {
    const cliv_rows_info *const r = cliv_rows_get(i);
    printf("  %-20s %s\n  %-20s   %s\n", r->name, r->formula, "", r->summary);
  }
}

/* ---- random ---- */

static json_t *distributions_json(void) {
  json_t *const list = json_array();
  for (size_t i = 0; i < cliv_random_count(); i++) {
    const cliv_random_info *const r = cliv_random_get(i);
    json_t *const params = json_array();
    for (size_t k = 0; k < r->param_count; k++)
      json_array_append_new(params, json_pack("{s:s, s:f, s:s}", "name", r->params[k].name, "default",
                                              r->params[k].initial, "meaning", r->params[k].meaning));
    json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:o}", "name", r->name, "summary", r->summary, "dtype",
                                          cliv_dtype_name(r->dtype), "params", params));
  }
  return list;
}

static void print_distributions(void) {
  for (size_t i = 0; i < cliv_random_count(); i++) {
    const cliv_random_info *const r = cliv_random_get(i);
    printf("  %-16s %s\n", r->name, r->summary);
    for (size_t k = 0; k < r->param_count; k++)
      printf("      %-12s %-8g %s\n", r->params[k].name, r->params[k].initial, r->params[k].meaning);
  }
}

/* ---- step ---- */

static json_t *hyper_json(const cliv_hyper_info *h) {
  return json_pack("{s:s, s:o, s:o, s:o, s:b, s:b, s:s}", "name", h->name, "default", cli_json_real(h->initial), "min",
                   cli_json_real(h->min), "max", h->max < FLT_MAX ? cli_json_real(h->max) : json_null(), "max_excluded",
                   h->max_excluded, "flag", h->flag, "meaning", h->meaning);
}

static json_t *preset_json(const cliv_preset_info *preset) {
  json_t *const values = json_object();
  for (size_t i = 0; i < preset->setting_count; i++)
    json_object_set_new(values, preset->settings[i].name, cli_json_real(preset->settings[i].value));
  return json_pack("{s:s, s:s, s:o}", "name", preset->name, "source", preset->source, "values", values);
}

/* What one of a state's numbers is for. */
static const char *state_shape(const cliv_rule_info *rule, size_t state) {
  static const char *const names[] = {
      [CLIV_STATE_ELEMENT] = "element",          [CLIV_STATE_TENSOR] = "tensor", [CLIV_STATE_LEFT] = "rows by rows",
      [CLIV_STATE_RIGHT] = "columns by columns", [CLIV_STATE_ROW] = "row",       [CLIV_STATE_COLUMN] = "column"};
  return names[rule->shapes ? rule->shapes[state] : CLIV_STATE_ELEMENT];
}

static json_t *rule_json(const cliv_rule_info *rule) {
  json_t *const hypers = json_array(), *const states = json_array(), *const presets = json_array();
  for (size_t i = 0; i < rule->hyper_count; i++) json_array_append_new(hypers, hyper_json(&rule->hypers[i]));
  for (size_t i = 0; i < rule->state_count; i++)
    json_array_append_new(
        states, json_pack("{s:s, s:s?, s:s, s:s}", "name", rule->states[i].name, "initial", rule->states[i].initial,
                          "meaning", rule->states[i].meaning, "shape", state_shape(rule, i)));
  for (size_t i = 0; i < rule->preset_count; i++) json_array_append_new(presets, preset_json(&rule->presets[i]));
  return json_pack("{s:s, s:s, s:s, s:o, s:o, s:o}", "name", rule->name, "summary", rule->summary, "source",
                   rule->source, "hypers", hypers, "states", states, "presets", presets);
}

/* Update rules, or kinds of averages, which are described alike. */
typedef const cliv_rule_info *rule_getter(size_t index);

static json_t *all_rules_json(rule_getter *get) {
  json_t *const list = json_array();
  for (size_t i = 0; get(i); i++) json_array_append_new(list, rule_json(get(i)));
  return list;
}

static json_t *rules_json(void) { return all_rules_json(cliv_rule_get); }
static json_t *averages_json(void) { return all_rules_json(cliv_average_kind_get); }

static void print_hyper(const cliv_hyper_info *h) {
  char bounds[64];
  if (h->flag) snprintf(bounds, sizeof bounds, "0 or 1");
  else if (h->max < FLT_MAX) snprintf(bounds, sizeof bounds, "[%g, %g%c", h->min, h->max, h->max_excluded ? ')' : ']');
  else snprintf(bounds, sizeof bounds, "at least %g", h->min);
  printf("      %-26s %-8g %-12s %s\n", h->name, h->initial, bounds, h->meaning);
}

/* What differs from the defaults listed above it. */
static void print_preset(const cliv_preset_info *preset) {
  printf("      %-26s %-8s %-12s", preset->name, "", "preset");
  for (size_t i = 0; i < preset->setting_count; i++)
    printf(" %s=%g", preset->settings[i].name, preset->settings[i].value);
  printf("%s(%s)\n", preset->setting_count ? "  " : " ", preset->source);
}

static void print_all_rules(rule_getter *get) {
  const cliv_rule_info *rule;
  for (size_t i = 0; (rule = get(i)) != NULL; i++) {
    printf("  %-16s %s\n", rule->name, rule->summary);
    for (size_t k = 0; k < rule->hyper_count; k++) print_hyper(&rule->hypers[k]);
    for (size_t k = 0; k < rule->state_count; k++)
      printf("      %-26s %-8s %-12s %s\n", rule->states[k].name, "",
             strcmp(state_shape(rule, k), "element") ? state_shape(rule, k) : "state", rule->states[k].meaning);
    for (size_t k = 0; k < rule->preset_count; k++) print_preset(&rule->presets[k]);
    printf("      source: %s\n", rule->source);
  }
}

static void print_rules(void) { print_all_rules(cliv_rule_get); }
static void print_averages(void) { print_all_rules(cliv_average_kind_get); }

/* ---- schedule ---- */

/* A default that is NaN is none: the argument must be given. */
static json_t *schedules_json(void) {
  json_t *const list = json_array();
  for (size_t i = 0; i < cliv_schedule_count(); i++) {
    const cliv_schedule_info *const s = cliv_schedule_get(i);
    json_t *const arguments = json_array();
    for (size_t k = 0; k < s->argument_count; k++) {
      const cliv_schedule_argument *const a = &s->arguments[k];
      json_array_append_new(
          arguments, json_pack("{s:s, s:o, s:b, s:s}", "name", a->name, "default", cli_json_real(a->initial), "counts",
                               a->counts, "meaning", a->meaning));
    }
    json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:b, s:o}", "name", s->name, "summary", s->summary, "source",
                                          s->source, "list", s->list, "arguments", arguments));
  }
  return list;
}

static void print_schedules(void) {
  for (size_t i = 0; i < cliv_schedule_count(); i++) {
    const cliv_schedule_info *const s = cliv_schedule_get(i);
    printf("  %-16s %s (%s)\n", s->name, s->summary, s->source);
    if (s->list) printf("      %-12s %-8s %s\n", "N, N, ...", "", "the steps");
    for (size_t k = 0; k < s->argument_count; k++) {
      const cliv_schedule_argument *const a = &s->arguments[k];
      char initial[32] = "";
      if (!isnan(a->initial)) snprintf(initial, sizeof initial, "%g", a->initial);
      printf("      %-12s %-8s %s\n", a->name, initial, a->meaning);
    }
  }
}

/* ---- gemm ---- */

static const struct {
  cliv_provider provider;
  const char *summary;
} products[] = {{CLIV_PROVIDER_EXACT, "the project's own product: the same bits on every device"},
                {CLIV_PROVIDER_CLBLAST, "CLBlast's product: bits depend on device and shape"}};
enum { PRODUCTS = sizeof products / sizeof *products };

static json_t *products_json(void) {
  json_t *const list = json_array();
  for (size_t i = 0; i < PRODUCTS; i++)
    json_array_append_new(list, json_pack("{s:s, s:s}", "name", cliv_provider_name(products[i].provider), "summary",
                                          products[i].summary));
  return list;
}

static void print_products(void) {
  for (size_t i = 0; i < PRODUCTS; i++)
    printf("  %-16s %s\n", cliv_provider_name(products[i].provider), products[i].summary);
}

/* ---- fft, dct ---- */

typedef const op_fft_info *transform_getter(size_t index);

static json_t *all_transforms_json(transform_getter *get) {
  json_t *const list = json_array();
  for (size_t i = 0; get(i); i++)
    json_array_append_new(list, json_pack("{s:s, s:s}", "name", get(i)->name, "summary", get(i)->summary));
  return list;
}

static json_t *transforms_json(void) { return all_transforms_json(op_fft_get); }
static json_t *convolves_json(void) { return all_transforms_json(op_convolve_get); }
static json_t *cosines_json(void) { return all_transforms_json(op_dct_get); }

static void print_all_transforms(transform_getter *get) {
  for (size_t i = 0; get(i); i++) printf("  %-16s %s\n", get(i)->name, get(i)->summary);
}

static void print_transforms(void) { print_all_transforms(op_fft_get); }
static void print_convolves(void) { print_all_transforms(op_convolve_get); }
static void print_cosines(void) { print_all_transforms(op_dct_get); }

/* ---- conv ---- */

static const char *const convolutions[][2] = {{"forward", "the convolution of data by weights"},
                                              {"data", "its gradient by the data (--backward data)"},
                                              {"weight", "its gradient by the weights (--backward weight)"}};
enum { CONVOLUTIONS = sizeof convolutions / sizeof *convolutions };

static json_t *convolutions_json(void) {
  json_t *const list = json_array();
  for (size_t i = 0; i < CONVOLUTIONS; i++)
    json_array_append_new(list, json_pack("{s:s, s:s}", "name", convolutions[i][0], "summary", convolutions[i][1]));
  return list;
}

static void print_convolutions(void) {
  for (size_t i = 0; i < CONVOLUTIONS; i++) printf("  %-16s %s\n", convolutions[i][0], convolutions[i][1]);
}

/* ---- factor ---- */

static json_t *factors_json(void) {
  json_t *const list = json_array();
  for (size_t i = 0; op_factor_get(i); i++) {
    const op_factor_info *const f = op_factor_get(i);
    json_array_append_new(list, json_pack("{s:s, s:s, s:i, s:s?}", "name", f->name, "summary", f->summary, "inputs",
                                          f->inputs, "second", f->second));
  }
  return list;
}

static void print_factors(void) {
  for (size_t i = 0; op_factor_get(i); i++) printf("  %-16s %s\n", op_factor_get(i)->name, op_factor_get(i)->summary);
}

/* ---- all ---- */

static const struct {
  const char *kind, *heading;
  json_t *(*json)(void);
  void (*print)(void);
} kinds[] = {
    {"reduce", "all elements, or every row, to one", reductions_json, print_reductions},
    {"scan", "running sums and the like, of all elements, rows or segments", scans_json, print_scans},
    {"map", "a function of every element, its largest error in units of the last place", maps_json, print_maps},
    {"rows", "along the last axis, every element by its row", rows_json, print_rows},
    {"random", "random numbers: distributions, parameters with default", distributions_json, print_distributions},
    {"step", "update rules: hyper-parameters with default and bounds, states, and presets", rules_json, print_rules},
    {"average", "averages of parameters: hyper-parameters with default and bounds, and presets", averages_json,
     print_averages},
    {"schedule", "shapes of schedules, in steps: arguments with default", schedules_json, print_schedules},
    {"gemm", "matrix products, by provider", products_json, print_products},
    {"conv", "convolutions in one or two dimensions", convolutions_json, print_convolutions},
    {"fft", "Fourier transforms of complex and real numbers", transforms_json, print_transforms},
    {"dct", "cosine and sine transforms of real numbers", cosines_json, print_cosines},
    {"convolve", "convolutions by transforms", convolves_json, print_convolves},
    {"factor", "factorisations of matrices, and solutions by them", factors_json, print_factors},
};
enum { KINDS = sizeof kinds / sizeof *kinds };

static size_t listed(const char *kind) {
  size_t i = 0;
  while (i < KINDS && strcmp(kind, kinds[i].kind)) i++;
  return i;
}

/* A kind that has no table: it is its one operation. NULL: there is none of that name; `list` is no operation. */
static const cli_command *single(const char *kind) {
  for (const cli_command *k = op_kinds; k->name; k++)
    if (!strcmp(kind, k->name) && k->run != op_list && listed(kind) == KINDS) return k;
  return NULL;
}

static json_t *single_json(const cli_command *k) {
  return json_pack("[{s:s, s:s}]", "name", k->name, "summary", k->summary);
}

static void list_kind(cli *c, size_t i, json_t *document) {
  if (c->json) {
    json_object_set_new(document, kinds[i].kind, kinds[i].json());
    return;
  }
  printf("%s: %s\n", kinds[i].kind, kinds[i].heading);
  kinds[i].print();
}

static void list_single(cli *c, const cli_command *k, json_t *document) {
  if (c->json) json_object_set_new(document, k->name, single_json(k));
  else printf("  %-16s %s\n", k->name, k->summary);
}

static void list_all(cli *c, json_t *document) {
  for (size_t i = 0; i < KINDS; i++) {
    list_kind(c, i, document);
    if (!c->json) putchar('\n');
  }
  if (!c->json) printf("others: kinds of one operation\n");
  for (const cli_command *k = op_kinds; k->name; k++)
    if (single(k->name)) list_single(c, k, document);
}

static int refuse_kind(cli *c, const char *name) {
  char names[512] = "";
  for (const cli_command *k = op_kinds; k->name; k++) {
    const size_t length = strlen(names);
    if (k->run != op_list) snprintf(names + length, sizeof names - length, "%s%s", length ? ", " : "", k->name);
  }
  return cli_fail(c, CLIV_NAME, "unknown operation kind '%s'; choose one of: %s, average", name, names);
}

int op_list(int argc, const char **argv) {
  const cli_usage usage = {.verb = "op list",
                           .arguments = "[OPTION]... [KIND]",
                           .about = "Every operation of every kind, or of one.",
                           .example = "cliv op list\ncliv op list step --json",
                           .most = 1,
                           .no_device = true};
  cli c;
  if (!cli_parse(&c, &usage, argc, argv)) return cli_done(&c);
  const char *const asked = c.count ? c.args[0] : NULL;
  const cli_command *const one = asked ? single(asked) : NULL;
  if (asked && !one && listed(asked) == KINDS) return refuse_kind(&c, asked);
  json_t *const document = json_object();
  if (!asked) list_all(&c, document);
  else if (one) list_single(&c, one, document);
  else list_kind(&c, listed(asked), document);
  if (c.json) cli_print_json(&c, json_incref(document));
  json_decref(document);
  return cli_done(&c);
}
