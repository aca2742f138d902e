// CLBlast as a peer: its level-1 routines with a scalar result.
#include "peer.hpp"
//
#include <clblast.h>

#include <memory>

std::string version() {
  std::ostringstream out;
  out << CLBLAST_VERSION_MAJOR << '.' << CLBLAST_VERSION_MINOR << '.' << CLBLAST_VERSION_PATCH;
  return out.str();
}
void start(const device &) {}

static cl_mem buffer(const device &d, size_t bytes, const void *data) {
  cl_int code = 0;
  const cl_mem_flags flags = CL_MEM_READ_WRITE | (data ? CL_MEM_COPY_HOST_PTR : 0u);
  const cl_mem mem = clCreateBuffer(d.context, flags, bytes, const_cast<void *>(data), &code);
  if (code) throw cannot("no buffer: " + std::to_string(code));
  return mem;
}

struct buffers {
  cl_mem x, y, out;
  buffers(const task &t, const device &d)
      : x(buffer(d, t.x.size() * sizeof(float), t.x.data())), y(buffer(d, t.y.size() * sizeof(float), t.y.data())),
        out(buffer(d, sizeof(float), nullptr)) {}
  buffers(const buffers &) = delete;
  ~buffers() { clReleaseMemObject(x), clReleaseMemObject(y), clReleaseMemObject(out); }
};

work prepare(const task &t, const device &d) {
  using clblast::StatusCode;
  if (t.axis != "all") throw cannot("it reduces everything, not rows");
  const size_t n = t.columns * t.rows;
  const auto b = std::make_shared<buffers>(t, d);
  std::function<StatusCode(cl_command_queue *)> call;
  if (t.op == "sum") call = [=](auto q) { return clblast::Sum<float>(n, b->out, 0, b->x, 0, 1, q); };
  else if (t.op == "asum") call = [=](auto q) { return clblast::Asum<float>(n, b->out, 0, b->x, 0, 1, q); };
  else if (t.op == "nrm2") call = [=](auto q) { return clblast::Nrm2<float>(n, b->out, 0, b->x, 0, 1, q); };
  else if (t.op == "dot") call = [=](auto q) { return clblast::Dot<float>(n, b->out, 0, b->x, 0, 1, b->y, 0, 1, q); };
  else if (t.op == "argmax") call = [=](auto q) { return clblast::Max<float>(n, b->out, 0, b->x, 0, 1, q); };
  else no_such_operation();
  cl_command_queue queue = d.queue;
  const bool index = t.op == "argmax";
  return {[=]() mutable {
            const StatusCode code = call(&queue);
            if (code != StatusCode::kSuccess) throw cannot("its status is " + std::to_string(static_cast<int>(code)));
            clFinish(queue);
          },
          [=] {
            float value = 0;
            cl_uint at = 0;
            clEnqueueReadBuffer(queue, b->out, CL_TRUE, 0, sizeof value, index ? static_cast<void *>(&at) : &value, 0,
                                nullptr, nullptr);
            return std::vector<float>{index ? static_cast<float>(at) : value};
          }};
}
