/* cliv cache: what is kept of compiled programs, and of measurements. */
#include <cliv/cache.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

/* A folder that could not be used is no error of the library's; here it is said. */
static const char *folder(const cliv_cache_info *info) { return *info->dir ? info->dir : "(no folder can be used)"; }

static void print_info(cli *c, const cliv_cache_info *info) {
  if (c->json) {
    cli_print_json(c, json_pack("{s:o, s:I, s:I, s:I, s:I}", "dir", *info->dir ? cli_json_text(info->dir) : json_null(),
                                "entries", (json_int_t)info->entries, "bytes", (json_int_t)info->bytes, "cap",
                                (json_int_t)info->cap, "damaged", (json_int_t)info->damaged));
    return;
  }
  printf("folder   %s\n", folder(info));
  printf("entries  %zu\n", info->entries);
  printf("size     %.1f of at most %.0f MiB\n", (double)info->bytes / 1048576, (double)info->cap / 1048576);
  if (info->damaged) printf("damaged  %zu (never used; rebuilt when needed)\n", info->damaged);
}

static void print_cleared(cli *c, const cliv_cache_info *info, size_t removed) {
  if (c->json)
    cli_print_json(c, json_pack("{s:o, s:I}", "dir", *info->dir ? cli_json_text(info->dir) : json_null(), "removed",
                                (json_int_t)removed));
  else printf("%zu %s removed from %s\n", removed, removed == 1 ? "entry" : "entries", folder(info));
}

static void print_path(cli *c, const cliv_cache_info *info) {
  if (c->json) cli_print_json(c, json_pack("{s:o}", "dir", *info->dir ? cli_json_text(info->dir) : json_null()));
  else printf("%s\n", folder(info));
}

/* The same three for programs and for notes. */
static const struct {
  cliv_status (*inspect)(const char *dir, cliv_cache_info *out);
  cliv_status (*clear)(const char *dir, size_t *removed);
} kinds[] = {{cliv_cache_inspect, cliv_cache_clear}, {cliv_notes_inspect, cliv_notes_clear}};

int cmd_cache(int argc, const char **argv) {
  int notes = 0;
  const struct poptOption options[] = {
      {"notes", 0, POPT_ARG_NONE, &notes, 0, "Not the programs, but what was measured on the devices", NULL},
      POPT_TABLEEND};
  const cli_usage usage = {.verb = "cache",
                           .arguments = "[OPTION]... [info|clear|path]",
                           .about =
                               "Compiled programs kept on disk, so that the next process need not compile them; with\n"
                               "--notes what was measured on devices: tuned parameters, which provider is faster, how\n"
                               "products are cut best.\n"
                               "info (the default) tells how many; clear removes them; path prints the folder.",
                           .example = "cliv cache\ncliv cache clear\ncliv cache --notes",
                           .options = options,
                           .most = 1,
                           .no_device = true};
  cli c;
  if (!cli_parse(&c, &usage, argc, argv)) return cli_done(&c);
  static const char *const actions[] = {"info", "clear", "path"};
  const char *const action = c.count ? c.args[0] : "info";
  int chosen = 0;
  while (chosen < 3 && strcmp(action, actions[chosen])) chosen++;
  if (chosen == 3) return cli_fail(&c, CLIV_NAME, "unknown action '%s'; choose one of: info, clear, path", action);

  cliv_cache_info info;
  cliv_status status = kinds[notes].inspect(NULL, &info);
  if (status) return cli_fail_with(&c, NULL, status);
  size_t removed = 0;
  if (chosen == 1) status = kinds[notes].clear(NULL, &removed);
  if (status) return cli_fail_with(&c, NULL, status);
  if (chosen == 0) print_info(&c, &info);
  if (chosen == 1) print_cleared(&c, &info, removed);
  if (chosen == 2) print_path(&c, &info);
  return cli_done(&c);
}
