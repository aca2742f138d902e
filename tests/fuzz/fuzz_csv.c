/* Any bytes as a table; then every question that can be asked of one. The first byte chooses the options. */
#include "base/csv.h"

#include "fuzz.h"

const char *const fuzz_words[] = {
    "\"",  "\"\"", ",",    ";",    "\t",    "\r\n",         "\r",       "\n\n", "NA",
    "nan", "inf",  "1e-3", "-0.5", "1e999", "\xef\xbb\xbf", "\xff\xfe", " ",    "12345678901234567890.5e-7",
    NULL};

static void ask_column(const cliv_csv *t, size_t c) {
  const size_t rows = cliv_csv_rows(t);
  double *values = malloc(rows * sizeof *values);
  size_t missing = 0, counted = 0, found = cliv_csv_columns(t);
  EXPECT(values != NULL);
  for (size_t r = 0; r < rows; r++) {
    EXPECT(strlen(cliv_csv_text(t, r, c)) <= 1u << 24);
    EXPECT(cliv_csv_line(t, r) > (r > 0 ? cliv_csv_line(t, r - 1) : 0));
    counted += (size_t)cliv_csv_missing(t, r, c);
  }
  const cliv_status status = cliv_csv_numbers(t, c, values, 1, &missing);
  if (status) EXPECT_REFUSED(status);
  else EXPECT(missing == counted);
  EXPECT((status == CLIV_OK && counted < rows) == (cliv_csv_is_numeric(t, c) == 1));

  cliv_csv_classes classes;
  if (cliv_csv_classify(t, c, &classes) == CLIV_OK) {
    for (size_t r = 0; r < rows; r++)
      EXPECT(classes.codes[r] < (int32_t)classes.count && (classes.codes[r] < 0) == cliv_csv_missing(t, r, c));
    cliv_csv_classes_free(&classes);
  } else {
    EXPECT(counted == rows);
  }
  if (cliv_csv_find(t, cliv_csv_name(t, c), &found) == CLIV_OK) EXPECT(found == c);
  free(values);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  cliv_csv *t;
  cliv_csv_options options = {0};
  if (n > 0) {
    options.no_header = data[0] & 1;
    options.delimiter = ",\0;\0\t\0| "[data[0] >> 1 & 7];
    data++;
    n--;
  }
  const cliv_status status = cliv__csv_parse(data, n, "input", &options, &t);
  if (status) {
    EXPECT_REFUSED(status);
    EXPECT(t == NULL);
    return 0;
  }
  EXPECT(cliv_csv_rows(t) > 0 && cliv_csv_columns(t) > 0);
  for (size_t c = 0; c < cliv_csv_columns(t) && c < 50; c++) ask_column(t, c);
  cliv_csv_free(t);
  return 0;
}
