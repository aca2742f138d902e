/* Compiled programs on disk: verified entries, replaced whole, oldest out. See cliv/cache.h. */
#ifndef CLIV_RUNTIME_CACHE_H
#define CLIV_RUNTIME_CACHE_H

#include <stdbool.h>
#include <stddef.h>

#define CLIV__KEY_CHARS 33 /* 128-bit hash in hexadecimal and the 0 */

/* The folder in use: `wanted`, or $XDG_CACHE_HOME/cliv, or ~/.cache/cliv; NULL when there is none. malloc'd. */
char *cliv__cache_dir(const char *wanted);
/* Hash of the text as 32 hexadecimal digits. */
void cliv__cache_key(const char *text, size_t length, char key[CLIV__KEY_CHARS]);
/* The payload of an entry, malloc'd, or NULL when it is absent or damaged (then it is removed). The whole key text is
 * stored with the entry and compared, so a hash collision is a miss. */
unsigned char *cliv__cache_load(const char *dir, const char *key_text, size_t key_length, size_t *bytes);
/* Keeps a payload: written aside, flushed, renamed. Failure is no error: false. */
bool cliv__cache_store(const char *dir, const char *key_text, size_t key_length, const unsigned char *payload,
                       size_t bytes);
/* Removes an entry; false where there is none. */
bool cliv__cache_remove(const char *dir, const char *key_text, size_t key_length);
/* Removes the entries used longest ago until the rest fits `cap` bytes; store does so with the cache's cap. */
void cliv__cache_trim(const char *dir, size_t cap);

#endif
