/* Tables from text: one pass over one buffer, in which cells are unquoted and ended by a 0 where they lie. */
#include "base/csv.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/number.h"
#include "base/options.h"
#include "base/status.h"
#include "base/text.h"

typedef struct row {
  size_t start; /* of its first cell's line, in the text */
  size_t line;
} row;

struct cliv_csv {
  char *path, *text;
  row *rows;       /* the header's first, where there is one */
  uint32_t *cells; /* from the row's start; columns of them a row */
  size_t row_count, row_room, cell_count, cell_room, columns;
  size_t header;  /* 1: the first row is it */
  char *numbered; /* names "0", "1", … where there is no header, NUMBERED_ROOM bytes each */
};
enum { NUMBERED_ROOM = 24 };

/* ---- reading ---- */

typedef struct parser {
  cliv_csv *table;
  char *p, *end; /* *end is 0 */
  size_t line;
  char delimiter;
} parser;

static cliv_status out_of_memory(const char *path) {
  return cliv__fail(NULL, CLIV_HOST_MEMORY, "%s: out of memory", cliv__shown(path));
}

static bool is_blank(char c) { return c == ' ' || c == '\t'; }
static bool is_break(char c) { return c == '\n' || c == '\r'; }

static void skip_blanks(parser *s) {
  while (is_blank(*s->p) && *s->p != s->delimiter) s->p++;
}

/* Over one LF, CR LF or CR. */
static void skip_break(parser *s) {
  if (*s->p == '\r' && s->p[1] == '\n') s->p++;
  s->p++;
  s->line++;
}

static cliv_status add_row(parser *s) {
  cliv_csv *t = s->table;
  if (t->row_count == t->row_room) {
    const size_t room = t->row_room ? 2 * t->row_room : 256;
    row *rows = realloc(t->rows, room * sizeof *rows);
    if (!rows) return out_of_memory(t->path);
    t->rows = rows;
    t->row_room = room;
  }
  t->rows[t->row_count++] = (row){(size_t)(s->p - t->text), s->line};
  return CLIV_OK;
}

static cliv_status add_cell(cliv_csv *t, const char *cell) {
  const row *r = &t->rows[t->row_count - 1];
  const size_t offset = (size_t)(cell - t->text) - r->start;
  REQUIRE(NULL, offset <= UINT32_MAX, FORMAT, "%s, line %zu: the row is longer than 4 GiB", cliv__shown(t->path),
          r->line);
  if (t->cell_count == t->cell_room) {
    const size_t room = t->cell_room ? 2 * t->cell_room : 1024;
    uint32_t *cells = realloc(t->cells, room * sizeof *cells);
    if (!cells) return out_of_memory(t->path);
    t->cells = cells;
    t->cell_room = room;
  }
  t->cells[t->cell_count++] = (uint32_t)offset;
  return CLIV_OK;
}

/* A cell in quotes, s->p on the opening one. Afterwards s->p is where a delimiter or the row's end must be. */
static cliv_status take_quoted(parser *s, char **cell) {
  const size_t opened = s->line;
  char *to = ++s->p;
  *cell = to;
  for (;; s->p++) {
    REQUIRE(NULL, s->p < s->end, FORMAT, "%s, line %zu: a quote is opened here and never closed",
            cliv__shown(s->table->path), opened);
    if (*s->p == '"' && *++s->p != '"') break;
    if (*s->p == '\n' || (*s->p == '\r' && s->p[1] != '\n')) s->line++;
    *to++ = *s->p;
  }
  *to = 0; /* at the closing quote, or before it */
  skip_blanks(s);
  REQUIRE(NULL, s->p == s->end || *s->p == s->delimiter || is_break(*s->p), FORMAT,
          "%s, line %zu: text behind a closing quote: a quote within a quoted cell is written twice",
          cliv__shown(s->table->path), s->line);
  return CLIV_OK;
}

static char *take_plain(parser *s) {
  char *cell = s->p;
  while (s->p < s->end && *s->p != s->delimiter && !is_break(*s->p)) s->p++;
  return cell;
}

/* The row at s->p, its line end included. */
static cliv_status take_row(parser *s) {
  TRY(add_row(s));
  for (;;) {
    skip_blanks(s);
    char *cell, *cell_end = NULL;
    if (*s->p == '"') {
      TRY(take_quoted(s, &cell));
    } else {
      cell = take_plain(s);
      for (cell_end = s->p; cell_end > cell && is_blank(cell_end[-1]);) cell_end--;
    }
    TRY(add_cell(s->table, cell));
    const char after = s->p < s->end ? *s->p : 0;
    char *const mark = s->p;
    if (after == s->delimiter) s->p++;
    else if (after) skip_break(s);
    *(cell_end ? cell_end : mark) = 0;
    if (after != s->delimiter) return CLIV_OK;
  }
}

/* 1 and past the line when it is empty. A table of one column takes it for a missing cell. */
static cliv_status take_blank(parser *s, bool *blank) {
  char *begin = s->p;
  skip_blanks(s);
  *blank = s->p == s->end || is_break(*s->p);
  char *const after = s->p;
  s->p = begin;
  if (!*blank) return CLIV_OK;
  if (s->table->columns == 1) {
    TRY(add_row(s));
    TRY(add_cell(s->table, begin));
  }
  s->p = after;
  if (s->p < s->end) skip_break(s);
  *begin = 0;
  return CLIV_OK;
}

static cliv_status take_rows(parser *s) {
  cliv_csv *t = s->table;
  size_t empty_line = 0, trailing = 0;
  while (s->p < s->end) {
    const size_t line = s->line, cells_before = t->cell_count;
    bool blank;
    TRY(take_blank(s, &blank));
    if (blank) {
      if (t->columns > 0 && trailing++ == 0) empty_line = line;
      continue;
    }
    REQUIRE(NULL, trailing == 0 || t->columns == 1, FORMAT, "%s, line %zu: an empty line between the rows",
            cliv__shown(t->path), empty_line);
    trailing = 0;
    TRY(take_row(s));
    const size_t found = t->cell_count - cells_before;
    if (t->columns == 0) t->columns = found;
    REQUIRE(NULL, found == t->columns, FORMAT, "%s, line %zu: %zu cells found, %zu expected as in line %zu",
            cliv__shown(t->path), line, found, t->columns, t->rows[0].line);
  }
  if (t->columns == 1) t->row_count -= trailing;
  return CLIV_OK;
}

/* The delimiter of a file whose first line this is: the first of , ; and tab that it has outside of quotes. */
static char guess_delimiter(const char *p) {
  bool quoted = false, semicolon = false, tab = false;
  for (; *p && (quoted || !is_break(*p)); p++) {
    if (*p == '"') quoted = !quoted;
    if (quoted) continue;
    if (*p == ',') return ',';
    semicolon |= *p == ';';
    tab |= *p == '\t';
  }
  return semicolon ? ';' : tab ? '\t' : ',';
}

static cliv_status check_text(const char *path, const char *text, size_t n) {
  const char *nul = memchr(text, 0, n);
  const unsigned char first = n > 1 ? (unsigned char)text[0] : 0, second = n > 1 ? (unsigned char)text[1] : 0;
  REQUIRE(NULL, !(first == 0xff && second == 0xfe) && !(first == 0xfe && second == 0xff), FORMAT,
          "%s: is in UTF-16: save it as UTF-8", cliv__shown(path));
  if (!nul) return CLIV_OK;
  size_t line = 1;
  for (const char *p = text; p < nul; p++) line += *p == '\n' || (*p == '\r' && p[1] != '\n');
  return cliv__fail(NULL, CLIV_FORMAT, "%s, line %zu: a NUL byte: this is no text in UTF-8", cliv__shown(path), line);
}

static cliv_status number_columns(cliv_csv *t) {
  if (t->header) return CLIV_OK;
  t->numbered = malloc(t->columns * NUMBERED_ROOM);
  if (!t->numbered) return out_of_memory(t->path);
  for (size_t c = 0; c < t->columns; c++) snprintf(t->numbered + c * NUMBERED_ROOM, NUMBERED_ROOM, "%zu", c);
  return CLIV_OK;
}

static cliv_status fill_table(cliv_csv *t, size_t n, const cliv_csv_options *options) {
  TRY(check_text(t->path, t->text, n));
  parser s = {.table = t, .p = t->text, .end = t->text + n, .line = 1};
  if (n >= 3 && memcmp(t->text, "\xef\xbb\xbf", 3) == 0) s.p += 3;
  while (s.p < s.end &&
         (is_blank(*s.p) || is_break(*s.p))) { /* lines before the first row; blanks of its own are put back */
    char *begin = s.p;
    while (is_blank(*s.p)) s.p++;
    if (is_break(*s.p)) {
      skip_break(&s);
    } else {
      if (s.p < s.end) s.p = begin;
      break;
    }
  }
  s.delimiter = options->delimiter ? options->delimiter : guess_delimiter(s.p);
  t->header = !options->no_header;
  TRY(take_rows(&s));
  REQUIRE(NULL, t->row_count > 0, FORMAT, "%s: is empty", cliv__shown(t->path));
  REQUIRE(NULL, t->row_count > t->header, FORMAT, "%s: has a header line and no rows below it", cliv__shown(t->path));
  return number_columns(t);
}

/* Takes `text` over, whatever comes out; text[n] is 0. */
static cliv_status make_table(char *text, size_t n, const char *path, const cliv_csv_options *options, cliv_csv **out) {
  cliv_csv *t = calloc(1, sizeof *t);
  if (!t) {
    free(text);
    return out_of_memory(path);
  }
  t->text = text;
  t->path = strdup(path);
  const cliv_status status = t->path ? fill_table(t, n, options) : out_of_memory(path);
  if (status) cliv_csv_free(t);
  else *out = t;
  return status;
}

static cliv_status take_options(const cliv_csv_options *options, cliv_csv_options *checked) {
  TRY(OPTIONS(NULL, options, checked));
  const char d = checked->delimiter;
  REQUIRE(NULL, d != '"' && !is_break(d), VALUE, "a quote or a line end cannot be the delimiter of a table");
  return CLIV_OK;
}

cliv_status cliv_csv_read(const char *path, const cliv_csv_options *options, cliv_csv **out) {
  REQUIRE_NOT_NULL(NULL, out);
  *out = NULL;
  REQUIRE_NOT_NULL(NULL, path);
  cliv_csv_options checked;
  TRY(take_options(options, &checked));
  unsigned char *text;
  size_t n;
  TRY(cliv__file_read(path, SIZE_MAX, &text, &n));
  return make_table((char *)text, n, path, &checked, out);
}

cliv_status cliv__csv_parse(const void *bytes, size_t n, const char *name, const cliv_csv_options *options,
                            cliv_csv **out) {
  *out = NULL;
  cliv_csv_options checked;
  TRY(take_options(options, &checked));
  char *text = malloc(n + 1);
  if (!text) return out_of_memory(name);
  if (n > 0) memcpy(text, bytes, n);
  text[n] = 0;
  return make_table(text, n, name, &checked, out);
}

void cliv_csv_free(cliv_csv *t) {
  if (!t) return;
  free(t->path);
  free(t->text);
  free(t->rows);
  free(t->cells);
  free(t->numbered);
  free(t);
}

/* ---- asking ---- */

static const char *cell_at(const cliv_csv *t, size_t r, size_t c) {
  return t->text + t->rows[r].start + t->cells[r * t->columns + c];
}

const char *cliv_csv_path(const cliv_csv *t) { return t->path; }
size_t cliv_csv_rows(const cliv_csv *t) { return t->row_count - t->header; }
size_t cliv_csv_columns(const cliv_csv *t) { return t->columns; }
size_t cliv_csv_line(const cliv_csv *t, size_t r) { return r < cliv_csv_rows(t) ? t->rows[r + t->header].line : 0; }

const char *cliv_csv_name(const cliv_csv *t, size_t c) {
  if (c >= t->columns) return "";
  return t->header ? cell_at(t, 0, c) : t->numbered + c * NUMBERED_ROOM;
}

const char *cliv_csv_text(const cliv_csv *t, size_t r, size_t c) {
  return r < cliv_csv_rows(t) && c < t->columns ? cell_at(t, r + t->header, c) : "";
}

static bool same_in_either_case(const char *text, size_t n, const char *lower) {
  for (size_t i = 0; i < n; i++) {
    const char c = text[i] >= 'A' && text[i] <= 'Z' ? (char)(text[i] + 32) : text[i];
    if (c != lower[i]) return false; /* also where lower ends */
  }
  return lower[n] == 0;
}

static bool says_one_of(const char *text, const char *const *words) {
  size_t n = strlen(text);
  while (n > 0 && is_blank(*text)) text++, n--;
  while (n > 0 && is_blank(text[n - 1])) n--;
  for (; *words; words++)
    if (same_in_either_case(text, n, *words)) return true;
  return false;
}

static bool is_missing(const char *text) {
  static const char *const words[] = {"", "na", "n/a", "nan", "-nan", "#n/a", "<na>", "null", "none", "?", NULL};
  /* Most cells are numbers and need no second look. */
  if ((text[0] >= '0' && text[0] <= '9') || strlen(text) > 64) return false;
  return says_one_of(text, words);
}

static bool is_infinite(const char *text) {
  static const char *const words[] = {"inf", "-inf", "+inf", "infinity", "-infinity", "+infinity", NULL};
  return says_one_of(text, words);
}

int cliv_csv_missing(const cliv_csv *t, size_t r, size_t c) {
  return r < cliv_csv_rows(t) && c < t->columns && is_missing(cliv_csv_text(t, r, c));
}

static bool parse_number(const char *text, double *out) {
  return cliv__number(text, strlen(text), out) && isfinite(*out);
}

int cliv_csv_is_numeric(const cliv_csv *t, size_t c) {
  bool any = false;
  for (size_t r = 0; r < cliv_csv_rows(t); r++) {
    const char *text = cliv_csv_text(t, r, c);
    double x;
    if (is_missing(text)) continue;
    if (!parse_number(text, &x)) return 0;
    any = true;
  }
  return any;
}

static cliv_status no_such_column(const cliv_csv *t, const char *name) {
  char list[256];
  const char *close = "";
  size_t n = 0, c = 0, least = 0;
  for (size_t k = 0; k < t->columns; k++)
    if (cliv__closer(name, cliv_csv_name(t, k), &least)) close = cliv_csv_name(t, k);
  for (; c < t->columns && n < 160; c++)
    n += (size_t)snprintf(list + n, sizeof list - n, "%s%.60s", c ? ", " : "", cliv_csv_name(t, c));
  return cliv__fail(NULL, CLIV_NAME, "%s: no column '%.60s'%s%.60s%s: there %s %zu, %s%s", cliv__shown(t->path), name,
                    *close ? " (did you mean " : "", close, *close ? "?)" : "", t->columns == 1 ? "is" : "are",
                    t->columns, list, c < t->columns ? ", …" : "");
}

cliv_status cliv_csv_find(const cliv_csv *t, const char *name, size_t *column) {
  REQUIRE_NOT_NULL(NULL, t);
  REQUIRE_NOT_NULL(NULL, name);
  REQUIRE_NOT_NULL(NULL, column);
  size_t found = t->columns;
  for (size_t c = 0; c < t->columns; c++) {
    if (strcmp(cliv_csv_name(t, c), name) != 0) continue;
    REQUIRE(NULL, found == t->columns, NAME, "%s: columns %zu and %zu are both named '%.60s': use the index",
            cliv__shown(t->path), found, c, name);
    found = c;
  }
  const size_t digits = strspn(name, "0123456789");
  if (found == t->columns && digits > 0 && digits < 19 && !name[digits]) found = (size_t)strtoull(name, NULL, 10);
  if (found >= t->columns) return no_such_column(t, name);
  *column = found;
  return CLIV_OK;
}

static cliv_status check_column(const cliv_csv *t, size_t c) {
  REQUIRE(NULL, c < t->columns, VALUE, "%s: column %zu of a table of %zu", cliv__shown(t->path), c, t->columns);
  return CLIV_OK;
}

/* `what` is wrong with a cell. */
static cliv_status cell_fault(const cliv_csv *t, size_t r, size_t c, cliv_status status, const char *what) {
  const char *text = cliv_csv_text(t, r, c), *mark = t->header ? "'" : "";
  const bool shown = status == CLIV_FORMAT, cut = strlen(text) > 40;
  return cliv__fail(NULL, status, "%s, line %zu, column %s%.60s%s: %s%.40s%s%s", cliv__shown(t->path),
                    cliv_csv_line(t, r), mark, cliv_csv_name(t, c), mark, shown ? "'" : "", shown ? text : "",
                    shown ? (cut ? "…' " : "' ") : "", what);
}

cliv_status cliv_csv_numbers(const cliv_csv *t, size_t c, double *values, size_t stride, size_t *missing) {
  REQUIRE_NOT_NULL(NULL, t);
  REQUIRE_NOT_NULL(NULL, values);
  TRY(check_column(t, c));
  if (missing) *missing = 0;
  for (size_t r = 0; r < cliv_csv_rows(t); r++) {
    const char *text = cliv_csv_text(t, r, c);
    double *x = &values[r * stride];
    if (is_missing(text)) {
      if (!missing) return cell_fault(t, r, c, CLIV_DATA, "the value is missing");
      *x = (double)NAN;
      ++*missing;
    } else if (!parse_number(text, x)) {
      double huge;
      const bool infinite = is_infinite(text) || cliv__number(text, strlen(text), &huge);
      return cell_fault(t, r, c, CLIV_FORMAT, infinite ? "is not a finite number" : "is not a number");
    }
  }
  return CLIV_OK;
}

/* ---- classes ---- */

typedef struct entry {
  double number; /* 0 where texts are compared */
  const char *text;
  size_t row;
} entry;

static int compare_values(const entry *a, const entry *b) {
  if (a->number != b->number) return a->number < b->number ? -1 : 1;
  return 0;
}

static int by_number(const void *x, const void *y) {
  const entry *a = x, *b = y;
  const int order = compare_values(a, b);
  return order ? order : a->row < b->row ? -1 : a->row > b->row;
}

static int by_text(const void *x, const void *y) {
  const entry *a = x, *b = y;
  const int order = strcmp(a->text, b->text);
  return order ? order : a->row < b->row ? -1 : a->row > b->row;
}

/* The cells that are not missing, sorted; equal ones are neighbours, the first in the file in front. */
static size_t sorted_entries(const cliv_csv *t, size_t c, bool numeric, entry *entries) {
  size_t n = 0;
  for (size_t r = 0; r < cliv_csv_rows(t); r++) {
    const char *text = cliv_csv_text(t, r, c);
    if (is_missing(text)) continue;
    entries[n] = (entry){0, text, r};
    if (numeric) (void)parse_number(text, &entries[n].number);
    n++;
  }
  qsort(entries, n, sizeof *entries, numeric ? by_number : by_text);
  return n;
}

static bool same_class(const entry *a, const entry *b, bool numeric) {
  return numeric ? compare_values(a, b) == 0 : strcmp(a->text, b->text) == 0;
}

static void fill_classes(const entry *entries, size_t n, bool numeric, cliv_csv_classes *out) {
  for (size_t i = 0; i < n; i++) {
    if (i == 0 || !same_class(&entries[i - 1], &entries[i], numeric)) out->names[out->count++] = entries[i].text;
    out->codes[entries[i].row] = (int32_t)(out->count - 1);
  }
}

cliv_status cliv_csv_classify(const cliv_csv *t, size_t c, cliv_csv_classes *out) {
  REQUIRE_NOT_NULL(NULL, t);
  REQUIRE_NOT_NULL(NULL, out);
  *out = (cliv_csv_classes){0};
  TRY(check_column(t, c));
  const size_t rows = cliv_csv_rows(t);
  REQUIRE(NULL, rows <= INT32_MAX, VALUE, "%s: %zu rows are too many to classify", cliv__shown(t->path), rows);
  const bool numeric = cliv_csv_is_numeric(t, c);
  entry *entries = malloc(rows * sizeof *entries);
  cliv_csv_classes classes = {0, malloc(rows * sizeof *classes.names), malloc(rows * sizeof *classes.codes)};
  cliv_status status = CLIV_OK;
  if (!entries || !classes.names || !classes.codes) {
    status = out_of_memory(t->path);
  } else {
    for (size_t r = 0; r < rows; r++) classes.codes[r] = -1;
    fill_classes(entries, sorted_entries(t, c, numeric, entries), numeric, &classes);
    if (classes.count == 0)
      status = cliv__fail(NULL, CLIV_DATA, "%s, column '%.60s': every value is missing", cliv__shown(t->path),
                          cliv_csv_name(t, c));
  }
  free(entries);
  if (status) cliv_csv_classes_free(&classes);
  else *out = classes;
  return status;
}

void cliv_csv_classes_free(cliv_csv_classes *classes) {
  if (!classes) return;
  free(classes->names);
  free(classes->codes);
  *classes = (cliv_csv_classes){0};
}
