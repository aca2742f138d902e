// ViennaCL as a peer.
#define VIENNACL_WITH_OPENCL
#include "peer.hpp"
//
#include <viennacl/linalg/inner_prod.hpp>
#include <viennacl/linalg/maxmin.hpp>
#include <viennacl/linalg/norm_1.hpp>
#include <viennacl/linalg/norm_2.hpp>
#include <viennacl/linalg/sum.hpp>
#include <viennacl/linalg/vector_operations.hpp>
#include <viennacl/matrix.hpp>
#include <viennacl/vector.hpp>
#include <viennacl/version.hpp>

#include <memory>

namespace vcl = viennacl;
namespace la = viennacl::linalg;

std::string version() {
  std::ostringstream out;
  out << VIENNACL_MAJOR_VERSION << '.' << VIENNACL_MINOR_VERSION << '.' << VIENNACL_PATCH_VERSION;
  return out.str();
}

void start(const device &d) { vcl::ocl::setup_context(0, d.context, d.id, d.queue); }

struct arrays {
  vcl::vector<float> x, y, out;
  vcl::scalar<float> value;
  vcl::matrix<float> matrix;
};

static std::function<void(arrays &)> reduction(const std::string &op) {
  if (op == "sum") return [](arrays &a) { a.value = la::sum(a.x); };
  if (op == "asum") return [](arrays &a) { a.value = la::norm_1(a.x); };
  if (op == "nrm2") return [](arrays &a) { a.value = la::norm_2(a.x); };
  if (op == "dot") return [](arrays &a) { a.value = la::inner_prod(a.x, a.y); };
  if (op == "min") return [](arrays &a) { a.value = la::min(a.x); };
  if (op == "max") return [](arrays &a) { a.value = la::max(a.x); };
  return nullptr;
}

static std::function<void(arrays &)> elements(const std::string &op) {
  if (op == "scan") return [](arrays &a) { la::inclusive_scan(a.x, a.out); };
  if (op == "add") return [](arrays &a) { a.out = a.x + a.y; };
  if (op == "div") return [](arrays &a) { a.out = la::element_div(a.x, a.y); };
  if (op == "exp") return [](arrays &a) { a.out = la::element_exp(a.x); };
  if (op == "sin") return [](arrays &a) { a.out = la::element_sin(a.x); };
  if (op == "tanh") return [](arrays &a) { a.out = la::element_tanh(a.x); };
  return nullptr;
}

static std::shared_ptr<arrays> load(const task &t) {
  const auto a = std::make_shared<arrays>();
  a->x.resize(t.x.size(), false);
  a->y.resize(t.x.size(), false);
  vcl::copy(t.x.begin(), t.x.end(), a->x.begin());
  vcl::copy(t.y.begin(), t.y.end(), a->y.begin());
  return a;
}

static work sums_of_rows(const task &t) {
  const auto a = std::make_shared<arrays>();
  a->out.resize(t.rows, false);
  a->matrix.resize(t.rows, t.columns, false);
  // A matrix keeps its rows padded.
  std::vector<float> padded(a->matrix.internal_size());
  for (size_t r = 0; r < t.rows; r++)
    for (size_t c = 0; c < t.columns; c++) padded[r * a->matrix.internal_size2() + c] = t.x[r * t.columns + c];
  vcl::backend::memory_write(a->matrix.handle(), 0, padded.size() * sizeof(float), padded.data());
  return {[=] {
            a->out = la::row_sum(a->matrix);
            vcl::backend::finish();
          },
          [=] {
            std::vector<float> result(a->out.size());
            vcl::copy(a->out.begin(), a->out.end(), result.begin());
            return result;
          }};
}

work prepare(const task &t, const device &) {
  const auto one = reduction(t.op);
  const auto many = elements(t.op);
  if (t.op == "sum" && t.axis == "last") return sums_of_rows(t);
  if (!one && !many) no_such_operation();
  if (t.rows != 1) throw cannot("it works on everything, not on rows");
  const auto a = load(t);
  if (many) a->out.resize(t.x.size(), false);
  return {[=] {
            if (one) one(*a);
            else many(*a);
            vcl::backend::finish();
          },
          [=] {
            if (one) return std::vector<float>{a->value};
            std::vector<float> result(a->out.size());
            vcl::copy(a->out.begin(), a->out.end(), result.begin());
            return result;
          }};
}
