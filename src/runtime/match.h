/* Finding words in drivers' strings and in selectors: ASCII, without regard to case, independent of the locale. */
#ifndef CLIV_RUNTIME_MATCH_H
#define CLIV_RUNTIME_MATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

static inline char cliv__lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c; }
static inline bool cliv__is_digit(char c) { return c >= '0' && c <= '9'; }
static inline bool cliv__is_word(char c) {
  return cliv__is_digit(c) || c == '_' || (cliv__lower(c) >= 'a' && cliv__lower(c) <= 'z');
}

/* Where `length` characters of `what` begin in `text`, without regard to case, or NULL. */
static inline const char *cliv__find(const char *text, const char *what, size_t length) {
  for (;; text++) {
    size_t i = 0;
    while (i < length && text[i] && cliv__lower(text[i]) == cliv__lower(what[i])) i++;
    if (i == length) return text;
    if (!*text) return NULL;
  }
}

static inline bool cliv__contains(const char *text, const char *what) {
  size_t length = 0;
  while (what[length]) length++;
  return cliv__find(text, what, length) != NULL;
}

/* The same, but only as whole words: "ARM" is in "ARM Platform", not in "charm". */
static inline bool cliv__contains_word(const char *text, const char *what) {
  size_t length = 0;
  while (what[length]) length++;
  for (const char *at = text; (at = cliv__find(at, what, length)) != NULL; at++)
    if ((at == text || !cliv__is_word(at[-1])) && !cliv__is_word(at[length])) return true;
  return false;
}

static inline bool cliv__equal(const char *a, const char *b, size_t length) { return cliv__find(a, b, length) == a; }

/* Length of the UTF-8 character at s, 0 where it is none. */
static inline size_t cliv__utf8_length(const unsigned char *s) {
  if (s[0] < 0x80) return 1;
  const size_t n = s[0] >= 0xF0 && s[0] < 0xF5 ? 4 : s[0] >= 0xE0 ? 3 : s[0] >= 0xC2 ? 2 : 0;
  if (s[0] >= 0xF5) return 0;
  for (size_t i = 1; i < n; i++)
    if ((s[i] & 0xC0) != 0x80) return 0;
  return n;
}

/* Drivers' strings end on a terminal and in JSON: no control characters, only whole UTF-8, single spaces, none at the
 * ends. */
static inline void cliv__clean(char *text) {
  char *to = text;
  for (const char *from = text; *from;) {
    const size_t n = cliv__utf8_length((const unsigned char *)from);
    if (n > 1) {
      memmove(to, from, n);
      to += n;
      from += n;
      continue;
    }
    const char c = n == 0 ? '?' : (unsigned char)*from <= ' ' || *from == 0x7f ? ' ' : *from;
    from++;
    if (c != ' ' || (to > text && to[-1] != ' ')) *to++ = c;
  }
  while (to > text && to[-1] == ' ') to--;
  *to = 0;
}

#endif
