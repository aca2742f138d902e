/* Programs of matrix products compiled ahead, perhaps by a thread. */
#ifndef CLIV_BLAS_PREPARE_H
#define CLIV_BLAS_PREPARE_H

#include "blas/provider.h"

/* Whether a thread compiles for this context now; it waits for nothing. */
bool cliv__preparing(cliv_context *ctx);
/* Waits for the thread, if there is one. Products by CLBlast do so, or both would compile the same. */
void cliv__prepare_wait(cliv_context *ctx);
/* Before any call of CLBlast's: waits so, and puts tuned parameters in force. */
void cliv__clblast_begin(cliv_context *ctx);

#endif
