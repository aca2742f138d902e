/* Launches over tensors in shared virtual memory: what their kernels must be told. See runtime/svm.h. */
#include "runtime/svm.h"

#include <stdlib.h>

#include "optim/optim.h"
#include "runtime/tensor.h"

static int compare(const void *a, const void *b) {
  const uintptr_t x = (uintptr_t) * (void *const *)a, y = (uintptr_t) * (void *const *)b;
  return x < y ? -1 : x > y;
}

/* The allocations that parameters and gradients lie in, each once. */
static size_t list_allocations(const cliv_optimizer *o, const size_t *params, size_t count, void **list) {
  size_t n = 0, unique = 0;
  for (size_t i = 0; i < count; i++) {
    void *const two[] = {o->params[params[i]].p->svm, cliv__gradient(o, params[i])->svm};
    for (size_t k = 0; k < 2; k++)
      if (two[k]) list[n++] = two[k];
  }
  qsort(list, n, sizeof *list, compare);
  for (size_t i = 0; i < n; i++)
    if (i == 0 || list[i] != list[i - 1]) list[unique++] = list[i];
  return unique;
}

enum { SLOTS = CLIV__MAX_PHASES + 1 };

/* Where the batch has a kernel. */
static size_t slots_of(cliv__batch *b, cl_kernel *slots[static SLOTS]) {
  size_t n = 0;
  for (size_t k = 0; k < CLIV__MAX_PHASES; k++)
    if (b->phases[k]) slots[n++] = &b->phases[k];
  if (n == 0) slots[n++] = &b->kernel; /* else it is one of these */
  if (b->prepare) slots[n++] = &b->prepare;
  return n;
}

void cliv__batch_free(cliv__batch *b) {
  cl_kernel *slots[SLOTS];
  const size_t count = b->owns ? slots_of(b, slots) : 0;
  for (size_t i = 0; i < count; i++) clReleaseKernel(*slots[i]);
  b->owns = false;
}

static cliv_status own_all(const cliv_optimizer *o, void *const *list, size_t length, cliv__batch *b) {
  cl_kernel *slots[SLOTS];
  const size_t count = slots_of(b, slots);
  for (size_t i = 0; i < count; i++) {
    const bool last_phase = *slots[i] == b->kernel;
    const cliv_status status = cliv__svm_kernel(o->ctx, *slots[i], list, length, slots[i]);
    if (status) {
      while (i > 0) clReleaseKernel(*slots[--i]);
      return status;
    }
    if (last_phase) b->kernel = *slots[i];
  }
  b->owns = true;
  return CLIV_OK;
}

cliv_status cliv__batch_own(const cliv_optimizer *o, const size_t *params, size_t count, cliv__batch *b) {
  if (!o->params[params[0]].p->svm && !cliv__gradient(o, params[0])->svm) return CLIV_OK;
  void **list = malloc(2 * count * sizeof *list);
  REQUIRE(o->ctx, list != NULL, HOST_MEMORY, "no memory for a list of %zu tensors", count);
  const cliv_status status = own_all(o, list, list_allocations(o, params, count, list), b);
  free(list);
  return status;
}
