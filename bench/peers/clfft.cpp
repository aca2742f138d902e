// clFFT as a peer: transforms of rows of complex numbers.
#include "peer.hpp"
//
#include <clFFT.h>

#include <memory>

static void check(clfftStatus code, const char *what) {
  if (code != CLFFT_SUCCESS) throw cannot(std::string(what) + ": its status is " + std::to_string(static_cast<int>(code)));
}

std::string version() {
  cl_uint major = 0, minor = 0, patch = 0;
  clfftGetVersion(&major, &minor, &patch);
  std::ostringstream out;
  out << major << '.' << minor << '.' << patch;
  return out.str();
}

void start(const device &) {
  clfftSetupData setup;
  check(clfftInitSetupData(&setup), "clfftInitSetupData");
  check(clfftSetup(&setup), "clfftSetup");
}

struct transform {
  cl_mem x = nullptr, y = nullptr;
  clfftPlanHandle plan = 0;
  size_t bytes;
  transform(const task &t, const device &d) : bytes(t.x.size() * sizeof(float)) {
    cl_int code = 0;
    x = clCreateBuffer(d.context, CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR, bytes, const_cast<float *>(t.x.data()), &code);
    if (!code) y = clCreateBuffer(d.context, CL_MEM_READ_WRITE, bytes, nullptr, &code);
    if (code) throw cannot("no buffer: " + std::to_string(code));
    const bool plane = t.op == "fft2";
    const size_t lengths[] = {t.columns / 2, t.rows};
    check(clfftCreateDefaultPlan(&plan, d.context, plane ? CLFFT_2D : CLFFT_1D, lengths), "clfftCreateDefaultPlan");
    check(clfftSetPlanPrecision(plan, CLFFT_SINGLE), "clfftSetPlanPrecision");
    check(clfftSetLayout(plan, CLFFT_COMPLEX_INTERLEAVED, CLFFT_COMPLEX_INTERLEAVED), "clfftSetLayout");
    check(clfftSetResultLocation(plan, CLFFT_OUTOFPLACE), "clfftSetResultLocation");
    check(clfftSetPlanBatchSize(plan, plane ? 1 : t.rows), "clfftSetPlanBatchSize");
    cl_command_queue queue = d.queue;
    check(clfftBakePlan(plan, 1, &queue, nullptr, nullptr), "clfftBakePlan");
  }
  transform(const transform &) = delete;
  ~transform() {
    if (plan) clfftDestroyPlan(&plan);
    if (x) clReleaseMemObject(x);
    if (y) clReleaseMemObject(y);
  }
};

work prepare(const task &t, const device &d) {
  if (t.op != "fft" && t.op != "fft2") no_such_operation();
  const auto f = std::make_shared<transform>(t, d);
  cl_command_queue queue = d.queue;
  return {[=]() mutable {
            check(clfftEnqueueTransform(f->plan, CLFFT_FORWARD, 1, &queue, 0, nullptr, nullptr, &f->x, &f->y, nullptr),
                  "clfftEnqueueTransform");
            clFinish(queue);
          },
          [=] {
            std::vector<float> result(f->bytes / sizeof(float));
            clEnqueueReadBuffer(queue, f->y, CL_TRUE, 0, f->bytes, result.data(), 0, nullptr, nullptr);
            return result;
          }};
}
