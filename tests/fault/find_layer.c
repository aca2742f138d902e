#include <CL/cl.h>
#include <dlfcn.h>
#include <stdlib.h>

#include "layer.h"
#include "support.h"

const fault_layer *fault_layer_find(void) {
  const char *path = getenv("OPENCL_LAYERS");
  cl_uint count;
  if (path) (void)clGetPlatformIDs(0, NULL, &count); /* the loader loads its layers */
  void *library = path ? dlopen(path, RTLD_NOW | RTLD_NOLOAD) : NULL;
  const fault_layer *layer = library ? dlsym(library, FAULT_LAYER_SYMBOL) : NULL;
  if (!layer) fail_msg("OPENCL_LAYERS does not name the fault layer, or the OpenCL loader does not load layers");
  return layer;
}
