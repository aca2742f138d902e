/* An update rule of the user's own, from the command line. */
#ifndef CLIV_CLI_OWN_RULE_H
#define CLIV_CLI_OWN_RULE_H

#include <cliv/optim.h>

#include "cli/cli.h"

/* What the options say: each list ends with NULL, or is NULL. */
typedef struct own_rule_options {
  const char *source; /* a file of OpenCL C; NULL: a rule of the library */
  const char **hypers /* NAME=NUMBER */, **states /* NAME, or NAME=HYPER */, **scalars /* NAME=FORMULA */;
} own_rule_options;

/* The rule, with all that it points at. */
typedef struct own_rule {
  cliv_user_rule rule;
  char *text, **words; /* the options' words, cut in two */
  size_t word_count;
} own_rule;

/* False: reported; free in any case. */
bool own_rule_read(cli *c, const char *name, const own_rule_options *o, own_rule *out);
void own_rule_free(own_rule *rule);

#endif
