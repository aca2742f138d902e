/* cliv/csv.h: tables from text files.
 *
 * The file is read whole, its cells are found, and columns are then asked for one by one: as numbers, as classes, as
 * text.
 *
 *   cliv_csv *table;
 *   size_t age, species, missing;
 *   cliv_csv_read("people.csv", NULL, &table);
 *   cliv_csv_find(table, "age", &age);             // a name, or an index from 0
 *   double *x = malloc(cliv_csv_rows(table) * sizeof *x);
 *   cliv_csv_numbers(table, age, x, 1, &missing);  // missing cells are NaN; NULL for &missing: an error
 *   …
 *   cliv_csv_free(table);
 *
 * What is read: RFC 4180 in UTF-8, and what programs make of it. Lines end in LF, CR LF or CR. A byte order mark is
 * skipped. A cell in double quotes may hold delimiters, line ends and doubled quotes; a quote inside a cell that does
 * not begin with one is a character as any other. Blanks around a cell without quotes are dropped. Every row must
 * have as many cells as the first. Empty lines at the beginning and at the end are ignored; in between they are an
 * error, in a table of one column a missing cell.
 *
 * A cell is missing when it is empty or says, in letters of either case, na, n/a, nan, -nan, #n/a, <na>, null, none
 * or ?. Numbers are decimal (12, -0.5, 1e-3, .5), with a point whatever the locale, and correctly rounded;
 * hexadecimal, infinities and numbers beyond float64 are errors.
 *
 * Rows are counted from 0, without the header; a sentence names the physical line of the file in which the row
 * begins. No call takes a context: the sentence of a failure is cliv_last_error(NULL). A table is not changed by
 * reading from it, so threads may share it.
 */
#ifndef CLIV_CSV_H
#define CLIV_CSV_H

#include <cliv/status.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cliv_csv cliv_csv;

typedef struct cliv_csv_options {
  size_t size;    /* sizeof(cliv_csv_options) of the caller; 0: this version's */
  char delimiter; /* 0: a comma; if the first line has none, a semicolon; if it has none either, a tab */
  int no_header;  /* 1: the first line is data; the columns are then named "0", "1", … */
} cliv_csv_options;

/* Blocks. options may be NULL. Fails with FILE, FORMAT (no data, rows of different length, a quote that is not
 * closed, a NUL byte, UTF-16), VALUE (a delimiter that cannot be one), HOST_MEMORY. */
CLIV_API cliv_status cliv_csv_read(const char *path, const cliv_csv_options *options, cliv_csv **out) CLIV_MUST_CHECK;
/* NULL does nothing. */
CLIV_API void cliv_csv_free(cliv_csv *table);

CLIV_API const char *cliv_csv_path(const cliv_csv *table);
CLIV_API size_t cliv_csv_rows(const cliv_csv *table); /* at least 1 */
CLIV_API size_t cliv_csv_columns(const cliv_csv *table);
CLIV_API const char *cliv_csv_name(const cliv_csv *table, size_t column);             /* "" past the last column */
CLIV_API const char *cliv_csv_text(const cliv_csv *table, size_t row, size_t column); /* "" outside of the table */
CLIV_API size_t cliv_csv_line(const cliv_csv *table, size_t row); /* physical line, from 1; 0 past the last row */
CLIV_API int cliv_csv_missing(const cliv_csv *table, size_t row, size_t column); /* 1: the cell is missing */

/* The column of that name, or, where no column has it, of that index from 0 ("3"). NAME when there is none (the
 * sentence lists the columns) or when two have the name. */
CLIV_API cliv_status cliv_csv_find(const cliv_csv *table, const char *name, size_t *column) CLIV_MUST_CHECK;

/* 1 when every cell that is not missing is a number, and there is one at least. */
CLIV_API int cliv_csv_is_numeric(const cliv_csv *table, size_t column);

/* The column as numbers: row i goes to values[i * stride], so that a matrix can be filled column by column. Missing
 * cells become NaN and are counted in *missing; with missing = NULL the first of them is an error (DATA). Text that
 * is no number: FORMAT. On failure `values` may be partly written. */
CLIV_API cliv_status cliv_csv_numbers(const cliv_csv *table, size_t column, double *values, size_t stride,
                                      size_t *missing) CLIV_MUST_CHECK;

/* The different values of a column, in order: by value when all are numbers (then 1 and 1.0 are the same class), else
 * by bytes. */
typedef struct cliv_csv_classes {
  size_t count;
  const char **names; /* count texts, as first found in the file; they live in the table */
  int32_t *codes;     /* one a row: the class of its cell, -1 where it is missing */
} cliv_csv_classes;

/* Sets *out, to be freed by cliv_csv_classes_free before the table. DATA when the column has no value at all. */
CLIV_API cliv_status cliv_csv_classify(const cliv_csv *table, size_t column, cliv_csv_classes *out) CLIV_MUST_CHECK;
/* Frees the two arrays and zeroes the struct. */
CLIV_API void cliv_csv_classes_free(cliv_csv_classes *classes);

#ifdef __cplusplus
}
#endif
#endif
