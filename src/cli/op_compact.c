/* cliv op compact: the elements that a mask keeps. */
#include <cliv/compact.h>

#include "cli/op.h"

static bool compact(op_run *run) {
  const cliv_tensor *const x = run->tensor[0];
  const size_t n = cliv_tensor_count(x);
  cliv_tensor *out, *count, *kept = NULL;
  int64_t number = 0;
  if (!op_make(run, cliv_tensor_dtype(x), 1, &n, &out) || !op_make(run, CLIV_I64, 0, NULL, &count) ||
      !op_check(run, cliv_compact(run->ctx, x, run->tensor[1], out, count, NULL)) ||
      !op_check(run, cliv_tensor_read(count, &number, sizeof number)) ||
      !op_check(run, cliv_tensor_view(out, 0, 1, (size_t[]){(size_t)number}, 0, &kept)))
    return false;
  const bool good = op_deliver(run, kept, "compact", "compact");
  cliv_tensor_free(kept);
  return good;
}

int op_compact(int argc, const char **argv) {
  char *output = NULL;
  const struct poptOption options[] = {{"output", 'o', POPT_ARG_STRING, &output, 0, "File to write", "OUT.npy"},
                                       POPT_TABLEEND};
  const cli_usage usage = {.verb = "op compact",
                           .arguments = "[OPTION]... X.npy MASK.npy -o OUT.npy",
                           .about = "The elements of X whose byte in MASK (uint8) is not 0, in order.",
                           .example = "cliv op compact x.npy mask.npy -o kept.npy",
                           .options = options,
                           .least = 2,
                           .most = 2};
  cli c;
  if (!cli_parse(&c, &usage, argc, argv)) return cli_done(&c);
  op_run run = {.c = &c, .output = output};
  if (op_require(&c, output, "-o", "it names the .npy file to write") && op_read(&run, c.args[0]) &&
      op_read(&run, c.args[1]) && op_open(&run))
    compact(&run);
  return op_finish(&run);
}
