/* A guest's program, outside the tree: C99 and C++ alike. Fills a tensor on the device and reads it back. */
#include <cliv/cliv.h>
#include <stdio.h>
#include <string.h>

static int fail(const char *what, const cliv_context *ctx) {
  fprintf(stderr, "%s: %s\n", what, cliv_last_error(ctx));
  return 1;
}

int main(void) {
  cliv_context *ctx = NULL;
  cliv_tensor *x = NULL;
  float host[5] = {0, 0, 0, 0, 0};
  const size_t n = 5;
  char version[32];
  int i;

  snprintf(version, sizeof version, "%d.%d.%d", CLIV_VERSION_MAJOR, CLIV_VERSION_MINOR, CLIV_VERSION_PATCH);
  if (strcmp(version, cliv_version()) != 0) return fail("header and library differ", NULL);
  if (cliv_context_create(NULL, &ctx)) return fail("cliv_context_create", NULL);
  if (cliv_tensor_create(ctx, CLIV_F32, 1, &n, &x)) return fail("cliv_tensor_create", ctx);
  if (cliv_tensor_fill(x, 0.5, NULL)) return fail("cliv_tensor_fill", ctx);
  if (cliv_tensor_read(x, host, sizeof host)) return fail("cliv_tensor_read", ctx);
  for (i = 0; i < 5; i++)
    if (host[i] < 0.5f || host[i] > 0.5f) return fail("the tensor's contents", NULL);
  cliv_tensor_free(x);
  cliv_context_free(ctx);
  printf("cliv %s %s\n", cliv_version(), cliv_build_info());
  return 0;
}
