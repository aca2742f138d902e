/* cliv/cliv.h: all of Cliv. Each header is the manual of its module, to be read from the top. */
#ifndef CLIV_H
#define CLIV_H

#include <cliv/average.h>
#include <cliv/blas.h>
#include <cliv/cache.h>
#include <cliv/compact.h>
#include <cliv/context.h>
#include <cliv/conv.h>
#include <cliv/csv.h>
#include <cliv/data.h>
#include <cliv/dct.h>
#include <cliv/device.h>
#include <cliv/dtype.h>
#include <cliv/factor.h>
#include <cliv/fft.h>
#include <cliv/gather.h>
#include <cliv/histogram.h>
#include <cliv/loss.h>
#include <cliv/map.h>
#include <cliv/minimize.h>
#include <cliv/model.h>
#include <cliv/npy.h>
#include <cliv/optim.h>
#include <cliv/random.h>
#include <cliv/reduce.h>
#include <cliv/rows.h>
#include <cliv/safetensors.h>
#include <cliv/scan.h>
#include <cliv/scatter.h>
#include <cliv/schedule.h>
#include <cliv/segments.h>
#include <cliv/selftest.h>
#include <cliv/sort.h>
#include <cliv/spectral.h>
#include <cliv/status.h>
#include <cliv/tensor.h>
#include <cliv/train.h>
#include <cliv/tune.h>
#include <cliv/variance.h>
#include <cliv/version.h>

#endif
