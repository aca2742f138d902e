/* Any text as a device selector, on three invented devices. */
#include "fuzz.h"
#include "runtime/device.h"

const char *const fuzz_words[] = {
    "auto",     "cpu", "gpu",   "accelerator", "amd",  "intel",     "!",       "#1",  "#99999999999999999999",
    "\"text\"", "\"",  "uuid:", "fp64",        "fp16", "subgroups", "mem>=8G", "cu<", ":1",
    ":0",       ",",   "=",     "1e999",       "\\\"", NULL};

static cliv_device_info invented(const char *name, const char *vendor, cl_device_type type, cl_ulong memory) {
  cliv_device_info info = {
      .type = type, .opencl = 300, .compute_units = 8, .max_group_size = 256, .available = 1, .compiler = 1};
  strcpy(info.name, name);
  strcpy(info.vendor, vendor);
  strcpy(info.platform_name, "Invented");
  info.global_memory = memory;
  info.has_uuid = type == CL_DEVICE_TYPE_GPU;
  info.fp64 = memory > 1000;
  return info;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  static cliv_device_list *list;
  if (!list) {
    const cliv_device_info infos[] = {invented("Large", "Intel(R) Corporation", CL_DEVICE_TYPE_GPU, 1u << 30),
                                      invented("Small", "Advanced Micro Devices, Inc.", CL_DEVICE_TYPE_GPU, 100),
                                      invented("Plain", "GenuineIntel", CL_DEVICE_TYPE_CPU, 1u << 20)};
    EXPECT(cliv__device_list_create(infos, 3, &list) == CLIV_OK);
  }
  char *text = malloc(n + 1), why[40];
  EXPECT(text != NULL);
  memcpy(text, data, n);
  text[n] = 0;
  size_t index = 99;
  const cliv_status status = cliv_device_select(list, text, &index, why, sizeof why);
  if (status) EXPECT((status == CLIV_SELECTOR || status == CLIV_NO_DEVICE) && index == 99 && *cliv_last_error(NULL));
  else EXPECT(index < 3 && memchr(why, 0, sizeof why));
  free(text);
  return 0;
}
