/* cliv/model.h: what is trained: layers, their parameters and gradients on the device, and the loss that is made small.
 *
 * A kind of model is chosen by name:
 *
 *   linear     numbers from a linear map; loss mse
 *   logistic   one of two classes: one logit z, the second class where z > 0; loss binary_cross_entropy
 *   softmax    one of K classes: K logits, the class of the largest (the first of equal ones); loss cross_entropy
 *
 * A layer maps x (rows, inputs) to x W' + b, with W (outputs, inputs) and b (outputs), as PyTorch's Linear does. Layers
 * begin at zero where they are the only one: these losses are convex, so the start decides nothing but the path. All
 * parameters lie in one arena, all gradients in another, so that an optimizer steps them in one launch. Matrix products
 * are those of provider exact (cliv/blas.h), so every number here is the same on every device.
 *
 * All tensors are float32. Functions that enqueue are asynchronous, in the context's order.
 */
#ifndef CLIV_MODEL_H
#define CLIV_MODEL_H

#include <cliv/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cliv_model cliv_model;

/* The table of kinds. */
typedef struct cliv_model_info {
  const char *name, *summary;
  const char *loss;    /* of cliv/loss.h */
  int classes;         /* 1: learns a class; 0: learns numbers */
  size_t most_classes; /* 0: any number */
} cliv_model_info;
CLIV_API size_t cliv_model_count(void);
CLIV_API const cliv_model_info *cliv_model_at(size_t index);       /* NULL past the end */
CLIV_API const cliv_model_info *cliv_model_find(const char *name); /* NULL when there is none */

/* A model for rows of `inputs` features. outputs: numbers to predict, or classes to tell apart. Fails with NAME, VALUE
 * (no inputs; a number of classes that the kind cannot tell apart), DEVICE_MEMORY. */
CLIV_API cliv_status cliv_model_create(cliv_context *ctx, const char *kind, size_t inputs, size_t outputs,
                                       cliv_model **out) CLIV_MUST_CHECK;
/* NULL does nothing. */
CLIV_API void cliv_model_free(cliv_model *model);

CLIV_API const cliv_model_info *cliv_model_kind(const cliv_model *model);
CLIV_API size_t cliv_model_inputs(const cliv_model *model);
CLIV_API size_t cliv_model_logits(const cliv_model *model); /* columns of the logits: 1 for logistic, else `outputs` */

/* Parameters in order, "0.weight", "0.bias", "1.weight", …: their names, tensors and gradients, which belong to the
 * model. NULL past the end. */
CLIV_API size_t cliv_model_parameters(const cliv_model *model);
CLIV_API const char *cliv_model_parameter_name(const cliv_model *model, size_t index);
CLIV_API cliv_tensor *cliv_model_parameter(const cliv_model *model, size_t index);
CLIV_API cliv_tensor *cliv_model_gradient(const cliv_model *model, size_t index);

/* logits (rows, cliv_model_logits) of x (rows, inputs). */
CLIV_API cliv_status cliv_model_forward(cliv_model *model, const cliv_tensor *x, cliv_tensor *logits,
                                        const cliv_sync *sync) CLIV_MUST_CHECK;

/* The gradients of all parameters, from `slope`, the gradient of the loss with respect to the logits of x. x is what
 * the last cliv_model_forward was given. With l2 > 0 the gradient of l2/2 · (sum of the squares of all weights, biases
 * left out) is added. */
CLIV_API cliv_status cliv_model_backward(cliv_model *model, const cliv_tensor *x, const cliv_tensor *slope, double l2,
                                         const cliv_sync *sync) CLIV_MUST_CHECK;

#ifdef __cplusplus
}
#endif
#endif
