/* main.c: the `cliv` program: a table of verbs. */
#include <cliv/version.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

static const cli_command verbs[] = {
    {"devices", "OpenCL devices of this machine, and which one a selector takes", cmd_devices},
    {"train", "Train a model on a table and leave a run folder", cmd_train},
    {"op", "One operation on .npy files, to check against NumPy", cmd_op},
    {"selftest", "Does this device compute right? Known answers for every operation", cmd_selftest},
    {"tune", "Fast parameters for CLBlast's kernels on this device", cmd_tune},
    {"cache", "Compiled programs and measurements kept on disk: how many, where, and away with them", cmd_cache},
    {NULL, NULL, NULL},
};

static const cli_group cliv = {
    .prefix = "",
    .noun = "verb",
    .noun_caps = "VERB",
    .about = "The mathematics of training on any OpenCL device.",
    .example =
        "cliv devices\n"
        "cliv train examples/data/digits.csv --target digit --model softmax --optimizer adamw",
    .commands = verbs,
};

int main(int argc, char **argv) {
  if (argc == 2 && !strcmp(argv[1], "--version")) {
    printf("cliv %s (%s)\n", cliv_version(), cliv_build_info());
    return cli_flush(CLI_DONE);
  }
  return cli_flush(cli_dispatch(&cliv, argc, (const char **)argv));
}
