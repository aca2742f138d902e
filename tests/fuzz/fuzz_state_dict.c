/* Any text as the header of a file with an optimizer's states: refused with a sentence, or all of it fits an optimizer
 * of the rule. The first byte says how many bytes of data follow. */
#include "base/safetensors.h"
#include "fuzz.h"
#include "optim/state_dict.h"
#include "runtime/tensor.h"

const char *const fuzz_words[] = {"{",
                                  "}",
                                  "[",
                                  "]",
                                  ",",
                                  "null",
                                  "true",
                                  "-1",
                                  "1e400",
                                  "9007199254740993",
                                  "9223372036854775808",
                                  "\"__metadata__\"",
                                  "\"param_groups\"",
                                  "\"steps\"",
                                  "\"taken\"",
                                  "\"memory\"",
                                  "\"scale\"",
                                  "\"format\"",
                                  "\"rule\"",
                                  "nadam",
                                  "sgd",
                                  "pt",
                                  "state.0.exp_avg",
                                  "state.1.step",
                                  "state.0.momentum_buffer",
                                  "state.18446744073709551616.step",
                                  "\\\"params\\\":[0]",
                                  "\\\"betas\\\":[0.9]",
                                  "[null,[0.5,0]]",
                                  "[1,0,0]",
                                  "\"F32\"",
                                  "\"I64\"",
                                  "[0,4]",
                                  "[2,3]",
                                  NULL};

/* Two parameters, each in a group of its own; nothing of a device is asked for. */
static cliv_status check(const char *rule, const cliv_safetensors *file) {
  cliv_tensor matrix = {.dtype = CLIV_F32, .ndim = 2, .shape = {2, 3}, .count = 6},
              scalar = {.dtype = CLIV_F32, .count = 1};
  cliv__param params[] = {{.p = &matrix, .g = &matrix}, {.p = &scalar, .g = &scalar, .group = 1}};
  cliv_optimizer o = {.rule = cliv__rule_find(rule), .group_count = 2, .params = params, .param_count = 2};
  o.control.options.growth = 2;
  o.lr = cliv__rule_hyper(o.rule, "lr"), o.maximize = cliv__rule_hyper(o.rule, "maximize");
  o.prox_l1 = cliv__rule_hyper(o.rule, "prox_l1"), o.prox_l2 = cliv__rule_hyper(o.rule, "prox_l2");
  o.cautious = cliv__rule_hyper(o.rule, "cautious");
  o.hyper = malloc(2 * o.rule->info.hyper_count * sizeof *o.hyper);
  EXPECT(o.hyper != NULL);
  for (int g = 0; g < 2; g++) cliv__rule_defaults(o.rule, &o.rule->info.presets[0], cliv__hyper(&o, g));
  cliv__state_dict *states;
  const cliv_status status = cliv__state_dict_read(&o, file, "", "input", &states);
  cliv__state_dict_free(states);
  free(o.hyper);
  return status;
}

static void load(const uint8_t *bytes, size_t n) {
  cliv_safetensors *file;
  static const char *const rules[] = {"nadam", "sgd"};
  if (cliv__safetensors_parse(bytes, n, "input", &file)) return;
  for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
    const cliv_status status = check(rules[i], file);
    EXPECT(!status || (status >= 200 && status < 300 && *cliv_last_error(NULL)));
  }
  cliv_safetensors_free(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  if (n == 0) return 0;
  const size_t length = n - 1, total = 8 + length + data[0];
  uint8_t *file = calloc(total, 1);
  EXPECT(file != NULL);
  for (int i = 0; i < 8; i++) file[i] = (uint8_t)((uint64_t)length >> 8 * i);
  memcpy(file + 8, data + 1, length);
  load(file, total);
  free(file);
  return 0;
}
