/* Internal side of cliv/status.h: recording a failure, and the macros that make checks read as a list. */
#ifndef CLIV_BASE_STATUS_H
#define CLIV_BASE_STATUS_H

#include <cliv/status.h>
#include <stdarg.h>

#if defined(__GNUC__)
#define CLIV__PRINTF(fmt, first) __attribute__((format(printf, fmt, first)))
#else
#define CLIV__PRINTF(fmt, first)
#endif

/* Where a sentence is kept: short ones in place, long ones (build logs) on the heap. */
typedef struct cliv__error {
  char *text;
  char room[1024];
} cliv__error;

/* Records the sentence and returns the status, so that `return cliv__fail(…)` is one line. ctx may be NULL: the
 * calling thread's error. A context's cliv__error is its first member, which is how this lowest layer finds it. */
cliv_status cliv__fail(cliv_context *ctx, cliv_status status, const char *format, ...) CLIV__PRINTF(3, 4);
cliv_status cliv__vfail(cliv_context *ctx, cliv_status status, const char *format, va_list args) CLIV__PRINTF(3, 0);

/* A call without a context failed on behalf of one with: carries the thread's sentence over to ctx. */
cliv_status cliv__relay(cliv_context *ctx, cliv_status status);

/* Around work whose failure is no failure of the call: the sentence of before is taken aside, and put back.
 *   cliv__error held = cliv__error_hold(ctx);
 *   …
 *   cliv__error_restore(ctx, &held); */
cliv__error cliv__error_hold(cliv_context *ctx);
void cliv__error_restore(cliv_context *ctx, const cliv__error *held);

void cliv__error_free(cliv__error *error);

/* Passes a failure on. */
#define TRY(call)                          \
  do {                                     \
    const cliv_status try_status = (call); \
    if (try_status) return try_status;     \
  } while (0)

/* A check: REQUIRE(ctx, count > 0, SHAPE, "…", …). */
#define REQUIRE(ctx, condition, STATUS, ...)                                \
  do {                                                                      \
    if (!(condition)) return cliv__fail((ctx), CLIV_##STATUS, __VA_ARGS__); \
  } while (0)

#define REQUIRE_NOT_NULL(ctx, pointer) \
  REQUIRE(ctx, (pointer) != NULL, NULL, "%s: argument '%s' is NULL", __func__, #pointer)

#endif
