/* What a fuzz target is: libFuzzer's function, and words that its format is made of. With -D CLIV_FUZZ=ON clang's
 * libFuzzer drives it; in the test suite fuzz_main.c does, over the corpus and a fixed number of mutations of it. */
#ifndef CLIV_TESTS_FUZZ_H
#define CLIV_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* Ends with NULL. */
extern const char *const fuzz_words[];

/* What must hold for every input. */
#define EXPECT(condition) ((condition) ? (void)0 : abort())

/* A refused input: the sentence names it, and the class is the user's fault, not the library's. */
#define EXPECT_REFUSED(status) \
  EXPECT((status) >= 200 && (status) < 300 && strstr(cliv_last_error(NULL), "input") != NULL)

#endif
