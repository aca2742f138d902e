#include "runtime/bundle.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

static cliv_status no_memory(const cliv__bundle *b) {
  return cliv__fail(b->ctx, CLIV_HOST_MEMORY, "no memory for what goes into a file");
}

/* With room for one more. */
static void *grown(void *list, size_t count, size_t *room, size_t size) {
  if (count < *room) return list;
  const size_t more = *room ? 2 * *room : 16;
  void *larger = realloc(list, more * size);
  if (larger) *room = more;
  return larger;
}

static char *prefixed(const cliv__bundle *b, const char *name) {
  return name ? cliv__format("%s%s", b->prefix ? b->prefix : "", name) : NULL;
}

cliv_status cliv__bundle_array(cliv__bundle *b, char *name, cliv_array array) {
  char *whole = prefixed(b, name);
  free(name);
  cliv_named_array *arrays = grown(b->arrays, b->array_count, &b->array_room, sizeof *arrays);
  if (arrays) b->arrays = arrays;
  if (!whole || !arrays || !array.data) {
    free(whole);
    cliv_array_free(&array);
    return no_memory(b);
  }
  b->arrays[b->array_count++] = (cliv_named_array){whole, array};
  return CLIV_OK;
}

cliv_status cliv__bundle_text(cliv__bundle *b, const char *key, char *text) {
  char *whole = prefixed(b, key);
  cliv_metadata *texts = grown(b->texts, b->text_count, &b->text_room, sizeof *texts);
  if (texts) b->texts = texts;
  if (!whole || !texts || !text) {
    free(whole);
    free(text);
    return no_memory(b);
  }
  b->texts[b->text_count++] = (cliv_metadata){whole, text};
  return CLIV_OK;
}

cliv_status cliv__bundle_tensor(cliv__bundle *b, char *name, const cliv_tensor *tensor) {
  cliv_array array;
  const cliv_status status = name ? cliv_tensor_to_array(tensor, &array) : no_memory(b);
  if (!status) return cliv__bundle_array(b, name, array);
  free(name);
  return status;
}

cliv_status cliv__bundle_doubles(cliv__bundle *b, const char *name, const double *values, size_t count) {
  const cliv_array array = {
      .dtype = CLIV_F64, .ndim = 1, .shape = {count}, .data = malloc((count + 1) * sizeof *values)};
  if (array.data && count) memcpy(array.data, values, count * sizeof *values);
  return cliv__bundle_array(b, strdup(name), array);
}

cliv_status cliv__bundle_write(const cliv__bundle *b, const char *path) {
  return cliv__relay(b->ctx, cliv_safetensors_write(path, b->arrays, b->array_count, b->texts, b->text_count));
}

void cliv__bundle_free(cliv__bundle *b) {
  for (size_t i = 0; i < b->array_count; i++) {
    free((void *)(uintptr_t)b->arrays[i].name);
    cliv_array_free(&b->arrays[i].array);
  }
  for (size_t i = 0; i < b->text_count; i++) {
    free((void *)(uintptr_t)b->texts[i].key);
    free((void *)(uintptr_t)b->texts[i].value);
  }
  free(b->arrays);
  free(b->texts);
}
