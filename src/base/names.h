/* Values that have names: those of an enumeration from 0 on, without a gap. */
#ifndef CLIV_BASE_NAMES_H
#define CLIV_BASE_NAMES_H

#include "base/status.h"

typedef struct cliv__names {
  const char *what; /* "provider of transforms": for a sentence that says that there is none so named */
  const char *const *names;
  int count;
} cliv__names;
#define CLIV__NAMES(what, table) \
  { (what), (table), (int)(sizeof(table) / sizeof *(table)) }

/* "?" for a value that has none. */
const char *cliv__name_of(const cliv__names *names, int value);
/* The value that has the name; otherwise status NAME and a sentence that has all of them. `name` is not NULL. */
cliv_status cliv__name_parse(const cliv__names *names, const char *name, int *out);

/* The two functions of a public enumeration cliv_<noun>: its name, and what has a name. */
#define CLIV__NAMED(noun, names)                                                      \
  const char *noun##_name(noun value) { return cliv__name_of(&(names), (int)value); } \
  cliv_status noun##_parse(const char *name, noun *out) {                             \
    int value = 0;                                                                    \
    REQUIRE_NOT_NULL(NULL, name);                                                     \
    REQUIRE_NOT_NULL(NULL, out);                                                      \
    TRY(cliv__name_parse(&(names), name, &value));                                    \
    *out = (noun)value;                                                               \
    return CLIV_OK;                                                                   \
  }

#endif
