/* Any text as a schedule: refused with a sentence, or a schedule whose factors come in time and whose state can be put
 * back. */
#include <cliv/schedule.h>

#include "fuzz.h"

const char *const fuzz_words[] = {"constant(",
                                  "linear(9)",
                                  "warmup(3)",
                                  "polynomial(9,2)",
                                  "exponential(0.9)",
                                  "step(3)",
                                  "multistep(1,2",
                                  "cosine(9)",
                                  "restarts(2,3)",
                                  "cyclic(2,3)",
                                  "onecycle(9",
                                  "wsd(9,2,3)",
                                  "noam(512,4)",
                                  "rsqrt(4)",
                                  "rex(9)",
                                  "range(9)",
                                  "plateau(0)",
                                  "steps=",
                                  "end=0.5",
                                  "gamma=",
                                  "epochs",
                                  "*",
                                  ",",
                                  ")",
                                  "1e300",
                                  "-",
                                  "nan",
                                  "9e15",
                                  NULL};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  char *text = malloc(n + 1);
  EXPECT(text != NULL);
  memcpy(text, data, n);
  text[n] = 0;
  cliv_schedule *s = NULL;
  const cliv_status status = cliv_schedule_create(NULL, text, &(cliv_schedule_options){.epoch_steps = 7}, &s);
  if (status) EXPECT((status == CLIV_VALUE || status == CLIV_NAME) && !s && *cliv_last_error(NULL));
  for (uint64_t step = 0; s && step < UINT64_MAX / 9; step = step * 9 + 1)
    cliv_schedule_report(s, cliv_schedule_factor(s, step));
  if (s) cliv_schedule_report(s, cliv_schedule_factor(s, UINT64_MAX));
  double told[64];
  const size_t count = s ? cliv_schedule_state(s, told, 64) : 0;
  if (s && count <= 64) EXPECT(cliv_schedule_restore(s, told, count) == CLIV_OK);
  cliv_schedule_free(s);
  free(text);
  return 0;
}
