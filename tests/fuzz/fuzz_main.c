/* Drives a fuzz target without libFuzzer: fuzz_main MUTATIONS FILE…
 *
 * Every file of the corpus as it is, every beginning of each, then MUTATIONS inputs made from them by a generator
 * with a fixed seed: the same on every machine and in every run. */
#include <stdio.h>

#include "fuzz.h"

enum { MAX_INPUT = 4096, MAX_FILES = 256 };

typedef struct input {
  size_t n;
  uint8_t bytes[MAX_INPUT];
} input;

static uint64_t state = 20240229;

/* SplitMix64. */
static uint64_t next(void) {
  uint64_t x = state += 0x9e3779b97f4a7c15u;
  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
  x = (x ^ x >> 27) * 0x94d049bb133111ebu;
  return x ^ x >> 31;
}

static size_t below(size_t n) { return n ? (size_t)(next() % n) : 0; }

/* In memory of exactly that length, so that a read beyond it is seen by the sanitizer. */
static void run(const uint8_t *bytes, size_t n) {
  uint8_t *exact = malloc(n ? n : 1);
  EXPECT(exact != NULL);
  memcpy(exact, bytes, n);
  LLVMFuzzerTestOneInput(exact, n);
  free(exact);
}

static void insert(input *in, size_t at, const void *bytes, size_t n) {
  if (n > MAX_INPUT - in->n) n = MAX_INPUT - in->n;
  memmove(in->bytes + at + n, in->bytes + at, in->n - at);
  memcpy(in->bytes + at, bytes, n);
  in->n += n;
}

static void cut(input *in, size_t at, size_t n) {
  if (n > in->n - at) n = in->n - at;
  memmove(in->bytes + at, in->bytes + at + n, in->n - at - n);
  in->n -= n;
}

static void mutate(input *in, const input *other) {
  static const uint8_t telling[] = {0, 1, 9, 10, 13, 32, 34, 44, 45, 46, 48, 57, 127, 128, 254, 255};
  size_t words = 0;
  while (fuzz_words[words]) words++;
  const size_t at = below(in->n + 1);
  const char *word = fuzz_words[below(words)];
  switch (below(9)) {
    case 0:
      if (at < in->n) in->bytes[at] ^= (uint8_t)(1u << below(8));
      break;
    case 1:
      if (at < in->n) in->bytes[at] = telling[below(sizeof telling)];
      break;
    case 2: cut(in, at, 1 + below(8)); break;
    case 3: cut(in, at, in->n); break;
    case 4: insert(in, at, &telling[below(sizeof telling)], 1); break;
    case 5: insert(in, at, word, strlen(word)); break;
    case 6:
      cut(in, at, 1 + below(12));
      insert(in, at < in->n ? at : in->n, word, strlen(word));
      break;
    case 7: { /* a piece of itself again */
      uint8_t piece[64];
      const size_t from = below(in->n), n = in->n - from < sizeof piece ? in->n - from : 1 + below(sizeof piece);
      memcpy(piece, in->bytes + from, n);
      insert(in, at, piece, n);
      break;
    }
    default: { /* a piece of another */
      const size_t from = below(other->n);
      insert(in, at, other->bytes + from, below(other->n - from + 1));
    }
  }
}

int main(int argc, char **argv) {
  static input corpus[MAX_FILES];
  size_t count = 0;
  const long mutations = argc > 1 ? atol(argv[1]) : 0;
  for (int i = 2; i < argc && count < MAX_FILES; i++) {
    FILE *f = fopen(argv[i], "rb");
    if (!f) {
      fprintf(stderr, "%s: cannot be opened\n", argv[i]);
      return 2;
    }
    input *in = &corpus[count++];
    in->n = fread(in->bytes, 1, MAX_INPUT, f);
    fclose(f);
    for (size_t n = 0; n <= in->n; n++) run(in->bytes, n);
  }
  if (count == 0) {
    fprintf(stderr, "usage: %s MUTATIONS FILE...\n", argv[0]);
    return 2;
  }
  for (long m = 0; m < mutations; m++) {
    input in = corpus[below(count)];
    for (size_t times = 1 + below(6); times > 0; times--) mutate(&in, &corpus[below(count)]);
    run(in.bytes, in.n);
  }
  printf("%zu files and their beginnings, %ld mutations\n", count, mutations);
  return 0;
}
