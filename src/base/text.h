/* Building strings on the heap. */
#ifndef CLIV_BASE_TEXT_H
#define CLIV_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

/* printf into fresh memory; NULL when there is none. */
char *cliv__format(const char *format, ...) CLIV__PRINTF(1, 2);
char *cliv__vformat(const char *format, va_list args) CLIV__PRINTF(1, 0);

/* A string that grows. Start with {0}; when memory runs out it stays as it is and `failed` is set. */
typedef struct cliv__text {
  char *data;
  size_t length, room;
  int failed;
} cliv__text;
void cliv__text_add(cliv__text *text, const char *format, ...) CLIV__PRINTF(2, 3);
/* The string, now the caller's to free; NULL when memory ran out. */
char *cliv__text_take(cliv__text *text);

/* Whether `wrong` may be a misspelling of `name`, and of none that was asked for before so nearly. *least begins at 0;
 * the last name for which this was true is the one that may have been meant. */
bool cliv__closer(const char *wrong, const char *name, size_t *least);

#endif
