#include <stddef.h>

#include "native.h"

#ifdef BENCH_FFTW
#include <fftw3.h>
#include <stdlib.h>

struct native_fft {
  fftwf_plan plan;
};

native_fft *native_fft_create(int ndim, const int *lengths, int lines, float *x, float *y) {
  static bool started;
  if (!started && !fftwf_init_threads()) return NULL;
  started = true;
  fftwf_plan_with_nthreads(native_threads());
  int points = 1;
  for (int d = 0; d < ndim; d++) points *= lengths[d];
  native_fft *const f = malloc(sizeof *f);
  if (!f) return NULL;
  fftwf_complex *const from = (void *)x, *const to = (void *)y;
  f->plan =
      fftwf_plan_many_dft(ndim, lengths, lines, from, NULL, 1, points, to, NULL, 1, points, FFTW_FORWARD, FFTW_MEASURE);
  if (f->plan) return f;
  free(f);
  return NULL;
}

void native_fft_run(const native_fft *f) { fftwf_execute(f->plan); }

void native_fft_free(native_fft *f) {
  if (!f) return;
  fftwf_destroy_plan(f->plan);
  free(f);
}
#else
native_fft *native_fft_create(int ndim, const int *lengths, int lines, float *x, float *y) {
  (void)ndim, (void)lengths, (void)lines, (void)x, (void)y;
  return NULL;
}
void native_fft_run(const native_fft *f) { (void)f; }
void native_fft_free(native_fft *f) { (void)f; }
#endif
