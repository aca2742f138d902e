// What the peers in C++ share: the protocol of bench/peers.h, and the OpenCL device. A peer defines `version`, `start`
// and `prepare`, and includes this file first.
#ifndef CLIV_BENCH_PEER_HPP
#define CLIV_BENCH_PEER_HPP

#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <functional>
#include <iostream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

// What cannot be done, in words.
struct cannot : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct task {
  std::string op, axis;
  size_t rows, columns;
  std::vector<float> x, y; // rows * columns elements
};

struct work {
  std::function<void()> run;                  // does it once and returns when it is done
  std::function<std::vector<float>()> result; // of the last run
};

struct device {
  cl_device_id id;
  cl_context context;
  cl_command_queue queue;
};

// Defined by each peer.
std::string version();
void start(const device &d);
work prepare(const task &t, const device &d);

inline std::string text_of(cl_platform_id platform) {
  char name[256] = "";
  clGetPlatformInfo(platform, CL_PLATFORM_NAME, sizeof name, name, nullptr);
  return name;
}

inline std::string text_of(cl_device_id id) {
  char name[256] = "";
  clGetDeviceInfo(id, CL_DEVICE_NAME, sizeof name, name, nullptr);
  return name;
}

inline device open_device(const std::string &platform, const std::string &name) {
  cl_platform_id platforms[16];
  cl_uint platform_count = 0;
  clGetPlatformIDs(16, platforms, &platform_count);
  for (cl_uint p = 0; p < platform_count && p < 16; p++) {
    cl_device_id ids[16];
    cl_uint count = 0;
    if (text_of(platforms[p]) != platform) continue;
    clGetDeviceIDs(platforms[p], CL_DEVICE_TYPE_ALL, 16, ids, &count);
    for (cl_uint d = 0; d < count && d < 16; d++) {
      if (text_of(ids[d]) != name) continue;
      cl_int code = 0;
      device found = {ids[d], clCreateContext(nullptr, 1, &ids[d], nullptr, nullptr, &code), nullptr};
      if (!code) found.queue = clCreateCommandQueue(found.context, ids[d], 0, &code);
      if (code) throw cannot("the device cannot be used: " + std::to_string(code));
      return found;
    }
  }
  throw cannot("there is no device " + name + " of " + platform);
}

inline std::vector<float> read_floats(const char *path, size_t count) {
  std::vector<float> x(count);
  std::ifstream file(path, std::ios::binary);
  if (!file.read(reinterpret_cast<char *>(x.data()), static_cast<std::streamsize>(count * sizeof(float))))
    throw cannot(std::string("cannot read ") + path);
  return x;
}

inline std::string one_line(std::string text) {
  for (char &c : text)
    if (c == '\n') c = ' ';
  return text.substr(0, 300);
}

struct session {
  device d;
  std::vector<float> x, y;
  const char *out;
  work now;

  std::string answer(const std::string &line) {
    std::istringstream in(line);
    std::string command;
    in >> command;
    if (command == "time") {
      size_t repeats = 0;
      in >> repeats;
      const auto start_time = std::chrono::steady_clock::now();
      for (size_t i = 0; i < repeats; i++) now.run();
      const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start_time;
      return "ok " + std::to_string(seconds.count());
    }
    task t;
    in >> t.op >> t.axis >> t.rows >> t.columns;
    const auto n = static_cast<std::ptrdiff_t>(t.rows * t.columns);
    t.x.assign(x.begin(), x.begin() + n);
    t.y.assign(y.begin(), y.begin() + n);
    now = {};
    work next = prepare(t, d);
    next.run();
    const std::vector<float> result = next.result();
    std::ofstream(out, std::ios::binary)
        .write(reinterpret_cast<const char *>(result.data()), static_cast<std::streamsize>(result.size() * sizeof(float)));
    now = next;
    return "ok";
  }
};

int main(int argc, char **argv) {
  // What the library prints must not get between the answers.
  FILE *answers = fdopen(dup(1), "w");
  dup2(2, 1);
  const auto say = [&](const std::string &text) { std::fprintf(answers, "%s\n", text.c_str()), std::fflush(answers); };
  if (argc != 8) return 2;
  session s = {};
  try {
    const size_t count = std::stoul(argv[4]);
    s = {open_device(argv[5], argv[6]), read_floats(argv[1], count), read_floats(argv[2], count), argv[3], {}};
    start(s.d);
  } catch (const std::exception &error) {
    say("no " + one_line(error.what()));
    return 0;
  }
  say("ok " + version());
  for (std::string line; std::getline(std::cin, line);) try {
      say(s.answer(line));
    } catch (const std::exception &error) {
      say("no " + one_line(error.what()));
    }
  // The libraries' own statics are in no state to be taken down after their device.
  std::_Exit(0);
}

[[noreturn]] inline void no_such_operation() { throw cannot("it has no such operation"); }

#endif
