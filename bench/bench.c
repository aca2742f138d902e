/* cliv-bench: measures the rows of bench_*.c. */
#include "bench.h"

#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "bench_list.h"
#include "native.h"
#include "peers.h"
#include "report.h"

enum { MIN_SAMPLES = 5, QUICK_SAMPLES = 3, ELEMENTS = 1 << 24, QUICK_ELEMENTS = 1 << 12 };
/* A sample is so many runs that the clock and one scheduling hiccup are small in it. */
static const double SAMPLE_SECONDS = 0.010;
/* A side whose single run takes longer than this is left out of its row: five samples of it would take too long. */
static const double SLOWEST_RUN = 2.0;

typedef enum format { TEXT, JSON, MARKDOWN } format;

struct bench {
  cliv_context *ctx;
  const char *device, *only, *list, *save;
  double seconds; /* for the samples of one row, all sides together */
  size_t elements;
  float *x, *y, *z; /* the shared data; z is written */
  bool quick, wrong;
  format format;
  FILE *progress; /* where the lines of text go */
  peers *peers;
  json_t *rows;
};

/* ---- what rows need ---- */

double bench_now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void bench_die(const char *sentence, ...) {
  va_list arguments;
  va_start(arguments, sentence);
  fprintf(stderr, "cliv-bench: ");
  vfprintf(stderr, sentence, arguments);
  fprintf(stderr, "\n");
  va_end(arguments);
  exit(1);
}

void bench_expect(const cliv_context *ctx, cliv_status status, const char *call) {
  if (status) bench_die("%s: %s: %s", call, cliv_status_name(status), cliv_last_error(ctx));
}

void *bench_alloc(size_t bytes) {
  enum { PAGE = 1 << 21 }; /* huge ones, as NumPy's arrays and Cliv's tensors have them */
  const size_t whole = bytes < PAGE ? (bytes + 4095) / 4096 * 4096 + 4096 : (bytes + PAGE - 1) / PAGE * PAGE;
  void *p = aligned_alloc(bytes < PAGE ? 4096 : PAGE, whole);
  if (!p) bench_die("no %zu bytes of memory", bytes);
  if (bytes >= PAGE) madvise(p, whole, MADV_HUGEPAGE);
  return p;
}

void bench_fill(float *x, size_t n, uint32_t seed, float low, float high) {
  uint64_t state = seed + 1;
  for (size_t i = 0; i < n; i++) {
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    x[i] = low + (high - low) * (float)(state >> 40) * 0x1p-24f;
  }
}

cliv_context *bench_context(const bench *b) { return b->ctx; }
size_t bench_size(const bench *b, size_t n, size_t quick) { return b->quick ? quick : n; }
bool bench_quick(const bench *b) { return b->quick; }
size_t bench_elements(const bench *b) { return b->elements; }
const float *bench_input(const bench *b, int which) { return which ? b->y : b->x; }
float *bench_output(bench *b) { return b->z; }

bool bench_wants(const bench *b, const char *operation, const char *size) {
  char name[128];
  snprintf(name, sizeof name, "%s, %s", operation, size);
  return !b->only || strstr(name, b->only);
}

/* ---- timing ---- */

/* Seconds of so many runs; negative when they failed. */
static double time_runs(const bench_side *side, size_t repeats) {
  if (side->time) return side->time(side->arg, repeats);
  const double start = bench_now();
  for (size_t i = 0; i < repeats; i++) side->run(side->arg);
  return bench_now() - start;
}

/* How many runs make a sample; warms the side up on the way. 0, with a reason: it failed, or is too slow. */
static size_t calibrate(const bench_side *side, char *why, size_t room) {
  size_t repeats = 1;
  while (repeats < 1000000) {
    const double seconds = time_runs(side, repeats);
    snprintf(why, room, seconds < 0 ? "it failed" : "a run takes longer than %g s", SLOWEST_RUN);
    if (seconds < 0 || seconds / (double)repeats > SLOWEST_RUN) return 0;
    if (seconds >= SAMPLE_SECONDS) break;
    const double scale = seconds > 0 ? 1.2 * SAMPLE_SECONDS / seconds : 10;
    repeats = (size_t)((double)repeats * (scale > 10 ? 10 : scale)) + 1;
  }
  return repeats;
}

/* The sides of a row while it is measured. */
typedef struct sides {
  bench_side list[BENCH_SIDES];
  bench_timing timings[BENCH_SIDES];
  size_t count, own; /* own: those of the row itself come first */
  json_t *left_out;
} sides;

static void leave_out(sides *s, size_t i, const char *why) {
  json_object_set_new(s->left_out, s->list[i].name, json_string(why));
  s->count--;
  memmove(&s->list[i], &s->list[i + 1], (s->count - i) * sizeof s->list[0]);
  memmove(&s->timings[i], &s->timings[i + 1], (s->count - i) * sizeof s->timings[0]);
}

/* Rounds over all sides, so that a change of the machine's speed meets them all. */
static void time_sides(const bench *b, sides *s) {
  for (size_t i = 0; i < s->count;) {
    char why[64];
    s->timings[i] = (bench_timing){.repeats = b->quick ? 1 : calibrate(&s->list[i], why, sizeof why)};
    if (s->timings[i].repeats) i++;
    else if (i < s->own) bench_die("%s: %s", s->list[i].name, why);
    else leave_out(s, i, why);
  }
  const double start = bench_now();
  for (size_t round = 0; round < BENCH_MAX_SAMPLES; round++) {
    if (b->quick ? round >= QUICK_SAMPLES : round >= MIN_SAMPLES && bench_now() - start > b->seconds) break;
    for (size_t i = 0; i < s->count;) {
      bench_timing *t = &s->timings[i];
      const double seconds = time_runs(&s->list[i], t->repeats);
      if (seconds >= 0) t->samples[t->count++] = seconds / (double)t->repeats, i++;
      else if (i < s->own) bench_die("%s failed", s->list[i].name);
      else leave_out(s, i, "it failed while it was timed");
    }
  }
}

/* Adds the peers that can do the row's work and do it right. */
static void add_peers(bench *b, const bench_row *row, sides *s) {
  if (!row->task) return;
  float *result = peers_count(b->peers) ? bench_alloc(row->task->results * sizeof(float)) : NULL;
  for (size_t i = 0; i < peers_count(b->peers) && s->count < BENCH_SIDES; i++) {
    char why[512];
    if (peers_prepare(b->peers, i, row->task, result, why, sizeof why) &&
        row->check_peer(row->check_arg, result, why, sizeof why))
      s->list[s->count++] = peers_side(b->peers, i);
    else json_object_set_new(s->left_out, peers_name(b->peers, i), json_string(why));
  }
  free(result);
}

static void add_row(bench *b, json_t *row) {
  json_array_append_new(b->rows, row);
  if (b->quick) report_checked(b->progress, row);
  else report_text(b->progress, row);
}

void bench_skip(bench *b, const char *operation, const char *size, const char *why) {
  if (bench_wants(b, operation, size)) add_row(b, report_row_without_times(operation, size, "skipped", why));
}

void bench_measure(bench *b, const bench_row *row) {
  static sides s;
  if (!bench_wants(b, row->operation, row->size)) return;
  s = (sides){.left_out = json_object()};
  for (; s.own < BENCH_SIDES && row->sides[s.own].run; s.own++) {
    s.list[s.own] = row->sides[s.own];
    s.list[s.own].run(s.list[s.own].arg);
  }
  s.count = s.own;
  char why[512] = "";
  if (row->check && !row->check(row->check_arg, why, sizeof why)) {
    b->wrong = true;
    add_row(b, report_row_without_times(row->operation, row->size, "wrong", why));
    json_decref(s.left_out);
    return;
  }
  add_peers(b, row, &s);
  time_sides(b, &s);
  json_t *json = report_row(row, s.list, s.count, s.timings);
  if (json_object_size(s.left_out)) json_object_set(json, "left_out", s.left_out);
  json_decref(s.left_out);
  add_row(b, json);
}

/* ---- the frame ---- */

/* What this machine does in native loops over all its threads: GB/s of memory, GFLOP/s in registers. */
static json_t *measure_machine(bench *b) {
  double copy[MIN_SAMPLES], triad[MIN_SAMPLES], sum[MIN_SAMPLES], fma[MIN_SAMPLES];
  const double gb = 1e-9 * (double)(b->elements * sizeof(float));
  volatile float sink;
  for (int round = -1; round < MIN_SAMPLES; round++) { /* the first warms up */
    const int i = round < 0 ? 0 : round;
    double start = bench_now();
    native_copy(b->x, b->z, b->elements);
    copy[i] = 2 * gb / (bench_now() - start);
    start = bench_now();
    native_triad(b->x, b->y, b->z, 0.5f, b->elements);
    triad[i] = 3 * gb / (bench_now() - start);
    start = bench_now();
    sink = native_sum(b->x, b->elements);
    sum[i] = gb / (bench_now() - start);
    start = bench_now();
    fma[i] = 1e-9 * native_fma(bench_size(b, 1 << 28, 1 << 14)) / (bench_now() - start);
  }
  (void)sink;
  return json_pack("{s:i, s:f, s:f, s:f, s:f}", "threads", native_threads(), "copy",
                   report_quantile(copy, MIN_SAMPLES, 0.5), "triad", report_quantile(triad, MIN_SAMPLES, 0.5), "sum",
                   report_quantile(sum, MIN_SAMPLES, 0.5), "fma", report_quantile(fma, MIN_SAMPLES, 0.5));
}

static json_t *describe_device(const bench *b) {
  char platform[256] = "", device[256] = "", driver[256] = "";
  const cl_device_id id = cliv_context_cl_device(b->ctx);
  cl_platform_id of = NULL;
  clGetDeviceInfo(id, CL_DEVICE_PLATFORM, sizeof of, &of, NULL);
  clGetDeviceInfo(id, CL_DEVICE_NAME, sizeof device, device, NULL);
  clGetDeviceInfo(id, CL_DRIVER_VERSION, sizeof driver, driver, NULL);
  clGetPlatformInfo(of, CL_PLATFORM_NAME, sizeof platform, platform, NULL);
  return json_pack("{s:s, s:s, s:s, s:s}", "platform", platform, "device", device, "driver", driver, "walk",
                   cliv_context_walk(b->ctx) == CLIV_WALK_CPU ? "cpu" : "gpu");
}

static json_t *describe_peers(const bench *b) {
  json_t *all = json_object();
  for (size_t i = 0; i < peers_count(b->peers); i++) {
    const char *words;
    char text[600];
    const bool there = peers_running(b->peers, i, &words);
    snprintf(text, sizeof text, "%s%s", there ? "" : "not there: ", words);
    json_object_set_new(all, peers_name(b->peers, i), json_string(text));
  }
  return all;
}

static void prepare_data(bench *b) {
  b->elements = bench_size(b, ELEMENTS, QUICK_ELEMENTS);
  float **const arrays[] = {&b->x, &b->y, &b->z};
  for (uint32_t k = 0; k < 3; k++) {
    *arrays[k] = bench_alloc(b->elements * sizeof(float));
    bench_fill(*arrays[k], b->elements, k, -1, 3);
  }
}

/* ---- the program ---- */

static void usage(int code) {
  fprintf(code ? stderr : stdout,
          "cliv-bench [--device SELECTOR] [--only TEXT] [--seconds S] [--peers FILE] [--quick]\n"
          "           [--json | --markdown] [--save FILE]\n"
          "  --device SELECTOR  as for cliv; default $CLIV_DEVICE, or auto\n"
          "  --only TEXT        rows whose \"operation, size\" contains TEXT\n"
          "  --seconds S        time for each row, default 3; every side gets five samples in any case\n"
          "  --peers FILE       other libraries to compare with: the list that scripts/peers writes\n"
          "  --quick            small sizes, few samples: checks the results, the times mean nothing\n"
          "  --json             one JSON document on standard output; the table goes to standard error\n"
          "  --markdown         a section of a Markdown document, likewise\n"
          "  --save FILE        the JSON document into FILE, too\n"
          "Example: cliv-bench --only sum --device pocl --peers build/peers/list\n");
  exit(code);
}

static void parse(bench *b, int argc, char **argv) {
  for (int i = 1; i < argc; i++) {
    const char *value = i + 1 < argc ? argv[i + 1] : NULL;
    if (!strcmp(argv[i], "--json")) b->format = JSON;
    else if (!strcmp(argv[i], "--markdown")) b->format = MARKDOWN;
    else if (!strcmp(argv[i], "--quick")) b->quick = true;
    else if (!strcmp(argv[i], "--help")) usage(0);
    else if (!strcmp(argv[i], "--device") && value) b->device = value, i++;
    else if (!strcmp(argv[i], "--only") && value) b->only = value, i++;
    else if (!strcmp(argv[i], "--peers") && value) b->list = value, i++;
    else if (!strcmp(argv[i], "--save") && value) b->save = value, i++;
    else if (!strcmp(argv[i], "--seconds") && value && (b->seconds = strtod(value, NULL)) > 0) i++;
    else usage(2);
  }
  b->progress = b->format == TEXT ? stdout : stderr;
}

static void print_frame(const bench *b, const json_t *all, const json_t *native) {
  if (b->quick) return;
  fprintf(b->progress, "%s, %s walk\nnative, %d threads: copy %.1f, triad %.1f, sum %.1f GB/s; fma %.0f GFLOP/s\n\n",
          cliv_context_device_name(b->ctx), json_string_value(json_object_get(all, "walk")), native_threads(),
          json_real_value(json_object_get(native, "copy")), json_real_value(json_object_get(native, "triad")),
          json_real_value(json_object_get(native, "sum")), json_real_value(json_object_get(native, "fma")));
  report_text_heading(b->progress);
}

static void write_json(FILE *file, const json_t *all) {
  json_dumpf(all, file, JSON_INDENT(2) | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(6));
  fprintf(file, "\n");
}

static void report_all(const bench *b, const json_t *all) {
  if (b->format == TEXT && !b->quick) report_text_end(stdout, all);
  else if (b->format == MARKDOWN) report_markdown(stdout, all);
  else if (b->format == JSON) write_json(stdout, all);
  if (!b->save) return;
  FILE *file = fopen(b->save, "w");
  if (!file) bench_die("cannot write %s: %s", b->save, strerror(errno));
  write_json(file, all);
  if (fclose(file)) bench_die("cannot write %s: %s", b->save, strerror(errno));
}

int main(int argc, char **argv) {
  /* The threads of OpenMP and OpenBLAS, here and in the peers, spin for a while after their work and would take the
   * cores from the side that is timed next. They read this when the program is loaded, hence the second start. */
  if (!getenv("OMP_WAIT_POLICY") && !setenv("OMP_WAIT_POLICY", "passive", 1) &&
      !setenv("OPENBLAS_THREAD_TIMEOUT", "4", 0))
    execv("/proc/self/exe", argv);

  bench b = {.seconds = 3, .rows = json_array()};
  parse(&b, argc, argv);
  const cliv_context_options options = {.size = sizeof options, .device = b.device};
  BENCH_OK(NULL, cliv_context_create(&options, &b.ctx));
  prepare_data(&b);
  json_t *all = describe_device(&b), *native = measure_machine(&b);
  json_object_set_new(all, "native", native);
  print_frame(&b, all, native);
  if (b.list) b.peers = peers_start(b.list, &b, native_threads());
  json_object_set_new(all, "peers", describe_peers(&b));
  for (size_t i = 0; i < sizeof bench_list / sizeof bench_list[0]; i++) bench_list[i](&b);
  json_object_set_new(all, "rows", b.rows);
  report_all(&b, all);
  json_decref(all);
  peers_stop(b.peers);
  cliv_context_free(b.ctx);
  free(b.x), free(b.y), free(b.z);
  return b.wrong ? 1 : 0;
}
