/* Which drivers the OpenCL loader reads, and what identifies them. */
#define _GNU_SOURCE /* dladdr */
#include "runtime/drivers.h"

#include <CL/cl.h>
#include <dirent.h>
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/status.h"
#include "base/text.h"

static const char DEFAULT_FOLDER[] = "/etc/OpenCL/vendors";
static const char VENDORS[] = "OCL_ICD_VENDORS", FILENAMES[] = "OCL_ICD_FILENAMES",
                  VENDOR_PATH[] = "OPENCL_VENDOR_PATH", LAYERS[] = "OPENCL_LAYERS";
enum { MAX_DRIVERS = 64, MAX_LOADER = 16 << 20 };

extern char **environ;

static const char *variable(const char *name) {
  const char *value = getenv(name);
  return value && *value ? value : NULL;
}

static void *address_of_opencl(void) {
  cl_int (*const call)(cl_uint, cl_platform_id *, cl_uint *) = clGetPlatformIDs;
  void *address;
  memcpy(&address, &call, sizeof address); /* ISO C has no cast from function to object pointer */
  return address;
}

bool cliv__loader_present(void) {
  Dl_info info;
  if (!dladdr(address_of_opencl(), &info) || !info.dli_fname) return false;
  void *library = dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
  if (!library) return false;
  const bool driver = dlsym(library, "clIcdGetPlatformIDsKHR") != NULL; /* what a loader calls in a driver */
  dlclose(library);
  return !driver;
}

/* Where drivers are listed */

char *cliv__vendors_folder(const char *loader) {
  static const char ending[] = "/OpenCL/vendors";
  unsigned char *image = NULL;
  size_t bytes = 0;
  char *folder = NULL;
  if (cliv__file_try_read(loader, MAX_LOADER, &image, &bytes)) {
    const unsigned char *at = memmem(image, bytes, ending, sizeof ending), *start = at;
    while (start && start > image && start[-1] >= ' ') start--;
    if (start && *start == '/') folder = cliv__format("%s", (const char *)start);
  }
  free(image);
  return folder ? folder : cliv__format("%s", DEFAULT_FOLDER);
}

/* malloc'd; NULL without memory. */
static char *loader_folder(void) {
  Dl_info info;
  const char *path = variable(VENDOR_PATH);
  if (path) return cliv__format("%s", path);
  return dladdr(address_of_opencl(), &info) && info.dli_fname ? cliv__vendors_folder(info.dli_fname)
                                                              : cliv__format("%s", DEFAULT_FOLDER);
}

/* Identity */

static bool is_file(const char *path, struct stat *st) { return stat(path, st) == 0 && S_ISREG(st->st_mode); }

/* The first of the folders (separated by ':') that has the library. */
static bool find_in(const char *folders, const char *name, struct stat *st) {
  while (folders && *folders) {
    const size_t length = strcspn(folders, ":");
    char *path = length ? cliv__format("%.*s/%s", (int)length, folders, name) : NULL;
    const bool found = path && is_file(path, st);
    free(path);
    if (found) return true;
    folders += length + (folders[length] == ':');
  }
  return false;
}

/* The file that the dynamic linker takes for a bare name, as far as can be told without loading it: drivers mostly lie
 * beside the loader. */
static bool find_library(const char *name, struct stat *st) {
  if (strchr(name, '/')) return is_file(name, st);
  if (find_in(variable("LD_LIBRARY_PATH"), name, st)) return true;
  Dl_info info;
  const char *loader = dladdr(address_of_opencl(), &info) ? info.dli_fname : NULL;
  const char *end = loader ? strrchr(loader, '/') : NULL;
  char *beside = end ? cliv__format("%.*s", (int)(end - loader), loader) : NULL;
  const bool found = find_in(beside, name, st) || find_in("/usr/lib:/lib:/usr/lib64:/lib64:/usr/local/lib", name, st);
  free(beside);
  /* Somewhere that ldconfig knows: its cache changes whenever a library comes or goes. */
  return found || is_file("/etc/ld.so.cache", st);
}

static char *identify(const char *source, const char *library) {
  struct stat st = {0};
  const bool found = find_library(library, &st);
  const char *path = variable("LD_LIBRARY_PATH");
  return cliv__format("%s\n%s\n%d %lld %lld.%09ld\n%s", source, library, found, (long long)st.st_size,
                      (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec, path ? path : "");
}

/* Finding */

static bool add(cliv__drivers *drivers, const char *source, const char *library, bool listed) {
  if (drivers->count == MAX_DRIVERS || !*library) return true;
  cliv__driver *grown = realloc(drivers->rows, (drivers->count + 1) * sizeof *grown);
  if (!grown) return false;
  drivers->rows = grown;
  cliv__driver *row = &grown[drivers->count++];
  *row = (cliv__driver){cliv__format("%s", source), cliv__format("%s", library), identify(source, library), listed};
  return row->source && row->library && row->identity;
}

/* The first line of an .icd file names the library. */
static bool add_icd(cliv__drivers *drivers, const char *path) {
  char line[4096] = "";
  FILE *file = fopen(path, "r");
  if (!file) return true; /* the loader skips it too */
  const bool read = fgets(line, sizeof line, file) != NULL;
  fclose(file);
  line[strcspn(line, "\n")] = 0;
  return !read || add(drivers, path, line, false);
}

static bool ends_in_icd(const char *name) {
  const size_t length = strlen(name);
  return length >= 4 && strcmp(name + length - 4, ".icd") == 0;
}

static bool add_folder(cliv__drivers *drivers, const char *folder) {
  DIR *dir = opendir(folder);
  if (!dir) return true;
  bool ok = true;
  for (struct dirent *entry; ok && (entry = readdir(dir)) != NULL;) {
    if (!ends_in_icd(entry->d_name)) continue;
    char *path = cliv__format("%s/%s", folder, entry->d_name);
    ok = path && add_icd(drivers, path);
    free(path);
  }
  closedir(dir);
  return ok;
}

/* A single .icd file or library in the place of the folder, as ocl-icd has it. */
static bool add_single(cliv__drivers *drivers, const char *name, const char *folder) {
  if (!ends_in_icd(name)) return add(drivers, name, name, false);
  char *within = strchr(name, '/') ? NULL : cliv__format("%s/%s", folder, name);
  const bool ok = add_icd(drivers, within && access(within, R_OK) == 0 ? within : name);
  free(within);
  return ok;
}

static bool add_listed(cliv__drivers *drivers, const char *names) {
  bool ok = true;
  while (ok && names && *names) {
    const size_t length = strcspn(names, ":");
    char *name = cliv__format("%.*s", (int)length, names);
    ok = name && add(drivers, name, name, true);
    free(name);
    names += length + (names[length] == ':');
  }
  return ok;
}

cliv_status cliv__drivers_find(cliv__drivers *out) {
  *out = (cliv__drivers){0};
  const char *vendors = variable(VENDORS);
  char *folder = loader_folder();
  struct stat st;
  const bool single = vendors && stat(vendors, &st) == 0 && !S_ISDIR(st.st_mode);
  const bool ok = folder && add_listed(out, variable(FILENAMES)) &&
                  (single ? add_single(out, vendors, folder) : add_folder(out, vendors ? vendors : folder));
  free(folder);
  if (ok) return CLIV_OK;
  cliv__drivers_free(out);
  return cliv__fail(NULL, CLIV_HOST_MEMORY, "no memory for the list of OpenCL drivers");
}

void cliv__drivers_free(cliv__drivers *drivers) {
  for (size_t i = 0; i < drivers->count; i++) {
    free(drivers->rows[i].source);
    free(drivers->rows[i].library);
    free(drivers->rows[i].identity);
  }
  free(drivers->rows);
  *drivers = (cliv__drivers){0};
}

bool cliv__driver_loaded(const cliv__driver *driver) {
  void *library = dlopen(driver->library, RTLD_LAZY | RTLD_NOLOAD);
  if (library) dlclose(library);
  return library != NULL;
}

/* Leaving drivers out */

/* Links to the .icd files that stay; .icd files of our own for libraries that were given without one. */
static bool fill_folder(const char *folder, const cliv__drivers *drivers, const bool *left_out) {
  bool ok = true;
  for (size_t i = 0; ok && i < drivers->count; i++) {
    if (left_out[i] || drivers->rows[i].listed) continue;
    char *path = cliv__format("%s/%03zu.icd", folder, i);
    FILE *file = path ? fopen(path, "w") : NULL;
    ok = file && fprintf(file, "%s\n", drivers->rows[i].library) > 0;
    if (file && fclose(file) != 0) ok = false;
    free(path);
  }
  return ok;
}

static void remove_folder(const char *folder, size_t count) {
  for (size_t i = 0; i < count; i++) {
    char *path = cliv__format("%s/%03zu.icd", folder, i);
    if (path) unlink(path);
    free(path);
  }
  rmdir(folder);
}

static char *new_folder(const char *parent) {
  char *folder = parent ? cliv__format("%s/drivers-XXXXXX", parent) : NULL;
  if (folder && mkdtemp(folder)) return folder;
  free(folder);
  folder = cliv__format("/tmp/cliv-drivers-XXXXXX");
  if (folder && mkdtemp(folder)) return folder;
  free(folder);
  return NULL;
}

/* The value of a variable, malloc'd in *out, NULL where it is not set. */
static bool save(const char *name, char **out) {
  const char *value = getenv(name);
  *out = value ? cliv__format("%s", value) : NULL;
  return !value || *out;
}

static bool set(const char *name, const char *value) { return (value ? setenv(name, value, 1) : unsetenv(name)) == 0; }

/* What stays of OCL_ICD_FILENAMES; NULL: nothing. */
static char *remaining_names(const cliv__drivers *drivers, const bool *left_out) {
  cliv__text names = {0};
  for (size_t i = 0; i < drivers->count; i++)
    if (drivers->rows[i].listed && !left_out[i])
      cliv__text_add(&names, "%s%s", names.length ? ":" : "", drivers->rows[i].library);
  char *text = cliv__text_take(&names);
  if (text && *text) return text;
  free(text);
  return NULL;
}

static bool load_from(const char *folder, const char *names) {
  char *old_vendors = NULL, *old_names = NULL;
  bool ok = save(VENDORS, &old_vendors) && save(FILENAMES, &old_names);
  if (ok) {
    ok = set(VENDORS, folder) && set(FILENAMES, names);
    cl_uint count;
    if (ok) (void)clGetPlatformIDs(0, NULL, &count);
    set(VENDORS, old_vendors);
    set(FILENAMES, old_names);
  }
  free(old_vendors);
  free(old_names);
  return ok;
}

bool cliv__drivers_load_without(const cliv__drivers *drivers, const bool *left_out, const char *parent) {
  char *folder = new_folder(parent);
  if (!folder) return false;
  char *names = remaining_names(drivers, left_out);
  const bool ok = fill_folder(folder, drivers, left_out) && load_from(folder, names);
  free(names);
  remove_folder(folder, drivers->count);
  free(folder);
  return ok;
}

/* A child's environment */

static bool sets(const char *entry, const char *name) {
  const size_t length = strlen(name);
  return strncmp(entry, name, length) == 0 && entry[length] == '=';
}

char **cliv__driver_environment(const cliv__driver *driver) {
  size_t count = 0;
  while (environ[count]) count++;
  char **to = calloc(count + 3, sizeof *to);
  if (!to) return NULL;
  size_t used = 0;
  bool ok = true;
  for (size_t i = 0; ok && i < count; i++) {
    const char *entry = environ[i];
    /* Layers are none of the driver's business. */
    if (sets(entry, VENDORS) || sets(entry, FILENAMES) || sets(entry, VENDOR_PATH) || sets(entry, LAYERS)) continue;
    ok = (to[used++] = cliv__format("%s", entry)) != NULL;
  }
  /* ocl-icd reads the first, an .icd file or a library; Khronos' loader, for which that is no folder, the second. */
  ok = ok && (to[used++] = cliv__format("%s=%s", VENDORS, driver->source)) != NULL;
  ok = ok && (to[used++] = cliv__format("%s=%s", FILENAMES, driver->library)) != NULL;
  if (ok) return to;
  cliv__environment_free(to);
  return NULL;
}

void cliv__environment_free(char **environment) {
  for (size_t i = 0; environment && environment[i]; i++) free(environment[i]);
  free(environment);
}
