/* cliv/average.h: averages of an optimizer's parameters over its steps, which often do better than the last weights.
 *
 *   cliv_average *average;
 *   cliv_average_create(opt, "ema", NULL, &average);          over the parameters that the optimizer has
 *   for (;;) {
 *     cliv_optimizer_step(opt, NULL);
 *     cliv_average_update(average, NULL);
 *   }
 *   cliv_average_swap(average, NULL);                         the parameters hold the average: evaluate, save
 *   cliv_average_swap(average, NULL);                         they hold what they held, bit by bit: train on
 *
 *   ema         average += (1 - decay)·(weight - average), decay perhaps growing to its value; the first update copies
 *   swa         the mean of the weights of all updates: average += (weight - average)/n
 *   lookahead   slow weights: at every interval-th update slow += alpha·(weight - slow), and then weight = slow
 *
 * Averages are float32, whatever the parameters are. Each call is one launch for all parameters that lie in one cl_mem
 * (cliv/tensor.h, arenas), and moves what it must: 12 bytes for a float32 weight, 16 with lookahead. Results are the
 * same to the last bit on every device. An average belongs to the context's thread; free it before the context. The
 * optimizer may be freed before it. It takes the weights as they lie in memory and does not know what else is done to
 * them: create, update and swap it while they are those of training, not between cliv_optimizer_perturb and
 * cliv_optimizer_restore, nor while cliv_optimizer_evaluating says 1.
 */
#ifndef CLIV_AVERAGE_H
#define CLIV_AVERAGE_H

#include <cliv/optim.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The kinds, with hyper-parameters and presets as update rules have them. */
CLIV_API size_t cliv_average_kind_count(void);
CLIV_API const cliv_rule_info *cliv_average_kind_get(size_t index);      /* NULL past the end */
CLIV_API const cliv_rule_info *cliv_average_kind_find(const char *name); /* NULL when there is none */

typedef struct cliv_average cliv_average;

typedef struct cliv_average_options {
  size_t size;        /* sizeof(cliv_average_options) of the caller; 0: this version's */
  const char *preset; /* one of the kind's; NULL: its first, "torch" wherever PyTorch has it */
} cliv_average_options;

/* An average of the parameters that the optimizer has now, equal to them. options may be NULL. Asynchronous, but for
 * what it compiles. Fails with NULL, NAME (no such kind or preset), VALUE (lookahead of an optimizer with weights
 * "master"), DEVICE_MEMORY, BUILD, OPENCL, HOST_MEMORY. */
CLIV_API cliv_status cliv_average_create(cliv_optimizer *optimizer, const char *kind,
                                         const cliv_average_options *options, cliv_average **out) CLIV_MUST_CHECK;
/* Parameters that hold the average keep it. NULL does nothing. */
CLIV_API void cliv_average_free(cliv_average *average);
CLIV_API const cliv_rule_info *cliv_average_kind_of(const cliv_average *average);

/* A hyper-parameter, from the next update on. Fail as cliv_optimizer_set and cliv_optimizer_get do. */
CLIV_API cliv_status cliv_average_set(cliv_average *average, const char *hyper, double value) CLIV_MUST_CHECK;
CLIV_API cliv_status cliv_average_get(const cliv_average *average, const char *hyper, double *value) CLIV_MUST_CHECK;

/* One update, for behind a step. Asynchronous. Where it is none of every `interval` it launches nothing. Fails with
 * NULL, VALUE (interval is not whole), STATE (the parameters hold the average), HOST_MEMORY, OPENCL. What fails changes
 * nothing, unless the driver takes some of several launches and refuses the next: then averages are of two updates, and
 * cliv_average_update, cliv_average_save and a swap that would lend them fail with STATE until they are loaded. With
 * lookahead parameters are of two updates then too: load them as well. */
CLIV_API cliv_status cliv_average_update(cliv_average *average, const cliv_sync *sync) CLIV_MUST_CHECK;
/* Updates so far, those that launched nothing too. */
CLIV_API uint64_t cliv_average_updates(const cliv_average *average);

/* Parameters that are those of training hold the average after this, rounded to their type, and those that hold it what
 * they were; with lookahead the slow weights are the average. Asynchronous. While they hold it, what they were takes
 * another float32 for each of their elements. Fails with NULL, STATE (an update or a load was torn; on the
 * way back that is not asked), DEVICE_MEMORY, BUILD, OPENCL, HOST_MEMORY, as cliv_optimizer_evaluate does. */
CLIV_API cliv_status cliv_average_swap(cliv_average *average, const cliv_sync *sync) CLIV_MUST_CHECK;
CLIV_API int cliv_average_swapped(const cliv_average *average); /* 1: the parameters hold the average */

/* A view of the average of a parameter, float32 of its shape, to read or to write; the caller frees it. VALUE: no such
 * parameter. */
CLIV_API cliv_status cliv_average_tensor(cliv_average *average, size_t param, cliv_tensor **view) CLIV_MUST_CHECK;

/* Writes averages as a safetensors file: "average.0", "average.1", …, and in the metadata "format" (cliv.average 1),
 * "kind", "updates". Hyper-parameters are not in it. Blocks; the file appears whole or not at all. STATE: an update or
 * a load was torn. */
CLIV_API cliv_status cliv_average_save(cliv_average *average, const char *path) CLIV_MUST_CHECK;
/* Reads such a file into an average of the same kind, of parameters of the same shapes; what follows is what would have
 * followed when it was saved, to the last bit. Set hyper-parameters before. Blocks. On these failures nothing is
 * changed: NULL, FILE, FORMAT, DATA (another kind, other parameters), SHAPE, HOST_MEMORY. When the driver or the device
 * refuses to write (OPENCL, DEVICE_MEMORY), the count of updates stays and the averages are torn, as after an update
 * that was, until a load succeeds. */
CLIV_API cliv_status cliv_average_load(cliv_average *average, const char *path) CLIV_MUST_CHECK;

#ifdef __cplusplus
}
#endif
#endif
