/* cliv/status.h: what every fallible call returns, and the sentence behind it.
 *
 * A call that fails has changed nothing that the caller can see; objects it should have created are
 * NULL. The status says what kind of thing went wrong, by hundreds:
 *
 *   1xx  this machine      no driver, no memory, a file that cannot be read or written
 *   2xx  your argument     NULL, out of range, wrong shape, unknown name, malformed file
 *   3xx  not in this build a component left out when the library was configured
 *   4xx  not on this device  the device lacks a type, memory or a limit is too small
 *   5xx  a driver or library failed, below us
 *
 * and cliv_last_error() has the sentence: what was asked, what was found, what to do. The library never
 * prints, exits, aborts or installs a signal handler.
 *
 * Options structs grow from version to version. Their first member `size` says how much of one the caller has: set it
 * to sizeof, and a program that was compiled against an older header keeps working with a newer library, where what its
 * struct lacks means default. 0 means all that the library's version has. A size beyond that is refused (VALUE): the
 * program was compiled against a newer header.
 */
#ifndef CLIV_STATUS_H
#define CLIV_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

#if defined(_WIN32)
#define CLIV_API
#else
#define CLIV_API __attribute__((visibility("default")))
#endif

#if defined(__GNUC__)
#define CLIV_MUST_CHECK __attribute__((warn_unused_result))
#else
#define CLIV_MUST_CHECK
#endif

/* X(name, code, gloss): the one list of statuses. New ones go at the end of their class; codes never change. */
#define CLIV_STATUS_LIST(X)                                              \
  X(OK, 0, "success")                                                    \
  X(NO_DRIVER, 101, "no OpenCL driver on this machine")                  \
  X(NO_DEVICE, 102, "no device matches the selector")                    \
  X(HOST_MEMORY, 103, "out of host memory")                              \
  X(FILE, 104, "a file cannot be opened, read or written")               \
  X(NULL, 201, "an argument that must not be NULL is NULL")              \
  X(VALUE, 202, "a value is out of range")                               \
  X(SHAPE, 203, "shapes do not fit together")                            \
  X(DTYPE, 204, "the operation is not defined for this element type")    \
  X(NAME, 205, "unknown operation, rule, option or column")              \
  X(SELECTOR, 206, "a device selector that does not follow the grammar") \
  X(FORMAT, 207, "a file does not follow its format")                    \
  X(LAYOUT, 208, "the memory layout is not supported by this operation") \
  X(OVERLAP, 209, "input and output overlap where they must not")        \
  X(DATA, 210, "the data do not allow what was asked")                   \
  X(STATE, 211, "the call comes at a moment when it is not allowed")     \
  X(NO_CLBLAST, 301, "built without CLBlast")                            \
  X(NO_CLFFT, 302, "built without clFFT")                                \
  X(NOT_IN_BUILD, 303, "not in this version of the library")             \
  X(DEVICE_DTYPE, 401, "the device lacks this element type")             \
  X(DEVICE_MEMORY, 402, "the device has not enough memory")              \
  X(DEVICE_LIMIT, 403, "a limit of the device is exceeded")              \
  X(DEVICE_ABILITY, 404, "the device lacks what was asked for")          \
  X(OPENCL, 501, "an OpenCL call failed")                                \
  X(BUILD, 502, "a kernel did not compile")                              \
  X(CLBLAST, 503, "a CLBlast call failed")                               \
  X(CLFFT, 504, "a clFFT call failed")                                   \
  X(DRIVER, 505, "a driver crashed, hung or computed a wrong result")    \
  X(INTERNAL, 599, "a defect in Cliv: please report it")

typedef enum cliv_status {
#define CLIV_STATUS_ENUM(name, code, gloss) CLIV_##name = code,
  CLIV_STATUS_LIST(CLIV_STATUS_ENUM)
#undef CLIV_STATUS_ENUM
} cliv_status;

typedef struct cliv_context cliv_context; /* see cliv/context.h */

/* The status as a word ("NO_DEVICE") and as a short gloss. Never NULL, also for values that are no status. */
CLIV_API const char *cliv_status_name(cliv_status status);
CLIV_API const char *cliv_status_gloss(cliv_status status);

/* The sentence of the last failure in `ctx`, or "" when there was none. Calls that take no context (files, the
 * device list, creating a context) leave theirs with the calling thread: ask with ctx = NULL. Build failures append the
 * compiler's log and the numbered source. A call that succeeds leaves the sentence as it was. Owned by the
 * library, valid until the next failing call on the same context (or thread). */
CLIV_API const char *cliv_last_error(const cliv_context *ctx);

#ifdef __cplusplus
}
#endif
#endif
