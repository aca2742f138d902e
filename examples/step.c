/* A guest's program in small: a device by selector, a few parameters in one arena, AdamW steps in one launch each, a
 * norm.
 * Build: cc step.c $(pkg-config --cflags --libs cliv)                       Run: CLIV_DEVICE=cpu ./a.out */
#include <cliv/cliv.h>
#include <stdio.h>

/* One way out: every failure has a sentence. */
#define CHECK(call)                                  \
  do {                                               \
    if (call) {                                      \
      fprintf(stderr, "%s\n", cliv_last_error(ctx)); \
      return 1;                                      \
    }                                                \
  } while (0)

int main(void) {
  enum { TENSORS = 3 };
  const int ndims[TENSORS] = {2, 1, 0};
  const size_t shapes[] = {1000, 64, 64}; /* (1000, 64), (64) and a scalar */
  cliv_context *ctx = NULL;
  cliv_tensor *weight[TENSORS], *grad[TENSORS], *norm;
  cliv_optimizer *opt;

  CHECK(cliv_context_create(NULL, &ctx)); /* $CLIV_DEVICE, or the device that `auto` picks */
  CHECK(cliv_arena_create(ctx, CLIV_F32, TENSORS, ndims, shapes, weight));
  CHECK(cliv_arena_create(ctx, CLIV_F32, TENSORS, ndims, shapes, grad));
  CHECK(cliv_optimizer_create(ctx, "adamw", NULL, &opt));
  CHECK(cliv_optimizer_set(opt, CLIV_ALL_GROUPS, "lr", 0.01));
  for (int i = 0; i < TENSORS; i++) {
    CHECK(cliv_tensor_fill(weight[i], 1, NULL));
    CHECK(cliv_optimizer_add(opt, weight[i], grad[i], CLIV_DEFAULT_GROUP));
  }
  for (int step = 0; step < 100; step++) {
    for (int i = 0; i < TENSORS; i++) CHECK(cliv_tensor_copy(weight[i], grad[i], NULL)); /* of |w|²/2 */
    CHECK(cliv_optimizer_step(opt, NULL));                                               /* all tensors, one launch */
  }
  float value;
  CHECK(cliv_tensor_create(ctx, CLIV_F32, 0, NULL, &norm));
  CHECK(cliv_reduce(ctx, "nrm2", CLIV_ALL_AXES, weight[0], NULL, norm, NULL));
  CHECK(cliv_tensor_read(norm, &value, sizeof value)); /* the one call here that waits */
  printf("%s: norm %.9g after %llu steps\n", cliv_context_device_name(ctx), (double)value,
         (unsigned long long)cliv_optimizer_steps(opt));

  cliv_optimizer_free(opt);
  cliv_tensor_free(norm);
  for (int i = 0; i < TENSORS; i++) {
    cliv_tensor_free(weight[i]);
    cliv_tensor_free(grad[i]);
  }
  cliv_context_free(ctx);
  return 0;
}
