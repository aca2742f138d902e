/* Formulas: a + b, a - b, a * b, a / b, -a, a ^ b, sqrt(a), min(a, b), max(a, b), numbers and names. */
#include "optim/formula.h"

#include <ctype.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "base/status.h"
#include "base/text.h"
#include "optim/power.h"

enum { NUMBER, VALUE, NEGATE, ADD, SUBTRACT, MULTIPLY, DIVIDE, POWER, ROOT, LEAST, MOST };
enum { DEEPEST = 32 };

static const struct function {
  const char *name;
  int arguments, code;
} functions[] = {{"sqrt", 1, ROOT}, {"min", 2, LEAST}, {"max", 2, MOST}};
enum { FUNCTIONS = sizeof functions / sizeof *functions };

/* ---- reading ---- */

typedef struct reader {
  cliv_context *ctx;
  const char *what, *text, *at;
  const char *const *names;
  size_t name_count;
  int depth;
  cliv__formula *out;
} reader;

/* `return FAIL(r, VALUE, "…", …)`: with the text and the place. */
#define FAIL(r, STATUS, ...) fail_here((r), CLIV_##STATUS, cliv__format(__VA_ARGS__))

/* Takes `said` over. */
static cliv_status fail_here(const reader *r, cliv_status status, char *said) {
  const cliv_status failed = cliv__fail(r->ctx, status, "%s, formula '%.200s', character %zu: %s", r->what, r->text,
                                        (size_t)(r->at - r->text) + 1, said ? said : "it cannot be read");
  free(said);
  return failed;
}

static char peek(reader *r) {
  while (isspace((unsigned char)*r->at)) r->at++;
  return *r->at;
}

static bool take(reader *r, char c) {
  if (peek(r) != c) return false;
  r->at++;
  return true;
}

static cliv_status expect(reader *r, char c) {
  if (take(r, c)) return CLIV_OK;
  return FAIL(r, VALUE, "'%c' is expected", c);
}

static cliv_status put(reader *r, int code, size_t index, double number) {
  if (r->out->count == CLIV__FORMULA_ROOM)
    return FAIL(r, VALUE, "it has more than %d numbers, names and operations", CLIV__FORMULA_ROOM);
  r->out->items[r->out->count++] = (struct cliv__formula_item){code, index, number};
  return CLIV_OK;
}

static size_t word_length(const char *at) {
  size_t n = 0;
  while (isalnum((unsigned char)at[n]) || at[n] == '_') n++;
  return n;
}

static bool is_word(const char *at, size_t n, const char *word) { return strlen(word) == n && !strncmp(at, word, n); }

static cliv_status fail_name(reader *r, size_t n) {
  cliv__text text = {0};
  for (size_t i = 0; i < r->name_count; i++) cliv__text_add(&text, i ? ", %s" : "%s", r->names[i]);
  char *list = cliv__text_take(&text);
  const cliv_status status =
      FAIL(r, NAME, "'%.*s' is unknown; there are: %s; sqrt, min, max", (int)n, r->at, list ? list : "?");
  free(list);
  return status;
}

static cliv_status read_sum(reader *r);
static cliv_status read_signed(reader *r);

static cliv_status read_call(reader *r, const struct function *f) {
  TRY(expect(r, '('));
  for (int i = 0; i < f->arguments; i++) {
    if (i) TRY(expect(r, ','));
    TRY(read_sum(r));
  }
  TRY(expect(r, ')'));
  return put(r, f->code, 0, 0);
}

static cliv_status read_word(reader *r) {
  const size_t n = word_length(r->at);
  for (size_t i = 0; i < r->name_count; i++)
    if (is_word(r->at, n, r->names[i])) {
      r->at += n;
      return put(r, VALUE, i, 0);
    }
  for (size_t i = 0; i < FUNCTIONS; i++)
    if (is_word(r->at, n, functions[i].name)) {
      r->at += n;
      return read_call(r, &functions[i]);
    }
  return fail_name(r, n);
}

/* Digits, a point, and an exponent with its sign. */
static size_t number_length(const char *at) {
  size_t n = strspn(at, "0123456789.");
  if (at[n] != 'e' && at[n] != 'E') return n;
  const size_t sign = at[n + 1] == '+' || at[n + 1] == '-', digits = strspn(at + n + 1 + sign, "0123456789");
  return digits ? n + 1 + sign + digits : n;
}

static cliv_status read_operand(reader *r) {
  const char c = peek(r);
  if (isalpha((unsigned char)c) || c == '_') return read_word(r);
  if (take(r, '(')) {
    TRY(read_sum(r));
    return expect(r, ')');
  }
  const size_t n = number_length(r->at);
  double number;
  if (n == 0 || !cliv__number(r->at, n, &number)) return FAIL(r, VALUE, "a number, a name or '(' is expected");
  r->at += n;
  return put(r, NUMBER, 0, number);
}

/* -a^b is -(a^b), a^b^c is a^(b^c), and a^-b is allowed. */
static cliv_status read_signed(reader *r) {
  if (++r->depth > DEEPEST) return FAIL(r, VALUE, "it is nested more than %d deep", DEEPEST);
  if (take(r, '-')) {
    TRY(read_signed(r));
    TRY(put(r, NEGATE, 0, 0));
  } else {
    TRY(read_operand(r));
    if (take(r, '^')) {
      TRY(read_signed(r));
      TRY(put(r, POWER, 0, 0));
    }
  }
  r->depth--;
  return CLIV_OK;
}

static cliv_status read_product(reader *r) {
  TRY(read_signed(r));
  for (char c; (c = peek(r)) == '*' || c == '/';) {
    r->at++;
    TRY(read_signed(r));
    TRY(put(r, c == '*' ? MULTIPLY : DIVIDE, 0, 0));
  }
  return CLIV_OK;
}

static cliv_status read_sum(reader *r) {
  TRY(read_product(r));
  for (char c; (c = peek(r)) == '+' || c == '-';) {
    r->at++;
    TRY(read_product(r));
    TRY(put(r, c == '+' ? ADD : SUBTRACT, 0, 0));
  }
  return CLIV_OK;
}

cliv_status cliv__formula_read(cliv_context *ctx, const char *what, const char *text, const char *const *names,
                               size_t count, cliv__formula *out) {
  reader r = {.ctx = ctx, .what = what, .text = text, .at = text, .names = names, .name_count = count, .out = out};
  out->count = 0;
  TRY(read_sum(&r));
  if (peek(&r)) return FAIL(&r, VALUE, "an operation is expected: +, -, *, /, ^");
  return CLIV_OK;
}

/* ---- working out ---- */

static double combined(int code, double a, double b) {
  switch (code) {
    case ADD: return a + b;
    case SUBTRACT: return a - b;
    case MULTIPLY: return a * b;
    case DIVIDE: return a / b;
    case LEAST: return a < b ? a : b;
    case MOST: return a > b ? a : b;
    default: return cliv__raised(a, b);
  }
}

double cliv__formula_value(const cliv__formula *f, const double *values) {
  double stack[CLIV__FORMULA_ROOM];
  size_t n = 0;
  for (size_t i = 0; i < f->count; i++) {
    const struct cliv__formula_item *item = &f->items[i];
    switch (item->code) {
      case NUMBER: stack[n++] = item->number; break;
      case VALUE: stack[n++] = values[item->index]; break;
      case NEGATE: stack[n - 1] = -stack[n - 1]; break;
      case ROOT: stack[n - 1] = sqrt(stack[n - 1]); break;
      default: n--, stack[n - 1] = combined(item->code, stack[n - 1], stack[n]);
    }
  }
  return stack[0];
}
