/* What `cliv op gemm` shares with the other kinds of cliv/blas.h. */
#ifndef CLIV_CLI_OP_BLAS_H
#define CLIV_CLI_OP_BLAS_H

#include <cliv/blas.h>

#include "cli/op.h"

/* What --provider says; text NULL: AUTO. False: reported. */
bool op_blas_provider(cli *c, const char *text, cliv_provider *out);
/* What --beta says (NULL: not given) of what `option` (such as "--c") names, NULL where that was not given: 0 without
 * it, else 1 unless given. False: reported. */
bool op_blas_beta(cli *c, const char *text, const char *option, const char *addend, double *out);

#endif
