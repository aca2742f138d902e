/* An optimizer's states in a file that may have other things in it: what cliv_optimizer_save writes, with a prefix
 * before every name and key. */
#ifndef CLIV_OPTIM_STATE_DICT_H
#define CLIV_OPTIM_STATE_DICT_H

#include "optim/optim.h"
#include "runtime/bundle.h"

/* Blocks. */
cliv_status cliv__state_dict_add(cliv_optimizer *o, cliv__bundle *b);

/* In three steps, so that several optimizers change together or not at all. Until it is freed, nobody else touches the
 * optimizer. Freeing it undoes what was not kept; NULL does nothing. */
typedef struct cliv__state_dict cliv__state_dict;
/* Reads and checks all of it, after which the file may be closed. shown: what it is called. */
cliv_status cliv__state_dict_read(cliv_optimizer *o, const cliv_safetensors *file, const char *prefix,
                                  const char *shown, cliv__state_dict **out);
/* Writes it to the device, to a place of its own. */
cliv_status cliv__state_dict_place(cliv__state_dict *states);
/* That place is the optimizer's from then on. */
void cliv__state_dict_keep(cliv__state_dict *states);
void cliv__state_dict_free(cliv__state_dict *states);

#endif
