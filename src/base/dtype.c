/* Element types: names, sizes, conversions of the narrow ones; arrays in host memory. */
#include "base/dtype.h"

#include <stdlib.h>
#include <string.h>

#include "base/names.h"
#include "base/status.h"

#define NAME_OF(NAME, name, bytes) name,
#define SIZE_OF(NAME, name, bytes) bytes,
static const char *const names[] = {CLIV_DTYPE_LIST(NAME_OF)};
static const size_t sizes[] = {CLIV_DTYPE_LIST(SIZE_OF)};
#undef NAME_OF
#undef SIZE_OF
static const cliv__names type_names = CLIV__NAMES("element type", names);
CLIV__NAMED(cliv_dtype, type_names)

static bool is_dtype(cliv_dtype dtype) { return (unsigned)dtype < CLIV_DTYPE_COUNT; }

const char *cliv__dtype_storage(cliv_dtype dtype) {
  static const char *const storage[] = {"f32", "f16", "bf16", "f64", "i32", "i64", "u8"};
  return is_dtype(dtype) ? storage[dtype] : "?";
}

const char *cliv__dtype_bits(cliv_dtype dtype) {
  static const char *const bits[9] = {[1] = "uchar", [2] = "ushort", [4] = "uint", [8] = "ulong"};
  return is_dtype(dtype) ? bits[sizes[dtype]] : "?";
}

const char *cliv__dtype_real(cliv_dtype dtype) {
  return dtype == CLIV_F64 ? " -D REAL_F64" : cliv__is_integer(dtype) ? " -D REAL_I64" : "";
}

bool cliv__is_integer(cliv_dtype dtype) { return dtype == CLIV_I32 || dtype == CLIV_I64 || dtype == CLIV_U8; }
bool cliv__is_wide(cliv_dtype dtype) { return dtype == CLIV_F64 || cliv__is_integer(dtype); }

size_t cliv_dtype_size(cliv_dtype dtype) { return is_dtype(dtype) ? sizes[dtype] : 0; }

static uint32_t bits_of(float x) {
  uint32_t u;
  memcpy(&u, &x, sizeof u);
  return u;
}

static float of_bits(uint32_t u) {
  float x;
  memcpy(&x, &u, sizeof x);
  return x;
}

/* Integer code throughout, so that the caller's rounding mode and flush-to-zero setting do not matter. */

uint16_t cliv_float_to_half(float x) {
  const uint32_t u = bits_of(x), sign = (u >> 16) & 0x8000u, a = u & 0x7fffffffu;
  if (a > 0x7f800000u) return 0x7e00u;
  if (a >= 0x477ff000u)
    return (uint16_t)(sign | 0x7c00u); /* 65520, halfway from the largest half to the next, and above */
  if (a >= 0x38800000u) return (uint16_t)(sign | ((a - (112u << 23) + 0xfffu + ((a >> 13) & 1u)) >> 13));
  if (a <= 0x33000000u)
    return (uint16_t)sign; /* up to 2^-25, half of the smallest subnormal: to zero, the tie to even */
  const uint32_t mantissa = (a & 0x7fffffu) | 0x800000u, shift = 126u - (a >> 23);
  const uint32_t kept = mantissa >> shift, dropped = mantissa & ((1u << shift) - 1u), half = 1u << (shift - 1u);
  return (uint16_t)(sign | (kept + (dropped > half || (dropped == half && (kept & 1u)))));
}

float cliv_half_to_float(uint16_t x) {
  const uint32_t sign = (uint32_t)(x & 0x8000u) << 16, exponent = (x >> 10) & 0x1fu;
  uint32_t mantissa = x & 0x3ffu;
  if (exponent == 0x1fu) return of_bits(sign | 0x7f800000u | (mantissa << 13));
  if (exponent != 0) return of_bits(sign | ((exponent + 112u) << 23) | (mantissa << 13));
  if (mantissa == 0) return of_bits(sign);
  uint32_t e = 113;
  for (; !(mantissa & 0x400u); e--) mantissa <<= 1;
  return of_bits(sign | (e << 23) | ((mantissa & 0x3ffu) << 13));
}

uint16_t cliv_float_to_bfloat(float x) {
  const uint32_t u = bits_of(x);
  if ((u & 0x7fffffffu) > 0x7f800000u) return 0x7fc0u;
  return (uint16_t)((u + 0x7fffu + ((u >> 16) & 1u)) >> 16);
}

float cliv_bfloat_to_float(uint16_t x) { return of_bits((uint32_t)x << 16); }

bool cliv__shape_size(cliv_dtype dtype, int ndim, const size_t *shape, size_t *count, size_t *bytes) {
  if (!is_dtype(dtype) || ndim < 0 || ndim > CLIV_MAX_DIMS) return false;
  size_t n = 1;
  bool empty = false, fits = true;
  for (int i = 0; i < ndim; i++) {
    if (shape[i] == 0) empty = true;
    else if (n > SIZE_MAX / shape[i]) fits = false;
    else n *= shape[i];
  }
  if (empty) n = 0;
  else if (!fits || n > SIZE_MAX / sizes[dtype]) return false;
  if (count) *count = n;
  if (bytes) *bytes = n * sizes[dtype];
  return true;
}

size_t cliv_array_count(const cliv_array *array) {
  size_t n = 1;
  for (int i = 0; i < array->ndim; i++) n *= array->shape[i];
  return n;
}

cliv_status cliv_array_create(cliv_dtype dtype, int ndim, const size_t *shape, cliv_array *out) {
  REQUIRE_NOT_NULL(NULL, out);
  *out = (cliv_array){0};
  REQUIRE(NULL, is_dtype(dtype), DTYPE, "%d is no element type", (int)dtype);
  REQUIRE(NULL, ndim >= 0 && ndim <= CLIV_MAX_DIMS, SHAPE, "an array of %d dimensions: from 0 to %d are possible", ndim,
          CLIV_MAX_DIMS);
  REQUIRE(NULL, shape != NULL || ndim == 0, NULL, "%s: argument 'shape' is NULL", __func__);
  size_t bytes;
  REQUIRE(NULL, cliv__shape_size(dtype, ndim, shape, NULL, &bytes), SHAPE,
          "an array of this shape has more bytes than a size_t can count");
  void *data = calloc(bytes ? bytes : 1, 1);
  REQUIRE(NULL, data != NULL, HOST_MEMORY, "out of memory for an array of %zu bytes", bytes);
  out->dtype = dtype;
  out->ndim = ndim;
  for (int i = 0; i < ndim; i++) out->shape[i] = shape[i];
  out->data = data;
  return CLIV_OK;
}

void cliv_array_free(cliv_array *array) {
  if (!array) return;
  free(array->data);
  *array = (cliv_array){0};
}
