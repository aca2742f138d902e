/* The header's numbers are the library's. */
#include <cliv/version.h>
#include <stdio.h>
#include <string.h>

#include "support.h"

static void header_and_library_agree(void **state) {
  (void)state;
  char text[32];
  snprintf(text, sizeof text, "%d.%d.%d", CLIV_VERSION_MAJOR, CLIV_VERSION_MINOR, CLIV_VERSION_PATCH);
  assert_string_equal(cliv_version(), text);
}

static void build_info_is_one_line_that_names_the_parts(void **state) {
  (void)state;
  const char *const info = cliv_build_info();
  assert_null(strchr(info, '\n'));
#ifdef CLIV_HAVE_CLBLAST
  assert_non_null(strstr(info, "with CLBlast"));
#else
  assert_non_null(strstr(info, "without CLBlast"));
#endif
#ifdef CLIV_HAVE_CLFFT
  assert_non_null(strstr(info, "with clFFT"));
#else
  assert_non_null(strstr(info, "without clFFT"));
#endif
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(header_and_library_agree),
      cmocka_unit_test(build_info_is_one_line_that_names_the_parts),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
