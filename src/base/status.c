/* Statuses as text, and the last error of a context or thread. */
#include "base/status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Thread_local cliv__error thread_error;

static const struct {
  cliv_status status;
  const char *name, *gloss;
} table[] = {
#define ROW(name, code, gloss) {CLIV_##name, #name, gloss},
    CLIV_STATUS_LIST(ROW)
#undef ROW
};

static size_t row_of(cliv_status status) {
  for (size_t i = 0; i < sizeof table / sizeof *table; i++)
    if (table[i].status == status) return i;
  return sizeof table / sizeof *table;
}

const char *cliv_status_name(cliv_status status) {
  const size_t row = row_of(status);
  return row < sizeof table / sizeof *table ? table[row].name : "?";
}

const char *cliv_status_gloss(cliv_status status) {
  const size_t row = row_of(status);
  return row < sizeof table / sizeof *table ? table[row].gloss : "not a status of this library";
}

static cliv__error *error_of(cliv_context *ctx) { return ctx ? (cliv__error *)(void *)ctx : &thread_error; }

const char *cliv_last_error(const cliv_context *ctx) {
  const cliv__error *error = ctx ? (const cliv__error *)(const void *)ctx : &thread_error;
  return error->text ? error->text : error->room;
}

void cliv__error_free(cliv__error *error) {
  free(error->text);
  error->text = NULL;
}

/* The thread's error never owns heap memory: nobody would free it at the thread's end. */
cliv_status cliv__vfail(cliv_context *ctx, cliv_status status, const char *format, va_list args) {
  cliv__error *error = error_of(ctx);
  char room[sizeof error->room], *text = NULL;
  va_list again;
  va_copy(again, args);
  const int needed = vsnprintf(room, sizeof room, format, args);
  if (ctx && needed >= (int)sizeof room && (text = malloc((size_t)needed + 1)) != NULL)
    vsnprintf(text, (size_t)needed + 1, format, again);
  va_end(again);
  cliv__error_free(error); /* after formatting: an argument may be the previous sentence */
  memcpy(error->room, room, sizeof room);
  error->text = text;
  return status;
}

cliv_status cliv__fail(cliv_context *ctx, cliv_status status, const char *format, ...) {
  va_list args;
  va_start(args, format);
  cliv__vfail(ctx, status, format, args);
  va_end(args);
  return status;
}

cliv__error cliv__error_hold(cliv_context *ctx) {
  cliv__error *error = error_of(ctx);
  const cliv__error held = *error;
  error->text = NULL;
  return held;
}

void cliv__error_restore(cliv_context *ctx, const cliv__error *held) {
  cliv__error *error = error_of(ctx);
  cliv__error_free(error);
  *error = *held;
}

cliv_status cliv__relay(cliv_context *ctx, cliv_status status) {
  return status && ctx ? cliv__fail(ctx, status, "%s", thread_error.room) : status;
}
