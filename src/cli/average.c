/* See average.h. */
#include "cli/average.h"

#include <stdlib.h>
#include <string.h>

/* The words behind the kind. */
static bool set_all(op_run *run, cliv_average *average, char *words) {
  char *rest;
  for (char *word = strtok_r(words, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
    char *const equals = strchr(word, '=');
    double value;
    if (!strncmp(word, "preset=", 7)) continue;
    if (!equals || equals == word || !cli_number(equals + 1, &value))
      return cli_refuse(run->c, "option '--average' wants NAME=NUMBER behind the kind, as in decay=0.99, not '%s'",
                        word);
    *equals = 0;
    if (!op_check(run, cliv_average_set(average, word, value))) return false;
  }
  return true;
}

static bool create(op_run *run, cliv_optimizer *optimizer, char *kind, cliv_average **out) {
  char *words = kind + strcspn(kind, " "), preset[64];
  if (*words) *words++ = 0;
  const char *const at = strstr(words, "preset=");
  const size_t length = at ? strcspn(at + 7, " ") : 0;
  if (length >= sizeof preset) return cli_refuse(run->c, "option '--average' names a preset of %zu letters", length);
  if (at) memcpy(preset, at + 7, length), preset[length] = 0;
  const cliv_average_options options = {.size = sizeof options, .preset = at ? preset : NULL};
  return op_check(run, cliv_average_create(optimizer, kind, &options, out)) && set_all(run, *out, words);
}

bool average_create(op_run *run, cliv_optimizer *optimizer, const char *text, cliv_average **out) {
  char *const copy = strdup(text);
  if (!copy) cli_report(run->c, CLIV_HOST_MEMORY, "out of memory");
  const bool good = copy && create(run, optimizer, copy, out);
  free(copy);
  return good;
}
