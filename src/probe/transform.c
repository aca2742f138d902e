/* cliv-probe SECONDS LIBRARY clfft PLATFORM DEVICE VERSION SHAPE: a plan of clFFT's, made and proven on the device of
 * that name (src/fft/clfft_trial.c asks for it). Lines of the report:
 *   trying                  this driver has the device
 *   good <tab> 0 or 1       the result is right, without or with the cure for newer compilers
 *   bad <tab> what          it is not, or a call failed
 *   short <tab> what        memory was short, which says nothing of the plan
 */
#include <stdio.h>
#include <string.h>

#include "fft/clfft_plan.h"
#include "probe/probe.h"

#ifdef CLIV_HAVE_CLFFT

static void prove(cl_device_id device, cliv__clfft_shape *shape) {
  static const char *const words[] = {
      [CLIV__CLFFT_GOOD] = "good", [CLIV__CLFFT_BAD] = "bad", [CLIV__CLFFT_PASSING] = "short"};
  char why[CLIV__CLFFT_WHY] = "a context of its own failed";
  cl_int code = CL_SUCCESS;
  cliv__clfft_verdict verdict = CLIV__CLFFT_PASSING;
  const cl_context context = clCreateContext(NULL, 1, &device, NULL, NULL, &code);
  const cl_command_queue queue = code ? NULL : clCreateCommandQueue(context, device, 0, &code);
  if (!code) verdict = cliv__clfft_prove(context, queue, shape, NULL, why);
  if (verdict == CLIV__CLFFT_GOOD) snprintf(why, sizeof why, "%d", shape->cured != 0);
  probe_say("%s\t%s", words[verdict], why);
}

/* True when the device is the one. */
static int is(cl_platform_id platform, cl_device_id device, char *const words[4]) {
  cliv_device_info info; /* for the sizes of its texts */
  probe_read_text(platform, NULL, CL_PLATFORM_NAME, info.platform_name, sizeof info.platform_name);
  probe_read_text(platform, device, CL_DEVICE_NAME, info.name, sizeof info.name);
  probe_read_text(platform, device, CL_DRIVER_VERSION, info.driver, sizeof info.driver);
  return !strcmp(info.platform_name, words[0]) && !strcmp(info.name, words[1]) && !strcmp(info.driver, words[2]);
}

void probe_transform(const cl_platform_id *platforms, cl_uint count, char *const words[4]) {
  enum { MOST = 64 };
  cliv__clfft_shape shape;
  if (!cliv__clfft_shape_read(words[3], &shape)) return;
  for (cl_uint p = 0; p < count; p++) {
    cl_device_id devices[MOST];
    cl_uint found = 0;
    if (clGetDeviceIDs(platforms[p], CL_DEVICE_TYPE_ALL, MOST, devices, &found) != CL_SUCCESS) continue;
    for (cl_uint d = 0; d < found && d < MOST; d++) {
      if (!is(platforms[p], devices[d], words)) continue;
      probe_say("trying");
      prove(devices[d], &shape);
      return;
    }
  }
}

#else

void probe_transform(const cl_platform_id *platforms, cl_uint count, char *const words[4]) {
  (void)platforms, (void)count, (void)words;
}

#endif
