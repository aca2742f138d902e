/* cliv-bench [--device SELECTOR] [--only TEXT] [--seconds S] [--quick] [--json]: measures the rows of bench_*.c. */
#include "bench.h"

#include <jansson.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench_list.h"
#include "native.h"

enum { MAX_SAMPLES = 400, MIN_SAMPLES = 5, QUICK_SAMPLES = 3 };
/* A sample is so many runs that the clock and one scheduling hiccup are small in it. */
static const double SAMPLE_SECONDS = 0.010;

struct bench {
  cliv_context *ctx;
  const char *device, *only;
  double seconds;     /* for the samples of one row, all sides together */
  double copy, triad; /* GB/s of this machine's memory in native loops */
  bool quick, as_json, wrong;
  json_t *rows;
};

/* Times of one side: seconds a run, one for each round. */
typedef struct timing {
  double samples[MAX_SAMPLES];
  size_t count, repeats;
} timing;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int by_value(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* The q-quantile of unsorted values, interpolated. */
static double quantile(const double *values, size_t count, double q) {
  double sorted[MAX_SAMPLES];
  memcpy(sorted, values, count * sizeof *values);
  qsort(sorted, count, sizeof *sorted, by_value);
  const double at = q * (double)(count - 1);
  const size_t i = (size_t)at;
  return i + 1 < count ? sorted[i] + (at - (double)i) * (sorted[i + 1] - sorted[i]) : sorted[i];
}

static double time_runs(const bench_side *side, size_t repeats) {
  const double start = now();
  for (size_t i = 0; i < repeats; i++) side->run(side->arg);
  return (now() - start) / (double)repeats;
}

/* How many runs make a sample; warms the side up on the way. */
static size_t calibrate(const bench_side *side) {
  size_t repeats = 1;
  while (repeats < 1000000) {
    const double seconds = time_runs(side, repeats) * (double)repeats;
    if (seconds >= SAMPLE_SECONDS) break;
    const double scale = seconds > 0 ? 1.2 * SAMPLE_SECONDS / seconds : 10;
    repeats = (size_t)((double)repeats * (scale > 10 ? 10 : scale)) + 1;
  }
  return repeats;
}

/* Rounds over all sides, so that a change of the machine's speed meets them all. */
static void time_row(const bench *b, const bench_row *row, size_t sides, timing *timings) {
  for (size_t s = 0; s < sides; s++) timings[s] = (timing){.repeats = b->quick ? 1 : calibrate(&row->sides[s])};
  const double start = now();
  for (size_t round = 0; round < MAX_SAMPLES; round++) {
    if (b->quick ? round >= QUICK_SAMPLES : round >= MIN_SAMPLES && now() - start > b->seconds) break;
    for (size_t s = 0; s < sides; s++)
      timings[s].samples[timings[s].count++] = time_runs(&row->sides[s], timings[s].repeats);
  }
}

/* Median over the rounds of reference time by our time: how many times the reference's speed we have. */
static double ratio_of(const timing *ours, const timing *reference) {
  double ratios[MAX_SAMPLES];
  for (size_t i = 0; i < ours->count; i++) ratios[i] = reference->samples[i] / ours->samples[i];
  return quantile(ratios, ours->count, 0.5);
}

static json_t *side_json(const bench_row *row, const bench_side *side, const timing *t) {
  return json_pack("{s:s, s:f, s:f, s:f, s:f, s:i, s:i}", "name", side->name, "median",
                   row->work / quantile(t->samples, t->count, 0.5), "low",
                   row->work / quantile(t->samples, t->count, 0.9), "high",
                   row->work / quantile(t->samples, t->count, 0.1), "seconds", quantile(t->samples, t->count, 0.5),
                   "samples", (int)t->count, "repeats", (int)t->repeats);
}

static void report_row(bench *b, const bench_row *row, size_t sides, const timing *timings) {
  const double ratio = sides > 1 ? ratio_of(&timings[0], &timings[1]) : NAN;
  json_t *json_sides = json_array();
  for (size_t s = 0; s < sides; s++) json_array_append_new(json_sides, side_json(row, &row->sides[s], &timings[s]));
  json_t *json =
      json_pack("{s:s, s:s, s:s, s:o}", "name", row->name, "status", "ok", "unit", row->unit, "sides", json_sides);
  if (sides > 1) json_object_set_new(json, "ratio", json_real(ratio));
  if (row->goal > 0) json_object_set_new(json, "goal", json_real(row->goal));
  json_array_append_new(b->rows, json);
  if (b->as_json) return;

  printf("%s\n", row->name);
  for (size_t s = 0; s < sides; s++) {
    const timing *t = &timings[s];
    const double median = quantile(t->samples, t->count, 0.5);
    const double spread = (quantile(t->samples, t->count, 0.9) - quantile(t->samples, t->count, 0.1)) / median / 2;
    printf("  %-24s %9.2f %-8s %9.3f ms  +-%2.0f %%", row->sides[s].name, row->work / median, row->unit, median * 1e3,
           spread * 100);
    if (s == 0 && sides > 1) printf("   %.2f of %s", ratio, row->sides[1].name);
    if (s == 0 && sides > 1 && row->goal > 0) printf(" (goal %.2f)", row->goal);
    printf("\n");
  }
  fflush(stdout);
}

static void report_without_times(bench *b, const char *name, const char *status, const char *why) {
  json_array_append_new(b->rows, json_pack("{s:s, s:s, s:s}", "name", name, "status", status, "reason", why));
  if (!b->as_json) printf("%s\n  %s: %s\n", name, status, why);
}

bool bench_wants(const bench *b, const char *name) { return !b->only || strstr(name, b->only); }

void bench_skip(bench *b, const char *name, const char *why) {
  if (bench_wants(b, name)) report_without_times(b, name, "skipped", why);
}

void bench_measure(bench *b, const bench_row *row) {
  static timing timings[BENCH_SIDES];
  if (!bench_wants(b, row->name)) return;
  size_t sides = 0;
  while (sides < BENCH_SIDES && row->sides[sides].run) row->sides[sides].run(row->sides[sides].arg), sides++;
  char why[512] = "";
  if (row->check && !row->check(row->check_arg, why, sizeof why)) {
    b->wrong = true;
    report_without_times(b, row->name, "wrong", why);
    return;
  }
  time_row(b, row, sides, timings);
  report_row(b, row, sides, timings);
}

cliv_context *bench_context(const bench *b) { return b->ctx; }

size_t bench_size(const bench *b, size_t n, size_t quick) { return b->quick ? quick : n; }

void bench_expect(const cliv_context *ctx, cliv_status status, const char *call) {
  if (!status) return;
  fprintf(stderr, "cliv-bench: %s: %s: %s\n", call, cliv_status_name(status), cliv_last_error(ctx));
  exit(1);
}

void *bench_alloc(size_t bytes) {
  void *p = aligned_alloc(4096, (bytes + 4095) / 4096 * 4096 + 4096);
  if (!p) {
    fprintf(stderr, "cliv-bench: no %zu bytes of memory\n", bytes);
    exit(1);
  }
  return p;
}

void bench_fill(float *x, size_t n, uint32_t seed, float low, float high) {
  uint64_t state = seed + 1;
  for (size_t i = 0; i < n; i++) {
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    x[i] = low + (high - low) * (float)(state >> 40) * 0x1p-24f;
  }
}

/* What the machine's memory does in plain loops: the frame that the rows stand in. */
static void measure_machine(bench *b) {
  enum { N = 1 << 24 };
  const size_t n = bench_size(b, N, 1 << 12);
  float *x[3];
  for (int k = 0; k < 3; k++) bench_fill(x[k] = bench_alloc(n * sizeof(float)), n, (uint32_t)k, 0, 1);
  double copy[MIN_SAMPLES], triad[MIN_SAMPLES];
  for (int round = 0; round < MIN_SAMPLES; round++) {
    double start = now();
    native_copy(x[0], x[2], n);
    copy[round] = 8e-9 * (double)n / (now() - start);
    start = now();
    native_triad(x[0], x[1], x[2], 0.5f, n);
    triad[round] = 12e-9 * (double)n / (now() - start);
  }
  for (int k = 0; k < 3; k++) free(x[k]);
  b->copy = quantile(copy, MIN_SAMPLES, 0.5);
  b->triad = quantile(triad, MIN_SAMPLES, 0.5);
}

static const char *walk_name(const bench *b) { return cliv_context_walk(b->ctx) == CLIV_WALK_CPU ? "cpu" : "gpu"; }

static void print_json(bench *b) {
  json_t *all =
      json_pack("{s:s, s:s, s:{s:i, s:f, s:f}, s:o}", "device", cliv_context_device_name(b->ctx), "walk", walk_name(b),
                "native", "threads", native_threads(), "copy", b->copy, "triad", b->triad, "rows", b->rows);
  json_dumpf(all, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(6));
  printf("\n");
  json_decref(all);
}

static void usage(int code) {
  fprintf(code ? stderr : stdout,
          "cliv-bench [--device SELECTOR] [--only TEXT] [--seconds S] [--quick] [--json]\n"
          "  --device SELECTOR  as for cliv; default $CLIV_DEVICE, or auto\n"
          "  --only TEXT        rows whose name contains TEXT\n"
          "  --seconds S        time for each row, default 3\n"
          "  --quick            small sizes, few samples: checks the results, the times mean nothing\n"
          "  --json             one JSON document on standard output\n"
          "Example: cliv-bench --only sum --device pocl\n");
  exit(code);
}

static void parse(bench *b, int argc, char **argv) {
  for (int i = 1; i < argc; i++) {
    const char *value = i + 1 < argc ? argv[i + 1] : NULL;
    if (!strcmp(argv[i], "--json")) b->as_json = true;
    else if (!strcmp(argv[i], "--quick")) b->quick = true;
    else if (!strcmp(argv[i], "--help")) usage(0);
    else if (!strcmp(argv[i], "--device") && value) b->device = value, i++;
    else if (!strcmp(argv[i], "--only") && value) b->only = value, i++;
    else if (!strcmp(argv[i], "--seconds") && value && (b->seconds = strtod(value, NULL)) > 0) i++;
    else usage(2);
  }
}

int main(int argc, char **argv) {
  /* OpenMP's threads spin for a while after a loop and would take the cores from the side that is timed next. They read
   * this when the program is loaded, hence the second start. */
  if (!getenv("OMP_WAIT_POLICY") && !setenv("OMP_WAIT_POLICY", "passive", 1)) execv("/proc/self/exe", argv);

  bench b = {.seconds = 3, .rows = json_array()};
  parse(&b, argc, argv);
  const cliv_context_options options = {.size = sizeof options, .device = b.device};
  BENCH_OK(NULL, cliv_context_create(&options, &b.ctx));
  measure_machine(&b);
  if (!b.as_json)
    printf("%s, %s walk\nnative: %d threads, copy %.1f GB/s, triad %.1f GB/s\n\n", cliv_context_device_name(b.ctx),
           walk_name(&b), native_threads(), b.copy, b.triad);
  for (size_t i = 0; i < sizeof bench_list / sizeof bench_list[0]; i++) bench_list[i](&b);
  if (b.as_json) print_json(&b);
  else json_decref(b.rows);
  cliv_context_free(b.ctx);
  return b.wrong ? 1 : 0;
}
