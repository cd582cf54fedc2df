// What it takes to read the JavaScript stack of hung node processes, and what of it is found.
//     jsstack_bench [NODE...]     programs to try; without, the node of PATH
// The machine should be quiet. Prints a line a kind of hang: median and worst of 200 reads, in milliseconds:
// in all, and how long the process was stopped; then the frames.

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "agent/os/check.h"
#include "probes/js_stack/js_stack.h"
#include "tests/support/temporary_directory.h"

namespace {

using namespace codex;

constexpr int kReads = 200;
constexpr std::pair<const char*, const char*> kHangs[] = {
    {"loop", "for (;;);"},
    {"regexp", "/^(a+)+$/.test('a'.repeat(60) + '!');"},
    {"JSON.parse", "const text = '[' + '1,'.repeat(1e6) + '1]'; for (;;) JSON.parse(text);"},
    {"recursion", "const deeper = (n) => { if (n > 0) return 1 + deeper(n - 1); for (;;); }; deeper(5000);"},
    {"execSync", "require('child_process').execSync('exec sleep 1000');"},
    {"FIFO", "require('fs').readFileSync('fifo');"},
    {"Atomics.wait", "Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);"},
};

double milliseconds(std::chrono::nanoseconds time) {
  return std::chrono::duration<double, std::milli>(time).count();
}

class Hung {
 public:
  Hung(const std::string& node, const std::string& body) {
    check("mkfifo", ::mkfifo((directory_ / "fifo").c_str(), 0600));
    std::ofstream(directory_ / "hang.js") << "function hang() {\n  " << body << "\n}\nsetTimeout(hang, 1);\n";
    pid_ = check("fork", ::fork());
    if (pid_ != 0) return;
    ::setpgid(0, 0);
    if (::chdir(directory_.path().c_str()) == 0) ::execlp(node.c_str(), node.c_str(), "hang.js", nullptr);
    ::_exit(127);
  }
  ~Hung() {
    ::kill(-pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  Hung(const Hung&) = delete;
  Hung& operator=(const Hung&) = delete;
  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  TemporaryDirectory directory_;
  pid_t pid_ = 0;
};

void print_frame(const JsFrame& frame) {
  const char* line_is = frame.line_is == JsLine::kCurrent    ? ""
                        : frame.line_is == JsLine::kFunction ? " (function)"
                                                             : " (unknown)";
  std::printf("      at %s %s:%u%s\n", frame.function.c_str(), frame.file.c_str(), frame.line, line_is);
}

void measure(JsStackReader& reader, const std::string& node, const char* name, const char* body) {
  const Hung hung(node, body);
  std::this_thread::sleep_for(std::chrono::seconds(2));  // until it hangs, also where it starts slowly
  std::vector<double> elapsed, stopped;
  std::size_t failed = 0;
  JsStack stack;
  for (int i = 0; i < kReads; ++i) {
    stack = reader.read(hung.pid());
    if (stack.error != JsStackError::kNone || stack.frames.empty()) ++failed;
    elapsed.push_back(milliseconds(stack.elapsed));
    stopped.push_back(milliseconds(stack.stopped));
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  std::sort(elapsed.begin(), elapsed.end());
  std::sort(stopped.begin(), stopped.end());
  std::printf(
      "  %-12s  all %6.3f %7.3f   stopped %6.3f %7.3f   %zu frames%s, %zu reads, %zu KiB, %zu empty, V8 %s\n",
      name, elapsed[kReads / 2], elapsed.back(), stopped[kReads / 2], stopped.back(), stack.frames.size(),
      stack.complete ? "" : " (perhaps)", stack.reads, stack.bytes >> 10, failed, stack.v8_version.c_str());
  for (std::size_t i = 0; i < std::min<std::size_t>(stack.frames.size(), 4); ++i)
    print_frame(stack.frames[i]);
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> nodes(argv + 1, argv + argc);
  if (nodes.empty()) nodes.emplace_back("node");
  for (const auto& node : nodes) {
    std::printf("%s\n", node.c_str());
    const auto begin = std::chrono::steady_clock::now();
    JsStackReader reader;
    {
      const Hung first(node, "for (;;);");
      std::this_thread::sleep_for(std::chrono::seconds(2));
      const auto stack = reader.read(first.pid());
      std::printf("  first read, with the program's symbols: %.3f\n", milliseconds(stack.elapsed));
    }
    for (const auto& [name, body] : kHangs) measure(reader, node, name, body);
    std::printf("  %.1f s\n", milliseconds(std::chrono::steady_clock::now() - begin) / 1'000);
  }
  return 0;
}
