/* convert IN OUT NAME …: arrays from one file format to another through the library, for tests/python/test_files.py.
 * The ending .npy or .safetensors decides; NAME is the array's in safetensors. The first failure is its status' name
 * and sentence, and exit code 1. */
#include <stdio.h>
#include <string.h>

#include <cliv/npy.h>
#include <cliv/safetensors.h>

static int is_npy(const char *path) {
  const size_t n = strlen(path);
  return n > 4 && strcmp(path + n - 4, ".npy") == 0;
}

static cliv_status read_array(const char *path, const char *name, cliv_array *out) {
  if (is_npy(path)) return cliv_npy_read(path, out);
  cliv_safetensors *file;
  cliv_status status = cliv_safetensors_open(path, &file);
  if (!status) status = cliv_safetensors_read(file, name, out);
  cliv_safetensors_free(file);
  return status;
}

static cliv_status write_array(const char *path, const char *name, const cliv_array *array) {
  const cliv_named_array named = {name, *array};
  const cliv_metadata metadata = {"format", "cliv"};
  return is_npy(path) ? cliv_npy_write(path, array) : cliv_safetensors_write(path, &named, 1, &metadata, 1);
}

static cliv_status convert(const char *in, const char *out, const char *name) {
  cliv_array array;
  cliv_status status = read_array(in, name, &array);
  if (status) return status;
  status = write_array(out, name, &array);
  cliv_array_free(&array);
  return status;
}

int main(int argc, char **argv) {
  for (int i = 1; i + 2 < argc; i += 3) {
    const cliv_status status = convert(argv[i], argv[i + 1], argv[i + 2]);
    if (!status) continue;
    printf("%s: %s\n", cliv_status_name(status), cliv_last_error(NULL));
    return 1;
  }
  return 0;
}
