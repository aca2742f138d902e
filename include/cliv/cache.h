/* cliv/cache.h: compiled programs and measurements kept on disk.
 *
 * One file an entry in $XDG_CACHE_HOME/cliv (or ~/.cache/cliv), named by a 128-bit hash of everything the binary
 * depends on: sources, options, device, driver and platform version, and this format's number. An entry is read only
 * after its magic, lengths, key and hash have been verified, since drivers crash on damaged binaries; a damaged one is
 * removed and rebuilt. Entries are written aside, flushed and renamed, so many processes may share the folder without
 * locks. When the folder outgrows its cap (256 MiB) the entries used longest ago go. A folder that is absent or
 * read-only is no error: programs are then compiled anew in every process.
 *
 * Notes. What was measured or proven on a device (tuned parameters, the faster of two providers, how products are cut
 * best, transforms that were tried) is kept in the same way in the folder `notes` below that one: one entry for a name,
 * the device, its driver's and platform's versions, the number of its compute units and Cliv's version. A change of any
 * of these makes it absent, and it is measured anew. Clearing the programs leaves the notes, since some took minutes to
 * find.
 */
#ifndef CLIV_CACHE_H
#define CLIV_CACHE_H

#include <cliv/status.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cliv_cache_info {
  char dir[4096]; /* "" when there is no folder to use */
  size_t entries, bytes, cap;
  size_t damaged; /* entries that verification refuses */
} cliv_cache_info;

/* dir: NULL for the default folder. An absent folder is an empty cache. */
CLIV_API cliv_status cliv_cache_inspect(const char *dir, cliv_cache_info *out) CLIV_MUST_CHECK;
/* Removes every entry (and nothing else); gives how many. */
CLIV_API cliv_status cliv_cache_clear(const char *dir, size_t *removed) CLIV_MUST_CHECK;

/* The same for the notes; dir is the cache's folder, out->dir theirs. */
CLIV_API cliv_status cliv_notes_inspect(const char *dir, cliv_cache_info *out) CLIV_MUST_CHECK;
CLIV_API cliv_status cliv_notes_clear(const char *dir, size_t *removed) CLIV_MUST_CHECK;

#ifdef __cplusplus
}
#endif
#endif
