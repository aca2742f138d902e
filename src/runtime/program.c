/* From sources inside the library to a kernel: assemble, build, remember in memory and on disk. */
#include "runtime/program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "runtime/cache.h"
#include "runtime/kernels.h"
#include "runtime/quirks.h"

enum { CACHE_FORMAT = 1, MAX_PARTS = 32 };

/* One built program and the kernels taken from it. */
typedef struct kernel_entry {
  struct kernel_entry *next;
  cl_kernel kernel;
  char name[];
} kernel_entry;

typedef struct cliv__program {
  struct cliv__program *next;
  cl_program program;
  kernel_entry *kernels;
  char *id; /* files, options and user text: what tells programs of one context apart */
} cliv__program;

/* A source as the compiler gets it: each file preceded by a #line of its own, so that logs name file and line. */
typedef struct source {
  size_t parts;
  const char *text[MAX_PARTS];
  size_t length[MAX_PARTS];
  char *owned[MAX_PARTS]; /* what to free: #line texts, files read from CLIV_KERNEL_DIR */
  size_t owned_count;
} source;

static void source_free(source *s) {
  for (size_t i = 0; i < s->owned_count; i++) free(s->owned[i]);
}

static cliv_status source_add(cliv_context *ctx, source *s, const char *text, size_t length, char *owned) {
  if (owned) s->owned[s->owned_count++] = owned;
  REQUIRE(ctx, s->parts < MAX_PARTS, INTERNAL, "a program of more than %d parts", MAX_PARTS);
  s->text[s->parts] = text;
  s->length[s->parts++] = length;
  return CLIV_OK;
}

static cliv_status add_named(cliv_context *ctx, source *s, const char *name, const char *text, size_t length,
                             char *owned) {
  if (owned) s->owned[s->owned_count++] = owned;
  char *line = cliv__format("#line 1 \"%s\"\n", name);
  REQUIRE(ctx, line != NULL, HOST_MEMORY, "no memory to assemble a program");
  TRY(source_add(ctx, s, line, strlen(line), line));
  return source_add(ctx, s, text, length, NULL);
}

/* A development aid: kernels from a folder instead of those inside the library. */
static char *read_from_kernel_dir(const char *name, size_t *length) {
  const char *dir = getenv("CLIV_KERNEL_DIR");
  if (!dir || !*dir) return NULL;
  char *path = cliv__format("%s/%s", dir, name);
  unsigned char *text = NULL;
  const bool found = path && cliv__file_try_read(path, (size_t)1 << 24, &text, length);
  free(path);
  return found ? (char *)text : NULL;
}

static cliv_status add_file(cliv_context *ctx, source *s, const char *name) {
  size_t length = 0;
  char *text = read_from_kernel_dir(name, &length);
  if (text) return add_named(ctx, s, name, text, length, text);
  for (const cliv__kernel_text *k = cliv__kernel_texts; k->name; k++)
    if (!strcmp(k->name, name)) return add_named(ctx, s, name, k->text, k->length, NULL);
  return cliv__fail(ctx, CLIV_INTERNAL, "the library holds no kernel source '%s'", name);
}

/* What follows it begins on a line of its own. */
static cliv_status add_user(cliv_context *ctx, source *s, const char *text) {
  const size_t length = strlen(text);
  if (length && text[length - 1] == '\n') return add_named(ctx, s, "user", text, length, NULL);
  char *whole = cliv__format("%s\n", text);
  REQUIRE(ctx, whole != NULL, HOST_MEMORY, "no memory to assemble a program");
  return add_named(ctx, s, "user", whole, length + 1, whole);
}

static cliv_status assemble(cliv_context *ctx, const char *files, const char *user_text, source *s) {
  TRY(add_file(ctx, s, "prelude.cl"));
  while (*files) {
    char name[64];
    const size_t length = strcspn(files, " ");
    REQUIRE(ctx, length < sizeof name, INTERNAL, "a kernel source's name is too long: '%s'", files);
    memcpy(name, files, length);
    name[length] = 0;
    if (user_text && !strcmp(name, "user")) TRY(add_user(ctx, s, user_text));
    else TRY(add_file(ctx, s, name));
    files += length + strspn(files + length, " ");
  }
  return CLIV_OK;
}

/* What every program of this context is built with, before its own options. */
static char *build_options(const cliv_context *ctx, const char *options) {
  const bool cpu = ctx->walk == CLIV_WALK_CPU;
  return cliv__format(
      "-cl-std=CL1.2%s%s%s%s%s%s", ctx->rounds_divide ? " -cl-fp32-correctly-rounded-divide-sqrt -D ROUNDS_DIVIDE" : "",
      ctx->quirks & CLIV__QUIRK_FMA_FLUSHES ? " -D FMA_FLUSHES" : "", cpu ? " -D WALK_CPU" : "",
      cpu && ctx->quirks & CLIV__QUIRK_PREFETCH ? " -D FETCHES_AHEAD" : "", *options ? " " : "", options);
}

/* All that a binary depends on, as text: it is the disk cache's key. */
static char *disk_key(const cliv_context *ctx, const char *options, const source *s, size_t *length) {
  char *head =
      cliv__format("cliv %d\n%s\n%s\n%s\n%s\n%s\n%s\n", CACHE_FORMAT, ctx->facts.platform_name,
                   ctx->facts.platform_version, ctx->facts.name, ctx->facts.driver, ctx->facts.version, options);
  if (!head) return NULL;
  *length = strlen(head);
  size_t total = *length;
  for (size_t i = 0; i < s->parts; i++) total += s->length[i];
  char *key = realloc(head, total + 1);
  if (!key) {
    free(head);
    return NULL;
  }
  for (size_t i = 0; i < s->parts; i++) {
    memcpy(key + *length, s->text[i], s->length[i]);
    *length += s->length[i];
  }
  key[total] = 0;
  return key;
}

static char *build_log(const cliv_context *ctx, cl_program program) {
  size_t bytes = 0;
  if (clGetProgramBuildInfo(program, ctx->device, CL_PROGRAM_BUILD_LOG, 0, NULL, &bytes) || !bytes) return NULL;
  char *log = calloc(bytes + 1, 1);
  if (log && clGetProgramBuildInfo(program, ctx->device, CL_PROGRAM_BUILD_LOG, bytes, log, NULL)) log[0] = 0;
  return log;
}

/* The source with line numbers as the #line directives make the compiler count them. */
static char *numbered(const source *s) {
  cliv__text text = {0};
  for (size_t part = 0; part < s->parts; part += 2) {
    cliv__text_add(&text, "---- %.*s", (int)s->length[part] - 8, s->text[part] + 8);
    int number = 1;
    for (const char *line = s->text[part + 1], *end = line + s->length[part + 1]; line < end; number++) {
      const char *stop = memchr(line, '\n', (size_t)(end - line));
      if (!stop) stop = end;
      cliv__text_add(&text, "%4d  %.*s\n", number, (int)(stop - line), line);
      line = stop + 1;
    }
  }
  return cliv__text_take(&text);
}

static cliv_status fail_build(cliv_context *ctx, cl_program program, cl_int code, const char *files,
                              const char *options, const source *s) {
  char *log = build_log(ctx, program), *listing = numbered(s);
  const cliv_status status =
      cliv__fail(ctx, CLIV_BUILD, "the program '%s' did not compile on device '%s' (%s, options: %s)\n%s\n%s", files,
                 ctx->facts.name, cliv__cl_name(code), options, log && *log ? log : "(the driver gave no log)",
                 listing ? listing : "");
  free(log);
  free(listing);
  return status;
}

static cliv_status build_source(cliv_context *ctx, const char *files, const char *options, const source *s,
                                cl_program *out) {
  cl_int code;
  const cl_program program =
      clCreateProgramWithSource(ctx->context, (cl_uint)s->parts, (const char **)s->text, s->length, &code);
  CL_TRY(ctx, code, "clCreateProgramWithSource");
  code = clBuildProgram(program, 1, &ctx->device, options, NULL, NULL);
  if (code != CL_SUCCESS) {
    const cliv_status status = fail_build(ctx, program, code, files, options, s);
    clReleaseProgram(program);
    return status;
  }
  *out = program;
  return CLIV_OK;
}

/* A verified binary may still be refused by the driver: then NULL, and the source is built. */
static cl_program build_binary(const cliv_context *ctx, const char *options, const unsigned char *binary,
                               size_t bytes) {
  cl_int code, status;
  const cl_program program = clCreateProgramWithBinary(ctx->context, 1, &ctx->device, &bytes, &binary, &status, &code);
  if (code != CL_SUCCESS) return NULL;
  if (status == CL_SUCCESS && clBuildProgram(program, 1, &ctx->device, options, NULL, NULL) == CL_SUCCESS)
    return program;
  clReleaseProgram(program);
  return NULL;
}

/* The program may be of a context with several devices; only our device's binary is kept. */
static void store_binary(const cliv_context *ctx, cl_program program, const char *key, size_t key_length) {
  cl_uint devices = 0;
  if (clGetProgramInfo(program, CL_PROGRAM_NUM_DEVICES, sizeof devices, &devices, NULL) || devices == 0) return;
  cl_device_id *ids = calloc(devices, sizeof *ids);
  size_t *sizes = calloc(devices, sizeof *sizes);
  unsigned char **binaries = calloc(devices, sizeof *binaries);
  bool ok = ids && sizes && binaries &&
            clGetProgramInfo(program, CL_PROGRAM_DEVICES, devices * sizeof *ids, ids, NULL) == CL_SUCCESS &&
            clGetProgramInfo(program, CL_PROGRAM_BINARY_SIZES, devices * sizeof *sizes, sizes, NULL) == CL_SUCCESS;
  for (cl_uint i = 0; ok && i < devices; i++) ok = sizes[i] == 0 || (binaries[i] = malloc(sizes[i])) != NULL;
  ok = ok && clGetProgramInfo(program, CL_PROGRAM_BINARIES, devices * sizeof *binaries, binaries, NULL) == CL_SUCCESS;
  for (cl_uint i = 0; ok && i < devices; i++)
    if (ids[i] == ctx->device && sizes[i]) cliv__cache_store(ctx->cache_dir, key, key_length, binaries[i], sizes[i]);
  for (cl_uint i = 0; binaries && i < devices; i++) free(binaries[i]);
  free(binaries);
  free(sizes);
  free(ids);
}

static cliv_status build(cliv_context *ctx, const char *files, const char *options, const source *s, cl_program *out) {
  if (!ctx->cache_dir) return build_source(ctx, files, options, s, out);
  size_t key_length = 0, bytes = 0;
  char *key = disk_key(ctx, options, s, &key_length);
  REQUIRE(ctx, key != NULL, HOST_MEMORY, "no memory for a cache key");
  unsigned char *binary = cliv__cache_load(ctx->cache_dir, key, key_length, &bytes);
  *out = binary ? build_binary(ctx, options, binary, bytes) : NULL;
  free(binary);
  cliv_status status = CLIV_OK;
  if (!*out) {
    status = build_source(ctx, files, options, s, out);
    if (!status) store_binary(ctx, *out, key, key_length);
  }
  free(key);
  return status;
}

/* Takes ownership of id. */
static cliv_status new_program(cliv_context *ctx, const char *files, const char *user_text, const char *options,
                               char *id, cliv__program **out) {
  cliv__program *p = calloc(1, sizeof *p);
  char *all = build_options(ctx, options);
  source s = {0};
  cliv_status status = p && all ? CLIV_OK : cliv__fail(ctx, CLIV_HOST_MEMORY, "no memory for a program");
  if (!status) status = assemble(ctx, files, user_text, &s);
  if (!status) status = build(ctx, files, all, &s, &p->program);
  source_free(&s);
  free(all);
  if (status) {
    free(p);
    free(id);
    return status;
  }
  p->id = id;
  p->next = ctx->programs;
  ctx->programs = *out = p;
  return CLIV_OK;
}

static cliv_status kernel_of(cliv_context *ctx, cliv__program *p, const char *entry, cl_kernel *out) {
  for (kernel_entry *k = p->kernels; k; k = k->next)
    if (!strcmp(k->name, entry)) {
      *out = k->kernel;
      return CLIV_OK;
    }
  const size_t length = strlen(entry) + 1;
  kernel_entry *k = malloc(sizeof *k + length);
  REQUIRE(ctx, k != NULL, HOST_MEMORY, "no memory for a kernel's entry");
  memcpy(k->name, entry, length);
  cl_int code;
  k->kernel = clCreateKernel(p->program, entry, &code);
  if (code != CL_SUCCESS) {
    free(k);
    return cliv__fail_cl(ctx, code, entry);
  }
  k->next = p->kernels;
  p->kernels = k;
  *out = k->kernel;
  return CLIV_OK;
}

/* Compares without building the id: this is on the way of every call. */
static bool same_id(const char *id, const char *files, const char *options, const char *user_text) {
  const char *const parts[] = {files, options, user_text ? user_text : ""};
  for (int i = 0; i < 3; i++) {
    const size_t length = strlen(parts[i]);
    if (strncmp(id, parts[i], length)) return false;
    id += length;
    if (i < 2 && *id++ != '|') return false;
  }
  return *id == 0;
}

cliv_status cliv__kernel_with(cliv_context *ctx, const char *files, const char *user_text, const char *options,
                              const char *entry, cl_kernel *out) {
  *out = NULL;
  for (cliv__program **at = &ctx->programs; *at; at = &(*at)->next) {
    cliv__program *p = *at;
    if (!same_id(p->id, files, options, user_text)) continue;
    *at = p->next; /* to the front: what was called last is mostly called next */
    p->next = ctx->programs;
    ctx->programs = p;
    return kernel_of(ctx, p, entry, out);
  }
  char *id = cliv__format("%s|%s|%s", files, options, user_text ? user_text : "");
  REQUIRE(ctx, id != NULL, HOST_MEMORY, "no memory for a program's name");
  cliv__program *p = NULL;
  TRY(new_program(ctx, files, user_text, options, id, &p));
  return kernel_of(ctx, p, entry, out);
}

cliv_status cliv__kernel(cliv_context *ctx, const char *files, const char *options, const char *entry, cl_kernel *out) {
  return cliv__kernel_with(ctx, files, NULL, options, entry, out);
}

static bool is_identifier(const char *name) {
  static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";
  const size_t length = strlen(name);
  return length > 0 && length <= 48 && strspn(name, letters) == length && !(*name >= '0' && *name <= '9');
}

cliv_status cliv__check_user(cliv_context *ctx, const char *text, const char *name, const char *const *functions) {
  REQUIRE(ctx, text != NULL, NULL, "the text of the functions is NULL");
  REQUIRE(ctx, name != NULL, NULL, "the name of the functions is NULL");
  REQUIRE(ctx, is_identifier(name), NAME, "'%s' cannot begin a function's name: up to 48 letters, digits and _ can",
          name);
  for (; *functions; functions++) {
    char whole[64];
    snprintf(whole, sizeof whole, "%s%s", name, *functions);
    REQUIRE(ctx, strstr(text, whole) != NULL, VALUE, "the text defines no function '%s'", whole);
  }
  return CLIV_OK;
}

void cliv__programs_free(cliv_context *ctx) {
  for (cliv__program *p = ctx->programs, *next; p; p = next) {
    next = p->next;
    for (kernel_entry *k = p->kernels, *after; k; k = after) {
      after = k->next;
      clReleaseKernel(k->kernel);
      free(k);
    }
    clReleaseProgram(p->program);
    free(p->id);
    free(p);
  }
  ctx->programs = NULL;
}
