/* `cliv op step --svm`: the parameter and its gradient in shared virtual memory, as a program of its own might have
 * them. */
#ifndef CLIV_CLI_SVM_H
#define CLIV_CLI_SVM_H

#include "cli/op.h"

typedef struct op_svm {
  void *memory[2];
  cliv_tensor *tensor[2];
} op_svm;

/* Tensor `which` (0 or 1), in an allocation of its own. False: reported. */
bool op_svm_make(op_run *run, int which, cliv_dtype dtype, int ndim, const size_t *shape, op_svm *s);
/* Once nothing else has the tensors, before op_finish. */
void op_svm_free(op_run *run, op_svm *s);

#endif
