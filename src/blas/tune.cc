// See tune.h.
#include "blas/tune.h"

#include <clblast.h>

#include <cstring>
#include <new>
#include <string>
#include <unordered_map>

namespace {

typedef std::unordered_map<std::string, size_t> Map;

clblast::Precision precision(bool wide) { return wide ? clblast::Precision::kDouble : clblast::Precision::kSingle; }

// Runs what may throw.
template <typename Work>
int guarded(Work work) noexcept {
  try {
    return static_cast<int>(work());
  } catch (const std::bad_alloc &) {
    return CL_OUT_OF_HOST_MEMORY;
  } catch (...) {
    return static_cast<int>(clblast::StatusCode::kUnexpectedError);
  }
}

Map to_map(const cliv__parameters &parameters) {
  Map map;
  for (size_t i = 0; i < parameters.count; i++) map[parameters.list[i].name] = parameters.list[i].value;
  return map;
}

bool from_map(const Map &map, cliv__parameters *out) {
  std::memset(out, 0, sizeof *out);  // they are compared as memory
  for (const auto &entry : map) {
    if (out->count == CLIV__MAX_PARAMETERS || entry.first.size() >= CLIV__PARAMETER_NAME) return false;
    size_t place = out->count++;
    for (; place > 0 && entry.first < out->list[place - 1].name; place--) out->list[place] = out->list[place - 1];
    cliv__parameter &to = out->list[place];
    to = cliv__parameter();
    std::memcpy(to.name, entry.first.data(), entry.first.size());
    to.value = entry.second;
  }
  return true;
}

// The sizes that CLBlast's tuners are made for: multiples of every tile they try.
enum { SIDE = 1024, LENGTH = 1 << 22 };

template <typename T>
clblast::StatusCode search(cl_command_queue queue, const std::string &kernel, double fraction, Map &found) {
  if (kernel == "Copy") return clblast::TuneCopy<T>(&queue, SIDE, SIDE, fraction, found);
  if (kernel == "Pad") return clblast::TunePad<T>(&queue, SIDE, SIDE, fraction, found);
  if (kernel == "Transpose") return clblast::TuneTranspose<T>(&queue, SIDE, SIDE, fraction, found);
  if (kernel == "Padtranspose") return clblast::TunePadtranspose<T>(&queue, SIDE, SIDE, fraction, found);
  if (kernel == "Xger") return clblast::TuneXger<T>(&queue, SIDE, SIDE, fraction, found);
  if (kernel == "Xaxpy") return clblast::TuneXaxpy<T>(&queue, LENGTH, fraction, found);
  return clblast::StatusCode::kNotImplemented;
}

}  // namespace

int cliv__parameters_read(cl_device_id device, const char *kernel, bool wide, cliv__parameters *out) {
  return guarded([=] {
    Map map;
    const auto code = clblast::RetrieveParameters(device, kernel, precision(wide), map);
    if (code != clblast::StatusCode::kSuccess) return code;
    return from_map(map, out) ? code : clblast::StatusCode::kUnexpectedError;
  });
}

int cliv__parameters_override(cl_device_id device, const char *kernel, bool wide, const cliv__parameters *parameters) {
  return guarded(
      [=] { return clblast::OverrideParameters(device, kernel, precision(wide), to_map(*parameters)); });
}

int cliv__parameters_search(cl_command_queue queue, const char *kernel, bool wide, double fraction,
                            cliv__parameters *inout) {
  return guarded([=] {
    Map found;
    const auto code =
        wide ? search<double>(queue, kernel, fraction, found) : search<float>(queue, kernel, fraction, found);
    if (code != clblast::StatusCode::kSuccess) return code;
    for (size_t i = 0; i < inout->count; i++) {
      const auto it = found.find(inout->list[i].name);
      if (it != found.end()) inout->list[i].value = it->second;
    }
    return code;
  });
}
