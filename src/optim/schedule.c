/* Schedules: shapes, the language they are written in, factors. See cliv/schedule.h. */
#include <cliv/schedule.h>
#include <ctype.h>
#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "base/options.h"
#include "base/text.h"
#include "optim/power.h"

enum { MAX_ARGUMENTS = 6, MAX_LIST = 16, STATE = 4 };

/* One shape with its arguments. */
typedef struct shape {
  const struct kind *kind;
  double a[MAX_ARGUMENTS];
  double list[MAX_LIST];
  size_t list_count;
  double length;      /* steps it takes; 0: no end */
  double told[STATE]; /* what plateau has made of its reports */
  bool last;          /* of its sequence */
} shape;

struct cliv_schedule {
  size_t count;
  shape shapes[];
};

/* ---- shapes: t is the shape's own step, at most its length ---- */

typedef double (*factor_of)(const shape *s, double t);

/* cos(pi x) for x in [0, 1], by the series of sine and cosine on [0, 1/4]: the C library's may differ from machine to
 * machine. */
static double cos_pi(double x) {
  const bool mirrored = x > 0.5, turned = fabs(x - 0.5) < 0.25;
  const double y = mirrored ? 1 - x : x, r = 3.14159265358979323846 * (turned ? 0.5 - y : y), square = r * r;
  double sum = 0;
  for (int k = 18; k > 0; k -= 2) sum = (sum + 1) * -square / (turned ? (double)k * (k + 1) : (double)k * (k - 1));
  const double value = turned ? r * (1 + sum) : 1 + sum;
  return mirrored ? -value : value;
}

/* From `from` (p = 0) along half a wave to `to` (p = 1). */
static double half_wave(double from, double to, double p) { return to + (from - to) * (1 + cos_pi(p)) / 2; }

static double constant_at(const shape *s, double t) {
  (void)t;
  return s->a[1];
}

static double linear_at(const shape *s, double t) { return s->a[1] + (s->a[2] - s->a[1]) * (t / s->a[0]); }

static double warmup_at(const shape *s, double t) { return s->a[1] + (1 - s->a[1]) * (t / s->a[0]); }

static double polynomial_at(const shape *s, double t) {
  const double left = 1 - t / s->a[0];
  return s->a[2] + (1 - s->a[2]) * (left > 0 ? cliv__real_power(left, s->a[1]) : 0);
}

static double exponential_at(const shape *s, double t) { return cliv__power(s->a[0], (uint64_t)t); }

static double step_at(const shape *s, double t) { return cliv__power(s->a[1], (uint64_t)(t / s->a[0])); }

static double multistep_at(const shape *s, double t) {
  uint64_t passed = 0;
  for (size_t i = 0; i < s->list_count; i++) passed += t >= s->list[i];
  return cliv__power(s->a[0], passed);
}

static double cosine_at(const shape *s, double t) { return half_wave(1, s->a[1], t / s->a[0]); }

static double restarts_at(const shape *s, double t) {
  double period = s->a[0];
  if (s->a[1] == 1) t = fmod(t, period);
  else
    while (t >= period) t -= period, period *= s->a[1];
  return half_wave(1, s->a[2], t / period);
}

static double cyclic_at(const shape *s, double t) {
  const double up = s->a[0], down = s->a[1] > 0 ? s->a[1] : up, cycle = floor(t / (up + down));
  const double x = t - cycle * (up + down), height = x <= up ? x / up : (up + down - x) / down;
  const double shrunk = cliv__power(s->a[3], (uint64_t)cycle) * cliv__power(s->a[4], (uint64_t)t);
  return s->a[2] + (1 - s->a[2]) * height * shrunk;
}

static double onecycle_at(const shape *s, double t) {
  const double top = s->a[1] * s->a[0] - 1, end = s->a[0] - 1;
  if (t <= top) return half_wave(s->a[2], 1, top > 0 ? t / top : 1);
  return half_wave(1, s->a[3], t < end ? (t - top) / (end - top) : 1);
}

static double cooldown_at(const shape *s, double t) { return s->a[1] + (1 - s->a[1]) * (1 - sqrt(t / s->a[0])); }

static double wsd_at(const shape *s, double t) {
  const double warmup = s->a[1], falls = s->a[0] - s->a[2];
  if (t < warmup) return t / warmup;
  return t < falls ? 1 : s->a[3] + (1 - s->a[3]) * (1 - sqrt((t - falls) / s->a[2]));
}

static double noam_at(const shape *s, double t) {
  const double n = t + 1, rising = n / (s->a[1] * sqrt(s->a[1])), falling = 1 / sqrt(n);
  return (rising < falling ? rising : falling) / sqrt(s->a[0]);
}

static double rsqrt_at(const shape *s, double t) { return t < s->a[0] ? t / s->a[0] : sqrt(s->a[0] / t); }

static double rex_at(const shape *s, double t) {
  const double p = t / s->a[0];
  return s->a[1] + (1 - s->a[1]) * (1 - p) / (1 - p / 2);
}

static double range_at(const shape *s, double t) { return cliv__real_power(s->a[1], 1 - t / s->a[0]); }

/* ---- plateau: `told` is its factor, the best report, bad ones since, reports that are still not to count ---- */

enum { FACTOR, BEST, BAD, RESTING };
enum { PATIENCE, GAMMA, THRESHOLD, COOLDOWN, END, HIGHER };

static double plateau_at(const shape *s, double t) {
  (void)t;
  return s->told[FACTOR];
}

static bool better(const shape *s, double metric) {
  const double best = s->told[BEST];
  if (isinf(best)) return !isnan(metric); /* the first report */
  if (s->a[HIGHER] != 0) return metric > (best > 0 ? best * (1 + s->a[THRESHOLD]) : best * (1 - s->a[THRESHOLD]));
  return metric < (best > 0 ? best * (1 - s->a[THRESHOLD]) : best * (1 + s->a[THRESHOLD]));
}

static void plateau_report(shape *s, double metric) {
  if (better(s, metric)) s->told[BEST] = metric, s->told[BAD] = 0;
  else s->told[BAD]++;
  if (s->told[RESTING] > 0) s->told[RESTING]--, s->told[BAD] = 0;
  if (s->told[BAD] <= s->a[PATIENCE]) return;
  const double lower = s->told[FACTOR] * s->a[GAMMA];
  s->told[FACTOR] = lower > s->a[END] ? lower : s->a[END];
  s->told[RESTING] = s->a[COOLDOWN];
  s->told[BAD] = 0;
}

/* ---- the table ---- */

#define MOST_STEPS 9007199254740992.0 /* 2^53: whole numbers of double end here */
#define STEPS \
  { "steps", NAN, 1, MOST_STEPS, 1, "how many it takes" }
#define ANY_STEPS \
  { "steps", 0, 0, MOST_STEPS, 1, "how many it takes; 0: no end" }
#define FRACTION(name, initial, meaning) \
  { name, initial, 0, 1, 0, meaning }
#define POSITIVE(name, initial, meaning) \
  { name, initial, 0, DBL_MAX, 0, meaning }
#define COUNT_OF(name, initial, least, meaning) \
  { name, initial, least, MOST_STEPS, 1, meaning }
#define END_AT FRACTION("end", 0, "the factor at the end")

static const cliv_schedule_argument constant_args[] = {ANY_STEPS, POSITIVE("factor", 1, "the factor")};
static const cliv_schedule_argument linear_args[] = {STEPS, POSITIVE("start", 1, "the factor at the beginning"),
                                                     POSITIVE("end", 0, "the factor at the end")};
static const cliv_schedule_argument warmup_args[] = {STEPS, FRACTION("start", 0, "the factor at the beginning")};
static const cliv_schedule_argument polynomial_args[] = {STEPS, POSITIVE("power", 1, "of what is left"), END_AT};
static const cliv_schedule_argument exponential_args[] = {POSITIVE("gamma", NAN, "what every step multiplies"),
                                                          ANY_STEPS};
static const cliv_schedule_argument step_args[] = {COUNT_OF("every", NAN, 1, "steps between two multiplications"),
                                                   POSITIVE("gamma", 0.1, "what they multiply with"), ANY_STEPS};
static const cliv_schedule_argument multistep_args[] = {POSITIVE("gamma", 0.1, "what each listed step multiplies"),
                                                        ANY_STEPS};
static const cliv_schedule_argument cosine_args[] = {STEPS, END_AT};
static const cliv_schedule_argument restarts_args[] = {
    COUNT_OF("period", NAN, 1, "steps from the beginning to the first restart"),
    {"mult", 1, 1, 1000, 0, "how many times as long each period is as the one before"},
    END_AT,
    ANY_STEPS};
static const cliv_schedule_argument cyclic_args[] = {
    COUNT_OF("up", NAN, 1, "steps from low to 1"),
    COUNT_OF("down", 0, 0, "steps back; 0: as many"),
    FRACTION("low", 0.1, "the factor at both ends of a cycle"),
    FRACTION("decay", 1, "what every cycle multiplies the height with; 0.5 is triangular2"),
    FRACTION("gamma", 1, "what every step multiplies the height with; exp_range"),
    ANY_STEPS};
static const cliv_schedule_argument onecycle_args[] = {
    COUNT_OF("steps", NAN, 2, "how many it takes"), FRACTION("rise", 0.3, "the part of them in which it rises"),
    FRACTION("start", 0.04, "the factor at the beginning"), FRACTION("end", 4e-6, "the factor at the end")};
static const cliv_schedule_argument wsd_args[] = {STEPS, COUNT_OF("warmup", NAN, 0, "steps of the rise"),
                                                  COUNT_OF("decay", NAN, 1, "steps of the fall"), END_AT};
static const cliv_schedule_argument noam_args[] = {
    {"width", NAN, 1, DBL_MAX, 0, "of the model"}, COUNT_OF("warmup", NAN, 1, "steps of the rise"), ANY_STEPS};
static const cliv_schedule_argument rsqrt_args[] = {COUNT_OF("warmup", NAN, 1, "steps of the rise"), ANY_STEPS};
static const cliv_schedule_argument range_args[] = {STEPS,
                                                    {"start", 1e-6, DBL_MIN, 1, 0, "the factor at the beginning"}};
static const cliv_schedule_argument plateau_args[] = {
    [PATIENCE] = {"patience", 10, 0, MOST_STEPS, 0, "reports without an improvement that are borne"},
    [GAMMA] = FRACTION("gamma", 0.1, "what the factor is then multiplied with"),
    [THRESHOLD] = FRACTION("threshold", 1e-4, "an improvement is better by this part of the best"),
    [COOLDOWN] = {"cooldown", 0, 0, MOST_STEPS, 0, "reports that do not count after that"},
    [END] = FRACTION("end", 0, "the least factor"),
    [HIGHER] = {"higher", 0, 0, 1, 0, "1: higher is better"}};

typedef struct kind {
  cliv_schedule_info info;
  factor_of at;
} kind;

#define KIND(name, summary, source, list, args, at) \
  { {name, summary, source, list, sizeof(args) / sizeof *(args), args}, at }

static const kind kinds[] = {
    KIND("constant", "one factor", "torch ConstantLR", 0, constant_args, constant_at),
    KIND("linear", "a straight line from start to end", "torch LinearLR", 0, linear_args, linear_at),
    KIND("warmup", "a straight line up to 1", "transformers get_linear_schedule_with_warmup", 0, warmup_args,
         warmup_at),
    KIND("polynomial", "a power of the part that is left", "torch PolynomialLR", 0, polynomial_args, polynomial_at),
    KIND("exponential", "multiplied in every step", "torch ExponentialLR", 0, exponential_args, exponential_at),
    KIND("step", "multiplied every so many steps", "torch StepLR", 0, step_args, step_at),
    KIND("multistep", "multiplied at listed steps", "torch MultiStepLR", 1, multistep_args, multistep_at),
    KIND("cosine", "half a wave from 1 to end", "torch CosineAnnealingLR; arXiv 1608.03983", 0, cosine_args, cosine_at),
    KIND("restarts", "half waves from 1 to end, again and again", "torch CosineAnnealingWarmRestarts", 0, restarts_args,
         restarts_at),
    KIND("cyclic", "up and down in straight lines", "torch CyclicLR; arXiv 1506.01186", 0, cyclic_args, cyclic_at),
    KIND("onecycle", "half a wave up, then half a wave down", "torch OneCycleLR; arXiv 1708.07120", 0, onecycle_args,
         onecycle_at),
    KIND("cooldown", "from 1 down with the root of the part done", "arXiv 2405.18392", 0, cosine_args, cooldown_at),
    KIND("wsd", "a straight rise, 1, then a cooldown", "arXiv 2404.06395, 2405.18392", 0, wsd_args, wsd_at),
    KIND("noam", "a straight rise, then one over the root of the step", "arXiv 1706.03762, equation 3", 0, noam_args,
         noam_at),
    KIND("rsqrt", "a straight rise to 1, then one over the root of the step", "arXiv 1910.10683", 0, rsqrt_args,
         rsqrt_at),
    KIND("rex", "from 1 to end, late", "arXiv 2107.04197", 0, cosine_args, rex_at),
    KIND("range", "from start to 1, the same factor in every step: a range test", "arXiv 1506.01186; fast.ai", 0,
         range_args, range_at),
    KIND("plateau", "multiplied when reports stop improving", "torch ReduceLROnPlateau", 0, plateau_args, plateau_at),
};
enum { KINDS = sizeof kinds / sizeof *kinds };

size_t cliv_schedule_count(void) { return KINDS; }
const cliv_schedule_info *cliv_schedule_get(size_t index) { return index < KINDS ? &kinds[index].info : NULL; }

/* ---- reading a text ---- */

typedef struct reader {
  cliv_context *ctx;
  const char *text, *at;
  uint64_t epoch_steps;
} reader;

/* `return FAIL(r, VALUE, "…", …)`: with the text and the place. */
#define FAIL(r, STATUS, ...) fail_at((r), CLIV_##STATUS, (r)->at, cliv__format(__VA_ARGS__))

/* Takes `what` over. */
static cliv_status fail_at(const reader *r, cliv_status status, const char *at, char *what) {
  const cliv_status failed = cliv__fail(r->ctx, status, "schedule '%.200s', character %zu: %s", r->text,
                                        (size_t)(at - r->text) + 1, what ? what : "it cannot be read");
  free(what);
  return failed;
}

static void skip_blanks(reader *r) {
  while (isspace((unsigned char)*r->at)) r->at++;
}

static bool take(reader *r, char c) {
  skip_blanks(r);
  if (*r->at != c) return false;
  r->at++;
  return true;
}

static size_t word_length(const char *at) {
  size_t n = 0;
  while (isalnum((unsigned char)at[n]) || at[n] == '_') n++;
  return n;
}

static bool is_word(const char *at, size_t n, const char *word) { return strlen(word) == n && !strncmp(at, word, n); }

static cliv_status find_kind(reader *r, const kind **out) {
  skip_blanks(r);
  const size_t n = word_length(r->at);
  for (size_t i = 0; i < KINDS; i++)
    if (is_word(r->at, n, kinds[i].info.name)) {
      *out = &kinds[i];
      r->at += n;
      return CLIV_OK;
    }
  cliv__text names = {0};
  for (size_t i = 0; i < KINDS; i++) cliv__text_add(&names, i ? ", %s" : "%s", kinds[i].info.name);
  char *list = cliv__text_take(&names);
  const cliv_status status = FAIL(r, NAME, "a shape is expected, one of: %s", list ? list : "?");
  free(list);
  return status;
}

/* The argument that is called NAME=, which is skipped; else the next in order, or (`*out` NULL) one of the list. */
static cliv_status find_argument(reader *r, const shape *s, size_t *next, const cliv_schedule_argument **out) {
  const cliv_schedule_info *info = &s->kind->info;
  skip_blanks(r);
  const size_t n = word_length(r->at);
  const char *behind = r->at + n;
  while (isspace((unsigned char)*behind)) behind++;
  *out = NULL;
  if (n && *behind == '=') {
    for (size_t i = 0; i < info->argument_count; i++)
      if (is_word(r->at, n, info->arguments[i].name)) *out = &info->arguments[i];
    if (!*out) return FAIL(r, NAME, "%s has no argument '%.*s'", info->name, (int)n, r->at);
    r->at = behind + 1;
    *next = info->argument_count; /* those without a name come first */
    return CLIV_OK;
  }
  if (info->list) return CLIV_OK;
  if (*next >= info->argument_count)
    return FAIL(r, VALUE, "%s takes %zu arguments, those without a name first", info->name, info->argument_count);
  *out = &info->arguments[(*next)++];
  return CLIV_OK;
}

/* A number, perhaps in epochs. */
static cliv_status read_number(reader *r, bool counts, double *out) {
  static const char unit[] = "epochs";
  skip_blanks(r);
  size_t n = strcspn(r->at, ",) \t\n=");
  const char *begin = r->at;
  bool epochs = n > strlen(unit) && !strncmp(begin + n - strlen(unit), unit, strlen(unit));
  if (!cliv__number(begin, n - (epochs ? strlen(unit) : 0), out) || n == 0)
    return FAIL(r, VALUE, "a number is expected, not '%.*s'", (int)(n ? n : 1), begin);
  const char *behind = begin + n;
  while (isspace((unsigned char)*behind)) behind++;
  if (!epochs && !strncmp(behind, unit, strlen(unit))) epochs = true, behind += strlen(unit);
  if (epochs && !counts) return FAIL(r, VALUE, "this argument counts no steps, so it cannot be in epochs");
  if (epochs && r->epoch_steps == 0)
    return FAIL(r, VALUE, "how many steps an epoch has is not known here; give a number of steps");
  if (epochs) *out = floor(*out * (double)r->epoch_steps + 0.5);
  r->at = behind;
  return CLIV_OK;
}

static cliv_status check_number(reader *r, const char *begin, const char *name, double min, double max, bool counts,
                                double x) {
  if (x >= min && x <= max && (!counts || x == floor(x))) return CLIV_OK;
  r->at = begin;
  if (counts && x >= min && x <= max) return FAIL(r, VALUE, "%s counts steps and is %g", name, x);
  if (max == DBL_MAX) return FAIL(r, VALUE, "%s is %g; it must be at least %g", name, x, min);
  return FAIL(r, VALUE, "%s is %g; it must be from %g to %g", name, x, min, max);
}

static cliv_status read_argument(reader *r, shape *s, size_t *next) {
  const cliv_schedule_argument *a;
  TRY(find_argument(r, s, next, &a));
  skip_blanks(r);
  const char *begin = r->at;
  double x;
  TRY(read_number(r, !a || a->counts, &x));
  if (a) {
    TRY(check_number(r, begin, a->name, a->min, a->max, a->counts, x));
    s->a[a - s->kind->info.arguments] = x;
    return CLIV_OK;
  }
  TRY(check_number(r, begin, "a listed step", 0, MOST_STEPS, true, x));
  if (s->list_count == MAX_LIST)
    return FAIL(r, VALUE, "%s takes a list of at most %d steps", s->kind->info.name, MAX_LIST);
  s->list[s->list_count++] = x;
  return CLIV_OK;
}

/* Whether what is given goes together, and how long the shape is. */
static cliv_status settle(reader *r, const char *begin, shape *s) {
  const cliv_schedule_info *info = &s->kind->info;
  const char *at = r->at;
  r->at = begin;
  for (size_t i = 0; i < info->argument_count; i++) {
    if (isnan(s->a[i]))
      return FAIL(r, VALUE, "%s needs its argument %s: %s", info->name, info->arguments[i].name,
                  info->arguments[i].meaning);
    if (!strcmp(info->arguments[i].name, "steps")) s->length = s->a[i];
  }
  if (info->list && s->list_count == 0) return FAIL(r, VALUE, "%s needs a list of steps", info->name);
  if (s->kind->at == wsd_at && s->a[1] + s->a[2] > s->a[0])
    return FAIL(r, VALUE, "a warm-up of %g and a decay of %g do not fit into %g steps", s->a[1], s->a[2], s->a[0]);
  if (s->kind->at == restarts_at && s->a[1] != floor(s->a[1]))
    return FAIL(r, VALUE, "mult is %g; it must be a whole number", s->a[1]);
  s->told[FACTOR] = 1;
  s->told[BEST] = s->kind->at == plateau_at && s->a[HIGHER] != 0 ? -INFINITY : INFINITY;
  r->at = at;
  return CLIV_OK;
}

static cliv_status read_shape(reader *r, shape *s) {
  skip_blanks(r);
  const char *begin = r->at;
  *s = (shape){.kind = NULL};
  TRY(find_kind(r, &s->kind));
  for (size_t i = 0; i < s->kind->info.argument_count; i++) s->a[i] = s->kind->info.arguments[i].initial;
  if (!take(r, '(')) return FAIL(r, VALUE, "%s needs its arguments in parentheses", s->kind->info.name);
  size_t next = 0;
  if (!take(r, ')')) {
    do TRY(read_argument(r, s, &next));
    while (take(r, ','));
    if (!take(r, ')')) return FAIL(r, VALUE, "a comma or a closing parenthesis is expected");
  }
  return settle(r, begin, s);
}

static cliv_status read_text(reader *r, cliv_schedule *out) {
  for (;;) {
    shape *s = &out->shapes[out->count];
    skip_blanks(r);
    const char *begin = r->at;
    TRY(read_shape(r, s));
    out->count++;
    skip_blanks(r);
    s->last = !*r->at || *r->at == '*';
    if (!s->last && s->length == 0)
      return fail_at(r, CLIV_VALUE, begin,
                     cliv__format("%s has no end, and another shape follows; give it steps=N", s->kind->info.name));
    if (!*r->at) return CLIV_OK;
    take(r, '*');
  }
}

cliv_status cliv_schedule_create(cliv_context *ctx, const char *text, const cliv_schedule_options *options,
                                 cliv_schedule **out) {
  REQUIRE_NOT_NULL(ctx, out);
  *out = NULL;
  REQUIRE_NOT_NULL(ctx, text);
  cliv_schedule_options own;
  TRY(OPTIONS(ctx, options, &own));
  size_t most = 1; /* shapes: as many as parentheses open */
  for (const char *c = text; *c; c++) most += *c == '(';
  cliv_schedule *s = calloc(1, sizeof *s + most * sizeof(shape));
  REQUIRE(ctx, s != NULL, HOST_MEMORY, "no memory for a schedule");
  reader r = {ctx, text, text, own.epoch_steps};
  const cliv_status status = read_text(&r, s);
  if (status) cliv_schedule_free(s);
  else *out = s;
  return status;
}

void cliv_schedule_free(cliv_schedule *schedule) { free(schedule); }

/* ---- factors ---- */

double cliv_schedule_factor(const cliv_schedule *schedule, uint64_t step) {
  const double start = fmin((double)step, MOST_STEPS);
  double factor = 1, t = start;
  bool done = false; /* the sequence has given its factor */
  for (const shape *s = schedule->shapes; s < schedule->shapes + schedule->count; s++) {
    if (!done && (s->last || t < s->length)) {
      factor *= s->kind->at(s, s->length > 0 && t > s->length ? s->length : t);
      done = true;
    }
    t -= s->length;
    if (s->last) t = start, done = false;
  }
  return factor;
}

void cliv_schedule_report(cliv_schedule *schedule, double metric) {
  for (size_t i = 0; schedule && i < schedule->count; i++)
    if (schedule->shapes[i].kind->at == plateau_at) plateau_report(&schedule->shapes[i], metric);
}

size_t cliv_schedule_state(const cliv_schedule *schedule, double *values, size_t room) {
  size_t n = 0;
  for (size_t i = 0; schedule && i < schedule->count; i++)
    for (size_t k = 0; schedule->shapes[i].kind->at == plateau_at && k < STATE; k++, n++)
      if (n < room) values[n] = schedule->shapes[i].told[k];
  return n;
}

cliv_status cliv_schedule_restore(cliv_schedule *schedule, const double *values, size_t count) {
  REQUIRE_NOT_NULL(NULL, schedule);
  const size_t wanted = cliv_schedule_state(schedule, NULL, 0);
  REQUIRE(NULL, count == wanted, VALUE, "%zu numbers are given to a schedule whose state has %zu", count, wanted);
  for (size_t i = 0, n = 0; i < schedule->count; i++)
    for (size_t k = 0; schedule->shapes[i].kind->at == plateau_at && k < STATE; k++)
      schedule->shapes[i].told[k] = values[n++];
  return CLIV_OK;
}
