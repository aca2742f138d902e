/* cliv devices: what OpenCL devices there are, and which one a selector takes. */
#include <cliv/device.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

enum { WIDTH = 98, INDENT = 6, MAX_WHY = 16384 };

/* Abilities by the names that people and JSON see. */
static const struct {
  const char *name;
  size_t offset;
} abilities[] = {
#define ABILITY(member) \
  { #member, offsetof(cliv_device_info, member) }
    ABILITY(fp64),         ABILITY(fp16),          ABILITY(subgroups),      ABILITY(spirv),    ABILITY(svm),
    ABILITY(out_of_order), ABILITY(rounds_divide), ABILITY(unified_memory), ABILITY(software),
#undef ABILITY
};
enum { ABILITIES = sizeof abilities / sizeof *abilities };

static int able(const cliv_device_info *info, size_t i) {
  return *(const int *)(const void *)((const char *)info + abilities[i].offset) != 0;
}

typedef struct selection {
  const char *selector; /* as asked; NULL: $CLIV_DEVICE or auto */
  size_t index;
  cliv_status status;
  char why[MAX_WHY];
} selection;

/* ---- for people ---- */

/* Prints indented words, broken into lines. */
static void wrap(const char *text) {
  size_t column = 0;
  while (*text) {
    const size_t length = strcspn(text, " ");
    if (column > 0 && column + 1 + length > WIDTH - INDENT) {
      putchar('\n');
      column = 0;
    }
    column += (size_t)printf("%*s%.*s", column ? 1 : INDENT, column ? " " : "", (int)length, text);
    text += length + strspn(text + length, " ");
  }
  putchar('\n');
}

static void print_amount(char *to, size_t room, double bytes) {
  static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
  size_t unit = 0;
  for (; bytes >= 1024 && unit < 4; unit++) bytes /= 1024;
  snprintf(to, room, bytes < 100 && unit > 0 && bytes != (double)(long)bytes ? "%.1f %s" : "%.0f %s", bytes,
           units[unit]);
}

static void print_sizes(const cliv_device_info *d) {
  char memory[32], local[32], line[256];
  print_amount(memory, sizeof memory, (double)d->global_memory);
  print_amount(local, sizeof local, (double)d->local_memory);
  snprintf(line, sizeof line, "%u compute %s, %s memory, %s local, groups of up to %zu", d->compute_units,
           d->compute_units == 1 ? "unit" : "units", memory, local, d->max_group_size);
  wrap(line);
}

static void print_abilities(const cliv_device_info *d) {
  char line[512] = "has";
  size_t length = strlen(line);
  for (size_t i = 0; i < ABILITIES; i++)
    if (able(d, i)) length += (size_t)snprintf(line + length, sizeof line - length, " %s", abilities[i].name);
  if (d->max_subdevices > 1) length += (size_t)snprintf(line + length, sizeof line - length, " sub-devices");
  if (length > 3) wrap(line);
}

static void print_device(const cliv_device_info *d, bool taken) {
  char line[1024];
  printf("%c #%zu  %s\n", taken ? '*' : ' ', d->index, d->name);
  snprintf(line, sizeof line, "%s by %s, platform %s, driver %s, OpenCL %d.%d, score %.0f", d->kind, d->vendor,
           d->platform_name, d->driver, d->opencl / 100, d->opencl / 10 % 10, d->score);
  wrap(line);
  print_sizes(d);
  print_abilities(d);
  if (d->has_uuid) {
    printf("%*suuid:", INDENT, "");
    for (size_t i = 0; i < sizeof d->uuid; i++)
      printf("%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", d->uuid[i]);
    putchar('\n');
  }
  if (d->same_as != d->index)
    printf("%*sthe same physical device as #%zu, which is the better way to it\n", INDENT, "", d->same_as);
  if (!d->usable) {
    snprintf(line, sizeof line, "CANNOT BE USED: %s", d->unusable);
    wrap(line);
  }
  for (size_t q = 0; q < d->quirk_count; q++) {
    snprintf(line, sizeof line, "quirk %s: %s", d->quirks[q].name, d->quirks[q].reason);
    wrap(line);
  }
}

static void print_list(const cliv_device_list *list, const selection *s) {
  for (size_t i = 0; i < cliv_devices_count(list); i++)
    print_device(cliv_devices_get(list, i), !s->status && s->index == i);
  if (s->status) fprintf(stderr, "cliv devices: %s\n", cliv_last_error(NULL));
  else printf("\n* is what %s takes\n", s->selector ? s->selector : "$CLIV_DEVICE, or else auto,");
}

static void print_warnings(const cliv_device_list *list) {
  for (size_t i = 0; i < cliv_devices_warning_count(list); i++)
    fprintf(stderr, "cliv devices: %s\n", cliv_devices_warning(list, i));
}

/* ---- for programs ---- */

static json_t *quirks_json(const cliv_device_info *d) {
  json_t *const array = json_array();
  for (size_t q = 0; q < d->quirk_count; q++)
    json_array_append_new(array, json_pack("{s:s, s:s}", "name", d->quirks[q].name, "reason", d->quirks[q].reason));
  return array;
}

static json_t *types_json(cl_device_type type) {
  static const struct {
    cl_device_type bit;
    const char *name;
  } names[] = {{CL_DEVICE_TYPE_CPU, "cpu"},
               {CL_DEVICE_TYPE_GPU, "gpu"},
               {CL_DEVICE_TYPE_ACCELERATOR, "accelerator"},
               {CL_DEVICE_TYPE_CUSTOM, "custom"}};
  json_t *const array = json_array();
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (type & names[i].bit) json_array_append_new(array, json_string(names[i].name));
  return array;
}

static json_t *uuid_json(const cliv_device_info *d) {
  char text[33];
  for (size_t i = 0; i < sizeof d->uuid; i++) snprintf(text + 2 * i, 3, "%02x", d->uuid[i]);
  return d->has_uuid ? json_string(text) : json_null();
}

static json_t *pci_json(const cliv_device_info *d) {
  char text[64];
  snprintf(text, sizeof text, "%04x:%02x:%02x.%x", d->pci[0], d->pci[1], d->pci[2], d->pci[3]);
  return d->has_pci ? json_string(text) : json_null();
}

static json_t *device_json(const cliv_device_info *d) {
  json_t *const o = json_pack("{s:I, s:o, s:o, s:o, s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:f}", "index",
                              (json_int_t)d->index, "name", cli_json_text(d->name), "vendor", cli_json_text(d->vendor),
                              "driver", cli_json_text(d->driver), "version", cli_json_text(d->version), "c_version",
                              cli_json_text(d->c_version), "kind", d->kind, "types", types_json(d->type), "platform",
                              cli_json_text(d->platform_name), "platform_vendor", cli_json_text(d->platform_vendor),
                              "platform_version", cli_json_text(d->platform_version), "score", d->score);
  const struct {
    const char *name;
    json_int_t value;
  } numbers[] = {{"compute_units", d->compute_units},
                 {"clock_mhz", d->clock_mhz},
                 {"vector_width", d->vector_width},
                 {"max_group_size", (json_int_t)d->max_group_size},
                 {"subgroup_hint", (json_int_t)d->subgroup_hint},
                 {"max_subdevices", d->max_subdevices},
                 {"base_align", d->base_align},
                 {"global_memory", (json_int_t)d->global_memory},
                 {"max_allocation", (json_int_t)d->max_allocation},
                 {"local_memory", (json_int_t)d->local_memory},
                 {"cache_bytes", (json_int_t)d->cache_bytes},
                 {"same_as", (json_int_t)d->same_as}};
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
    json_object_set_new(o, numbers[i].name, json_integer(numbers[i].value));
  for (size_t i = 0; i < ABILITIES; i++) json_object_set_new(o, abilities[i].name, json_boolean(able(d, i)));
  json_object_set_new(o, "uuid", uuid_json(d));
  json_object_set_new(o, "pci", pci_json(d));
  json_object_set_new(o, "usable", json_boolean(d->usable));
  json_object_set_new(o, "unusable_because", d->usable ? json_null() : cli_json_text(d->unusable));
  json_object_set_new(o, "avoid", json_boolean(d->avoid));
  json_object_set_new(o, "quirks", quirks_json(d));
  return o;
}

static json_t *lines_json(const char *text) {
  json_t *const array = json_array();
  while (*text) {
    const size_t length = strcspn(text, "\n");
    json_array_append_new(array, json_stringn(text, length));
    text += length + (text[length] == '\n');
  }
  return array;
}

static json_t *selection_json(const selection *s) {
  return json_pack("{s:o, s:o, s:o, s:o}", "selector", s->selector ? cli_json_text(s->selector) : json_null(), "index",
                   s->status ? json_null() : json_integer((json_int_t)s->index), "reasons", lines_json(s->why), "error",
                   s->status ? cli_json_text(cliv_last_error(NULL)) : json_null());
}

static json_t *document(const cliv_device_list *list, const selection *s) {
  json_t *const devices = json_array(), *const warnings = json_array();
  for (size_t i = 0; i < cliv_devices_count(list); i++)
    json_array_append_new(devices, device_json(cliv_devices_get(list, i)));
  for (size_t i = 0; i < cliv_devices_warning_count(list); i++)
    json_array_append_new(warnings, cli_json_text(cliv_devices_warning(list, i)));
  return json_pack("{s:o, s:o, s:o}", "devices", devices, "taken", selection_json(s), "warnings", warnings);
}

/* ---- the verb ---- */

int cmd_devices(int argc, const char **argv) {
  char *why = NULL, *device = NULL, *program = NULL;
  int probe = 0, no_probe = 0, seconds = 30;
  const struct poptOption options[] = {
      {"why", 0, POPT_ARG_STRING, &why, 0, "Say which device this selector takes, and why not the others", "SELECTOR"},
      {"device", 0, POPT_ARG_STRING, &device, 0, "Mark the device that this selector takes", "SELECTOR"},
      {"probe", 0, POPT_ARG_NONE, &probe, 0, "Try every driver anew, also those known to be good or broken", NULL},
      {"no-probe", 0, POPT_ARG_NONE, &no_probe, 0, "Try no driver in a process of its own, leave none out", NULL},
      {"timeout", 0, POPT_ARG_INT, &seconds, 0, "How long drivers may take when they are tried (default 30)",
       "SECONDS"},
      {"probe-program", 0, POPT_ARG_STRING, &program, 0, "The cliv-probe to use", "PATH"},
      POPT_TABLEEND};
  const cli_usage usage = {
      .verb = "devices",
      .about =
          "OpenCL devices of this machine: every driver's, what they can do, and which one is taken.\n"
          "A selector is terms joined by commas, all of which must hold: auto, cpu, gpu, accelerator, a vendor\n"
          "(amd, intel, nvidia, ...), #2 (by number), \"text\" (in the name), uuid:..., fp64, fp16, subgroups,\n"
          "mem>=8G, cu>=16; !term for the contrary; gpu:1 for the second match.",
      .example = "cliv devices\ncliv devices --why 'gpu,!intel,mem>=8G'",
      .options = options,
      .no_device = true};
  cli c;
  if (!cli_parse(&c, &usage, argc, argv)) return cli_done(&c);
  if (why && device) return cli_fail(&c, CLIV_VALUE, "--why and --device both name a selector; give one");
  const char *const selector = why ? why : device;
  if (selector && !*selector) return cli_fail(&c, CLIV_VALUE, "the selector is empty; `auto` takes the best device");
  if (probe && no_probe) return cli_fail(&c, CLIV_VALUE, "--probe and --no-probe exclude each other");
  if (seconds < 1 || seconds > 3600)
    return cli_fail(&c, CLIV_VALUE, "--timeout is %d; give 1 to 3600 seconds", seconds);

  const cliv_devices_options how = {.probe = probe      ? CLIV_PROBE_AGAIN
                                             : no_probe ? CLIV_PROBE_NEVER
                                                        : CLIV_PROBE_UNKNOWN,
                                    .timeout_ms = (unsigned)seconds * 1000,
                                    .probe_program = program};
  cliv_device_list *list;
  const cliv_status status = cliv_devices_list(&how, &list);
  if (status) return cli_fail_with(&c, NULL, status);
  selection s = {.selector = selector};
  s.status = cliv_device_select(list, s.selector, &s.index, s.why, sizeof s.why);
  if (!c.json) print_warnings(list);
  if (s.status && (s.selector || cliv_devices_count(list) == 0))
    cli_report_with(&c, NULL, s.status); /* what was asked for cannot be had */
  else if (c.json) cli_print_json(&c, document(list, &s));
  else if (why) printf("%s\n", s.why);
  else print_list(list, &s);
  cliv_devices_free(list);
  return cli_done(&c);
}
