/* Notes are entries of the cache's form, in a folder of their own below it, so that neither its cap nor a clearing of
 * programs reaches what took minutes to measure. */
#include "runtime/notes.h"

#include <cliv/cache.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "runtime/cache.h"

enum { NOTE_FORMAT = 1 };

static char *folder(const char *cache_dir) { return cache_dir ? cliv__format("%s/notes", cache_dir) : NULL; }

static char *key_of(const cliv_context *ctx, const char *name) {
  const cliv_device_info *d = &ctx->facts;
  return cliv__format("cliv note %d\n%s\n%s\n%s\n%s\n%s\n%s\n%u\n%s", NOTE_FORMAT, CLIV_VERSION, d->platform_name,
                      d->platform_version, d->name, d->driver, d->version, (unsigned)d->compute_units, name);
}

json_t *cliv__notes_get(cliv_context *ctx, const char *name) {
  char *dir = folder(ctx->cache_dir), *key = dir ? key_of(ctx, name) : NULL;
  size_t bytes = 0;
  unsigned char *text = key ? cliv__cache_load(dir, key, strlen(key), &bytes) : NULL;
  json_t *value = text ? json_loadb((const char *)text, bytes, JSON_REJECT_DUPLICATES, NULL) : NULL;
  free(text);
  free(key);
  free(dir);
  return value;
}

bool cliv__notes_put(cliv_context *ctx, const char *name, json_t *value) {
  char *dir = folder(ctx->cache_dir), *key = dir ? key_of(ctx, name) : NULL;
  char *text = key ? cliv__json_dump(value, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
  const bool kept = text && cliv__cache_store(dir, key, strlen(key), (const unsigned char *)text, strlen(text));
  free(text);
  free(key);
  free(dir);
  return kept;
}

bool cliv__notes_drop(cliv_context *ctx, const char *name) {
  char *dir = folder(ctx->cache_dir), *key = dir ? key_of(ctx, name) : NULL;
  const bool dropped = key && cliv__cache_remove(dir, key, strlen(key));
  free(key);
  free(dir);
  return dropped;
}

/* ---- for people ---- */

cliv_status cliv_notes_inspect(const char *dir, cliv_cache_info *out) {
  REQUIRE_NOT_NULL(NULL, out);
  *out = (cliv_cache_info){0};
  char *cache = cliv__cache_dir(dir), *notes = folder(cache);
  const cliv_status status = notes ? cliv_cache_inspect(notes, out) : CLIV_OK;
  free(notes);
  free(cache);
  return status;
}

cliv_status cliv_notes_clear(const char *dir, size_t *removed) {
  if (removed) *removed = 0;
  char *cache = cliv__cache_dir(dir), *notes = folder(cache);
  const cliv_status status = notes ? cliv_cache_clear(notes, removed) : CLIV_OK;
  free(notes);
  free(cache);
  return status;
}
