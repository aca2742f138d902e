/* Runtime compilation: sources inside the library -> program -> kernel, cached in memory and on disk. */
#ifndef CLIV_RUNTIME_PROGRAM_H
#define CLIV_RUNTIME_PROGRAM_H

#include "runtime/context.h"

/* A kernel of a program made of `prelude.cl` and the named files, in order. `files` is a space-separated list of names
 * in cl/ ("divide.cl reduce_ops.cl reduce.cl"); prelude.cl is always put in front. `options` are the -D choices ("" for
 * none); the same (files, options, entry) is compiled once per context and once per machine. The context owns the
 * kernel: do not release it. Fails with BUILD: the log and the numbered source are in the error. */
cliv_status cliv__kernel(cliv_context *ctx, const char *files, const char *options, const char *entry, cl_kernel *out);

/* The same with a user's text where `files` names "user"; logs count its lines as "user". NULL for none. */
cliv_status cliv__kernel_with(cliv_context *ctx, const char *files, const char *user_text, const char *options,
                              const char *entry, cl_kernel *out);

/* For the flat list of checks of a call that takes a user's text: its name is an identifier, and the text has a
 * function of that name with each of the endings (a list that ends with NULL). */
cliv_status cliv__check_user(cliv_context *ctx, const char *text, const char *name, const char *const *functions);

void cliv__programs_free(cliv_context *ctx);

#endif
