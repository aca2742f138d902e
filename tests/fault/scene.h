/* What fault_steps.c makes fail: a call of the library on things that are there already, and what of them it may not
 * change when it fails. */
#ifndef CLIV_TESTS_FAULT_SCENE_H
#define CLIV_TESTS_FAULT_SCENE_H

#include <cliv/cliv.h>
#include <stdbool.h>

enum { SCENE_PARAMS = 3, SCENE_TENSORS = 6, SCENE_FILES = 2 };

typedef struct scene {
  cliv_context *ctx;
  const struct act *act;
  cliv_tensor *p[SCENE_PARAMS], *g[SCENE_PARAMS]; /* two in an arena each, and one by itself: two launches */
  size_t params;
  cliv_optimizer *opt;
  cliv_average *average;
  cliv_variance *variance;
  cliv_tensor *t[SCENE_TENSORS]; /* an act's own, to be looked at too */
  size_t tensors;
  char *const *files; /* for states, for averages */
} scene;

/* All that a call may change, as bytes. */
typedef struct picture {
  unsigned char *bytes;
  size_t count, room;
} picture;

/* How the optimizer is made. */
typedef struct setup {
  const char *rule;   /* NULL: none; "own": a text's */
  const char *hypers; /* "name=value …" */
  const char *state, *weights;
  cliv_dtype dtype; /* of parameters and gradients */
  size_t rows;      /* of the first parameter; its columns are three quarters of it */
  int steps;        /* taken before the call */
  const cliv_gradient_options *gradients;
} setup;

typedef struct act {
  const char *name;
  setup with;
  void (*prepare)(scene *s);     /* behind those steps; NULL: nothing */
  cliv_status (*call)(scene *s); /* what is made to fail; may be repeated */
  /* What a caller does about a call that was torn, once tensors are as they were; NULL: loads the file. */
  void (*recover)(scene *s, const picture *before);
  bool forgets;  /* a call that was torn is only said to be by its own sentence: tensors are to be put back */
  bool restores; /* of several commands it puts back what they changed, for which the device has to work */
  bool cold;     /* it also fails in contexts that have compiled nothing */
} act;

extern const act acts[];
extern const size_t act_count;

/* Everything before the call. */
void scene_open(scene *s, cliv_context *ctx, const act *a, char *const *files);
void scene_close(scene *s);

void scene_look(const scene *s, picture *out);
/* Tensors that the caller gave get what they had. */
void scene_put_back(scene *s, const picture *p);

#endif
