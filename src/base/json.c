/* JSON beyond Jansson. See json.h. */
#include "base/json.h"

#include <stdlib.h>
#include <string.h>

json_t *cliv__json_text(const char *text) {
  json_t *string = json_string(text);
  if (string) return string;
  char *copy = strdup(text);
  if (!copy) return NULL;
  for (char *p = copy; *p; p++)
    if ((unsigned char)*p >= 0x80) *p = '?';
  string = json_string(copy);
  free(copy);
  return string;
}

json_t *cliv__json_texts(const char *const *texts, size_t count) {
  json_t *list = json_array();
  for (size_t i = 0; list && i < count; i++)
    if (json_array_append_new(list, cliv__json_text(texts[i]))) {
      json_decref(list);
      return NULL;
    }
  return list;
}

char *cliv__json_dump(const json_t *json, size_t flags) {
  const size_t bytes = json ? json_dumpb(json, NULL, 0, flags) : 0;
  char *text = bytes ? malloc(bytes + 1) : NULL;
  if (!text) return NULL;
  if (json_dumpb(json, text, bytes, flags) == bytes) {
    text[bytes] = 0;
    return text;
  }
  free(text);
  return NULL;
}
