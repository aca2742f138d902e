/* cliv/random.h: random numbers that depend on what they are for, not on who asks first.
 *
 * Philox4x32-10 (Salmon, Moraes, Dror, Shaw, "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011), a counter-based
 * generator: a number is a function of (seed, stream, element) and of nothing else, so it does not depend on launch
 * shapes, threads, or on what was drawn before. The seed is the key, low word first; the counter is element / 4 (low
 * word, high word), then the stream (low, high); the four words of a block belong to elements 4b, 4b + 1, 4b + 2 and
 * 4b + 3.
 *
 * A stream is one use of a seed: two uses that should be independent take different streams. Functions of this header
 * run on the host and never fail unless they say so.
 */
#ifndef CLIV_RANDOM_H
#define CLIV_RANDOM_H

#include <cliv/status.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

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

#ifdef __cplusplus
}
#endif
#endif
