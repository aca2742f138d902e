/* See memfault.h. */
#include "memfault.h"

#include <jansson.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

void *__real_malloc(size_t n);
void *__real_calloc(size_t count, size_t n);
void *__real_realloc(void *old, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t count, size_t n);
void *__wrap_realloc(void *old, size_t n);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t most);

static long fail_at;
static int stay;
static atomic_long calls;
static atomic_int fired;

void memfault_arm(long n, int sticky) {
  fail_at = n;
  stay = sticky;
  calls = 0;
  fired = 0;
}

int memfault_fired(void) { return fired; }

long memfault_calls(void) { return calls; }

static bool fails(void) {
  if (!fail_at) return false;
  const long call = atomic_fetch_add(&calls, 1) + 1;
  if (call < fail_at || (call > fail_at && !stay)) return false;
  fired = 1;
  return true;
}

void *__wrap_malloc(size_t n) { return fails() ? NULL : __real_malloc(n); }
void *__wrap_calloc(size_t count, size_t n) { return fails() ? NULL : __real_calloc(count, n); }
void *__wrap_realloc(void *old, size_t n) { return fails() ? NULL : __real_realloc(old, n); }

char *__wrap_strndup(const char *text, size_t most) {
  size_t n = 0;
  while (n < most && text[n]) n++;
  char *copy = __wrap_malloc(n + 1);
  if (!copy) return NULL;
  memcpy(copy, text, n);
  copy[n] = 0;
  return copy;
}

char *__wrap_strdup(const char *text) { return __wrap_strndup(text, strlen(text)); }

void memfault_json(int counts) { json_set_alloc_funcs(counts ? __wrap_malloc : __real_malloc, free); }
