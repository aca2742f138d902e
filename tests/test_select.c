/* The selector grammar on machines that nobody has: a table of (machine, selector) -> device or sentence. */
#include <stdlib.h>
#include <string.h>

#include "support.h"

#include "runtime/device.h"
#include "runtime/quirks.h"

#define GIB ((cl_ulong)1 << 30)
enum { GPU = CL_DEVICE_TYPE_GPU, CPU = CL_DEVICE_TYPE_CPU, ACCELERATOR = CL_DEVICE_TYPE_ACCELERATOR };

/* What tells one imagined device from another; the rest is alike. */
typedef struct imagined {
  const char *name, *vendor, *platform, *driver;
  cl_device_type type;
  cl_uint units, mhz;
  cl_ulong memory;
  const char *has;  /* of "fp64 fp16 subgroups unified unavailable nocompiler" */
  const char *uuid; /* 16 characters, used as bytes */
  cl_uint pci_bus;  /* 0: not told */
  int opencl;       /* 0: 300 */
} imagined;

static const char NV[] = "NVIDIA Corporation", INTEL[] = "Intel(R) Corporation", AMD[] = "Advanced Micro Devices, Inc.";

/* A workstation: integrated Intel GPU listed first, two unlike NVIDIA cards, the processor through two drivers. */
static const imagined workstation[] = {
    {"Intel(R) UHD Graphics 770", INTEL, "Intel(R) OpenCL Graphics", "23.43", GPU, 32, 1550, 25 * GIB,
     "fp16 subgroups unified", "integrated-gpu-1", 0, 0},
    {"NVIDIA GeForce RTX 3060", NV, "NVIDIA CUDA", "535.104", GPU, 28, 1777, 12 * GIB, "fp64", "nvidia-card-0001", 1,
     0},
    {"NVIDIA GeForce RTX 4090", NV, "NVIDIA CUDA", "535.104", GPU, 128, 2520, 24 * GIB, "fp64", "nvidia-card-0002", 2,
     0},
    {"Intel(R) Core(TM) i9-13900K", INTEL, "Intel(R) OpenCL", "2026.22.10", CPU, 32, 0, 64 * GIB,
     "fp64 fp16 subgroups unified", NULL, 0, 0},
    {"pthread-Core(TM) i9-13900K", "GenuineIntel", "Portable Computing Language", "3.1+debian", CPU, 32, 3000, 60 * GIB,
     "fp64 unified", NULL, 0, 0},
};

/* One AMD card through Mesa and through AMD's own driver (same bus), and the processor. */
static const imagined amd_twice[] = {
    {"AMD Radeon RX 6800 (navi21, LLVM 15)", "AMD", "rusticl", "23.1.0", GPU, 60, 2105, 16 * GIB, "fp64", NULL, 7, 0},
    {"gfx1030", AMD, "AMD Accelerated Parallel Processing", "3581.0", GPU, 60, 2105, 16 * GIB, "fp64 fp16", NULL, 7, 0},
    {"pthread-AMD Ryzen 9", "AuthenticAMD", "Portable Computing Language", "3.1", CPU, 16, 3400, 31 * GIB,
     "fp64 unified", NULL, 0, 0},
};

/* Nothing that should be taken unasked. */
static const imagined trouble[] = {
    {"Old GPU", AMD, "Clover", "21.0", GPU, 20, 1000, 4 * GIB, "fp64", NULL, 0, 0},
    {"Lost GPU", NV, "NVIDIA CUDA", "470", GPU, 20, 1000, 4 * GIB, "fp64 unavailable", NULL, 0, 0},
    {"Bare GPU", "Imagination Technologies", "PowerVR", "1.0", GPU, 4, 500, 1 * GIB, "nocompiler", NULL, 0, 0},
    {"Ancient GPU", NV, "NVIDIA CUDA", "304", GPU, 10, 1000, 1 * GIB, "", NULL, 0, 110},
};

/* Software that says it is a GPU, beside the processor. */
static const imagined pretender[] = {
    {"llvmpipe (LLVM 15.0.6, 256 bits)", "Mesa/X.org", "rusticl", "22.3.6", GPU, 8, 300, 2 * GIB, "", NULL, 0, 0},
    {"pthread-EPYC", "AuthenticAMD", "Portable Computing Language", "3.1", CPU, 2, 2600, 12 * GIB, "fp64 unified", NULL,
     0, 0},
};

/* Two equal cards and an accelerator. */
static const imagined farm[] = {
    {"Arria 10", INTEL, "Intel(R) FPGA SDK for OpenCL(TM)", "22.4", ACCELERATOR, 1, 250, 2 * GIB, "fp64", NULL, 0, 0},
    {"NVIDIA A100", NV, "NVIDIA CUDA", "535", GPU, 108, 1410, 40 * GIB, "fp64", NULL, 1, 0},
    {"NVIDIA A100", NV, "NVIDIA CUDA", "535", GPU, 108, 1410, 40 * GIB, "fp64", NULL, 2, 0},
};

static const imagined phone[] = {
    {"Mali-G78", "ARM", "ARM Platform", "3.0", GPU, 24, 848, 8 * GIB, "fp16 unified", NULL, 0, 0},
    {"Charm X1", "Charming Inc", "Farm", "1.0", CPU, 8, 1000, 8 * GIB, "unified", NULL, 0, 0},
};

static const struct machine {
  const char *name;
  const imagined *devices;
  size_t count;
} machines[] = {
#define MACHINE(m) \
  { #m, m, sizeof m / sizeof *m }
    MACHINE(workstation), MACHINE(amd_twice), MACHINE(trouble), MACHINE(pretender), MACHINE(farm), MACHINE(phone),
#undef MACHINE
    {"empty", NULL, 0},
};

static void set_text(char *to, size_t room, const char *from) {
  assert_true(strlen(from) < room);
  strcpy(to, from);
}
#define SET(field, text) set_text((field), sizeof(field), (text))

static cliv_device_info make(const imagined *d) {
  cliv_device_info info = {0};
  SET(info.name, d->name);
  SET(info.vendor, d->vendor);
  SET(info.platform_name, d->platform);
  SET(info.driver, d->driver);
  /* A handle per platform name, as different drivers have different platforms. */
  info.platform = (cl_platform_id)(uintptr_t)(0x1000 + strlen(d->platform) * 64 + (unsigned char)d->platform[0]);
  info.type = d->type;
  info.opencl = d->opencl ? d->opencl : 300;
  info.compute_units = d->units;
  info.clock_mhz = d->mhz;
  info.vector_width = d->type == CPU ? 8 : 1;
  info.global_memory = d->memory;
  info.max_group_size = 1024;
  info.fp64 = strstr(d->has, "fp64") != NULL;
  info.fp16 = strstr(d->has, "fp16") != NULL;
  info.subgroups = strstr(d->has, "subgroups") != NULL;
  info.unified_memory = strstr(d->has, "unified") != NULL;
  info.available = strstr(d->has, "unavailable") == NULL;
  info.compiler = strstr(d->has, "nocompiler") == NULL;
  if (d->uuid) {
    info.has_uuid = 1;
    memcpy(info.uuid, d->uuid, sizeof info.uuid);
  }
  if (d->pci_bus) {
    info.has_pci = 1;
    info.pci[1] = d->pci_bus;
  }
  return info;
}

static cliv_device_list *machine_list(const char *name) {
  for (size_t m = 0; m < sizeof machines / sizeof *machines; m++) {
    if (strcmp(machines[m].name, name) != 0) continue;
    cliv_device_info infos[16];
    for (size_t i = 0; i < machines[m].count; i++) infos[i] = make(&machines[m].devices[i]);
    cliv_device_list *list;
    ASSERT_OK(NULL, cliv__device_list_create(infos, machines[m].count, &list));
    return list;
  }
  fail_msg("no machine '%s'", name);
  return NULL;
}

/* `want`: an index, or -status. `part`: of the reason or of the sentence. */
static const struct row {
  const char *machine, *selector;
  int want;
  const char *part;
} rows[] = {
    /* auto: not what is listed first */
    {"workstation", "auto", 2, "RTX 4090"},
    {"workstation", "", 2, NULL},
    {"workstation", "  ", 2, NULL},
    {"workstation", " AUTO ", 2, NULL},
    {"amd_twice", "auto", 1, "is the same physical device as #1"},
    {"pretender", "auto", 1, NULL},
    {"farm", "auto", 1, "matches, score"},
    {"phone", "auto", 0, NULL},
    /* kinds, vendors */
    {"workstation", "gpu", 2, NULL},
    {"workstation", "GPU", 2, NULL},
    {"workstation", "cpu", 3, NULL},
    {"workstation", "intel", 0, NULL},
    {"workstation", "Intel,CPU", 3, NULL},
    {"workstation", "pocl", 4, NULL},
    {"workstation", "nvidia,!\"4090\"", 1, "is not !\"4090\""},
    {"workstation", "gpu,!nvidia", 0, NULL},
    {"workstation", "!gpu,!intel", -CLIV_NO_DEVICE,
     "#4 pthread-Core(TM) i9-13900K (Portable Computing Language) is not !intel"},
    {"workstation", "accelerator", -CLIV_NO_DEVICE, "is not accelerator"},
    {"farm", "accelerator", 0, NULL},
    {"amd_twice", "mesa", 0, NULL},
    {"amd_twice", "rusticl", 0, NULL},
    {"amd_twice", "amd", 1, NULL},
    {"amd_twice", "amd,cpu", 2, NULL},
    {"phone", "arm", 0, NULL},
    {"phone", "arm,cpu", -CLIV_NO_DEVICE, "#1 Charm X1 (Farm) is not arm"},
    {"pretender", "gpu", 0, NULL},
    {"workstation", "amd", -CLIV_NO_DEVICE, "is not amd"},
    /* the n-th match: physical devices, best first */
    {"workstation", "gpu:0", 2, NULL},
    {"workstation", "gpu:1", 1, "by its number among the 3"},
    {"workstation", "gpu:2", 0, NULL},
    {"workstation", "gpu:3", -CLIV_NO_DEVICE, "only 3 devices match"},
    {"workstation", "nvidia:1,fp64", 1, NULL},
    {"workstation", "cpu:1", -CLIV_NO_DEVICE, "only 1 device matches"},
    {"amd_twice", "gpu:1", -CLIV_NO_DEVICE, "only 1 device matches"},
    {"amd_twice", "mesa:0", 0, NULL},
    {"farm", "gpu:0", 1, NULL},
    {"farm", "gpu:1", 2, NULL},
    /* index, text, uuid */
    {"workstation", "#0", 0, NULL},
    {"workstation", "#4", 4, NULL},
    {"workstation", "!#2", 1, NULL},
    {"workstation", "#5", -CLIV_NO_DEVICE, "is not #5"},
    {"workstation", "\"geforce rtx\",!#2", 1, NULL},
    {"workstation", "\"i9, \"", -CLIV_NO_DEVICE, "is not \"i9, \""},
    {"workstation", "\"portable\"", 4, NULL},
    {"workstation", "uuid:6e7669646961-2d63-6172-642d-30303031", 1, NULL},
    {"workstation", "UUID:GPU-6E7669646961", 2, NULL},
    {"workstation", "uuid:69", 0, NULL},
    {"workstation", "uuid:ff", -CLIV_NO_DEVICE, "is not uuid:ff"},
    {"workstation", "!uuid:6e,gpu", 0, NULL},
    /* abilities and numbers */
    {"workstation", "fp16", 0, NULL},
    {"workstation", "fp16,cpu", 3, NULL},
    {"workstation", "subgroups,fp64", 3, NULL},
    {"workstation", "!fp64", 0, NULL},
    {"workstation", "gpu,mem>=24G", 2, NULL},
    {"workstation", "gpu,mem>24G", 0, NULL},
    {"workstation", "gpu,mem<=12G", 1, NULL},
    {"workstation", "gpu,mem<12G", -CLIV_NO_DEVICE, "RTX 3060 (NVIDIA CUDA) has 12G, not mem<12G"},
    {"workstation", "mem=12G", 1, NULL},
    {"workstation", "mem=12288MiB", 1, NULL},
    {"workstation", "mem=12582912k", 1, NULL},
    {"workstation", "mem=12884901888", 1, NULL},
    {"workstation", "mem>=0.05T", 3, NULL},
    {"workstation", "mem >= 24.5 G", -CLIV_SELECTOR, "position 13"},
    {"workstation", "mem >= 24.5GB , cu > 1", 0, NULL},
    {"workstation", "cu>=100", 2, NULL},
    {"workstation", "!cu>=100,gpu", 1, NULL},
    {"workstation", "gpu,cu>200", -CLIV_NO_DEVICE, "has cu=128, not cu>200"},
    /* devices that cannot or should not be taken */
    {"trouble", "auto", -CLIV_NO_DEVICE, "#0 Old GPU (Clover) is avoided unless named"},
    {"trouble", "auto", -CLIV_NO_DEVICE,
     "#1 Lost GPU (NVIDIA CUDA) cannot be used: the driver says that it is not available"},
    {"trouble", "gpu", -CLIV_NO_DEVICE, "#2 Bare GPU (PowerVR) cannot be used: its driver has no compiler"},
    {"trouble", "#0", 0, NULL},
    {"trouble", "mesa", 0, NULL},
    {"trouble", "\"old\"", 0, NULL},
    {"trouble", "#1", -CLIV_NO_DEVICE, "cannot be used"},
    {"trouble", "#3", -CLIV_NO_DEVICE, "OpenCL 1.2 or later is needed"},
    {"trouble", "gpu,!#1", -CLIV_NO_DEVICE, "avoided unless named"},
    /* no driver */
    {"empty", "auto", -CLIV_NO_DRIVER, "pocl-opencl-icd"},
    {"empty", "gpu", -CLIV_NO_DRIVER, "Fedora: pocl"},
    {"empty", "nonsense", -CLIV_SELECTOR, "position 1"},
    /* what the grammar refuses, and where */
    {"farm", "graphics", -CLIV_SELECTOR, "position 1 (at 'graphics'): expected auto, cpu, gpu"},
    {"farm", "gpus", -CLIV_SELECTOR, "position 1"},
    {"farm", "gpu intel", -CLIV_SELECTOR, "position 5 (at 'intel'): expected a comma, or the end"},
    {"farm", ",gpu", -CLIV_SELECTOR, "position 1"},
    {"farm", "gpu,", -CLIV_SELECTOR, "position 5 (at the end)"},
    {"farm", "gpu,,cpu", -CLIV_SELECTOR, "position 5 (at ',cpu')"},
    {"farm", "!", -CLIV_SELECTOR, "position 2 (at the end)"},
    {"farm", "!!gpu", -CLIV_SELECTOR, "position 2"},
    {"farm", "!auto", -CLIV_SELECTOR, "would leave no device"},
    {"farm", "!gpu:1", -CLIV_SELECTOR, "position 5 (at ':1'): expected no number"},
    {"farm", "gpu:1,nvidia:0", -CLIV_SELECTOR, "position 13"},
    {"farm", "gpu:", -CLIV_SELECTOR, "position 5 (at the end): expected a number"},
    {"farm", "gpu:x", -CLIV_SELECTOR, "position 5"},
    {"farm", "gpu:1x", -CLIV_SELECTOR, "position 5"},
    {"farm", "gpu:-1", -CLIV_SELECTOR, "position 5"},
    {"farm", "gpu:99999999999999999999", -CLIV_SELECTOR, "position 5"},
    {"farm", "fp64:1", -CLIV_SELECTOR, "position 5 (at ':1'): expected a comma"},
    {"farm", "#", -CLIV_SELECTOR, "position 2 (at the end): expected the number of a device"},
    {"farm", "#one", -CLIV_SELECTOR, "position 2"},
    {"farm", "#1a", -CLIV_SELECTOR, "position 2"},
    {"farm", "#-1", -CLIV_SELECTOR, "position 2"},
    {"farm", "\"A100", -CLIV_SELECTOR, "position 6 (at the end): expected the closing \""},
    {"farm", "\"\"", -CLIV_SELECTOR, "position 2"},
    {"farm", "uuid:", -CLIV_SELECTOR, "expected hexadecimal digits"},
    {"farm", "uuid:12xy", -CLIV_SELECTOR, "position 8"},
    {"farm", "uuid:000000000000000000000000000000001", -CLIV_SELECTOR, "at most 32"},
    {"farm", "mem", -CLIV_SELECTOR, "position 4 (at the end): expected >=, >, <=, < or ="},
    {"farm", "mem>=", -CLIV_SELECTOR, "position 6 (at the end): expected a number"},
    {"farm", "mem>=G", -CLIV_SELECTOR, "position 6"},
    {"farm", "mem>=8X", -CLIV_SELECTOR, "position 6"},
    {"farm", "mem>=-8G", -CLIV_SELECTOR, "position 6"},
    {"farm", "mem>=1e9", -CLIV_SELECTOR, "position 6"},
    {"farm", "mem==8G", -CLIV_SELECTOR, "position 5"},
    {"farm", "cu=>16", -CLIV_SELECTOR, "position 4"},
    {"farm", "mem>=nan", -CLIV_SELECTOR, "position 6"},
    {"farm", "gpu\xff", -CLIV_SELECTOR, "position 4"},
};

static void test_table(void **state) {
  (void)state;
  for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
    cliv_device_list *list = machine_list(rows[r].machine);
    size_t index = 77;
    char why[4096] = "";
    const cliv_status status = cliv_device_select(list, rows[r].selector, &index, why, sizeof why);
    const int got = status ? -(int)status : (int)index;
    const char *said = status ? cliv_last_error(NULL) : why;
    if (got != rows[r].want || (rows[r].part && !strstr(said, rows[r].part)) || !*said)
      fail_msg("%s, '%s': wanted %d (%s), got %d: %s", rows[r].machine, rows[r].selector, rows[r].want,
               rows[r].part ? rows[r].part : "any reason", got, said);
    if (status) assert_int_equal(index, 77);
    cliv_devices_free(list);
  }
}

static size_t same_as(const cliv_device_list *list, size_t i) { return cliv_devices_get(list, i)->same_as; }

static void test_physical_devices(void **state) {
  (void)state;
  cliv_device_list *list = machine_list("workstation");
  for (size_t i = 0; i < 4; i++) assert_int_equal(same_as(list, i), i);
  assert_int_equal(same_as(list, 4), 3); /* one processor, two drivers */
  cliv_devices_free(list);

  list = machine_list("amd_twice"); /* one bus address; AMD's driver offers more */
  assert_int_equal(same_as(list, 0), 1);
  assert_int_equal(same_as(list, 1), 1);
  assert_int_equal(same_as(list, 2), 2);
  cliv_devices_free(list);

  list = machine_list("farm"); /* equal cards at different places */
  assert_int_equal(same_as(list, 1), 1);
  assert_int_equal(same_as(list, 2), 2);
  cliv_devices_free(list);

  list = machine_list("pretender"); /* software on the processor is the processor */
  assert_int_equal(same_as(list, 0), 1);
  cliv_devices_free(list);
}

/* Without UUID and bus address: name and memory, but only across platforms. */
static void test_physical_devices_by_name(void **state) {
  (void)state;
  imagined card = {"Radeon", AMD, "AMD Accelerated Parallel Processing", "1", GPU, 36, 1200, 8 * GIB, "fp64", NULL,
                   0,        0};
  cliv_device_info infos[4];
  infos[0] = make(&card);
  infos[1] = make(&card); /* a second, equal card of the same platform */
  card.platform = "Clover";
  infos[2] = make(&card);
  card.memory = 4 * GIB; /* not the same */
  card.platform = "AMD-APP (another)";
  infos[3] = make(&card);
  cliv_device_list *list;
  ASSERT_OK(NULL, cliv__device_list_create(infos, 4, &list));
  assert_int_equal(same_as(list, 0), 0);
  assert_int_equal(same_as(list, 1), 1);
  assert_int_equal(same_as(list, 2), 0);
  assert_int_equal(same_as(list, 3), 3);
  cliv_devices_free(list);
}

/* Two equal cards through two drivers that tell nothing about them are two devices. */
static void test_equal_cards_twice(void **state) {
  (void)state;
  imagined card = {"Radeon", AMD, "AMD Accelerated Parallel Processing", "1", GPU, 36, 1200, 8 * GIB, "fp64", NULL,
                   0,        0};
  cliv_device_info infos[4];
  infos[0] = infos[1] = make(&card);
  card.platform = "rusticl";
  infos[2] = infos[3] = make(&card);
  cliv_device_list *list;
  ASSERT_OK(NULL, cliv__device_list_create(infos, 4, &list));
  for (size_t i = 0; i < 4; i++) assert_int_equal(same_as(list, i), i % 2);
  size_t index;
  ASSERT_OK(NULL, cliv_device_select(list, "gpu:1", &index, NULL, 0));
  assert_int_equal(index, 1);
  ASSERT_FAILS(NULL, cliv_device_select(list, "gpu:2", &index, NULL, 0), CLIV_NO_DEVICE, "only 2 devices match");
  cliv_devices_free(list);
}

/* A usable entry stands for the device even where an unusable one would score higher. */
static void test_unusable_twin(void **state) {
  (void)state;
  imagined card = {
      "Radeon", AMD, "AMD Accelerated Parallel Processing", "1", GPU, 36, 1200, 8 * GIB, "fp64 nocompiler", NULL, 3, 0};
  cliv_device_info infos[2];
  infos[0] = make(&card);
  card.platform = "rusticl";
  card.has = "";
  card.mhz = 600;
  infos[1] = make(&card);
  cliv_device_list *list;
  ASSERT_OK(NULL, cliv__device_list_create(infos, 2, &list));
  assert_int_equal(same_as(list, 0), 1);
  assert_int_equal(same_as(list, 1), 1);
  size_t index;
  ASSERT_OK(NULL, cliv_device_select(list, "gpu", &index, NULL, 0));
  assert_int_equal(index, 1);
  cliv_devices_free(list);
}

static int has_quirk(const cliv_device_info *info, const char *name) {
  for (size_t q = 0; q < info->quirk_count; q++)
    if (strcmp(info->quirks[q].name, name) == 0) return *info->quirks[q].reason != 0;
  return 0;
}

static void test_quirks(void **state) {
  (void)state;
  imagined d = {"CPU", INTEL, "Intel(R) OpenCL", "2026.22.10.0", CPU, 2, 2000, GIB, "fp64", NULL, 0, 0};
  cliv_device_info info = make(&d);
  assert_true(cliv__quirks(&info, NULL) & CLIV__QUIRK_CLFFT_POINTERS);
  cliv__device_judge(&info);
  assert_true(has_quirk(&info, "clfft-pointers"));
  d.driver = "2023.1";
  info = make(&d);
  assert_int_equal(cliv__quirks(&info, NULL), CLIV__QUIRK_EXACT_DIVIDE | CLIV__QUIRK_PREFETCH);
  d.platform = "Intel(R) OpenCL Graphics";
  d.type = GPU;
  info = make(&d);
  assert_int_equal(cliv__quirks(&info, NULL), CLIV__QUIRK_FEW_REGISTERS);
  info.max_group_size = 64;
  assert_int_equal(cliv__quirks(&info, NULL), CLIV__QUIRK_FEW_REGISTERS | CLIV__QUIRK_SMALL_GROUPS);
  info.max_group_size = 65;
  assert_int_equal(cliv__quirks(&info, NULL), CLIV__QUIRK_FEW_REGISTERS);
  d.platform = "Clover";
  info = make(&d);
  cliv__device_judge(&info);
  assert_true(info.avoid && info.usable && has_quirk(&info, "clover"));
  d = pretender[0];
  info = make(&d);
  double penalty = 0;
  assert_int_equal(cliv__quirks(&info, &penalty), CLIV__QUIRK_SOFTWARE | CLIV__QUIRK_PROFILING | CLIV__QUIRK_NARROW |
                                                      CLIV__QUIRK_FMA_FLUSHES | CLIV__QUIRK_EARLY_FINISH);
  assert_true(penalty > 0);
}

/* A list longer than any buffer on the way, and a reason that does not fit. */
static void test_many_devices(void **state) {
  (void)state;
  enum { MANY = 200 };
  cliv_device_info *infos = test_alloc(MANY * sizeof *infos);
  for (cl_uint i = 0; i < MANY; i++) {
    imagined card = farm[1];
    card.pci_bus = i + 1;
    card.mhz = 1000 + i;
    infos[i] = make(&card);
  }
  cliv_device_list *list;
  ASSERT_OK(NULL, cliv__device_list_create(infos, MANY, &list));
  free(infos);
  size_t index;
  char why[16];
  ASSERT_OK(NULL, cliv_device_select(list, "gpu:199", &index, why, sizeof why));
  assert_int_equal(index, 0); /* the slowest */
  assert_int_equal(strlen(why), sizeof why - 1);
  ASSERT_FAILS(NULL, cliv_device_select(list, "cpu", &index, NULL, 0), CLIV_NO_DEVICE,
               "#15 NVIDIA A100 (NVIDIA CUDA) is not cpu; and 184 more");
  char too_long[1000] = "gpu";
  for (int i = 0; i < 32; i++) strcat(too_long, ",gpu");
  ASSERT_FAILS(NULL, cliv_device_select(list, too_long, &index, NULL, 0), CLIV_SELECTOR, "at most 32 terms");
  cliv_devices_free(list);
}

static void test_environment(void **state) {
  (void)state;
  cliv_device_list *list = machine_list("workstation");
  size_t index;
  char *saved = getenv("CLIV_DEVICE") ? strdup(getenv("CLIV_DEVICE")) : NULL;
  setenv("CLIV_DEVICE", "pocl", 1);
  ASSERT_OK(NULL, cliv_device_select(list, NULL, &index, NULL, 0));
  assert_int_equal(index, 4);
  ASSERT_OK(NULL, cliv_device_select(list, "auto", &index, NULL, 0)); /* what is said counts, not the environment */
  assert_int_equal(index, 2);
  setenv("CLIV_DEVICE", "nonsense", 1);
  ASSERT_FAILS(NULL, cliv_device_select(list, NULL, &index, NULL, 0), CLIV_SELECTOR, "'nonsense'");
  setenv("CLIV_DEVICE", "", 1);
  ASSERT_OK(NULL, cliv_device_select(list, NULL, &index, NULL, 0));
  assert_int_equal(index, 2);
  unsetenv("CLIV_DEVICE");
  ASSERT_OK(NULL, cliv_device_select(list, NULL, &index, NULL, 0));
  assert_int_equal(index, 2);
  if (saved) setenv("CLIV_DEVICE", saved, 1);
  free(saved);
  ASSERT_FAILS(NULL, cliv_device_select(NULL, "gpu", &index, NULL, 0), CLIV_NULL, NULL);
  ASSERT_FAILS(NULL, cliv_device_select(list, "gpu", NULL, NULL, 0), CLIV_NULL, NULL);
  cliv_devices_free(list);
}

static void test_vendors(void **state) {
  (void)state;
  size_t n = 0;
  for (; cliv_device_vendor(n); n++)
    assert_int_equal(cliv__vendor_find(cliv_device_vendor(n), strlen(cliv_device_vendor(n))), n);
  assert_true(n > 5);
  assert_int_equal(cliv__vendor_find("AMD", 3), cliv__vendor_find("amd", 3));
  assert_int_equal(cliv__vendor_find("am", 2), -1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_table),
      cmocka_unit_test(test_physical_devices),
      cmocka_unit_test(test_physical_devices_by_name),
      cmocka_unit_test(test_unusable_twin),
      cmocka_unit_test(test_equal_cards_twice),
      cmocka_unit_test(test_quirks),
      cmocka_unit_test(test_many_devices),
      cmocka_unit_test(test_environment),
      cmocka_unit_test(test_vendors),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
