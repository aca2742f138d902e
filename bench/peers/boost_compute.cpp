// Boost.Compute as a peer.
#include "peer.hpp"
//
#include <boost/compute.hpp>
#include <boost/version.hpp>
#include <memory>

namespace bc = boost::compute;

BOOST_COMPUTE_FUNCTION(float, magnitude, (float x), { return fabs(x); });
BOOST_COMPUTE_FUNCTION(float, square, (float x), { return x * x; });
BOOST_COMPUTE_FUNCTION(bool, is_finite, (float x), { return isfinite(x); });

std::string version() { return BOOST_LIB_VERSION; }
void start(const device &) {}

struct arrays {
  bc::command_queue queue;
  bc::vector<float> x, y, out;
  float value;
  arrays(const task &t, const device &d)
      : queue(d.queue, true), x(t.x.begin(), t.x.end(), queue), y(t.y.begin(), t.y.end(), queue),
        out(t.x.size(), queue.get_context()), value(0) {}
};

// Those that give one number.
static std::function<float(arrays &)> reduction(const std::string &op) {
  if (op == "sum") return [](arrays &a) {
    float sum = 0;
    bc::reduce(a.x.begin(), a.x.end(), &sum, bc::plus<float>(), a.queue);
    return sum;
  };
  if (op == "asum") return [](arrays &a) {
    float sum = 0;
    bc::transform_reduce(a.x.begin(), a.x.end(), &sum, magnitude, bc::plus<float>(), a.queue);
    return sum;
  };
  if (op == "nrm2") return [](arrays &a) {
    float sum = 0;
    bc::transform_reduce(a.x.begin(), a.x.end(), &sum, square, bc::plus<float>(), a.queue);
    return std::sqrt(sum);
  };
  if (op == "min") return [](arrays &a) { return float(*bc::min_element(a.x.begin(), a.x.end(), a.queue)); };
  if (op == "max") return [](arrays &a) { return float(*bc::max_element(a.x.begin(), a.x.end(), a.queue)); };
  if (op == "argmax") return [](arrays &a) {
    return static_cast<float>(bc::max_element(a.x.begin(), a.x.end(), a.queue) - a.x.begin());
  };
  if (op == "dot") return [](arrays &a) {
    return bc::inner_product(a.x.begin(), a.x.end(), a.y.begin(), 0.0f, a.queue);
  };
  if (op == "all_finite") return [](arrays &a) {
    return bc::all_of(a.x.begin(), a.x.end(), is_finite, a.queue) ? 1.0f : 0.0f;
  };
  return nullptr;
}

// Those that give an array.
static std::function<void(arrays &)> elements(const std::string &op) {
  if (op == "scan") return [](arrays &a) { bc::inclusive_scan(a.x.begin(), a.x.end(), a.out.begin(), a.queue); };
  if (op == "exp") return [](arrays &a) {
    bc::transform(a.x.begin(), a.x.end(), a.out.begin(), bc::exp<float>(), a.queue);
  };
  if (op == "sin") return [](arrays &a) {
    bc::transform(a.x.begin(), a.x.end(), a.out.begin(), bc::sin<float>(), a.queue);
  };
  if (op == "tanh") return [](arrays &a) {
    bc::transform(a.x.begin(), a.x.end(), a.out.begin(), bc::tanh<float>(), a.queue);
  };
  if (op == "add") return [](arrays &a) {
    bc::transform(a.x.begin(), a.x.end(), a.y.begin(), a.out.begin(), bc::plus<float>(), a.queue);
  };
  if (op == "div") return [](arrays &a) {
    bc::transform(a.x.begin(), a.x.end(), a.y.begin(), a.out.begin(), bc::divides<float>(), a.queue);
  };
  if (op == "sort") return [](arrays &a) {
    bc::copy(a.x.begin(), a.x.end(), a.out.begin(), a.queue); // it sorts in place
    bc::sort(a.out.begin(), a.out.end(), a.queue);
  };
  return nullptr;
}

work prepare(const task &t, const device &d) {
  const auto one = reduction(t.op);
  const auto many = elements(t.op);
  if (!one && !many) no_such_operation();
  if (t.rows != 1) throw cannot("it works on everything, not on rows");
  const auto a = std::make_shared<arrays>(t, d);
  return {[=] {
            if (one) a->value = one(*a);
            else many(*a);
            a->queue.finish();
          },
          [=] {
            if (one) return std::vector<float>{a->value};
            std::vector<float> result(a->out.size());
            bc::copy(a->out.begin(), a->out.end(), result.begin(), a->queue);
            return result;
          }};
}
