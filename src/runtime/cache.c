/* Compiled programs on disk. An entry is: magic, two lengths, a hash over key and payload, the key, the payload. */
#include "runtime/cache.h"

#include <cliv/cache.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/file.h"
#include "base/status.h"
#include "base/text.h"

typedef struct header {
  char magic[8];
  uint64_t key_length, payload_length;
  XXH128_canonical_t hash;
} header;

static const char MAGIC[8] = {'C', 'L', 'I', 'V', 'B', 'I', 'N', '1'};
static const char SUFFIX[] = ".clbin";
static const size_t CAP = (size_t)256 << 20;

char *cliv__cache_dir(const char *wanted) {
  if (wanted) return *wanted ? cliv__format("%s", wanted) : NULL;
  const char *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
  if (xdg && *xdg == '/') return cliv__format("%s/cliv", xdg); /* relative ones are to be ignored, says the XDG text */
  return home && *home == '/' ? cliv__format("%s/.cache/cliv", home) : NULL;
}

void cliv__cache_key(const char *text, size_t length, char key[CLIV__KEY_CHARS]) {
  const XXH128_hash_t h = XXH3_128bits(text, length);
  snprintf(key, CLIV__KEY_CHARS, "%016llx%016llx", (unsigned long long)h.high64, (unsigned long long)h.low64);
}

static char *entry_path(const char *dir, const char *key_text, size_t key_length) {
  char key[CLIV__KEY_CHARS];
  cliv__cache_key(key_text, key_length, key);
  return cliv__format("%s/%s%s", dir, key, SUFFIX);
}

static XXH128_canonical_t hash_of(const unsigned char *body, size_t bytes) {
  XXH128_canonical_t hash;
  XXH128_canonicalFromHash(&hash, XXH3_128bits(body, bytes));
  return hash;
}

/* The header of a well-formed entry, or NULL. */
static const header *verify(const unsigned char *data, size_t bytes) {
  if (bytes < sizeof(header)) return NULL;
  const header *h = (const header *)(const void *)data;
  const size_t body = bytes - sizeof *h;
  if (memcmp(h->magic, MAGIC, sizeof MAGIC) || h->key_length > body || h->payload_length != body - h->key_length)
    return NULL;
  const XXH128_canonical_t hash = hash_of(data + sizeof *h, body);
  return memcmp(&hash, &h->hash, sizeof hash) ? NULL : h;
}

unsigned char *cliv__cache_load(const char *dir, const char *key_text, size_t key_length, size_t *bytes) {
  char *path = entry_path(dir, key_text, key_length);
  unsigned char *data = NULL, *payload = NULL;
  size_t size = 0;
  if (path && cliv__file_try_read(path, CAP, &data, &size)) {
    const header *h = verify(data, size);
    if (!h) {
      unlink(path); /* damaged: the next build replaces it */
    } else if (h->key_length == key_length && !memcmp(data + sizeof *h, key_text, key_length)) {
      *bytes = h->payload_length;
      payload = malloc(*bytes ? *bytes : 1);
      if (payload) memcpy(payload, data + sizeof *h + key_length, *bytes);
      utimensat(AT_FDCWD, path, NULL, 0); /* used now: the oldest go first */
    }
  }
  free(data);
  free(path);
  return payload;
}

bool cliv__cache_remove(const char *dir, const char *key_text, size_t key_length) {
  char *path = entry_path(dir, key_text, key_length);
  const bool removed = path && unlink(path) == 0;
  free(path);
  return removed;
}

/* ---- walking the folder ---- */

typedef struct entry {
  char *path;
  size_t bytes;
  struct timespec used;
} entry;

typedef struct listing {
  entry *entries;
  size_t count, room, bytes;
} listing;

static void listing_free(listing *l) {
  for (size_t i = 0; i < l->count; i++) free(l->entries[i].path);
  free(l->entries);
}

/* Only files that are named as entries are: never touches anything else in the folder. */
static bool is_entry(const char *name) {
  const size_t digits = strspn(name, "0123456789abcdef");
  return digits == CLIV__KEY_CHARS - 1 && !strcmp(name + digits, SUFFIX);
}

static bool list(const char *dir, listing *l) {
  *l = (listing){0};
  DIR *d = opendir(dir);
  if (!d) return errno == ENOENT;
  for (struct dirent *e; (e = readdir(d)) != NULL;) {
    if (!is_entry(e->d_name)) continue;
    char *path = cliv__format("%s/%s", dir, e->d_name);
    struct stat st;
    if (!path || stat(path, &st)) {
      free(path);
      continue;
    }
    if (l->count == l->room) {
      const size_t room = l->room ? 2 * l->room : 64;
      entry *more = realloc(l->entries, room * sizeof *more);
      if (!more) {
        free(path);
        break;
      }
      l->entries = more;
      l->room = room;
    }
    l->entries[l->count++] = (entry){path, (size_t)st.st_size, st.st_mtim};
    l->bytes += (size_t)st.st_size;
  }
  closedir(d);
  return true;
}

static int by_age(const void *a, const void *b) {
  const struct timespec x = ((const entry *)a)->used, y = ((const entry *)b)->used;
  if (x.tv_sec != y.tv_sec) return x.tv_sec < y.tv_sec ? -1 : 1;
  return (x.tv_nsec > y.tv_nsec) - (x.tv_nsec < y.tv_nsec);
}

/* Oldest out until the folder fits its cap. Another process may be doing the same: a failed unlink is fine. */
void cliv__cache_trim(const char *dir, size_t cap) {
  listing l;
  if (list(dir, &l) && l.bytes > cap) {
    qsort(l.entries, l.count, sizeof *l.entries, by_age);
    for (size_t i = 0; i < l.count && l.bytes > cap; i++) {
      unlink(l.entries[i].path);
      l.bytes -= l.entries[i].bytes;
    }
  }
  listing_free(&l);
}

bool cliv__cache_store(const char *dir, const char *key_text, size_t key_length, const unsigned char *payload,
                       size_t bytes) {
  const size_t size = sizeof(header) + key_length + bytes;
  if (size > CAP) return false;
  unsigned char *data = malloc(size);
  char *path = entry_path(dir, key_text, key_length);
  bool ok = data && path;
  if (ok) {
    header h = {.key_length = key_length, .payload_length = bytes};
    memcpy(h.magic, MAGIC, sizeof MAGIC);
    memcpy(data + sizeof h, key_text, key_length);
    memcpy(data + sizeof h + key_length, payload, bytes);
    h.hash = hash_of(data + sizeof h, key_length + bytes);
    memcpy(data, &h, sizeof h);
    const cliv__error held = cliv__error_hold(NULL);
    ok = !cliv__make_folders(dir) && !cliv__file_write(path, data, size);
    cliv__error_restore(NULL, &held);
    if (ok) cliv__cache_trim(dir, CAP);
  }
  free(path);
  free(data);
  return ok;
}

/* ---- for people ---- */

cliv_status cliv_cache_inspect(const char *dir, cliv_cache_info *out) {
  REQUIRE_NOT_NULL(NULL, out);
  *out = (cliv_cache_info){.cap = CAP};
  char *path = cliv__cache_dir(dir);
  if (!path) return CLIV_OK;
  snprintf(out->dir, sizeof out->dir, "%s", path);
  listing l;
  const bool readable = list(path, &l);
  cliv_status status =
      readable ? CLIV_OK
               : cliv__fail(NULL, CLIV_FILE, "the cache folder '%s' cannot be read: %s", path, strerror(errno));
  out->entries = l.count;
  out->bytes = l.bytes;
  for (size_t i = 0; i < l.count; i++) {
    unsigned char *data = NULL;
    size_t size = 0;
    if (!cliv__file_try_read(l.entries[i].path, CAP, &data, &size) || !verify(data, size)) out->damaged++;
    free(data);
  }
  listing_free(&l);
  free(path);
  return status;
}

cliv_status cliv_cache_clear(const char *dir, size_t *removed) {
  if (removed) *removed = 0;
  char *path = cliv__cache_dir(dir);
  if (!path) return CLIV_OK;
  listing l;
  cliv_status status = CLIV_OK;
  if (!list(path, &l))
    status = cliv__fail(NULL, CLIV_FILE, "the cache folder '%s' cannot be read: %s", path, strerror(errno));
  for (size_t i = 0; i < l.count && !status; i++) {
    if (unlink(l.entries[i].path) && errno != ENOENT)
      status = cliv__fail(NULL, CLIV_FILE, "'%s' cannot be removed: %s", l.entries[i].path, strerror(errno));
    else if (removed) ++*removed;
  }
  listing_free(&l);
  free(path);
  return status;
}
