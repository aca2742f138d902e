/* Decimal text to double. */
#define _GNU_SOURCE 1 /* strtod_l */
#include "base/number.h"

#include <float.h>
#include <locale.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(__APPLE__)
#include <xlocale.h>
#endif

static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_blank(char c) { return c == ' ' || c == '\t'; }

/* A number taken apart: ±digits · 10^exponent. */
typedef struct decimal {
  uint64_t digits; /* the first 19 that matter */
  int count;       /* how many digits matter, leading zeros aside */
  long exponent;
  bool negative;
} decimal;

static bool take_apart(const char *p, const char *end, decimal *out) {
  *out = (decimal){.negative = p < end && *p == '-'};
  if (p < end && (*p == '-' || *p == '+')) p++;
  bool any = false, behind = false;
  for (; p < end && (is_digit(*p) || (*p == '.' && !behind)); p++) {
    if (*p == '.') {
      behind = true;
      continue;
    }
    any = true;
    if (out->count > 0 || *p != '0') {
      if (out->count < 19) out->digits = out->digits * 10 + (uint64_t)(*p - '0');
      if (out->count < 1000) out->count++;
    }
    if (behind) out->exponent--;
  }
  if (!any) return false;
  if (p == end) return true;
  if (*p != 'e' && *p != 'E') return false;
  p++;
  const bool down = p < end && *p == '-';
  if (p < end && (*p == '-' || *p == '+')) p++;
  if (p == end) return false;
  long exponent = 0;
  for (; p < end && is_digit(*p); p++)
    if (exponent < 100000000) exponent = exponent * 10 + (*p - '0');
  out->exponent += down ? -exponent : exponent;
  return p == end;
}

/* strtod of the C locale, on a copy that ends where the number does. */
static bool slow(const char *text, size_t n, double *out) {
  char room[128], *copy = n < sizeof room ? room : malloc(n + 1);
  const locale_t locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
  bool good = copy && locale;
  if (good) {
    memcpy(copy, text, n);
    copy[n] = 0;
    char *end;
    *out = strtod_l(copy, &end, locale);
    good = end == copy + n;
  }
  if (locale) freelocale(locale);
  if (copy != room) free(copy);
  return good;
}

bool cliv__number(const char *text, size_t n, double *out) {
  static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                  1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
  while (n > 0 && is_blank(*text)) text++, n--;
  while (n > 0 && is_blank(text[n - 1])) n--;
  decimal d;
  if (!take_apart(text, text + n, &d)) return false;
  /* Both factors exact in a double: the one rounding of the product or quotient is the right one (Clinger 1990). */
  if (FLT_EVAL_METHOD == 0 && d.count <= 19 && d.digits <= (uint64_t)1 << 53 && d.exponent >= -22 && d.exponent <= 22) {
    const double x = (double)d.digits;
    *out = d.exponent < 0 ? x / powers[-d.exponent] : x * powers[d.exponent];
    if (d.negative) *out = -*out;
    return true;
  }
  return slow(text, n, out);
}
