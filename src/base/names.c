/* See names.h. */
#include "base/names.h"

#include <stdio.h>
#include <string.h>

const char *cliv__name_of(const cliv__names *names, int value) {
  return value >= 0 && value < names->count ? names->names[value] : "?";
}

cliv_status cliv__name_parse(const cliv__names *names, const char *name, int *out) {
  char all[256] = "";
  int at = 0;
  for (int i = 0; i < names->count; i++) {
    if (strcmp(name, names->names[i]) == 0) {
      *out = i;
      return CLIV_OK;
    }
    if (at < (int)sizeof all) at += snprintf(all + at, sizeof all - (size_t)at, "%s%s", i ? ", " : "", names->names[i]);
  }
  return cliv__fail(NULL, CLIV_NAME, "there is no %s named '%.40s'; there are %s", names->what, name, all);
}
