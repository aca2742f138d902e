/* JSON as text, whole or not at all. */
#include "base/json.h"

#include <stdlib.h>

char *cliv__json_dump(const json_t *json, size_t flags) {
  const size_t n = json ? json_dumpb(json, NULL, 0, flags) : 0;
  char *text = n ? malloc(n + 1) : NULL;
  if (!text) return NULL;
  if (json_dumpb(json, text, n, flags) != n) {
    free(text);
    return NULL;
  }
  text[n] = 0;
  return text;
}
