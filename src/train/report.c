/* report.html: one page without anything from elsewhere: result, curves, scores, configuration. */
#include <cliv/version.h>
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "runtime/context.h"
#include "train/trainer.h"

static const char STYLE[] =
    ":root{color-scheme:light dark;--ink:#1c2430;--dim:#5d6878;--line:#d9dee6;--paper:#fff;--page:#f5f7fa;"
    "--a:#2563c9;--b:#d9631e}"
    "@media(prefers-color-scheme:dark){:root{--ink:#e6eaf0;--dim:#9aa5b5;--line:#343c48;--paper:#1b212a;"
    "--page:#12161c;--a:#6ea8ff;--b:#ff9d5c}}"
    "*{box-sizing:border-box}"
    "body{margin:0;background:var(--page);color:var(--ink);font:15px/1.5 system-ui,sans-serif}"
    "main{max-width:60rem;margin:0 auto;padding:2rem 1rem 3rem}h1{font-size:1.5rem;margin:0}"
    "h2{font-size:1.05rem;margin:0 0 .6rem}.lead{font-size:1.15rem;margin:.4rem 0 0}"
    ".dim{color:var(--dim);margin:.2rem 0 1.4rem}"
    ".cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(20rem,1fr));gap:1rem}"
    "section{background:var(--paper);border:1px solid var(--line);border-radius:.6rem;padding:1rem 1.2rem;"
    "margin-bottom:1rem;overflow-x:auto}"
    "table{border-collapse:collapse;width:100%}"
    "th,td{text-align:left;padding:.25rem .8rem .25rem 0;border-top:1px solid var(--line);vertical-align:top;"
    "overflow-wrap:anywhere}"
    "tr:first-child>*{border-top:0}th{font-weight:500;color:var(--dim);white-space:nowrap}"
    "td{font-variant-numeric:tabular-nums}svg{width:100%;height:auto;display:block}"
    "svg text{fill:var(--dim);font-size:11px}.grid{stroke:var(--line)}"
    ".a,.b{fill:none;stroke-width:2;stroke-linejoin:round}.a{stroke:var(--a)}.b{stroke:var(--b)}"
    ".key{font-size:.85rem;color:var(--dim);margin:.4rem 0 0}"
    ".key i{display:inline-block;width:1.2em;height:3px;margin:0 .4em .25em 0}.key i.a{background:var(--a)}"
    ".key i.b{background:var(--b)}.key i.a~i.b{margin-left:1.2em}";

static void add_escaped(cliv__text *out, const char *text) {
  for (; *text; text++) {
    const char *entity = *text == '<'   ? "&lt;"
                         : *text == '>' ? "&gt;"
                         : *text == '&' ? "&amp;"
                         : *text == '"' ? "&quot;"
                                        : NULL;
    if (entity) cliv__text_add(out, "%s", entity);
    else cliv__text_add(out, "%c", *text);
  }
}

static const char *file_name(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

/* ---- curves ---- */

enum { WIDE = 520, HIGH = 260, LEFT = 52, RIGHT = 12, TOP = 10, BOTTOM = 30, MOST_POINTS = 600 };

/* A value of epoch i, NaN where it has none. */
typedef double (*curve)(const cliv__history *history, size_t i);

static double training_loss(const cliv__history *h, size_t i) { return h->epochs[i].metrics.loss; }
static double validation_loss(const cliv__history *h, size_t i) {
  return h->epochs[i].score.rows ? h->epochs[i].score.loss : NAN;
}
static double accuracy(const cliv__history *h, size_t i) {
  return h->epochs[i].score.rows ? h->epochs[i].score.accuracy : NAN;
}
static double r2(const cliv__history *h, size_t i) { return h->epochs[i].score.rows ? h->epochs[i].score.r2 : NAN; }

typedef struct axis {
  double low, high, step;
} axis;

/* About `ticks` steps of 1, 2 or 5 times a power of ten, so that they hold low … high. */
static axis nice_axis(double low, double high, int ticks) {
  if (!(high > low)) high = low + (low != 0 ? fabs(low) * 0.1 : 1);
  const double rough = (high - low) / ticks, power = pow(10, floor(log10(rough))), unit = rough / power;
  const double step = power * (unit <= 1 ? 1 : unit <= 2 ? 2 : unit <= 5 ? 5 : 10);
  return (axis){floor(low / step + 1e-9) * step, ceil(high / step - 1e-9) * step, step};
}

static double at(const axis *a, double value, double from, double to) {
  return from + (value - a->low) / (a->high - a->low) * (to - from);
}

static void add_grid(cliv__text *out, const axis *x, const axis *y) {
  for (int i = 0; y->low + i * y->step <= y->high + y->step / 2; i++) {
    const double value = y->low + i * y->step, place = at(y, value, HIGH - BOTTOM, TOP);
    cliv__text_add(out, "<path class=grid d=\"M%d %.1fH%d\"/><text x=%d y=%.1f text-anchor=end>%.4g</text>", LEFT,
                   place, WIDE - RIGHT, LEFT - 6, place + 4, fabs(value) < y->step / 1e3 ? 0 : value);
  }
  for (int i = 0; x->low + i * x->step <= x->high + x->step / 2; i++) {
    const double value = x->low + i * x->step;
    cliv__text_add(out, "<text x=%.1f y=%d text-anchor=middle>%.4g</text>", at(x, value, LEFT, WIDE - RIGHT),
                   HIGH - BOTTOM + 16, value);
  }
  cliv__text_add(out, "<text x=%d y=%d text-anchor=end>epoch</text>", WIDE - RIGHT, HIGH - 2);
}

static void add_line(cliv__text *out, const cliv__history *h, curve f, const axis *x, const axis *y, const char *name) {
  const size_t stride = h->count / MOST_POINTS + 1;
  const char *join = "";
  cliv__text_add(out, "<polyline class=%s points=\"", name);
  for (size_t i = 0; i < h->count; i++) {
    const double value = f(h, i);
    if (!isfinite(value) || (i % stride && i + 1 != h->count)) continue;
    cliv__text_add(out, "%s%.1f,%.1f", join, at(x, (double)h->epochs[i].metrics.epoch, LEFT, WIDE - RIGHT),
                   at(y, value, HIGH - BOTTOM, TOP));
    join = " ";
  }
  cliv__text_add(out, "\"/>");
}

/* One figure of up to two curves; nothing when neither has a value. */
static void add_chart(cliv__text *out, const cliv__history *h, const char *title, curve first, const char *first_name,
                      curve second, const char *second_name, double floor_at) {
  double low = floor_at, high = -INFINITY;
  for (size_t i = 0; i < h->count; i++)
    for (int k = 0; k < 2; k++) {
      const double value = k == 0 ? (first ? first(h, i) : NAN) : (second ? second(h, i) : NAN);
      if (!isfinite(value)) continue;
      low = fmin(low, value);
      high = fmax(high, value);
    }
  if (!isfinite(high)) return;
  const axis x = nice_axis((double)h->epochs[0].metrics.epoch - 1, (double)h->epochs[h->count - 1].metrics.epoch, 8);
  const axis y = nice_axis(low, high, 5);
  cliv__text_add(out, "<section><h2>%s</h2><svg viewBox=\"0 0 %d %d\" role=img aria-label=\"%s by epoch\">", title,
                 WIDE, HIGH, title);
  add_grid(out, &x, &y);
  if (first) add_line(out, h, first, &x, &y, "a");
  if (second) add_line(out, h, second, &x, &y, "b");
  cliv__text_add(out, "</svg><p class=key>");
  if (first) cliv__text_add(out, "<i class=a></i>%s", first_name);
  if (second) cliv__text_add(out, "<i class=b></i>%s", second_name);
  cliv__text_add(out, "</p></section>\n");
}

static double lowest(const cliv__history *h, curve f) {
  double low = INFINITY;
  for (size_t i = 0; i < h->count; i++)
    if (isfinite(f(h, i))) low = fmin(low, f(h, i));
  return low;
}

static void add_charts(cliv__text *out, const cliv__report *r) {
  const cliv__history *h = r->history;
  if (h->count == 0) return;
  const bool held = r->result->validation.rows > 0, classes = r->result->classes > 0;
  cliv__text_add(out, "<div class=cards>");
  add_chart(out, h, "Loss", training_loss, "training, as met in the epoch", held ? validation_loss : NULL,
            "test, after the epoch", 0);
  /* The first epochs' R² can lie far below 0; what matters is near 1. */
  if (held && classes) add_chart(out, h, "Accuracy", NULL, "", accuracy, "test", fmin(1, lowest(h, accuracy)));
  if (held && !classes) add_chart(out, h, "R²", NULL, "", r2, "test", fmin(1, lowest(h, r2)));
  cliv__text_add(out, "</div>\n");
}

/* ---- tables ---- */

static void add_lead(cliv__text *out, const cliv__report *r) {
  const cliv_run_result *result = r->result;
  const bool held = result->validation.rows > 0;
  const cliv_score *score = held ? &result->validation : &result->training;
  const char *what = held ? "Test" : "Training", *rows = held ? "held-out rows" : "training rows";
  cliv__text_add(out, "<p class=lead>");
  if (result->classes)
    cliv__text_add(out, "%s accuracy <b>%.4f</b> (%zu of %zu %s)", what, score->accuracy, score->correct, score->rows,
                   rows);
  else
    cliv__text_add(out, "%s RMSE <b>%.6g</b>, R² <b>%.4f</b> on %zu %s", what, score->rmse, score->r2, score->rows,
                   rows);
  cliv__text_add(out, "</p><p class=dim>%zu epoch%s, %" PRIu64 " steps, %.2f s on ", result->epochs,
                 result->epochs == 1 ? "" : "s", result->steps, result->seconds);
  add_escaped(out, cliv_context_device_name(r->trainer->ctx));
  cliv__text_add(out, "%s</p>\n", result->stopped ? "; stopped before its end" : "");
}

static void add_score_row(cliv__text *out, const char *name, double training, double validation, bool held) {
  if (isnan(training)) return;
  cliv__text_add(out, "<tr><th>%s<td>%.6g", name, training);
  if (held) cliv__text_add(out, "<td>%.6g", validation);
}

static void add_scores(cliv__text *out, const cliv_run_result *result) {
  const cliv_score *a = &result->training, *b = &result->validation;
  const bool held = b->rows > 0;
  cliv__text_add(out, "<section><h2>Scores of the kept model</h2><table><tr><th><th>training%s",
                 held ? "<th>test (held out)" : "");
  add_score_row(out, "rows", (double)a->rows, (double)b->rows, held);
  add_score_row(out, "loss", a->loss, b->loss, held);
  add_score_row(out, "accuracy", a->accuracy, b->accuracy, held);
  add_score_row(out, "RMSE", a->rmse, b->rmse, held);
  add_score_row(out, "R²", a->r2, b->r2, held);
  cliv__text_add(out, "</table></section>\n");
}

static void add_row(cliv__text *out, const char *name, const char *value) {
  cliv__text_add(out, "<tr><th>%s<td>", name);
  add_escaped(out, value);
}

static void add_names(cliv__text *out, const char *title, const char *const *names, size_t count) {
  enum { MOST = 40 };
  cliv__text_add(out, "<tr><th>%s<td>", title);
  for (size_t i = 0; i < count && i < MOST; i++) {
    if (i) cliv__text_add(out, ", ");
    add_escaped(out, names[i]);
  }
  if (count > MOST) cliv__text_add(out, " and %zu more", count - MOST);
}

static void add_data(cliv__text *out, const cliv__report *r) {
  const cliv_data_info *info = cliv_data_describe(r->trainer->data);
  cliv__text_add(out, "<section><h2>Data</h2><table>");
  add_row(out, "file", info->path);
  cliv__text_add(out, "<tr><th>rows<td>%zu to train on, %zu held out", info->rows[0], info->rows[1]);
  if (info->dropped) cliv__text_add(out, ", %zu dropped for missing values", info->dropped);
  if (info->filled) cliv__text_add(out, ", %zu missing values filled with means", info->filled);
  cliv__text_add(out, "<tr><th>features<td>%zu, standardised", info->features);
  if (info->constant) cliv__text_add(out, " (%zu constant)", info->constant);
  add_names(out, info->targets == 1 ? "target" : "targets", info->target_names, info->targets);
  if (info->classes) add_names(out, "classes", info->class_names, info->classes);
  cliv__text_add(out, "</table></section>\n");
}

static void add_optimizer(cliv__text *out, const char *what, const cliv_optimizer *o) {
  const cliv_rule_info *rule = cliv_optimizer_rule(o);
  cliv__text_add(out, "<tr><th>%s<td>%s", what, rule->name);
  for (size_t h = 0; h < rule->hyper_count; h++) {
    double value = NAN;
    if (!cliv_optimizer_get(o, CLIV_DEFAULT_GROUP, rule->hypers[h].name, &value))
      cliv__text_add(out, "%s%s %g", h ? ", " : ": ", rule->hypers[h].name, value);
  }
}

static void add_configuration(cliv__text *out, const cliv__report *r) {
  const cliv_trainer *t = r->trainer;
  const cliv_device_info *facts = &t->ctx->facts;
  cliv__text_add(out, "<section><h2>Configuration</h2><table>");
  add_row(out, "model", cliv_model_kind(t->model)->name);
  add_row(out, "loss", cliv_model_kind(t->model)->loss);
  add_optimizer(out, "optimizer", t->optimizer);
  if (t->rest) add_optimizer(out, "optimizer of the rest", t->rest);
  if (t->schedule) add_row(out, "schedule of lr", t->schedule_text);
  cliv__text_add(out, "<tr><th>batch<td>%zu rows, %zu batches an epoch<tr><th>l2<td>%g<tr><th>seed<td>%" PRIu64,
                 t->batch, cliv_trainer_batches(t), t->l2, t->seed);
  add_row(out, "device", facts->name);
  cliv__text_add(out, "<tr><th>driver<td>");
  add_escaped(out, facts->platform_name);
  cliv__text_add(out, ", ");
  add_escaped(out, facts->driver);
  add_row(out, "walk", cliv_context_walk(t->ctx) == CLIV_WALK_CPU ? "cpu" : "gpu");
  cliv__text_add(out, "</table></section>\n");
}

static char *page(const cliv__report *r) {
  const cliv_data_info *info = cliv_data_describe(r->trainer->data);
  const char *model = cliv_model_kind(r->trainer->model)->name;
  cliv__text out = {0};
  cliv__text_add(
      &out,
      "<!doctype html>\n<html lang=en><head><meta charset=utf-8><meta name=viewport content=\"width=device-width\">"
      "<title>%s on ",
      model);
  add_escaped(&out, file_name(info->path));
  cliv__text_add(&out, "</title><style>%s</style></head><body><main>\n<h1>%s on ", STYLE, model);
  add_escaped(&out, file_name(info->path));
  cliv__text_add(&out, "</h1>\n");
  add_lead(&out, r);
  add_charts(&out, r);
  add_scores(&out, r->result);
  cliv__text_add(&out, "<div class=cards>");
  add_data(&out, r);
  add_configuration(&out, r);
  cliv__text_add(&out, "</div><p class=dim>Cliv %s</p></main></body></html>\n", cliv_version());
  return cliv__text_take(&out);
}

char *cliv__report_html(const cliv__report *report) {
  const locale_t c =
      newlocale(LC_ALL_MASK, "C", (locale_t)0); /* decimal points, whatever the program around us speaks */
  if (!c) return NULL;
  const locale_t before = uselocale(c);
  char *text = page(report);
  uselocale(before);
  freelocale(c);
  return text;
}
