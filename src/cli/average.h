/* An average of an optimizer's parameters, from the command line. */
#ifndef CLIV_CLI_AVERAGE_H
#define CLIV_CLI_AVERAGE_H

#include <cliv/average.h>

#include "cli/op.h"

/* text: "KIND [preset=NAME] [NAME=NUMBER]...". False: reported. */
bool average_create(op_run *run, cliv_optimizer *optimizer, const char *text, cliv_average **out);

#endif
