/* JSON as text. */
#ifndef CLIV_BASE_JSON_H
#define CLIV_BASE_JSON_H

#include <jansson.h>

/* What json_dumps gives, or NULL when memory runs out; json_dumps itself may then leave pieces of the text out. NULL for NULL. */
char *cliv__json_dump(const json_t *json, size_t flags);

#endif
