/* Scalars of a step as text: arithmetic on named values, in double and in the order it is written, so that its bits are
 * the same everywhere. */
#ifndef CLIV_OPTIM_FORMULA_H
#define CLIV_OPTIM_FORMULA_H

#include <cliv/context.h>
#include <stddef.h>

enum { CLIV__FORMULA_ROOM = 64 };

/* In postfix order. */
typedef struct cliv__formula {
  size_t count;
  struct cliv__formula_item {
    int code; /* formula.c's */
    size_t index;
    double number;
  } items[CLIV__FORMULA_ROOM];
} cliv__formula;

/* Reads `text`; names[i] is the i-th of the values it is given. what: for sentences, "rule 'mine', scalar 'keep'".
 * NAME: a name that is none of these; VALUE: it cannot be read, or is too long. */
cliv_status cliv__formula_read(cliv_context *ctx, const char *what, const char *text, const char *const *names,
                               size_t count, cliv__formula *out);
double cliv__formula_value(const cliv__formula *formula, const double *values);

#endif
