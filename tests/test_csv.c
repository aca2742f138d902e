/* Tables from text: what is read, how cells are found, and what is said about those that are wrong. */
#include "base/csv.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "support.h"

/* Parses from memory of exactly that length, so that a read beyond it is seen by the sanitizer. */
static cliv_status parse_n(const char *text, size_t n, const cliv_csv_options *options, cliv_csv **out) {
  char *exact = test_alloc(n);
  memcpy(exact, text, n);
  const cliv_status status = cliv__csv_parse(exact, n, "t.csv", options, out);
  free(exact);
  return status;
}

static cliv_status parse(const char *text, cliv_csv **out) { return parse_n(text, strlen(text), NULL, out); }

static cliv_csv *table_of(const char *text) {
  cliv_csv *t;
  ASSERT_OK(NULL, parse(text, &t));
  return t;
}

static const cliv_csv_options no_header = {.no_header = 1};

/* Cells row by row, joined by | and \n, as one text. */
static void assert_cells(const cliv_csv *t, const char *want) {
  char got[2000] = "";
  for (size_t r = 0; r < cliv_csv_rows(t); r++)
    for (size_t c = 0; c < cliv_csv_columns(t); c++) {
      strcat(got, cliv_csv_text(t, r, c));
      strcat(got, c + 1 < cliv_csv_columns(t) ? "|" : "\n");
    }
  assert_string_equal(got, want);
}

static void texts_and_their_cells(void **state) {
  (void)state;
  static const struct {
    const char *text, *want;
  } cases[] = {
      {"a,b\n1,2\n3,4\n", "1|2\n3|4\n"},
      {"a,b\n1,2\n3,4", "1|2\n3|4\n"},
      {"a,b\r\n1,2\r\n3,4\r\n", "1|2\n3|4\n"},
      {"a,b\r1,2\r3,4\r", "1|2\n3|4\n"},
      {"a,b\n1,2\r\n3,4\r5,6", "1|2\n3|4\n5|6\n"},
      {"\xef\xbb\xbf"
       "a,b\n1,2\n",
       "1|2\n"},
      {"\n\r\n  \na,b\n1,2\n\n \n\r\n", "1|2\n"},
      {"a,b\n,\n,1\n2,\n", "|\n|1\n2|\n"},
      {"a,b\n 1 , two words \n", "1|two words\n"},
      {"a,b\n\"1\",\"2\"\n", "1|2\n"},
      {"a,b\n\"x,y\",\" z \"\n", "x,y| z \n"},
      {"a,b\n\"say \"\"hi\"\"\",\"\"\"\"\n", "say \"hi\"|\"\n"},
      {"a,b\n\"\",x\n", "|x\n"},
      {"a,b\n\"1\" , \"2\" \n", "1|2\n"},
      {"a,b\n\"two\nlines\",\"and\r\nmore\"\n", "two\nlines|and\r\nmore\n"},
      {"a,b\n5\" pipe,x\"\"y\n", "5\" pipe|x\"\"y\n"},
      {"a,b\n1,\"2\"", "1|2\n"},
      {"a,b\n1,", "1|\n"},
      {"a;b\n1;2,5\n", "1|2,5\n"},
      {"a\tb\n1\t\t\n", NULL},
      {"a\tb\n1\t2\n\t\n", "1|2\n|\n"},
      {"a b\tc\n1 2\t3\n", "1 2|3\n"},
      {"\"a,b\";c\n1;2\n", "1|2\n"},
      {"a\n1\n\n2\n\n\n", "1\n\n2\n"},
      {"a\n\"\"\n1\n", "\n1\n"},
      {"a\n1\n  \n2\r\r\n", "1\n\n2\n"},
      {"\xc3\xa4,\xc3\xb6\n\xe2\x82\xac,\xf0\x9f\x98\x80\n", "\xe2\x82\xac|\xf0\x9f\x98\x80\n"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    cliv_csv *t;
    if (!cases[i].want) {
      ASSERT_FAILS(NULL, parse(cases[i].text, &t), CLIV_FORMAT, NULL);
      continue;
    }
    t = table_of(cases[i].text);
    assert_cells(t, cases[i].want);
    cliv_csv_free(t);
  }
}

static void names_and_indices(void **state) {
  (void)state;
  cliv_csv *t = table_of("age, height ,\"a,b\",2,twice,twice,\n1,2,3,4,5,6,7\n");
  size_t c = 99;
  assert_int_equal(cliv_csv_columns(t), 7);
  assert_string_equal(cliv_csv_path(t), "t.csv");
  assert_string_equal(cliv_csv_name(t, 1), "height");
  assert_string_equal(cliv_csv_name(t, 6), "");
  assert_string_equal(cliv_csv_name(t, 7), "");
  ASSERT_OK(NULL, cliv_csv_find(t, "height", &c));
  assert_int_equal(c, 1);
  ASSERT_OK(NULL, cliv_csv_find(t, "a,b", &c));
  assert_int_equal(c, 2);
  ASSERT_OK(NULL, cliv_csv_find(t, "2", &c)); /* a name goes before an index */
  assert_int_equal(c, 3);
  ASSERT_OK(NULL, cliv_csv_find(t, "6", &c));
  assert_int_equal(c, 6);
  ASSERT_FAILS(NULL, cliv_csv_find(t, "7", &c), CLIV_NAME, "no column '7': there are 7, age, height, a,b, 2, twice");
  ASSERT_FAILS(NULL, cliv_csv_find(t, "weight", &c), CLIV_NAME,
               "t.csv: no column 'weight' (did you mean height?): there");
  ASSERT_FAILS(NULL, cliv_csv_find(t, "-1", &c), CLIV_NAME, "'-1'");
  ASSERT_FAILS(NULL, cliv_csv_find(t, "99999999999999999999", &c), CLIV_NAME, NULL);
  ASSERT_FAILS(NULL, cliv_csv_find(t, "twice", &c), CLIV_NAME, "columns 4 and 5 are both named 'twice'");
  ASSERT_FAILS(NULL, cliv_csv_find(t, NULL, &c), CLIV_NULL, NULL);
  assert_int_equal(c, 6);
  cliv_csv_free(t);

  ASSERT_OK(NULL, parse_n("5,6\n7,8", 7, &no_header, &t));
  assert_int_equal(cliv_csv_rows(t), 2);
  assert_string_equal(cliv_csv_name(t, 1), "1");
  ASSERT_OK(NULL, cliv_csv_find(t, "1", &c));
  assert_cells(t, "5|6\n7|8\n");
  assert_int_equal(cliv_csv_line(t, 0), 1);
  cliv_csv_free(t);
}

static void delimiters(void **state) {
  (void)state;
  cliv_csv *t;
  static const cliv_csv_options bar = {.delimiter = '|'}, blank = {sizeof bar, ' ', 0}, tab = {.delimiter = '\t'};
  ASSERT_OK(NULL, parse_n("a|b\n1,5|2\n", 10, &bar, &t));
  assert_string_equal(cliv_csv_text(t, 0, 0), "1,5");
  cliv_csv_free(t);
  ASSERT_FAILS(NULL, parse_n("a b\n1  \n", 8, &blank, &t), CLIV_FORMAT, "3 cells found, 2 expected");
  ASSERT_OK(NULL, parse_n("a b\n1 2\n", 8, &blank, &t));
  assert_cells(t, "1|2\n");
  cliv_csv_free(t);
  ASSERT_OK(NULL, parse_n("a,x\tb\n1\t2\n", 10, &tab, &t));
  assert_string_equal(cliv_csv_name(t, 0), "a,x");
  cliv_csv_free(t);
  static const cliv_csv_options quote = {.delimiter = '"'}, line = {.delimiter = '\n'}, other_size = {.size = 3};
  ASSERT_FAILS(NULL, parse_n("a\n1", 3, &quote, &t), CLIV_VALUE, "delimiter");
  ASSERT_FAILS(NULL, parse_n("a\n1", 3, &line, &t), CLIV_VALUE, "delimiter");
  ASSERT_FAILS(NULL, parse_n("a\n1", 3, &other_size, &t), CLIV_VALUE, "size");
  assert_null(t);
}

static void lines_are_physical(void **state) {
  (void)state;
  cliv_csv *t = table_of("\n\na,b\r\n\"x\ny\r\nz\rw\",1\n2,\"\"\"\n\"\n3,4\r\r\n\n");
  assert_int_equal(cliv_csv_rows(t), 3);
  assert_int_equal(cliv_csv_line(t, 0), 4);
  assert_int_equal(cliv_csv_line(t, 1), 8);
  assert_int_equal(cliv_csv_line(t, 2), 10);
  assert_int_equal(cliv_csv_line(t, 3), 0);
  cliv_csv_free(t);
}

static void malformed(void **state) {
  (void)state;
  static const struct {
    const char *text;
    size_t n;
    const char *part;
  } cases[] = {
#define TEXT(s) s, sizeof s - 1
      {TEXT(""), "t.csv: is empty"},
      {TEXT("\n \n\r\n"), "t.csv: is empty"},
      {TEXT("\xef\xbb\xbf"), "t.csv: is empty"},
      {TEXT("a,b\n"), "t.csv: has a header line and no rows"},
      {TEXT("a\n\n\n"), "t.csv: has a header line and no rows"},
      {TEXT("a,b\n1,2\n3\n"), "t.csv, line 3: 1 cells found, 2 expected as in line 1"},
      {TEXT("\na,b\n1,2,3\n"), "t.csv, line 3: 3 cells found, 2 expected as in line 2"},
      {TEXT("a,b\n\"x\n\ny\",2\n1,2,\n"), "t.csv, line 5: 3 cells found, 2 expected"},
      {TEXT("a,b\n1,2\n\n\n3,4\n"), "t.csv, line 3: an empty line"},
      {TEXT("a,b\n1,2\n3,\"4\n5,6\n"), "t.csv, line 3: a quote is opened here and never closed"},
      {TEXT("a,b\n\"x\ny\",\"4\n5,6\n"), "t.csv, line 3: a quote is opened here and never closed"},
      {TEXT("a,\""), "t.csv, line 1: a quote is opened"},
      {TEXT("a,b\n\"1\"2,3\n"), "t.csv, line 2: text behind a closing quote"},
      {TEXT("a,b\n1,\0"
            "2\n"),
       "t.csv, line 2: a NUL byte"},
      {TEXT("\xff\xfe"
            "a\0,\0"),
       "UTF-16"},
      {TEXT("\xfe\xff\0a\0,"), "UTF-16"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    cliv_csv *t;
    ASSERT_FAILS(NULL, parse_n(cases[i].text, cases[i].n, NULL, &t), CLIV_FORMAT, cases[i].part);
    assert_null(t);
  }
  cliv_csv *t;
  ASSERT_FAILS(NULL, parse_n("", 0, &no_header, &t), CLIV_FORMAT, "t.csv: is empty");
}

static void columns_of_numbers(void **state) {
  (void)state;
  cliv_csv *t = table_of("x,y,z\n1,NA,red\n -2.5 ,,blue\n1e-3,\" nan \",red\n.5,7,\n");
  double m[8];
  size_t missing = 99;
  ASSERT_OK(NULL, cliv_csv_numbers(t, 0, m, 2, NULL));
  ASSERT_OK(NULL, cliv_csv_numbers(t, 1, m + 1, 2, &missing));
  assert_int_equal(missing, 3);
  assert_true(m[0] == 1 && m[2] == -2.5 && m[4] == 1e-3 && m[6] == .5 && m[7] == 7);
  assert_true(isnan(m[1]) && isnan(m[3]) && isnan(m[5]));
  ASSERT_FAILS(NULL, cliv_csv_numbers(t, 1, m, 1, NULL), CLIV_DATA, "t.csv, line 2, column 'y': the value is missing");
  ASSERT_FAILS(NULL, cliv_csv_numbers(t, 2, m, 1, &missing), CLIV_FORMAT,
               "t.csv, line 2, column 'z': 'red' is not a number");
  ASSERT_FAILS(NULL, cliv_csv_numbers(t, 3, m, 1, &missing), CLIV_VALUE, "column 3 of a table of 3");
  ASSERT_FAILS(NULL, cliv_csv_numbers(NULL, 0, m, 1, &missing), CLIV_NULL, NULL);
  ASSERT_FAILS(NULL, cliv_csv_numbers(t, 0, NULL, 1, &missing), CLIV_NULL, NULL);
  assert_int_equal(cliv_csv_is_numeric(t, 0), 1);
  assert_int_equal(cliv_csv_is_numeric(t, 1), 1);
  assert_int_equal(cliv_csv_is_numeric(t, 2), 0);
  assert_int_equal(cliv_csv_is_numeric(t, 3), 0);
  assert_int_equal(cliv_csv_missing(t, 0, 1), 1);
  assert_int_equal(cliv_csv_missing(t, 0, 0), 0);
  assert_int_equal(cliv_csv_missing(t, 3, 2), 1);
  assert_int_equal(cliv_csv_missing(t, 4, 2), 0);
  cliv_csv_free(t);
}

static void cells_that_are_missing_or_no_number(void **state) {
  (void)state;
  static const char *const missing_texts[] = {"\"\"", "na",   "NA",   "Na",   "n/a",  "N/A",  "nan", "NaN",     "NAN",
                                              "-nan", "#N/A", "<NA>", "null", "NULL", "None", "?",   "\" NA \""};
  static const struct {
    const char *text, *part;
  } wrong[] = {
      {"inf", "'inf' is not a finite"},
      {"-Infinity", "'-Infinity' is not a finite"},
      {"1e999", "'1e999' is not a finite"},
      {"0x10", "'0x10' is not a number"},
      {"abc", "'abc' is not a number"},
      {"1.2.3", "'1.2.3' is not a number"},
      {"1e", "'1e' is not a number"},
      {"--1", "'--1' is not a number"},
      {"1 2", "'1 2' is not a number"},
      {".", "'.' is not a number"},
      {"1_000", "'1_000' is not a number"},
      {"nano", "'nano' is not a number"},
      {"\"1,5\"", "'1,5' is not a number"},
      {"nan(1)", "'nan(1)' is not a number"},
      {"12345678901234567890123456789012345678901234567890x", "'1234567890123456789012345678901234567890…' is not a"}};
  char text[200];
  double x[1];
  for (size_t i = 0; i < sizeof missing_texts / sizeof *missing_texts; i++) {
    size_t missing = 0;
    snprintf(text, sizeof text, "v\n%s\n", missing_texts[i]);
    cliv_csv *t = table_of(text);
    ASSERT_OK(NULL, cliv_csv_numbers(t, 0, x, 1, &missing));
    assert_int_equal(missing, 1);
    assert_true(isnan(x[0]));
    assert_int_equal(cliv_csv_is_numeric(t, 0), 0);
    cliv_csv_free(t);
  }
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    size_t missing;
    const int n = snprintf(text, sizeof text, "%s\n", wrong[i].text);
    cliv_csv *t;
    ASSERT_OK(NULL, parse_n(text, (size_t)n, &no_header, &t));
    ASSERT_FAILS(NULL, cliv_csv_numbers(t, 0, x, 1, &missing), CLIV_FORMAT, wrong[i].part);
    ASSERT_FAILS(NULL, cliv_csv_numbers(t, 0, x, 1, &missing), CLIV_FORMAT, "t.csv, line 1, column 0: ");
    assert_int_equal(cliv_csv_is_numeric(t, 0), 0);
    cliv_csv_free(t);
  }
}

static void classes(void **state) {
  (void)state;
  cliv_csv *t = table_of("t,n,m,e\nred,10,1,\nblue,9,x,NA\n,9.0,1,\nred,-1,01,\ngreen,NA,2,?\n");
  cliv_csv_classes k;
  static const int32_t texts[] = {2, 0, -1, 2, 1}, numbers[] = {2, 1, 1, 0, -1}, mixed[] = {1, 3, 1, 0, 2};
  ASSERT_OK(NULL, cliv_csv_classify(t, 0, &k));
  assert_int_equal(k.count, 3);
  assert_string_equal(k.names[0], "blue");
  assert_string_equal(k.names[1], "green");
  assert_string_equal(k.names[2], "red");
  ASSERT_BITS(k.codes, texts, sizeof texts);
  cliv_csv_classes_free(&k);
  assert_null(k.codes);
  cliv_csv_classes_free(&k);
  cliv_csv_classes_free(NULL);

  ASSERT_OK(NULL, cliv_csv_classify(t, 1, &k));
  assert_int_equal(k.count, 3);
  assert_string_equal(k.names[0], "-1");
  assert_string_equal(k.names[1], "9");
  assert_string_equal(k.names[2], "10");
  ASSERT_BITS(k.codes, numbers, sizeof numbers);
  cliv_csv_classes_free(&k);

  ASSERT_OK(NULL, cliv_csv_classify(t, 2, &k)); /* not all numbers: by bytes */
  assert_int_equal(k.count, 4);
  ASSERT_BITS(k.codes, mixed, sizeof mixed);
  cliv_csv_classes_free(&k);

  ASSERT_FAILS(NULL, cliv_csv_classify(t, 3, &k), CLIV_DATA, "column 'e': every value is missing");
  assert_null(k.codes);
  ASSERT_FAILS(NULL, cliv_csv_classify(t, 4, &k), CLIV_VALUE, NULL);
  cliv_csv_free(t);
}

/* A million numbers written with 17 digits come back bit by bit; so do hard cases of rounding. */
static void every_digit_counts(void **state) {
  (void)state;
  static const char *const hard[] = {
      "0.1",
      "9007199254740993",
      "9007199254740993e0",
      "1.7976931348623157e308",
      "5e-324",
      "2.2250738585072011e-308",
      "6.631236846766476e-316",
      "1e22",
      "1e23",
      "123456789012345678901234567890",
      "0.000000000000000000000000000000000000000000000001",
      "9007199254740992e-22",
      "8.5e22",
      "9007199254740991e22",
      "-0",
      "00000000000000000000000000000000000000001.5",
      ("3.1415926535897932384626433832795028841971693993751058209749445923078164062862089986280348253421170679"
       "8214808651328230664709384460955058223172535940812848111745028410270193852110555964462294895493038196442881"
       "0975665933446")};
  for (size_t i = 0; i < sizeof hard / sizeof *hard; i++) {
    double got, want = strtod(hard[i], NULL);
    assert_true(cliv__number(hard[i], strlen(hard[i]), &got));
    ASSERT_BITS(&got, &want, sizeof got);
  }
  const size_t n = test_small() ? 20000 : 300000;
  for (size_t i = 0; i < n; i++) {
    char text[64];
    double got, want;
    const uint64_t bits = test_bits(7, i);
    memcpy(&want, &bits, sizeof want);
    if (!isfinite(want)) continue;
    if (i % 2) want = ldexp((double)(int64_t)bits, (int)(bits % 60) - 60);
    const int length = snprintf(text, sizeof text, "%.*e", i % 3 ? 16 : (int)(i % 17), want);
    if (i % 3 == 0) want = strtod(text, NULL);
    assert_true(cliv__number(text, (size_t)length, &got));
    ASSERT_BITS(&got, &want, sizeof got);
  }
}

/* Under a locale whose point is a comma: one of the machine's, or one made here. Where neither can be had the test is
 * shown as skipped. */
static bool comma_locale(const char *dir) {
  static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "de_DE", NULL};
  for (int i = 0; names[i]; i++)
    if (setlocale(LC_ALL, names[i])) return true;
  char *command = test_alloc(strlen(dir) + 100);
  sprintf(command, "localedef -i de_DE -f UTF-8 '%s/de_DE.UTF-8' >/dev/null 2>&1", dir);
  const bool made = system(command) == 0 && setenv("LOCPATH", dir, 1) == 0 && setlocale(LC_ALL, "de_DE.UTF-8");
  free(command);
  return made;
}

static void locale_does_not_matter(void **state) {
  (void)state;
  char *dir = test_temp_dir();
  const bool there = comma_locale(dir);
  cliv_csv *t = table_of("x\n1.5\n1.23456789012345678901\n");
  double x[2];
  ASSERT_OK(NULL, cliv_csv_numbers(t, 0, x, 1, NULL));
  assert_true(x[0] == 1.5 && x[1] == 1.2345678901234567);
  if (there) assert_true(strtod("1,5", NULL) == 1.5);
  cliv_csv_free(t);
  setlocale(LC_ALL, "C");
  test_remove_tree(dir);
  free(dir);
  if (!there) skip();
}

static void wide_and_long(void **state) {
  (void)state;
  enum { COLUMNS = 300, ROWS = 700 };
  char *dir = test_temp_dir(), *path = test_join(dir, "wide.csv");
  FILE *f = fopen(path, "w");
  assert_non_null(f);
  for (int c = 0; c < COLUMNS; c++) fprintf(f, "%sc%d", c ? "," : "", c);
  for (int r = 0; r < ROWS; r++)
    for (int c = 0; c < COLUMNS; c++) fprintf(f, "%s%d", c ? "," : "\n", r * COLUMNS + c);
  assert_int_equal(fclose(f), 0);
  cliv_csv *t;
  ASSERT_OK(NULL, cliv_csv_read(path, NULL, &t));
  assert_int_equal(cliv_csv_rows(t), ROWS);
  assert_int_equal(cliv_csv_columns(t), COLUMNS);
  double x[ROWS];
  for (size_t c = 0; c < COLUMNS; c++) {
    ASSERT_OK(NULL, cliv_csv_numbers(t, c, x, 1, NULL));
    for (size_t r = 0; r < ROWS; r++) assert_true(x[r] == (double)(r * COLUMNS + c));
  }
  cliv_csv_free(t);
  test_remove_tree(dir);
  ASSERT_FAILS(NULL, cliv_csv_read(path, NULL, &t), CLIV_FILE, "wide.csv': No such file");
  assert_null(t);
  ASSERT_FAILS(NULL, cliv_csv_read(NULL, NULL, &t), CLIV_NULL, NULL);
  cliv_csv_free(NULL);
  free(path);
  free(dir);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(texts_and_their_cells),
      cmocka_unit_test(names_and_indices),
      cmocka_unit_test(delimiters),
      cmocka_unit_test(lines_are_physical),
      cmocka_unit_test(malformed),
      cmocka_unit_test(columns_of_numbers),
      cmocka_unit_test(cells_that_are_missing_or_no_number),
      cmocka_unit_test(classes),
      cmocka_unit_test(every_digit_counts),
      cmocka_unit_test(locale_does_not_matter),
      cmocka_unit_test(wide_and_long),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
