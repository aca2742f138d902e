/* Internal side of cliv/csv.h: parsing from memory. */
#ifndef CLIV_BASE_CSV_H
#define CLIV_BASE_CSV_H

#include <cliv/csv.h>

/* cliv_csv_read of the n bytes at `bytes`, called `name` in sentences. */
cliv_status cliv__csv_parse(const void *bytes, size_t n, const char *name, const cliv_csv_options *options,
                            cliv_csv **out);

#endif
