/* The fault layer: between the OpenCL loader and the drivers (environment variable
 * OPENCL_LAYERS=…/libfault_layer.so). It fails the n-th call, counts the objects that are alive, and lets a device
 * pretend to be another.
 *
 * From within the process, by the functions below (dlsym in what OPENCL_LAYERS names). For whole programs, by the
 * environment:
 *   CLIV_FAULT_N=n         the n-th call fails (those that release or retain do not count)
 *   CLIV_FAULT_STICKY=1    and every later one: the device is lost
 *   CLIV_FAULT_ONLY=text   only calls whose name contains the text are counted
 *   CLIV_FAULT_REPORT=file a line is added at the end: calls=<n> fired=<name or -> leaks=<kind:count,… or none>
 *   CLIV_SPOOF="vendor=NVIDIA Corporation;name=X;driver=1;version=OpenCL 1.2;ext=cl_khr_fp64;type=4;wg=256;
 *               local=32768;alloc=134217728;global=…;cu=…"   every device answers so; wg and alloc are enforced
 */
#ifndef CLIV_TESTS_FAULT_LAYER_H
#define CLIV_TESTS_FAULT_LAYER_H

typedef struct fault_layer {
  /* the n-th call from now on fails; 0: none; of those alone whose name contains `only`, unless that is NULL */
  void (*arm)(long n, int sticky, const char *only);
  const char *(*fired)(void); /* the call that failed first since arm, or NULL */
  long (*calls)(void);        /* that were counted since arm */
  const char *(*leaks)(void); /* "mem:2,event:1": what is alive now, or "none" */
} fault_layer;

/* Exported by the layer under this name. */
#define FAULT_LAYER_SYMBOL "cliv_fault_layer"
/* The layer in this process; the running test fails where it is not there (find_layer.c). */
const fault_layer *fault_layer_find(void);

#endif
