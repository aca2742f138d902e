/* Any text as a formula: refused with a sentence, or one that gives the same number each time. */
#include "fuzz.h"
#include "optim/formula.h"

const char *const fuzz_words[] = {"lr",   "beta1", "step", "zero", "sqrt(", "min(", "max(",  "(",   ")",
                                  ",",    "+",     "-",    "*",    "/",     "^",    "1e300", "0.5", ".5",
                                  "2e-3", "7",     "nan",  " ",    "9e15",  "((((", "))))",  "--",  NULL};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  static const char *const names[] = {"lr", "beta1", "step", "zero"};
  static const double values[] = {1e-3, 0.9, 17, 0};
  char *text = malloc(n + 1);
  EXPECT(text != NULL);
  memcpy(text, data, n);
  text[n] = 0;
  cliv__formula f;
  const cliv_status status = cliv__formula_read(NULL, "input", text, names, 4, &f);
  if (status) {
    EXPECT_REFUSED(status);
  } else {
    const double first = cliv__formula_value(&f, values), second = cliv__formula_value(&f, values);
    EXPECT(memcmp(&first, &second, sizeof first) == 0);
  }
  free(text);
  return 0;
}
