/* Rows as text, as JSON and as Markdown. A measured row is a JSON object from the start; the others are made of it. */
#ifndef CLIV_BENCH_REPORT_H
#define CLIV_BENCH_REPORT_H

#include <jansson.h>
#include <stdio.h>

#include "bench.h"

enum { BENCH_MAX_SAMPLES = 400 };

/* Times of one side: seconds a run, one for each round. */
typedef struct bench_timing {
  double samples[BENCH_MAX_SAMPLES];
  size_t count, repeats;
} bench_timing;

/* The q-quantile of unsorted values, interpolated. */
double report_quantile(const double *values, size_t count, double q);

/* A row that was measured: sides are ours, the limit, others. */
json_t *report_row(const bench_row *row, const bench_side *sides, size_t count, const bench_timing *timings);
json_t *report_row_without_times(const char *operation, const char *size, const char *status, const char *why);

/* One line of text a row, below this heading. */
void report_text_heading(FILE *out);
void report_text(FILE *out, const json_t *row);
/* Only whether the row was right. */
void report_checked(FILE *out, const json_t *row);
/* What follows the rows: what missed its goal, and who is not in which row. */
void report_text_end(FILE *out, const json_t *all);

/* The whole as a section of a Markdown document. */
void report_markdown(FILE *out, const json_t *all);

#endif
