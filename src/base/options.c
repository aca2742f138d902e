/* Options structs that grow. */
#include "base/options.h"

#include <string.h>

cliv_status cliv__options(cliv_context *ctx, const void *given, void *to, size_t room) {
  size_t size = 0;
  memset(to, 0, room);
  if (!given) return CLIV_OK;
  memcpy(&size, given, sizeof size);
  REQUIRE(ctx, size <= room, VALUE,
          "the options' size field is %zu, but this version of the library knows options of %zu bytes: the program was "
          "compiled against a newer one, or never set the field; set it to the struct's size, or to 0",
          size, room);
  REQUIRE(ctx, size == 0 || size >= sizeof size, VALUE,
          "the options' size field is %zu, less than the field itself has; set it to the struct's size, or to 0", size);
  memcpy(to, given, size ? size : room);
  return CLIV_OK;
}
