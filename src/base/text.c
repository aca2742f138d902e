/* Building strings on the heap. */
#include "base/text.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void add(cliv__text *text, const char *format, va_list args) {
  va_list again;
  va_copy(again, args);
  const int needed = vsnprintf(NULL, 0, format, again);
  va_end(again);
  const size_t wanted = text->length + (size_t)needed + 1;
  if (wanted > text->room) {
    const size_t room = wanted + wanted / 2;
    char *data = realloc(text->data, room);
    if (!data) {
      text->failed = 1;
      return;
    }
    text->data = data;
    text->room = room;
  }
  vsnprintf(text->data + text->length, text->room - text->length, format, args);
  text->length += (size_t)needed;
}

void cliv__text_add(cliv__text *text, const char *format, ...) {
  if (text->failed) return;
  va_list args;
  va_start(args, format);
  add(text, format, args);
  va_end(args);
}

char *cliv__text_take(cliv__text *text) {
  if (!text->failed && !text->data) cliv__text_add(text, "%s", "");
  char *data = text->data;
  if (text->failed) {
    free(data);
    data = NULL;
  }
  *text = (cliv__text){0};
  return data;
}

char *cliv__vformat(const char *format, va_list args) {
  cliv__text text = {0};
  add(&text, format, args);
  return cliv__text_take(&text);
}

char *cliv__format(const char *format, ...) {
  va_list args;
  va_start(args, format);
  char *text = cliv__vformat(format, args);
  va_end(args);
  return text;
}

/* Edit distance, of at most 63 letters a side. */
static size_t distance(const char *a, const char *b) {
  const size_t m = strlen(a), n = strlen(b);
  size_t row[64];
  if (m > 63 || n > 63) return SIZE_MAX;
  for (size_t j = 0; j <= n; j++) row[j] = j;
  for (size_t i = 1; i <= m; i++) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= n; j++) {
      const size_t change = diagonal + (a[i - 1] != b[j - 1]);
      const size_t step = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
      diagonal = row[j];
      row[j] = change < step ? change : step;
    }
  }
  return row[n];
}

bool cliv__closer(const char *wrong, const char *name, size_t *least) {
  const size_t d = distance(wrong, name), letters = strlen(wrong);
  /* Further than this is no misspelling, nor where no letter stays. */
  if (d >= letters || d > letters / 3 + 1 || (*least && d >= *least)) return false;
  *least = d;
  return true;
}
