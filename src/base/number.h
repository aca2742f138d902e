/* Numbers in text, in every locale the same: decimal, every digit counts, correctly rounded. */
#ifndef CLIV_BASE_NUMBER_H
#define CLIV_BASE_NUMBER_H

#include <stdbool.h>
#include <stddef.h>

/* The n bytes at `text`, blanks around them aside, as a decimal number: [+-]digits[.digits][e[+-]digits], digits
 * before or behind the point. Not taken: hexadecimal, infinities, NaN, anything behind the number. Too large a number
 * gives an infinity (and true), too small a one 0 or a subnormal. */
bool cliv__number(const char *text, size_t n, double *out);

#endif
