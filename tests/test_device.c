/* The device list on the real devices of this stack, sub-devices, and `cliv devices`. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "support.h"

#include <cliv/device.h>

#include "base/text.h"
#include "runtime/device.h"
#include "runtime/match.h"

static cliv_device_list *devices(void) {
  cliv_device_list *list;
  ASSERT_OK(NULL, cliv_devices_list(NULL, &list));
  assert_true(cliv_devices_count(list) > 0);
  return list;
}

static void assert_tidy(const char *text) {
  const size_t length = strlen(text);
  assert_true(length == 0 || (text[0] != ' ' && text[length - 1] != ' '));
  for (size_t i = 0; i < length; i++) assert_true((unsigned char)text[i] >= ' ');
}

static void test_list(void **state) {
  (void)state;
  cliv_device_list *list = devices();
  for (size_t i = 0; i < cliv_devices_count(list); i++) {
    const cliv_device_info *d = cliv_devices_get(list, i);
    assert_int_equal(d->index, i);
    assert_non_null(d->platform);
    assert_non_null(d->device);
    assert_true(*d->name && *d->platform_name && *d->driver && *d->version);
    assert_tidy(d->name);
    assert_tidy(d->vendor);
    assert_tidy(d->platform_name);
    assert_tidy(d->driver);
    assert_int_equal(d->usable, !*d->unusable);
    if (!d->usable) continue;
    assert_true(d->opencl >= 120 && d->available && d->compiler);
    assert_true(d->compute_units > 0 && d->global_memory > 0 && d->max_group_size > 0 && d->base_align > 0);
    assert_true(d->max_allocation <= d->global_memory);
    assert_true(d->same_as < cliv_devices_count(list));
    assert_int_equal(cliv_devices_get(list, d->same_as)->same_as, d->same_as);
    assert_true(cliv_devices_get(list, d->same_as)->score >= d->score);
    for (size_t q = 0; q < d->quirk_count; q++) assert_true(*d->quirks[q].name && *d->quirks[q].reason);
  }
  assert_null(cliv_devices_get(list, cliv_devices_count(list)));
  assert_null(cliv_devices_get(NULL, 0));
  assert_null(cliv_devices_warning(list, cliv_devices_warning_count(list)));
  assert_int_equal(cliv_devices_count(NULL), 0);

  cliv_device_list *again = devices();
  assert_int_equal(cliv_devices_count(again), cliv_devices_count(list));
  for (size_t i = 0; i < cliv_devices_count(list); i++)
    assert_memory_equal(cliv_devices_get(list, i), cliv_devices_get(again, i), sizeof(cliv_device_info));
  cliv_devices_free(again);
  cliv_devices_free(list);
  cliv_devices_free(NULL);
}

static void test_bad_arguments(void **state) {
  (void)state;
  cliv_device_list *list = (cliv_device_list *)(void *)&list;
  ASSERT_FAILS(NULL, cliv_devices_list(NULL, NULL), CLIV_NULL, "'out'");
  cliv_devices_options options = {.size = 3};
  ASSERT_FAILS(NULL, cliv_devices_list(&options, &list), CLIV_VALUE, "size field is 3");
  assert_null(list);
  options = (cliv_devices_options){.size = sizeof options, .probe = (cliv_probe)7};
  ASSERT_FAILS(NULL, cliv_devices_list(&options, &list), CLIV_VALUE, "probe is 7");
}

static void test_select_each(void **state) {
  (void)state;
  cliv_device_list *list = devices();
  for (size_t i = 0; i < cliv_devices_count(list); i++) {
    const cliv_device_info *d = cliv_devices_get(list, i);
    if (!d->usable) continue;
    char *selectors[] = {cliv__format("#%zu", i), cliv__format("\"%s\",#%zu", d->name, i),
                         cliv__format("%s,#%zu", d->kind, i),
                         cliv__format("mem=%llu,cu=%u,#%zu", (unsigned long long)d->global_memory, d->compute_units, i),
                         cliv__format("%sfp64,%sfp16,%ssubgroups,#%zu", d->fp64 ? "" : "!", d->fp16 ? "" : "!",
                                      d->subgroups ? "" : "!", i)};
    for (size_t s = 0; s < sizeof selectors / sizeof *selectors; s++) {
      size_t index = 77;
      char why[2048];
      ASSERT_OK(NULL, cliv_device_select(list, selectors[s], &index, why, sizeof why));
      assert_int_equal(index, i);
      assert_non_null(strstr(why, d->name));
      free(selectors[s]);
    }
  }
  cliv_devices_free(list);
}

/* A context on a part of the device computes. */
static void compute_on_part(cl_uint units) {
  const cliv_context_options options = {.compute_units = units};
  cliv_context *ctx;
  ASSERT_OK(NULL, cliv_context_create(&options, &ctx));
  cl_uint have = 0;
  ASSERT_CL(clGetDeviceInfo(cliv_context_cl_device(ctx), CL_DEVICE_MAX_COMPUTE_UNITS, sizeof have, &have, NULL));
  assert_int_equal(have, units);
  const size_t n = 1000;
  cliv_tensor *t;
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 1, &n, &t));
  ASSERT_OK(ctx, cliv_tensor_fill(t, 2.5, NULL));
  float *x = test_read(t);
  for (size_t i = 0; i < n; i++) assert_true(x[i] == 2.5f);
  free(x);
  cliv_tensor_free(t);
  cliv_context_free(ctx);
}

static void test_subdevices(void **state) {
  (void)state;
  cliv_device_list *list = devices();
  size_t index;
  ASSERT_OK(NULL, cliv_device_select(list, NULL, &index, NULL, 0));
  const cliv_device_info *d = cliv_devices_get(list, index);
  cl_device_id part;
  ASSERT_FAILS(NULL, cliv__subdevice(d->device, 0, &part), CLIV_VALUE, "0 compute units");
  ASSERT_FAILS(NULL, cliv__subdevice(d->device, d->compute_units, &part), CLIV_VALUE, d->name);
  ASSERT_FAILS(NULL, cliv__subdevice(d->device, d->compute_units + 1, &part), CLIV_VALUE, NULL);
  if (d->compute_units > 1 && d->max_subdevices == 0)
    ASSERT_FAILS(NULL, cliv__subdevice(d->device, 1, &part), CLIV_DEVICE_LIMIT, "cannot be divided");
  if (d->compute_units > 1 && d->max_subdevices > 0) {
    for (cl_uint units = 1; units < d->compute_units; units += units) compute_on_part(units);
    ASSERT_OK(NULL, cliv__subdevice(d->device, 1, &part));
    cliv_device_info info;
    cliv__device_read(part, &info);
    assert_int_equal(info.compute_units, 1);
    assert_string_equal(info.platform_name, d->platform_name);
    ASSERT_CL(clReleaseDevice(part));
  }
  cliv_devices_free(list);
}

/* What drivers write into their names ends on terminals and in JSON. */
static void test_clean(void **state) {
  (void)state;
  static const struct {
    const char *from, *to;
  } rows[] = {{"", ""},
              {"   ", ""},
              {"  AMD   EPYC\t\n", "AMD EPYC"},
              {"a\x1b[31mb", "a [31mb"},
              {"Radeon\xe2\x84\xa2 Pro", "Radeon\xe2\x84\xa2 Pro"},
              {"bad \xff\xc3", "bad ??"},
              {"cut \xe2\x84", "cut ??"},
              {"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"},
              {"\xc0\xaf", "??"}};
  for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
    char text[64];
    snprintf(text, sizeof text, "%s", rows[r].from);
    cliv__clean(text);
    assert_string_equal(text, rows[r].to);
  }
}

/* ---- the program ---- */

/* What `cliv devices ARGUMENTS` writes to standard output (or error, by `2>&1 >/dev/null` in the arguments). */
static char *cliv_devices_says(const char *arguments, int exit_code) {
  const char *program = getenv("CLIV_TEST_PROGRAM");
  char *line = cliv__format("'%s' devices %s", program ? program : "../cliv", arguments);
  FILE *pipe = popen(line, "r");
  assert_non_null(pipe);
  cliv__text out = {0};
  char some[1024];
  while (fgets(some, sizeof some, pipe)) cliv__text_add(&out, "%s", some);
  const int status = pclose(pipe);
  char *text = cliv__text_take(&out);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != exit_code)
    fail_msg("%s: exit %d, wanted %d:\n%s", line, WEXITSTATUS(status), exit_code, text);
  free(line);
  return text;
}

static void test_program_json(void **state) {
  (void)state;
  cliv_device_list *list = devices();
  char *text = cliv_devices_says("--json", 0);
  json_error_t error;
  json_t *root = json_loads(text, 0, &error);
  if (!root) fail_msg("%s: %s", error.text, text);
  json_t *array = json_object_get(root, "devices");
  assert_int_equal(json_array_size(array), cliv_devices_count(list));
  for (size_t i = 0; i < cliv_devices_count(list); i++) {
    const cliv_device_info *d = cliv_devices_get(list, i);
    const json_t *o = json_array_get(array, i);
    assert_string_equal(json_string_value(json_object_get(o, "name")), d->name);
    assert_string_equal(json_string_value(json_object_get(o, "kind")), d->kind);
    assert_int_equal(json_integer_value(json_object_get(o, "global_memory")), d->global_memory);
    assert_int_equal(json_boolean_value(json_object_get(o, "fp64")), d->fp64);
    assert_int_equal(json_array_size(json_object_get(o, "quirks")), d->quirk_count);
  }
  size_t index;
  ASSERT_OK(NULL, cliv_device_select(list, NULL, &index, NULL, 0));
  const json_t *taken = json_object_get(root, "taken");
  assert_int_equal(json_integer_value(json_object_get(taken, "index")), index);
  assert_true(json_array_size(json_object_get(taken, "reasons")) >= cliv_devices_count(list));
  assert_true(json_is_array(json_object_get(root, "warnings")));
  json_decref(root);
  free(text);
  cliv_devices_free(list);
}

static void assert_within(const char *text, size_t columns) {
  while (*text) {
    const size_t length = strcspn(text, "\n");
    if (length > columns) fail_msg("%zu columns: %.*s", length, (int)length, text);
    text += length + (text[length] == '\n');
  }
}

static void test_program_text(void **state) {
  (void)state;
  cliv_device_list *list = devices();
  char *text = cliv_devices_says("", 0);
  assert_within(text, 100);
  for (size_t i = 0; i < cliv_devices_count(list); i++) assert_non_null(strstr(text, cliv_devices_get(list, i)->name));
  assert_non_null(strstr(text, "* #"));
  free(text);

  static const struct {
    const char *arguments;
    int exit_code;
    const char *part;
  } rows[] = {{"--why auto", 0, "'auto' takes #"},
              {"--device '#0'", 0, "* #0"},
              {"--why '#0'", 0, "'#0' takes #0"},
              {"--why 'mem>=1000T' 2>&1", 1, "no device matches 'mem>=1000T': #0 "},
              {"--why 'gpu;cpu' 2>&1", 2, "position 4 (at ';cpu'): expected a comma"},
              {"--device nonsense 2>&1", 2, "position 1"},
              {"--why 'mem>=1000T' --json 2>/dev/null", 1, "\"status\": \"NO_DEVICE\""},
              {"--why auto --device auto 2>&1", 2, "give one"},
              {"--probe --no-probe 2>&1", 2, "exclude each other"},
              {"--timeout 99999 2>&1", 2, "1 to 3600"},
              {"--no-probe --why auto", 0, "takes #"}};
  for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
    text = cliv_devices_says(rows[r].arguments, rows[r].exit_code);
    if (!strstr(text, rows[r].part)) fail_msg("%s: wanted '%s', got:\n%s", rows[r].arguments, rows[r].part, text);
    free(text);
  }
  cliv_devices_free(list);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_list),         cmocka_unit_test(test_bad_arguments), cmocka_unit_test(test_select_each),
      cmocka_unit_test(test_clean),        cmocka_unit_test(test_subdevices),    cmocka_unit_test(test_program_json),
      cmocka_unit_test(test_program_text),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
