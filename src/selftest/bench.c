/* bench.c: inputs, guarded tensors and hashes of the self-test. */
#include "selftest/bench.h"

#include <cliv/random.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "runtime/svm.h"

enum { SEED = 0x5eed, GUARD = 64, GUARD_BYTE = 0xa5 };

/* ---- values: integer arithmetic, so that they are the same everywhere ---- */

static uint32_t draw(uint64_t stream, size_t i) { return cliv_random_bits(SEED, stream, i); }

static uint64_t draw_wide(uint64_t stream, size_t i) {
  return (uint64_t)draw(stream, 2 * i) << 32 | draw(stream, 2 * i + 1);
}

static const uint32_t special_f32[] = {0x00000000, 0x80000000, 0x7f800000, 0xff800000, 0x7fc00000, 0xffc12345,
                                       0x7f7fffff, 0xff7fffff, 0x00800000, 0x80800000, 0x00000001, 0x807fffff,
                                       0x3f800000, 0xbf800000, 0x3f7fffff, 0x42b17218};
static const uint16_t special_f16[] = {0x0000, 0x8000, 0x7c00, 0xfc00, 0x7e00, 0xfe11, 0x7bff,
                                       0xfbff, 0x0400, 0x8400, 0x0001, 0x83ff, 0x3c00, 0xbc00};
static const uint64_t special_f64[] = {0,
                                       UINT64_C(1) << 63,
                                       UINT64_C(0x7ff) << 52,
                                       UINT64_C(0xfff) << 52,
                                       UINT64_C(0x7ff8) << 48,
                                       UINT64_C(0xfff8123456789abc),
                                       UINT64_C(0x7fefffffffffffff),
                                       UINT64_C(1) << 52,
                                       1,
                                       UINT64_C(0x3ff) << 52,
                                       UINT64_C(0xbff) << 52};
#define COUNT(array) (sizeof(array) / sizeof *(array))

/* Sign, 23 random bits, and one of 13 exponents. */
static uint32_t modest_f32(uint64_t stream, size_t i) {
  const uint32_t bits = draw(stream, i);
  return (bits & 0x807fffffu) | (119u + (bits >> 23 & 0xffu) % 13u) << 23;
}

static uint64_t modest_f64(uint64_t stream, size_t i) {
  const uint64_t bits = draw_wide(stream, i);
  return (bits & UINT64_C(0x800fffffffffffff)) | (UINT64_C(1015) + (bits >> 52 & 0x7ff) % 13) << 52;
}

static float as_float(uint32_t bits) {
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

static uint32_t value_f32(cliv__values values, uint64_t stream, size_t i) {
  if (values == CLIV__MODEST) return modest_f32(stream, i);
  return i < COUNT(special_f32) ? special_f32[i] : draw(stream, i);
}

static uint64_t value_f64(cliv__values values, uint64_t stream, size_t i) {
  if (values == CLIV__MODEST) return modest_f64(stream, i);
  return i < COUNT(special_f64) ? special_f64[i] : draw_wide(stream, i);
}

static uint16_t value_f16(cliv__values values, uint64_t stream, size_t i) {
  if (values == CLIV__MODEST) return cliv_float_to_half(as_float(modest_f32(stream, i)));
  return i < COUNT(special_f16) ? special_f16[i] : (uint16_t)draw(stream, i);
}

static uint16_t value_bf16(cliv__values values, uint64_t stream, size_t i) {
  if (values == CLIV__MODEST) return cliv_float_to_bfloat(as_float(modest_f32(stream, i)));
  return i < COUNT(special_f32) ? (uint16_t)(special_f32[i] >> 16) : (uint16_t)draw(stream, i);
}

static int64_t small_int(uint64_t stream, size_t i) { return (int64_t)(draw(stream, i) % 2001u) - 1000; }

static void put_value(cliv_dtype dtype, void *data, size_t i, cliv__values values, uint64_t stream) {
  const int modest = values == CLIV__MODEST;
  switch (dtype) {
    case CLIV_F32: ((uint32_t *)data)[i] = value_f32(values, stream, i); break;
    case CLIV_F16: ((uint16_t *)data)[i] = value_f16(values, stream, i); break;
    case CLIV_BF16: ((uint16_t *)data)[i] = value_bf16(values, stream, i); break;
    case CLIV_F64: ((uint64_t *)data)[i] = value_f64(values, stream, i); break;
    case CLIV_I32: ((int32_t *)data)[i] = modest ? (int32_t)small_int(stream, i) : (int32_t)draw(stream, i); break;
    case CLIV_I64: ((int64_t *)data)[i] = modest ? small_int(stream, i) : (int64_t)draw_wide(stream, i); break;
    case CLIV_U8: ((uint8_t *)data)[i] = (uint8_t)draw(stream, i); break;
    default: break;
  }
}

/* ---- tensors ---- */

cliv_status cliv__bench_fill(cliv__bench *bench, cliv_tensor *tensor, cliv__values values, uint64_t stream) {
  const cliv_dtype dtype = cliv_tensor_dtype(tensor);
  const size_t count = cliv_tensor_count(tensor), bytes = count * cliv_dtype_size(dtype);
  void *const data = malloc(bytes ? bytes : 1);
  REQUIRE(bench->ctx, data, HOST_MEMORY, "no memory for %zu bytes of test input", bytes);
  if (values == CLIV__GUARD) memset(data, GUARD_BYTE, bytes);
  else
    for (size_t i = 0; i < count; i++) put_value(dtype, data, i, values, stream);
  const cliv_status status = cliv_tensor_write(tensor, data, bytes);
  free(data);
  return status;
}

/* The next base. */
static cliv_status make_base(cliv__bench *bench, cliv_dtype dtype, size_t total) {
  cliv_tensor **const base = &bench->base[bench->count];
  void **const memory = &bench->memory[bench->count];
  if (!bench->svm) return cliv_tensor_create(bench->ctx, dtype, 1, &total, base);
  TRY(cliv__svm_allocate(bench->ctx, total * cliv_dtype_size(dtype), memory));
  const cliv_status status = cliv_tensor_wrap_svm(bench->ctx, *memory, 0, dtype, 1, &total, base);
  if (!status) return CLIV_OK;
  cliv__svm_free(bench->ctx, *memory);
  *memory = NULL;
  return status;
}

cliv_status cliv__bench_add(cliv__bench *bench, cliv_dtype dtype, int ndim, const size_t *shape, size_t shift,
                            cliv__values values, uint64_t stream, cliv_tensor **out) {
  REQUIRE(bench->ctx, bench->count < CLIV__BENCH_TENSORS, INTERNAL, "more than %d tensors in a case",
          CLIV__BENCH_TENSORS);
  size_t total = shift + GUARD, count = 1;
  for (int i = 0; i < ndim; i++) count *= shape[i];
  total += count;
  cliv_tensor **const base = &bench->base[bench->count], **const view = &bench->view[bench->count];
  TRY(make_base(bench, dtype, total));
  bench->count++;
  TRY(cliv__bench_fill(bench, *base, CLIV__GUARD, 0));
  TRY(cliv_tensor_view(*base, shift, ndim, shape, 0, view));
  if (values != CLIV__GUARD) TRY(cliv__bench_fill(bench, *view, values, stream));
  *out = *view;
  return CLIV_OK;
}

cliv_status cliv__bench_hash_elements(cliv_context *ctx, const cliv_tensor *tensor, uint64_t *hash) {
  const size_t bytes = cliv_tensor_count(tensor) * cliv_dtype_size(cliv_tensor_dtype(tensor));
  void *const data = malloc(bytes ? bytes : 1);
  REQUIRE(ctx, data, HOST_MEMORY, "no memory for %zu bytes of a test's result", bytes);
  const cliv_status status = cliv_tensor_read(tensor, data, bytes);
  if (!status) *hash = XXH3_64bits_withSeed(data, bytes, *hash);
  free(data);
  return status;
}

cliv_status cliv__bench_hash(const cliv__bench *bench, const cliv_tensor *tensor, uint64_t *hash) {
  for (int i = 0; i < bench->count; i++)
    if (bench->view[i] == tensor) return cliv__bench_hash_elements(bench->ctx, bench->base[i], hash);
  return cliv__fail(bench->ctx, CLIV_INTERNAL, "the tensor is not of this case");
}

void cliv__bench_clear(cliv__bench *bench) {
  const bool done = !bench->svm || !cliv_context_finish(bench->ctx); /* else the device still has the memory */
  for (int i = 0; i < bench->count; i++) {
    cliv_tensor_free(bench->view[i]);
    cliv_tensor_free(bench->base[i]);
    if (done) cliv__svm_free(bench->ctx, bench->memory[i]);
    bench->view[i] = bench->base[i] = NULL;
    bench->memory[i] = NULL;
  }
  bench->count = 0;
}
