/* The selector grammar of cliv/device.h: text -> terms -> the device that satisfies them all, and the sentences for
 * people. */
#include <cliv/device.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "runtime/device.h"
#include "runtime/match.h"

enum { MAX_TERMS = 32, ANY = -1, MAX_NAMED = 16 /* devices in a sentence */ };

typedef enum term_kind { AUTO, KIND, VENDOR, INDEX, TEXT, UUID, ABILITY, NUMBER } term_kind;

/* Words with a bit of the device type behind them. */
static const struct {
  const char *word;
  cl_device_type type;
} kinds[] = {{"cpu", CL_DEVICE_TYPE_CPU}, {"gpu", CL_DEVICE_TYPE_GPU}, {"accelerator", CL_DEVICE_TYPE_ACCELERATOR}};

/* Words that hold where a member of cliv_device_info is not 0. */
static const struct {
  const char *word;
  size_t offset;
} abilities[] = {{"fp64", offsetof(cliv_device_info, fp64)},
                 {"fp16", offsetof(cliv_device_info, fp16)},
                 {"subgroups", offsetof(cliv_device_info, subgroups)}};

static double memory_of(const cliv_device_info *info) { return (double)info->global_memory; }
static double units_of(const cliv_device_info *info) { return (double)info->compute_units; }

/* Words that are compared with a number. */
static const struct {
  const char *word, *noun;
  double (*of)(const cliv_device_info *);
} numbers[] = {{"mem", "memory", memory_of}, {"cu", "compute units", units_of}};

/* Longer operators first, so that ">=" is not read as ">". */
static const char *const operators[] = {">=", "<=", ">", "<", "="};
enum { AT_LEAST, AT_MOST, MORE, LESS, EQUAL };

#define COUNT(array) ((int)(sizeof(array) / sizeof *(array)))

typedef struct term {
  term_kind kind;
  int negated;
  int row;          /* in the table of the kind */
  int ordinal;      /* n of ":n"; ANY without */
  size_t index;     /* INDEX */
  const char *text; /* the term as written, with its "!" */
  size_t length;
  const char *body; /* TEXT: within the quotes */
  size_t body_length;
  unsigned char digits[32]; /* UUID: one hexadecimal digit each */
  size_t digit_count;
  int compare; /* NUMBER: index into operators */
  double value;
} term;

typedef struct selector {
  const char *text;
  term terms[MAX_TERMS];
  size_t count;
} selector;

/* Parsing */

static cliv_status expected(const selector *s, const char *at, const char *what) {
  const char *here = *at ? at : "the end";
  return cliv__fail(NULL, CLIV_SELECTOR, "device selector '%s', position %zu (at %s%s%s): expected %s", s->text,
                    (size_t)(at - s->text) + 1, *at ? "'" : "", here, *at ? "'" : "", what);
}

static const char *skip(const char *at) {
  while (*at == ' ' || *at == '\t') at++;
  return at;
}

static const char *word_end(const char *at) {
  while (cliv__is_word(*at)) at++;
  return at;
}

static int hex_digit(char c) {
  if (cliv__is_digit(c)) return c - '0';
  const char l = cliv__lower(c);
  return l >= 'a' && l <= 'f' ? l - 'a' + 10 : -1;
}

/* A decimal number without sign, small enough for an index. */
static const char *parse_count(const char *at, size_t *out) {
  size_t value = 0;
  const char *end = at;
  for (; cliv__is_digit(*end) && value < 1000000; end++) value = value * 10 + (size_t)(*end - '0');
  *out = value;
  return cliv__is_digit(*end) || end == at ? NULL : end;
}

/* "8", "1.5G", "512MiB", independent of the locale. NULL where it is no number. */
static const char *parse_amount(const char *at, double *out) {
  double value = 0, place = 1;
  const char *start = at;
  for (; cliv__is_digit(*at); at++) value = value * 10 + (*at - '0');
  if (at == start) return NULL;
  if (*at == '.')
    for (at++; cliv__is_digit(*at); at++) value += (place /= 10) * (*at - '0');
  static const char suffixes[] = "kmgt";
  const char *suffix = *at ? strchr(suffixes, cliv__lower(*at)) : NULL;
  if (suffix) {
    value = ldexp(value, 10 * (int)(suffix - suffixes + 1));
    at++;
    if (cliv__lower(*at) == 'i' && cliv__lower(at[1]) == 'b') at++;
    if (cliv__lower(*at) == 'b') at++;
  }
  *out = value;
  return cliv__is_word(*at) || !isfinite(value) ? NULL : at;
}

static cliv_status parse_index(const selector *s, term *t, const char **at) {
  t->kind = INDEX;
  const char *end = parse_count(*at + 1, &t->index);
  if (!end || cliv__is_word(*end)) return expected(s, *at + 1, "the number of a device in the list, as in #0");
  *at = end;
  return CLIV_OK;
}

static cliv_status parse_text(const selector *s, term *t, const char **at) {
  t->kind = TEXT;
  t->body = *at + 1;
  const char *end = strchr(t->body, '"');
  if (!end) return expected(s, s->text + strlen(s->text), "the closing \"");
  t->body_length = (size_t)(end - t->body);
  if (t->body_length == 0) return expected(s, t->body, "some text within the quotes");
  *at = end + 1;
  return CLIV_OK;
}

static cliv_status parse_uuid(const selector *s, term *t, const char **at) {
  t->kind = UUID;
  const char *p = *at + 5;
  if (cliv__equal(p, "gpu-", 4)) p += 4; /* as nvidia-smi writes it */
  for (; hex_digit(*p) >= 0 || *p == '-'; p++) {
    if (*p == '-') continue;
    if (t->digit_count == sizeof t->digits) return expected(s, p, "at most 32 hexadecimal digits");
    t->digits[t->digit_count++] = (unsigned char)hex_digit(*p);
  }
  if (t->digit_count == 0 || cliv__is_word(*p)) return expected(s, p, "hexadecimal digits");
  *at = p;
  return CLIV_OK;
}

static cliv_status parse_number(const selector *s, term *t, const char **at) {
  t->kind = NUMBER;
  for (t->compare = 0; t->compare < COUNT(operators); t->compare++)
    if (strncmp(*at, operators[t->compare], strlen(operators[t->compare])) == 0) break;
  if (t->compare == COUNT(operators))
    return expected(s, *at, ">=, >, <=, < or = and a number, as in mem>=8G or cu>=16");
  const char *number = skip(*at + strlen(operators[t->compare]));
  const char *end = parse_amount(number, &t->value);
  if (!end) return expected(s, number, "a number, with K, M, G or T after it where wanted");
  *at = end;
  return CLIV_OK;
}

static int find_word(const char *word, size_t length, const void *table, int rows, size_t stride) {
  for (int i = 0; i < rows; i++) {
    const char *const *row = (const char *const *)(const void *)((const char *)table + (size_t)i * stride);
    if (strlen(*row) == length && cliv__equal(word, *row, length)) return i;
  }
  return -1;
}
#define FIND(table, word, length) find_word((word), (length), (table), COUNT(table), sizeof *(table))

static cliv_status parse_ordinal(const selector *s, term *t, const char **at) {
  if (**at != ':') return CLIV_OK;
  if (t->negated) return expected(s, *at, "no number after a term with '!'");
  for (size_t i = 0; i < s->count; i++)
    if (s->terms[i].ordinal != ANY) return expected(s, *at, "only one term with a number, such as gpu:1");
  size_t n;
  const char *end = parse_count(*at + 1, &n);
  if (!end || cliv__is_word(*end)) return expected(s, *at + 1, "a number: 0 for the first match, 1 for the second");
  t->ordinal = (int)n;
  *at = end;
  return CLIV_OK;
}

static cliv_status parse_word(const selector *s, term *t, const char **at) {
  const char *word = *at;
  const size_t length = (size_t)(word_end(word) - word);
  *at = word + length;
  if (length == 4 && cliv__equal(word, "auto", 4)) {
    t->kind = AUTO;
    return t->negated ? expected(s, word, "something to exclude: '!auto' would leave no device") : CLIV_OK;
  }
  if ((t->row = FIND(numbers, word, length)) >= 0) {
    *at = skip(*at);
    return parse_number(s, t, at);
  }
  if ((t->row = FIND(abilities, word, length)) >= 0) {
    t->kind = ABILITY;
    return CLIV_OK;
  }
  t->kind = KIND;
  if ((t->row = FIND(kinds, word, length)) < 0) {
    t->kind = VENDOR;
    t->row = cliv__vendor_find(word, length);
  }
  if (t->row >= 0) return parse_ordinal(s, t, at);
  return expected(s, word,
                  "auto, cpu, gpu, accelerator, a vendor (amd, intel, nvidia, ...), #number, \"text\", uuid:..., fp64, "
                  "fp16, subgroups, mem>=8G or cu>=16, each with ! before it for the contrary");
}

static cliv_status parse_term(const selector *s, term *t, const char **at) {
  t->ordinal = ANY;
  t->text = *at;
  if (**at == '!') {
    t->negated = 1;
    *at = skip(*at + 1);
  }
  if (**at == '#') TRY(parse_index(s, t, at));
  else if (**at == '"') TRY(parse_text(s, t, at));
  else if (cliv__equal(*at, "uuid:", 5)) TRY(parse_uuid(s, t, at));
  else TRY(parse_word(s, t, at));
  t->length = (size_t)(*at - t->text);
  return CLIV_OK;
}

static cliv_status parse(const char *text, selector *s) {
  memset(s, 0, sizeof *s);
  s->text = text;
  const char *at = skip(text);
  if (!*at) return CLIV_OK; /* nothing asked: auto */
  for (;;) {
    if (s->count == MAX_TERMS) return expected(s, at, "at most 32 terms");
    TRY(parse_term(s, &s->terms[s->count], &at));
    s->count++;
    at = skip(at);
    if (!*at) return CLIV_OK;
    if (*at != ',') return expected(s, at, "a comma, or the end");
    at = skip(at + 1);
  }
}

/* Matching */

static int uuid_begins(const cliv_device_info *info, const term *t) {
  if (!info->has_uuid) return 0;
  for (size_t i = 0; i < t->digit_count; i++) {
    const unsigned digit = i % 2 ? info->uuid[i / 2] & 15u : (unsigned)info->uuid[i / 2] >> 4;
    if (digit != t->digits[i]) return 0;
  }
  return 1;
}

static int compares(double have, int compare, double want) {
  switch (compare) {
    case AT_LEAST: return have >= want;
    case AT_MOST: return have <= want;
    case MORE: return have > want;
    case LESS: return have < want;
    default: return have == want;
  }
}

static int is(const cliv_device_info *info, const term *t) {
  switch (t->kind) {
    case KIND: return (info->type & kinds[t->row].type) != 0;
    case VENDOR: return cliv__vendor_is(info, t->row);
    case INDEX: return info->index == t->index;
    case TEXT:
      return cliv__find(info->name, t->body, t->body_length) ||
             cliv__find(info->platform_name, t->body, t->body_length);
    case UUID: return uuid_begins(info, t);
    case ABILITY: return *(const int *)(const void *)((const char *)info + abilities[t->row].offset) != 0;
    case NUMBER: return compares(numbers[t->row].of(info), t->compare, t->value);
    default: return 1; /* AUTO */
  }
}

static int holds(const cliv_device_info *info, const term *t) { return is(info, t) != t->negated; }

/* Whether the selector asks for particular devices, so that even those best avoided may be taken. */
static int names_device(const selector *s) {
  for (size_t i = 0; i < s->count; i++) {
    const term *t = &s->terms[i];
    if (!t->negated && (t->kind == INDEX || t->kind == TEXT || t->kind == UUID || t->kind == VENDOR)) return 1;
  }
  return 0;
}

/* "12.2G", "512M": memory for people. */
static const char *amount(double bytes, char room[static 32]) {
  static const char suffixes[] = " KMGT";
  int i = 0;
  while (bytes >= 1024 && i < 4) {
    bytes /= 1024;
    i++;
  }
  snprintf(room, 32, i == 0 ? "%.0f" : "%.4g%c", bytes, suffixes[i]);
  return room;
}

/* Why the device is not taken, "" when it may be. */
static void objection(const selector *s, const cliv_device_info *info, char *to, size_t room) {
  char have[32];
  to[0] = 0;
  for (size_t i = 0; i < s->count; i++) {
    const term *t = &s->terms[i];
    if (holds(info, t)) continue;
    if (t->kind == NUMBER)
      snprintf(to, room, "has %s%s, not %.*s", t->row == 0 ? "" : "cu=", amount(numbers[t->row].of(info), have),
               (int)t->length, t->text);
    else snprintf(to, room, "is not %.*s", (int)t->length, t->text);
    return;
  }
  if (!info->usable) snprintf(to, room, "cannot be used: %s", info->unusable);
  else if (info->avoid && !names_device(s))
    snprintf(to, room, "is avoided unless named: %s", info->quirk_count ? info->quirks[0].reason : "a known fault");
}

/* Choosing */

static int better(const cliv_device_info *a, const cliv_device_info *b) {
  return a->score > b->score || (a->score == b->score && a->index < b->index);
}

typedef struct choice {
  size_t *ranked; /* matching devices, best first */
  size_t count;
  size_t physical; /* how many stand for a physical device of their own; these come first */
} choice;

/* The device through which the physical device of `info` is reached within the matches: same_as where that matches too.
 */
static int stands_alone(const cliv_device_list *list, const choice *c, const cliv_device_info *info) {
  for (size_t i = 0; i < c->count; i++) {
    const cliv_device_info *other = &list->infos[c->ranked[i]];
    if (other != info && other->same_as == info->same_as && better(other, info)) return 0;
  }
  return 1;
}

static void insert(const cliv_device_list *list, size_t *ranked, size_t count, size_t index) {
  size_t at = count;
  for (; at > 0 && better(&list->infos[index], &list->infos[ranked[at - 1]]); at--) ranked[at] = ranked[at - 1];
  ranked[at] = index;
}

static cliv_status collect(const cliv_device_list *list, const selector *s, choice *c) {
  c->ranked = malloc((list->count + 1) * 2 * sizeof *c->ranked);
  REQUIRE(NULL, c->ranked, HOST_MEMORY, "no memory to rank %zu devices", list->count);
  char why[512];
  for (size_t i = 0; i < list->count; i++) {
    objection(s, &list->infos[i], why, sizeof why);
    if (!why[0]) insert(list, c->ranked, c->count++, i);
  }
  size_t *sorted = c->ranked + list->count + 1, twins = c->count;
  for (size_t i = c->count; i-- > 0;)
    if (!stands_alone(list, c, &list->infos[c->ranked[i]])) sorted[--twins] = c->ranked[i];
  for (size_t i = 0; i < c->count; i++)
    if (stands_alone(list, c, &list->infos[c->ranked[i]])) sorted[c->physical++] = c->ranked[i];
  memcpy(c->ranked, sorted, c->count * sizeof *sorted);
  return CLIV_OK;
}

static size_t ordinal_of(const selector *s) {
  for (size_t i = 0; i < s->count; i++)
    if (s->terms[i].ordinal != ANY) return (size_t)s->terms[i].ordinal;
  return 0;
}

/* What there is to say about one device: "#1 NAME (PLATFORM) is not gpu". chosen: NULL where none was. */
static void describe(cliv__text *out, const selector *s, const cliv_device_info *info, const cliv_device_info *chosen) {
  char why[512];
  objection(s, info, why, sizeof why);
  cliv__text_add(out, "#%zu %s (%s) ", info->index, info->name, info->platform_name);
  if (why[0]) cliv__text_add(out, "%s", why);
  else if (chosen && info->same_as == chosen->same_as)
    cliv__text_add(out, "is the same physical device as #%zu, score %.0f", chosen->index, info->score);
  else cliv__text_add(out, "matches, score %.0f", info->score);
}

/* A line for the choice and a line for every other device. */
static void explain(cliv__text *out, const cliv_device_list *list, const selector *s, const choice *c, size_t chosen) {
  const cliv_device_info *winner = chosen < list->count ? &list->infos[chosen] : NULL;
  if (winner)
    cliv__text_add(out, "'%s' takes #%zu %s (%s), score %.0f: %s %zu that match.\n", s->text, chosen, winner->name,
                   winner->platform_name, winner->score, ordinal_of(s) ? "by its number among the" : "the best of the",
                   ordinal_of(s) ? c->physical : c->count);
  for (size_t i = 0; i < list->count; i++) {
    if (i == chosen) continue;
    describe(out, s, &list->infos[i], winner);
    cliv__text_add(out, ".\n");
  }
}

/* chosen: SIZE_MAX where none was. */
static void give(const cliv_device_list *list, const selector *s, const choice *c, size_t chosen, char *why,
                 size_t room) {
  if (!why || !room) return;
  cliv__text out = {0};
  explain(&out, list, s, c, chosen);
  if (out.length > 0) out.data[out.length - 1] = 0; /* the last line's end */
  char *text = cliv__text_take(&out);
  snprintf(why, room, "%s", text ? text : "");
  free(text);
}

static cliv_status fail_none(const cliv_device_list *list, const selector *s, const choice *c) {
  cliv__text out = {0};
  for (size_t i = 0; i < list->count && i < MAX_NAMED; i++) {
    cliv__text_add(&out, "%s", i ? "; " : "");
    describe(&out, s, &list->infos[i], NULL);
  }
  if (list->count > MAX_NAMED) cliv__text_add(&out, "; and %zu more", list->count - MAX_NAMED);
  for (size_t i = 0; i < list->warning_count; i++) cliv__text_add(&out, "; %s", list->warnings[i]);
  char *text = cliv__text_take(&out);
  cliv_status status;
  if (c->physical > 0)
    status =
        cliv__fail(NULL, CLIV_NO_DEVICE, "'%s' asks for match number %zu, counted from 0, and only %zu %s: %s", s->text,
                   ordinal_of(s), c->physical, c->physical == 1 ? "device matches" : "devices match", text ? text : "");
  else status = cliv__fail(NULL, CLIV_NO_DEVICE, "no device matches '%s': %s", s->text, text ? text : "");
  free(text);
  return status;
}

/* The packages, short enough that a warning about a broken driver still fits behind them. */
static const char packages[] =
    "Debian, Ubuntu: pocl-opencl-icd (any CPU), intel-opencl-icd (Intel GPU), mesa-opencl-icd (AMD GPU), "
    "nvidia-opencl-icd (NVIDIA GPU). Fedora: pocl, intel-compute-runtime, mesa-libOpenCL, xorg-x11-drv-nvidia-cuda";

static cliv_status fail_no_driver(const cliv_device_list *list) {
  cliv__text out = {0};
  for (size_t i = 0; i < list->warning_count; i++) cliv__text_add(&out, " %s", list->warnings[i]);
  char *text = cliv__text_take(&out);
  const char *warnings = text ? text : "";
  const cliv_status status =
      list->drivers ? cliv__fail(NULL, CLIV_NO_DRIVER,
                                 "none of the OpenCL drivers here shows a device: %s. For other hardware install its "
                                 "driver. %s.%s",
                                 list->drivers, packages, warnings)
                    : cliv__fail(NULL, CLIV_NO_DRIVER, "there is no OpenCL driver on this machine; install one. %s.%s",
                                 packages, warnings);
  free(text);
  return status;
}

cliv_status cliv_device_select(const cliv_device_list *list, const char *text, size_t *index, char *why,
                               size_t why_size) {
  REQUIRE_NOT_NULL(NULL, list);
  REQUIRE_NOT_NULL(NULL, index);
  if (!text) text = getenv("CLIV_DEVICE");
  if (!text || !*skip(text)) text = "auto";
  selector s;
  TRY(parse(text, &s));
  if (why && why_size) why[0] = 0;
  if (list->count == 0) return fail_no_driver(list);
  choice c = {0};
  TRY(collect(list, &s, &c));
  const size_t ordinal = ordinal_of(&s);
  cliv_status status = CLIV_OK;
  if (ordinal < c.physical) {
    *index = c.ranked[ordinal];
    give(list, &s, &c, *index, why, why_size);
  } else {
    status = fail_none(list, &s, &c);
    give(list, &s, &c, SIZE_MAX, why, why_size);
  }
  free(c.ranked);
  return status;
}
