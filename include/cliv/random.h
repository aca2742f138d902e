/* cliv/random.h: random numbers that depend on what they are for, not on who asks first.
 *
 *   cliv_random_fill(ctx, "normal", NULL, seed, stream, 0, weights, NULL);                      mean 0, std 1
 *   cliv_random_fill(ctx, "uniform", (double[]){-0.1, 0.1}, seed, stream, 0, weights, NULL);    low, high
 *
 * Philox4x32-10 (Salmon, Moraes, Dror, Shaw, "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011), a counter-based
 * generator: a number is a function of (seed, stream, element) and of nothing else, so it does not depend on launch
 * shapes, threads, or on what was drawn before. The seed is the key, low word first; the counter is element / 4 (low
 * word, high word), then the stream (low, high); the four words of a block belong to elements 4b, 4b + 1, 4b + 2 and
 * 4b + 3.
 *
 * A stream is one use of a seed: two uses that should be independent take different streams. Functions that take no
 * context run on the host; they never fail unless they say so. There is no permutation on the device: upload the
 * host's.
 */
#ifndef CLIV_RANDOM_H
#define CLIV_RANDOM_H

#include <cliv/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- on the host ---- */

/* The generator itself: ten rounds. Known answers: Random123's kat_vectors, "philox4x32 10". */
CLIV_API void cliv_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

/* 32 uniform bits. */
CLIV_API uint32_t cliv_random_bits(uint64_t seed, uint64_t stream, uint64_t element);

/* Uniform on [0, 1): the upper 24 bits of cliv_random_bits, as a multiple of 2^-24. Exact in float32. */
CLIV_API float cliv_random_uniform(uint64_t seed, uint64_t stream, uint64_t element);

/* A permutation of 0 … count − 1 into out: Fisher and Yates from the end; position i changes places with position
 * floor((i + 1) · r / 2^64), r being the 64 bits of elements 2i (lower) and 2i + 1; uniform to within 2^-32. VALUE when
 * count passes 2^31 − 1. */
CLIV_API cliv_status cliv_random_permutation(uint64_t seed, uint64_t stream, size_t count,
                                             int32_t *out) CLIV_MUST_CHECK;

/* ---- on the device: the table of distributions ----
 *
 * One word of 32 bits is drawn for each element, r below. The result has one definition, to the last bit, on every
 * device.
 *
 *   bits               r itself, as int32: cliv_random_bits
 *   uniform            on [low, high): u (high - low) + low in float32, u = cliv_random_uniform; of the default [0, 1)
 *                      it is cliv_random_uniform. Never below low nor as great as high, also where that is rounded:
 *                      what would leave the interval is its first or last number of the tensor's type.
 *   normal             mean and std: z std + mean in float32, z the standard normal quantile at (r + 1/2) / 2^32. z is
 *                      within 2^-21 of the quantile, relatively, and within 2^-19 beyond 3.2; z of ~r is -z; magnitudes
 *                      are from 2.9e-10 to 6.34.
 *   truncated_normal   the same between `lower` and `upper` standard deviations from the mean, which may be infinite:
 *                      the quantile at P + u Q, where P is the probability below, Q that of the interval and
 *                      u = (floor(r / 2) + 1/2) / 2^31; never outside [mean + lower std, mean + upper std]. The
 *                      interval must reach within 9 standard deviations of the mean. (PyTorch's trunc_normal_ has
 *                      absolute limits: lower = (a - mean) / std.)
 *   bernoulli          1 with probability p, else 0: 1 where r / 2 rounded down is below 2^31 p, which is rounded to
 *                      the nearest integer.
 */

typedef struct cliv_random_param {
  const char *name;
  double initial;      /* default */
  const char *meaning; /* one phrase */
} cliv_random_param;

typedef struct cliv_random_info {
  const char *name, *summary;
  size_t param_count;
  const cliv_random_param *params;
  cliv_dtype dtype; /* what it gives where nothing else is asked for */
} cliv_random_info;

CLIV_API size_t cliv_random_count(void);
CLIV_API const cliv_random_info *cliv_random_get(size_t index);      /* NULL past the end */
CLIV_API const cliv_random_info *cliv_random_find(const char *name); /* NULL when there is none */
/* 1 when the distribution fills tensors of this type: "bits" int32, "bernoulli" float32, float16, bfloat16 and uint8,
 * the others float32, float16 and bfloat16. Narrow floats are computed in float32 and rounded once, to nearest even. */
CLIV_API int cliv_random_takes(const cliv_random_info *info, cliv_dtype dtype);

/* Fills a dense tensor with elements first, first + 1, … of the stream: a tensor filled in parts, each with its own
 * `first`, has the same bits as one that is filled at once. Asynchronous.
 *
 * params  as many numbers as the distribution has parameters, in the order of the table; NULL: its defaults. Rounded to
 *         float32 where the formula above uses them.
 *
 * Fails with NULL, NAME, DTYPE, LAYOUT, and VALUE for parameters that are not finite (infinite limits of
 * truncated_normal are), std below 0, an interval that is empty or holds no number of the tensor's type, p outside [0,
 * 1], and elements beyond 2^63. */
CLIV_API cliv_status cliv_random_fill(cliv_context *ctx, const char *distribution, const double *params, uint64_t seed,
                                      uint64_t stream, uint64_t first, cliv_tensor *out,
                                      const cliv_sync *sync) CLIV_MUST_CHECK;

#ifdef __cplusplus
}
#endif
#endif
