/* CLBlast's kernels: what they are judged by, what is known of them, and what lies beside a candidate. */
#ifdef CLIV_HAVE_CLBLAST

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "blas/tuning.h"

#define END SIZE_MAX

static size_t value(const cliv__parameters *p, const char *name) {
  for (size_t i = 0; i < p->count; i++)
    if (!strcmp(p->list[i].name, name)) return p->list[i].value;
  return 0;
}

static void set(cliv__parameters *p, const char *name, size_t to) {
  for (size_t i = 0; i < p->count; i++)
    if (!strcmp(p->list[i].name, name)) p->list[i].value = to;
}

static bool divides(size_t part, size_t whole) { return part > 0 && whole % part == 0; }

/* ---- what CLBlast demands of its parameters (its tuners' constraints) ---- */

static bool xgemm_possible(const cliv__parameters *p) {
  const size_t mwg = value(p, "MWG"), nwg = value(p, "NWG"), kwg = value(p, "KWG"), mdimc = value(p, "MDIMC"),
               ndimc = value(p, "NDIMC"), mdima = value(p, "MDIMA"), ndimb = value(p, "NDIMB"), vwm = value(p, "VWM"),
               vwn = value(p, "VWN"), items = mdimc * ndimc;
  if (!divides(mdimc * vwm, mwg) || !divides(ndimc * vwn, nwg) || !divides(mdima * vwm, mwg)) return false;
  if (!divides(ndimb * vwn, nwg) || !divides(value(p, "KWI"), kwg)) return false;
  if (value(p, "GEMMK") == 1) return mdima == mdimc && ndimb == ndimc && divides(vwn, value(p, "KREG"));
  return divides(mdima, items) && divides(ndimb, items) && divides(items / mdima, kwg) && divides(items / ndimb, kwg);
}

static bool direct_possible(const cliv__parameters *p) {
  const size_t wgd = value(p, "WGD"), items = value(p, "MDIMCD") * value(p, "NDIMCD"), vwm = value(p, "VWMD"),
               vwn = value(p, "VWND"), mdima = value(p, "MDIMAD"), ndimb = value(p, "NDIMBD");
  return divides(value(p, "KWID"), wgd) && divides(value(p, "MDIMCD") * vwm, wgd) &&
         divides(value(p, "NDIMCD") * vwn, wgd) && divides(mdima * vwm, wgd) && divides(ndimb * vwn, wgd) &&
         divides(mdima, items) && divides(ndimb, items) && divides(items / mdima, wgd) && divides(items / ndimb, wgd);
}

static bool fast_possible(const cliv__parameters *p) { return divides(value(p, "VW2"), value(p, "WPT2")); }
static bool rotated_possible(const cliv__parameters *p) {
  return divides(value(p, "VW3"), value(p, "WPT3")) && value(p, "WGS3") >= value(p, "WPT3");
}

/* ---- what neighbours differ in ---- */

static const cliv__tune_axis xgemm_axes[] = {{"MWG", {16, 32, 64, 128, END}},
                                             {"NWG", {16, 32, 64, 128, END}},
                                             {"KWG", {16, 32, 64, END}},
                                             {"MDIMC", {4, 8, 16, 32, END}},
                                             {"NDIMC", {1, 2, 4, 8, 16, 32, END}},
                                             {"MDIMA", {4, 8, 16, 32, END}},
                                             {"NDIMB", {1, 2, 4, 8, 16, 32, END}},
                                             {"KWI", {2, 4, 8, END}},
                                             {"VWM", {1, 2, 4, 8, END}},
                                             {"VWN", {1, 2, 4, 8, END}},
                                             {"STRM", {0, 1, END}},
                                             {"STRN", {0, 1, END}},
                                             {"SA", {0, 1, END}},
                                             {"SB", {0, 1, END}},
                                             {"KREG", {1, 2, 4, 8, 16, END}},
                                             {NULL, {END}}};
static const cliv__tune_axis direct_axes[] = {{"WGD", {8, 16, 32, 64, END}},
                                              {"MDIMCD", {4, 8, 16, 32, END}},
                                              {"NDIMCD", {1, 4, 8, 16, 32, END}},
                                              {"MDIMAD", {4, 8, 16, 32, END}},
                                              {"NDIMBD", {1, 4, 8, 16, 32, END}},
                                              {"KWID", {2, 4, 8, 16, END}},
                                              {"VWMD", {1, 2, 4, 8, END}},
                                              {"VWND", {1, 2, 4, 8, END}},
                                              {"PADA", {0, 1, END}},
                                              {"PADB", {0, 1, END}},
                                              {NULL, {END}}};

static const cliv__tune_axis gemv_axes[] = {{"WGS1", {32, 64, 128, 256, END}}, {"WPT1", {1, 2, 4, END}}, {NULL, {END}}};
static const cliv__tune_axis fast_axes[] = {
    {"WGS2", {16, 32, 64, 128, 256, END}}, {"WPT2", {1, 2, 4, END}}, {"VW2", {1, 2, 4, 8, END}}, {NULL, {END}}};
static const cliv__tune_axis rotated_axes[] = {
    {"WGS3", {16, 32, 64, 128, END}}, {"WPT3", {1, 2, 4, 8, 16, 32, END}}, {"VW3", {1, 2, 4, 8, END}}, {NULL, {END}}};

static const cliv__tune_axis ger_axes[] = {{"WGS1", {4, 8, 16, 32, 64, 128, 256, END}},
                                           {"WGS2", {1, 2, 4, 8, 16, 32, 64, END}},
                                           {"WPT", {1, 2, 4, END}},
                                           {NULL, {END}}};
static const cliv__tune_axis axpy_axes[] = {{"WGS", {64, 128, 256, 512, 1024, 2048, END}},
                                            {"WPT", {1, 2, 4, 8, END}},
                                            {"VW", {1, 2, 4, 8, END}},
                                            {NULL, {END}}};

/* CLBlast copies an operand into whole tiles unless it is already laid out so: a product with a thin result is mostly
 * the copy of its wide operand. Row-major, B is the one that is copied as it is and A the one that is transposed.
 * GemmRoutine says from which size on products take Xgemm and its copies; it is lowered step by step. */
#define PRODUCT(kernel, m, n, k, apart, weight, slice, ...) \
  { "gemm", kernel, m, n, k, false, apart, weight, slice, __VA_ARGS__ }
const cliv__tune_kernel cliv__tune_kernels[] = {
    PRODUCT("Xgemm", 1024, 1024, 1024, 0, 10, 0, xgemm_axes, xgemm_possible, NULL),
    PRODUCT("XgemmDirect", 256, 256, 256, 0, 4, 0, direct_axes, direct_possible, NULL),
    PRODUCT("GemmRoutine", 384, 384, 384, 0, 1, 0, NULL, NULL, "XGEMM_MIN_INDIRECT_SIZE=384"),
    PRODUCT("GemmRoutine", 192, 192, 192, 0, 1, 0, NULL, NULL, "XGEMM_MIN_INDIRECT_SIZE=192"),
    PRODUCT("GemmRoutine", 96, 96, 96, 0, 1, 0, NULL, NULL, "XGEMM_MIN_INDIRECT_SIZE=96"),
    PRODUCT("Transpose", 2048, 32, 2048, 0, 1, 1.0 / 16, NULL, NULL, NULL),
    PRODUCT("Padtranspose", 2047, 32, 2047, 0, 1, 1.0 / 16, NULL, NULL, NULL),
    PRODUCT("Copy", 32, 2048, 2048, 64, 1, 1.0 / 16, NULL, NULL, NULL),
    PRODUCT("Pad", 32, 2047, 2047, 1, 1, 1.0 / 16, NULL, NULL, NULL),
    {"gemv", "Xgemv", 2047, 1, 2047, false, 1, 1, 0, gemv_axes, NULL, NULL},
    {"gemv", "XgemvFast", 2048, 1, 2048, true, 0, 1, 0, fast_axes, fast_possible, NULL},
    {"gemv", "XgemvFastRot", 2048, 1, 2048, false, 0, 1, 0, rotated_axes, rotated_possible, NULL},
    {"ger", "Xger", 2048, 2048, 1, false, 0, 1, 1.0 / 32, ger_axes, NULL, NULL},
    {"axpy", "Xaxpy", 1 << 20, 1, 1, false, 0, 1, 1.0 / 16, axpy_axes, NULL, NULL},
    {0},
};

/* Found by searches on two vendors' runtimes for CPUs; the last of Xgemm's are of the kind that GPUs take. */
static const struct {
  const char *kernel, *parameters;
} known[] = {
    {"Xgemm",
     "GEMMK=0 KREG=1 KWG=32 KWI=4 MDIMA=16 MDIMC=16 MWG=16 NDIMB=2 NDIMC=1 NWG=16 SA=0 SB=0 STRM=1 STRN=0 VWM=1 VWN=8"},
    {"Xgemm",
     "GEMMK=0 KREG=1 KWG=16 KWI=2 MDIMA=16 MDIMC=16 MWG=16 NDIMB=1 NDIMC=1 NWG=16 SA=0 SB=0 STRM=0 STRN=0 VWM=1 VWN=8"},
    {"Xgemm",
     "GEMMK=0 KREG=1 KWG=32 KWI=2 MDIMA=4 MDIMC=4 MWG=64 NDIMB=8 NDIMC=8 NWG=64 SA=0 SB=0 STRM=0 STRN=0 VWM=8 VWN=8"},
    {"Xgemm",
     "GEMMK=0 KREG=1 KWG=16 KWI=2 MDIMA=16 MDIMC=16 MWG=32 NDIMB=4 NDIMC=4 NWG=32 SA=0 SB=0 STRM=1 STRN=0 VWM=1 VWN=8"},
    {"Xgemm",
     "GEMMK=0 KREG=1 KWG=32 KWI=2 MDIMA=16 MDIMC=16 MWG=64 NDIMB=16 NDIMC=16 NWG=64 SA=1 SB=1 STRM=0 STRN=0 VWM=2 "
     "VWN=2"},
    {"Xgemm",
     "GEMMK=0 KREG=1 KWG=16 KWI=2 MDIMA=16 MDIMC=16 MWG=128 NDIMB=16 NDIMC=16 NWG=64 SA=1 SB=1 STRM=0 STRN=0 VWM=4 "
     "VWN=2"},
    {"XgemmDirect", "KWID=2 MDIMAD=16 MDIMCD=16 NDIMBD=1 NDIMCD=1 PADA=0 PADB=0 VWMD=1 VWND=8 WGD=16"},
    {"XgemmDirect", "KWID=2 MDIMAD=8 MDIMCD=8 NDIMBD=8 NDIMCD=8 PADA=1 PADB=1 VWMD=4 VWND=4 WGD=32"},
};

const char *cliv__tune_known(const cliv__tune_kernel *kernel, size_t index) {
  if (kernel->only) return index == 0 ? kernel->only : NULL;
  for (size_t i = 0; i < sizeof known / sizeof *known; i++)
    if (!strcmp(known[i].kernel, kernel->kernel) && index-- == 0) return known[i].parameters;
  return NULL;
}

/* ---- neighbours ---- */

static uint64_t mixed(uint64_t x) { /* splitmix64 */
  x += UINT64_C(0x9e3779b97f4a7c15);
  x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
  return x ^ (x >> 31);
}

/* One step along an axis, up or down; from a value that is not on it, to its first. */
static void step(const cliv__tune_axis *axis, bool up, cliv__parameters *p) {
  const size_t now = value(p, axis->name);
  size_t i = 0;
  while (axis->values[i] != END && axis->values[i] != now) i++;
  if (axis->values[i] == END) set(p, axis->name, axis->values[0]);
  else if (up && axis->values[i + 1] != END) set(p, axis->name, axis->values[i + 1]);
  else if (!up && i > 0) set(p, axis->name, axis->values[i - 1]);
}

bool cliv__tune_neighbour(const cliv__tune_kernel *kernel, const cliv__parameters *from, uint64_t number,
                          cliv__parameters *out) {
  if (!kernel->axes) return false;
  size_t axes = 0;
  while (kernel->axes[axes].name) axes++;
  for (uint64_t attempt = 0; attempt < 256; attempt++) {
    uint64_t bits = mixed(number << 8 | attempt);
    *out = *from;
    for (int steps = 1 + (int)(bits & 3); steps > 0; steps--, bits = mixed(bits))
      step(&kernel->axes[(bits >> 8) % axes], bits >> 4 & 1, out);
    if ((!kernel->possible || kernel->possible(out)) && memcmp(out, from, sizeof *out) != 0) return true;
  }
  return false;
}

/* ---- as text ---- */

char *cliv__parameters_text(const cliv__parameters *p) {
  cliv__text text = {0};
  for (size_t i = 0; i < p->count; i++)
    cliv__text_add(&text, "%s%s=%zu", i ? " " : "", p->list[i].name, p->list[i].value);
  return cliv__text_take(&text);
}

bool cliv__parameters_parse(const char *text, cliv__parameters *inout) {
  for (int length = 0; *text; text += length) {
    char name[CLIV__PARAMETER_NAME];
    size_t to = 0, i = 0;
    if (sscanf(text, "%31[A-Z_a-z0-9]=%zu%n", name, &to, &length) != 2) return false;
    while (i < inout->count && strcmp(inout->list[i].name, name) != 0) i++;
    if (i == inout->count) return false;
    inout->list[i].value = to;
    length += text[length] == ' ';
  }
  return true;
}

#else
typedef int cliv__tune_kernels_need_clblast; /* a file must declare something */
#endif
