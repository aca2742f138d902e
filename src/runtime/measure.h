/* Which of several ways is fastest on this device: found by trying, and kept as a note.
 *
 * What a module measures it measures once for a class of calls (logarithms of their sizes), on a context of its own
 * beside the caller's, and keeps in one note (notes.h): an object with a row for each class. */
#ifndef CLIV_RUNTIME_MEASURE_H
#define CLIV_RUNTIME_MEASURE_H

#include "runtime/notes.h"

/* Seconds since some moment in the past. */
double cliv__now(void);
/* The whole binary logarithm; 0 for 0. */
unsigned cliv__log2(cl_ulong x);

/* A context on the same device and cl_context, of the same walk, with a queue of its own, since what is on the caller's
 * may wait for something that only the caller will do; NULL: there is none to be had. Leaves the last error as it
 * was. */
cliv_context *cliv__context_beside(cliv_context *ctx);

/* ---- by turns ---- */

enum { CLIV__CONTESTANTS = 16 };

typedef struct cliv__contest {
  size_t count; /* at most CLIV__CONTESTANTS; the first is what the others are judged by */
  /* Seconds of one call by a contestant, from call to result; not positive: it failed. Nothing is compiled here. */
  double (*run)(void *data, size_t contestant);
  void *data;
  size_t fewest, rounds; /* at least and at most; each is a call by every contestant … */
  double seconds;        /* … and none beyond the fewest begins after so many */
} cliv__contest;

typedef struct cliv__contestant {
  double ratio; /* the first's seconds by its own, the median of all rounds: 1 for the first; 0: it failed */
  double least; /* seconds of its fastest call */
} cliv__contestant;

/* Fills out[0 … count-1]. One that fails is not called again; false: the first did, and nothing is known. */
bool cliv__contest_run(const cliv__contest *contest, cliv__contestant *out);

/* ---- notes of rows ---- */

/* The object kept under the name as it is now, since other contexts and processes write to it, too; an empty one where
 * there is none, or something else. A new reference; NULL without memory. */
json_t *cliv__rows_get(cliv_context *ctx, const char *name);
/* The same with a row (the reference stays the caller's) added or put in the place of the class's, and kept so. */
json_t *cliv__rows_put(cliv_context *ctx, const char *name, const char *class, json_t *row);

#endif
