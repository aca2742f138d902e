/* How work on blocks is dealt out; see cl/block.cl. */
#ifndef CLIV_OPS_BLOCKS_H
#define CLIV_OPS_BLOCKS_H

#include "runtime/context.h"

enum {
  CLIV__BLOCK = 4096, /* elements a block … */
  CLIV__LANES = 256   /* … and its lanes */
};

/* CPU walk: how many blocks of `elements` (1 or more) a work-item does in a row: even shares, several for each compute
 * unit, none much longer than 65536 elements. */
cl_ulong cliv__run_length(const cliv_context *ctx, cl_ulong blocks, cl_ulong elements);

/* GPU walk: lanes that a block of rows no longer than `longest` has, a power of two: as many as are needed, so that a
 * group does several short rows. */
cl_ulong cliv__spread(cl_ulong longest);

#endif
