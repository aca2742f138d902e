/* cliv op scatter: rows added to rows of a table. */
#include <cliv/scatter.h>

#include "cli/op.h"

int op_scatter(int argc, const char **argv) {
  char *output = NULL;
  const struct poptOption options[] = {{"output", 'o', POPT_ARG_STRING, &output, 0, "File to write", "OUT.npy"},
                                       POPT_TABLEEND};
  const cli_usage usage = {.verb = "op scatter",
                           .arguments = "[OPTION]... X.npy INDICES.npy TABLE.npy -o OUT.npy",
                           .about = "TABLE with row i of X added to its row INDICES[i] (int32, int64), for every i.",
                           .example = "cliv op scatter gradients.npy tokens.npy zeros.npy -o table.npy",
                           .options = options,
                           .least = 3,
                           .most = 3};
  cli c;
  if (!cli_parse(&c, &usage, argc, argv)) return cli_done(&c);
  op_run run = {.c = &c, .output = output};
  if (op_require(&c, output, "-o", "it names the .npy file to write") && op_read(&run, c.args[0]) &&
      op_read(&run, c.args[1]) && op_read(&run, c.args[2]) && op_open(&run) &&
      op_check(&run, cliv_scatter_add(run.ctx, run.tensor[0], run.tensor[1], run.tensor[2], NULL)))
    op_deliver(&run, run.tensor[2], "scatter", "scatter");
  return op_finish(&run);
}
