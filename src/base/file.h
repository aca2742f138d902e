/* Files in and out. Every failure is CLIV_FILE with a sentence that names the file and the system's reason, left with
 * the thread. */
#ifndef CLIV_BASE_FILE_H
#define CLIV_BASE_FILE_H

#include <cliv/status.h>
#include <stdbool.h>
#include <stddef.h>

/* The path as sentences show it: its last 160 bytes, so that what comes after it is not cut off. */
const char *cliv__shown(const char *path);

/* ---- in: bytes at offsets, from a file or from memory ---- */

typedef struct cliv__source {
  const char *name; /* for sentences; the caller's, must outlive the source */
  size_t size;
  int fd;                      /* -1: memory */
  const unsigned char *memory; /* NULL: file */
  unsigned char *owned;        /* what was read from a pipe or device, which cannot seek */
} cliv__source;

cliv_status cliv__source_open(const char *path, cliv__source *out);
cliv__source cliv__source_memory(const void *bytes, size_t size, const char *name);
/* Exactly n bytes; offset + n must lie within size (CLIV_FORMAT when not: the file is shorter than it should be). */
cliv_status cliv__source_read(const cliv__source *source, size_t offset, void *to, size_t n);
void cliv__source_close(cliv__source *source);

/* The whole file, malloc'd, with a 0 behind it that does not count. More than `cap` bytes: CLIV_FORMAT. */
cliv_status cliv__file_read(const char *path, size_t cap, unsigned char **data, size_t *bytes);

/* The same for a file that may well not be there: false, and the thread's sentence stays as it was. */
bool cliv__file_try_read(const char *path, size_t cap, unsigned char **data, size_t *bytes);

/* ---- out: the target appears whole or not at all ---- */

/* What is appended goes to a temporary file beside the target; commit flushes it to the disk, gives it the target's
 * name, and flushes the folder. Until then, and after any failure before the renaming, an older target is untouched.
 * A temporary file that a killed process left is taken over by the next writer of the same target (a lock tells it
 * from one in use). Targets that are no regular files (/dev/stdout, a pipe) are written directly. A symbolic link is
 * followed. */
typedef struct cliv__writer cliv__writer;

cliv_status cliv__writer_open(const char *path, cliv__writer **out);
cliv_status cliv__writer_append(cliv__writer *writer, const void *data, size_t bytes);
cliv_status cliv__writer_commit(cliv__writer *writer); /* frees the writer, whatever comes out */
void cliv__writer_abandon(cliv__writer *writer);       /* NULL does nothing */

/* open, append, commit. */
cliv_status cliv__file_write(const char *path, const void *data, size_t bytes);

/* mkdir -p: the folder and those above it; one that is there already is no error. */
cliv_status cliv__make_folders(const char *path);

#endif
