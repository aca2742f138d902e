/* What Jansson lacks: texts of any bytes, and writing that does not hide a lack of memory. */
#ifndef CLIV_BASE_JSON_H
#define CLIV_BASE_JSON_H

#include <jansson.h>
#include <stddef.h>

/* A JSON string, or a list of them; bytes that are no UTF-8 become '?'. NULL without memory. */
json_t *cliv__json_text(const char *text);
json_t *cliv__json_texts(const char *const *texts, size_t count);

/* The document as text, malloc'd; NULL for NULL and without memory. json_dumps leaves out keys when memory runs out
 * while it writes them, and reports success. */
char *cliv__json_dump(const json_t *json, size_t flags);

#endif
