#include "report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What we want to be at least, compared with any peer. */
static const double PEER_GOAL = 0.95;

static int by_value(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

double report_quantile(const double *values, size_t count, double q) {
  double sorted[BENCH_MAX_SAMPLES];
  memcpy(sorted, values, count * sizeof *values);
  qsort(sorted, count, sizeof *sorted, by_value);
  const double at = q * (double)(count - 1);
  const size_t i = (size_t)at;
  return i + 1 < count ? sorted[i] + (at - (double)i) * (sorted[i + 1] - sorted[i]) : sorted[i];
}

/* ---- a row ---- */

static bool is_call(const char *unit) { return !strcmp(unit, "us"); }

/* Median over the rounds of the other's time by ours: how many times its speed we have. For calls: ours less the
 * other's, in microseconds. */
static double compare(const bench_row *row, const bench_timing *ours, const bench_timing *other) {
  double values[BENCH_MAX_SAMPLES];
  for (size_t i = 0; i < ours->count; i++) {
    const double a = ours->samples[i], b = other->samples[i];
    values[i] = is_call(row->unit) ? (a - b) * 1e6 : b / a;
  }
  return report_quantile(values, ours->count, 0.5);
}

static json_t *side_json(const bench_row *row, const bench_side *side, const bench_timing *t) {
  const double seconds = report_quantile(t->samples, t->count, 0.5);
  const double low = report_quantile(t->samples, t->count, 0.1), high = report_quantile(t->samples, t->count, 0.9);
  return json_pack("{s:s, s:f, s:f, s:f, s:i, s:i}", "name", side->name, "value",
                   is_call(row->unit) ? seconds * 1e6 : row->work / seconds, "seconds", seconds, "spread",
                   (high - low) / seconds / 2, "samples", (int)t->count, "repeats", (int)t->repeats);
}

json_t *report_row(const bench_row *row, const bench_side *sides, size_t count, const bench_timing *timings) {
  json_t *json = json_pack("{s:s, s:s, s:s, s:s, s:o}", "operation", row->operation, "size", row->size, "status", "ok",
                           "unit", row->unit, "ours", side_json(row, &sides[0], &timings[0]));
  json_t *others = json_array(), *best = NULL;
  for (size_t s = 1; s < count; s++) {
    json_t *side = side_json(row, &sides[s], &timings[s]);
    const double ratio = compare(row, &timings[0], &timings[s]);
    json_object_set_new(side, is_call(row->unit) ? "above" : "ratio", json_real(ratio));
    if (s == 1) json_object_set_new(json, "limit", side);
    else json_array_append_new(others, side);
    if (s > 1 && (!best || ratio < json_real_value(json_object_get(best, "ratio")))) best = side;
  }
  json_object_set_new(json, "others", others);
  if (best) json_object_set(json, "best", json_object_get(best, "name"));
  if (row->goal > 0 && count > 1) json_object_set_new(json, "goal", json_real(row->goal));
  json_t *goals = json_object();
  for (int i = 0; i < PEER_GOALS; i++)
    if (row->peer_goals[i].ratio > 0)
      json_object_set_new(goals, row->peer_goals[i].peer, json_real(row->peer_goals[i].ratio));
  json_object_set_new(json, "peer_goals", goals);
  return json;
}

json_t *report_row_without_times(const char *operation, const char *size, const char *status, const char *why) {
  return json_pack("{s:s, s:s, s:s, s:s}", "operation", operation, "size", size, "status", status, "reason", why);
}

/* ---- reading rows ---- */

static const char *text_of(const json_t *object, const char *key) {
  const char *s = json_string_value(json_object_get(object, key));
  return s ? s : "";
}

static double number_of(const json_t *object, const char *key) {
  return json_number_value(json_object_get(object, key));
}

static bool measured(const json_t *row) { return !strcmp(text_of(row, "status"), "ok"); }

static const json_t *other_of(const json_t *row, const char *name) {
  size_t i;
  json_t *side;
  json_array_foreach(json_object_get(row, "others"), i, side) {
    if (!strcmp(text_of(side, "name"), name)) return side;
  }
  return NULL;
}

/* The cells that text and Markdown share. */
typedef struct cells {
  char ours[32], limit[32], ratio[32], goal[32], best[64], best_ratio[32];
} cells;

static cells cells_of(const json_t *row) {
  cells c = {{0}, {0}, {0}, {0}, {0}, {0}};
  const json_t *limit = json_object_get(row, "limit"), *best = other_of(row, text_of(row, "best"));
  const bool call = is_call(text_of(row, "unit"));
  snprintf(c.ours, sizeof c.ours, "%.2f", number_of(json_object_get(row, "ours"), "value"));
  if (limit) {
    snprintf(c.limit, sizeof c.limit, "%.2f", number_of(limit, "value"));
    snprintf(c.ratio, sizeof c.ratio, call ? "%+.2f us" : "%.2f", number_of(limit, call ? "above" : "ratio"));
  }
  if (json_object_get(row, "goal")) snprintf(c.goal, sizeof c.goal, call ? "+%g us" : "%g", number_of(row, "goal"));
  if (best) {
    snprintf(c.best, sizeof c.best, "%s %.2f", text_of(best, "name"), number_of(best, "value"));
    snprintf(c.best_ratio, sizeof c.best_ratio, "%.2f", number_of(best, "ratio"));
  }
  return c;
}

/* Every peer but the best, with its ratio, as a phrase; empty: there is none. */
static void others_of(const json_t *row, char *text, size_t room) {
  size_t used = 0, i;
  json_t *side;
  *text = 0;
  json_array_foreach(json_object_get(row, "others"), i, side) {
    if (!strcmp(text_of(side, "name"), text_of(row, "best")) || used >= room) continue;
    used += (size_t)snprintf(text + used, room - used, "%s%s %.2f: %.2f", used ? ", " : "", text_of(side, "name"),
                             number_of(side, "value"), number_of(side, "ratio"));
  }
}

/* What a row misses, as a phrase; empty: nothing. */
static void misses_of(const json_t *row, char *text, size_t room) {
  size_t used = 0;
  *text = 0;
  if (!measured(row)) return;
  const json_t *limit = json_object_get(row, "limit"), *goal = json_object_get(row, "goal");
  const bool call = is_call(text_of(row, "unit"));
  if (goal && call && number_of(limit, "above") > json_number_value(goal))
    used += (size_t)snprintf(text + used, room - used, "; %.2f us above the driver's own", number_of(limit, "above"));
  if (goal && !call && number_of(limit, "ratio") < json_number_value(goal))
    used += (size_t)snprintf(text + used, room - used, "; %.2f of the limit, not %g", number_of(limit, "ratio"),
                             json_number_value(goal));
  size_t i;
  json_t *side;
  json_array_foreach(json_object_get(row, "others"), i, side) {
    const json_t *own = json_object_get(json_object_get(row, "peer_goals"), text_of(side, "name"));
    const double wanted = own ? json_number_value(own) : PEER_GOAL, ratio = number_of(side, "ratio");
    if (ratio < wanted && used < room)
      used += (size_t)snprintf(text + used, room - used, "; %.2f of %s, not %g", ratio, text_of(side, "name"), wanted);
  }
}

/* Calls `line` with a phrase for each row that misses a goal and each row that was not measured. */
static void each_miss(FILE *out, const json_t *all, void (*line)(FILE *out, const json_t *row, const char *what)) {
  size_t i;
  json_t *row;
  json_array_foreach(json_object_get(all, "rows"), i, row) {
    char text[1024];
    misses_of(row, text, sizeof text);
    if (!measured(row)) snprintf(text, sizeof text, "; %s: %s", text_of(row, "status"), text_of(row, "reason"));
    if (*text) line(out, row, text + 2);
  }
}

/* The rows that a peer is not in, by reason, as one phrase: "cannot do it: var 16Mi, stats 16Mi". */
static void absence_of(const json_t *all, const char *peer, char *text, size_t room) {
  size_t used = 0, i;
  json_t *row;
  char last[512] = "";
  *text = 0;
  json_array_foreach(json_object_get(all, "rows"), i, row) {
    const char *reason = json_string_value(json_object_get(json_object_get(row, "left_out"), peer));
    if (!reason || used >= room) continue;
    if (strcmp(reason, last)) used += (size_t)snprintf(text + used, room - used, "%s%s: ", *last ? "; " : "", reason);
    else used += (size_t)snprintf(text + used, room - used, ", ");
    if (used < room)
      used += (size_t)snprintf(text + used, room - used, "%s %s", text_of(row, "operation"), text_of(row, "size"));
    snprintf(last, sizeof last, "%s", reason);
  }
}

/* ---- text ---- */

void report_text_heading(FILE *out) {
  fprintf(out, "%-13s %-24s %9s %-8s %5s %9s %9s %7s  %-20s %6s\n", "operation", "size", "Cliv", "unit", "+- %",
          "limit", "ratio", "goal", "best peer", "ratio");
}

void report_text(FILE *out, const json_t *row) {
  fprintf(out, "%-13s %-24s ", text_of(row, "operation"), text_of(row, "size"));
  if (measured(row)) {
    const cells c = cells_of(row);
    fprintf(out, "%9s %-8s %5.0f %9s %9s %7s  %-20s %6s\n", c.ours, text_of(row, "unit"),
            100 * number_of(json_object_get(row, "ours"), "spread"), c.limit, c.ratio, c.goal, c.best, c.best_ratio);
    char others[512];
    others_of(row, others, sizeof others);
    if (*others) fprintf(out, "%38s also %s\n", "", others);
  } else fprintf(out, "%s: %s\n", text_of(row, "status"), text_of(row, "reason"));
  fflush(out);
}

void report_checked(FILE *out, const json_t *row) {
  const char *reason = text_of(row, "reason");
  fprintf(out, "%s, %s: %s%s%s\n", text_of(row, "operation"), text_of(row, "size"), text_of(row, "status"),
          *reason ? ": " : "", reason);
  fflush(out);
}

static void text_miss(FILE *out, const json_t *row, const char *what) {
  fprintf(out, "  %s %s: %s\n", text_of(row, "operation"), text_of(row, "size"), what);
}

void report_text_end(FILE *out, const json_t *all) {
  fprintf(out, "\nMissed:\n");
  each_miss(out, all, text_miss);
  const char *name;
  json_t *peer;
  json_object_foreach(json_object_get(all, "peers"), name, peer) {
    char text[4096];
    absence_of(all, name, text, sizeof text);
    fprintf(out, "%s, %s%s%s\n", name, json_string_value(peer), *text ? "; left out: " : "", text);
  }
}

/* ---- Markdown ---- */

static void markdown_row(FILE *out, const json_t *row) {
  const cells c = cells_of(row);
  const json_t *torch = other_of(row, "PyTorch");
  char ratio[16] = "", others[512];
  others_of(row, others, sizeof others);
  if (torch) snprintf(ratio, sizeof ratio, "%.2f", number_of(torch, "ratio"));
  fprintf(out, "| %s | %s | %s %s | ±%.0f %% | %s | %s | %s | %s | %s | %s | %s |\n", text_of(row, "operation"),
          text_of(row, "size"), c.ours, text_of(row, "unit"), 100 * number_of(json_object_get(row, "ours"), "spread"),
          c.limit, c.ratio, c.goal, c.best, c.best_ratio, ratio, others);
}

static void markdown_miss(FILE *out, const json_t *row, const char *what) {
  fprintf(out, "- %s %s: %s\n", text_of(row, "operation"), text_of(row, "size"), what);
}

void report_markdown(FILE *out, const json_t *all) {
  const json_t *native = json_object_get(all, "native");
  fprintf(out, "### %s, %s\n\n", text_of(all, "platform"), text_of(all, "device"));
  fprintf(out,
          "Driver %s, %s walk. Natively, with %.0f threads: copy %.1f GB/s, triad %.1f GB/s, sum %.1f GB/s, fused "
          "multiply-adds %.0f GFLOP/s.\n\n",
          text_of(all, "driver"), text_of(all, "walk"), number_of(native, "threads"), number_of(native, "copy"),
          number_of(native, "triad"), number_of(native, "sum"), number_of(native, "fma"));
  fprintf(out,
          "| operation | size | Cliv | spread | limit | ratio | goal | best peer | ratio | to PyTorch | other peers |\n"
          "|---|---|--:|--:|--:|--:|--:|---|--:|--:|---|\n");
  size_t i;
  json_t *row;
  json_array_foreach(json_object_get(all, "rows"), i, row) {
    if (measured(row)) markdown_row(out, row);
  }
  fprintf(out, "\nMissed or not measured:\n\n");
  each_miss(out, all, markdown_miss);
  fprintf(out, "\nPeers:\n\n");
  const char *name;
  json_t *peer;
  json_object_foreach(json_object_get(all, "peers"), name, peer) {
    char text[4096];
    absence_of(all, name, text, sizeof text);
    fprintf(out, "- %s, %s%s%s\n", name, json_string_value(peer), *text ? "; not in: " : "", text);
  }
}
