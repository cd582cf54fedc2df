#include "probes/js_stack/js_stack.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <thread>

#include "agent/os/check.h"
#include "agent/os/files.h"
#include "agent/os/proc_files.h"
#include "probes/js_stack/thread_stop.h"
#include "tests/support/temporary_directory.h"

namespace codex {
namespace {

using std::chrono::steady_clock;

// Only to end a test that would never end; nothing is measured by it.
constexpr auto kLongest = std::chrono::seconds(60);

/// A child in a process group of its own, with pipes to its standard input and output; killed with its group.
class Child {
 public:
  explicit Child(std::vector<std::string> command) {
    std::array<int, 2> in{}, out{};
    check("pipe2", ::pipe2(in.data(), O_CLOEXEC));
    check("pipe2", ::pipe2(out.data(), O_CLOEXEC));
    pid_ = check("fork", ::fork());
    if (pid_ == 0) {
      ::setpgid(0, 0);
      ::dup2(in[0], 0);
      ::dup2(out[1], 1);
      std::vector<char*> arguments;
      for (auto& argument : command) arguments.push_back(argument.data());
      arguments.push_back(nullptr);
      ::execvp(arguments[0], arguments.data());
      ::_exit(127);
    }
    ::setpgid(pid_, pid_);
    input_ = UniqueFd(in[1]);
    output_ = UniqueFd(out[0]);
    ::close(in[0]);
    ::close(out[1]);
  }
  ~Child() {
    ::kill(-pid_, SIGKILL);
    if (!reaped_) ::waitpid(pid_, nullptr, 0);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  [[nodiscard]] pid_t pid() const { return pid_; }
  void write_line(const std::string& line) const {
    EXPECT_EQ(::write(input_.get(), (line + "\n").data(), line.size() + 1),
              static_cast<ssize_t>(line.size() + 1));
  }
  /// "" at the end of its output.
  [[nodiscard]] std::string read_line() const {
    std::string line;
    for (char c = 0; ::read(output_.get(), &c, 1) == 1 && c != '\n';) line += c;
    return line;
  }
  int wait() {
    int status = 0;
    check("waitpid", ::waitpid(pid_, &status, 0));
    reaped_ = true;
    return status;
  }
  [[nodiscard]] ProcStat stat() const {
    const UniqueFd directory(::open(("/proc/" + std::to_string(pid_)).c_str(), O_PATH | O_CLOEXEC));
    return parse_proc_stat(read_proc_file(directory.get(), "stat").value_or("")).value_or(ProcStat{});
  }
  [[nodiscard]] bool traced() const {
    return contents_of("/proc/" + std::to_string(pid_) + "/status").find("TracerPid:\t0\n") ==
           std::string::npos;
  }

 private:
  pid_t pid_ = 0;
  bool reaped_ = false;
  UniqueFd input_, output_;
};

// An empty loop has no place of its own in V8's table: there a stack trace, V8's own too, names the
// function's line.
const std::string kLoop = "let i = 1; for (;;) i = i * 31 % 7;";

template <typename Condition>
bool eventually(Condition condition) {
  const auto deadline = steady_clock::now() + kLongest;
  while (!condition()) {
    if (steady_clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

/// A program that calls caller(), which calls hang(), which runs `body`; these are its lines 2 to 7.
class Hung {
 public:
  explicit Hung(const std::string& body) {
    std::ofstream(file()) << "const fs = require('fs'), cp = require('child_process');\n"
                             "function hang() {\n"
                             "  "
                          << body
                          << "\n"
                             "}\n"
                             "function caller() {\n"
                             "  hang();\n"
                             "}\n"
                             "setTimeout(caller, 1);\n";
    child_.emplace(std::vector<std::string>{"node", file()});
  }
  [[nodiscard]] std::string file() const { return (directory_ / "hung.js").string(); }
  [[nodiscard]] Child& child() { return *child_; }

  /// Its stack as soon as hang() is on it and does what it hangs in: `top` is the innermost frame, of
  /// `top_file` unless empty. `waits`: in the kernel, so that it needs not be held.
  JsStack stack(const std::string& top = "hang", const std::string& top_file = "", bool waits = false) {
    JsStack stack;
    const bool found = eventually([&] {
      stack = reader_.read(child().pid());
      if (stack.frames.empty() || below("hang", stack).empty()) return false;
      const auto& first = stack.frames.front();
      return first.function == top && (top_file.empty() || first.file == top_file) &&
             (!waits || stack.stopped.count() == 0);
    });
    EXPECT_TRUE(found) << "last: " << name_of(stack.error) << " " << stack.detail << ", "
                       << stack.frames.size() << " frames";
    std::printf("  %s: %zu frames, %zu reads, %zu bytes, stopped %.3f ms, %.3f ms in all\n",
                stack.v8_version.c_str(), stack.frames.size(), stack.reads, stack.bytes,
                std::chrono::duration<double, std::milli>(stack.stopped).count(),
                std::chrono::duration<double, std::milli>(stack.elapsed).count());
    EXPECT_EQ(stack.error, JsStackError::kNone);
    EXPECT_LE(stack.reads, 20'000U);
    EXPECT_LE(stack.bytes, std::size_t{8} << 20);
    return stack;
  }
  /// The frames from `function` outwards.
  static std::span<const JsFrame> below(const std::string& function, const JsStack& stack) {
    const auto found = std::find_if(stack.frames.begin(), stack.frames.end(),
                                    [&](const JsFrame& frame) { return frame.function == function; });
    return {found, stack.frames.end()};
  }
  /// hang() and caller() with their file and lines; the callers are node's own.
  void expect_hang_and_caller(const JsStack& stack) const {
    const auto frames = below("hang", stack);
    ASSERT_GE(frames.size(), 3U);
    EXPECT_EQ(frames[0].file, file());
    EXPECT_EQ(frames[0].kind, JsFrameKind::kScript);
    EXPECT_EQ(frames[0].line, frames[0].line_is == JsLine::kCurrent ? 3U : 2U);
    EXPECT_EQ(frames[1].function, "caller");
    EXPECT_EQ(frames[1].line, frames[1].line_is == JsLine::kCurrent ? 6U : 5U);
    EXPECT_EQ(frames[2].kind, JsFrameKind::kNode);
    EXPECT_THAT(frames[2].file, testing::StartsWith("node:"));
  }

 private:
  TemporaryDirectory directory_;
  std::optional<Child> child_;
  JsStackReader reader_;
};

TEST(JsStack, EndlessLoop) {
  Hung hung(kLoop);
  const auto stack = hung.stack();
  hung.expect_hang_and_caller(stack);
  // It runs on, as if nothing had been.
  EXPECT_FALSE(hung.child().traced());
  const auto before = hung.child().stat();
  EXPECT_TRUE(eventually([&] { return hung.child().stat().user_ticks > before.user_ticks; }));
}

TEST(JsStack, CatastrophicRegularExpression) {
  Hung hung("/^(a+)+$/.test('a'.repeat(60) + '!');");
  const auto stack = hung.stack("test");
  EXPECT_EQ(stack.frames[0].kind, JsFrameKind::kBuiltin);
  hung.expect_hang_and_caller(stack);
}

TEST(JsStack, SynchronousChild) {
  Hung hung("cp.execSync('sleep 1000');");
  const auto stack = hung.stack("spawnSync", "node:internal/child_process", true);
  hung.expect_hang_and_caller(stack);
}

TEST(JsStack, FifoThatNobodyWrites) {
  TemporaryDirectory directory;
  const auto fifo = (directory / "fifo").string();
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  Hung hung("fs.readFileSync('" + fifo + "');");
  const auto stack = hung.stack("openSync", "node:fs", true);
  hung.expect_hang_and_caller(stack);
}

TEST(JsStack, AtomicsWait) {
  Hung hung("Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);");
  hung.expect_hang_and_caller(hung.stack("hang", "", true));
}

TEST(JsStack, StoppedProcessStaysStoppedUntilItIsContinued) {
  Hung hung(kLoop);
  hung.stack();
  ASSERT_EQ(::kill(hung.child().pid(), SIGSTOP), 0);
  ASSERT_TRUE(eventually([&] { return hung.child().stat().state == 'T'; }));
  const auto stack = hung.stack();
  hung.expect_hang_and_caller(stack);
  EXPECT_EQ(stack.stopped.count(), 0);
  EXPECT_EQ(hung.child().stat().state, 'T');
  ASSERT_EQ(::kill(hung.child().pid(), SIGCONT), 0);
  EXPECT_TRUE(eventually([&] { return hung.child().stat().state == 'R'; }));
}

TEST(JsStack, DeepRecursionIsCut) {
  Hung hung("const deeper = (n) => { if (n > 0) return 1 + deeper(n - 1); for (;;); }; deeper(3000);");
  JsStackReader reader;
  JsStack stack;
  ASSERT_TRUE(eventually([&] {
    stack = reader.read(hung.child().pid());
    return stack.frames.size() == kMaxJsFrames && stack.frames.back().function == "deeper";
  }));
  EXPECT_TRUE(stack.truncated);
  EXPECT_EQ(stack.frames.front().function, "deeper");
}

TEST(JsStack, NamesInAnyScript) {
  Hung hung(
      "const \u043f\u0440\u0438\u0432\u0435\u0442 = () => { let i = 1; for (;;) i = i * 31 % 7; }; "
      "\u043f\u0440\u0438\u0432\u0435\u0442();");
  hung.expect_hang_and_caller(hung.stack("\u043f\u0440\u0438\u0432\u0435\u0442"));
}

TEST(JsStack, IdleProcessHasNoneAndNoticesNothing) {
  TemporaryDirectory directory;
  const auto file = (directory / "echo.js").string();
  std::ofstream(file) << "process.stdin.on('data', (data) => process.stdout.write(data));\n";
  const Child node({"node", file});
  node.write_line("up");
  ASSERT_EQ(node.read_line(), "up");
  JsStackReader reader;
  JsStack stack;
  EXPECT_TRUE(eventually([&] {
    stack = reader.read(node.pid());
    return stack.error == JsStackError::kNone && stack.complete && stack.frames.empty();
  }));
  for (int i = 0; i < 100; ++i) reader.read(node.pid());
  EXPECT_FALSE(node.traced());
  node.write_line("still here");
  EXPECT_EQ(node.read_line(), "still here");
}

// A sanitized reader is too slow for a process that does something else each time.
#ifndef __SANITIZE_ADDRESS__
TEST(JsStack, BusyProcessThatIsReadOftenDoesItsWorkAndEnds) {
  TemporaryDirectory directory;
  Hung hung("let n = 0; while (!fs.existsSync('" + (directory / "end").string() +
            "')) n += JSON.parse('[1,2,3]').length; fs.writeSync(1, 'done\\n'); process.exit(7);");
  hung.stack("existsSync");
  JsStackReader reader;
  for (int i = 0; i < 200; ++i) {
    const auto stack = reader.read(hung.child().pid());
    EXPECT_THAT(stack.error, testing::AnyOf(JsStackError::kNone, JsStackError::kTooSlow));
  }
  std::ofstream(directory / "end") << "";
  EXPECT_EQ(hung.child().read_line(), "done");
  const int status = hung.child().wait();
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 7) << status;
  EXPECT_EQ(read_js_stack(hung.child().pid()).error, JsStackError::kGone);
}
#endif

TEST(JsStack, SaysWhyThereIsNone) {
  const Child sleeping({"sleep", "1000"});
  ASSERT_TRUE(eventually([&] { return sleeping.stat().comm == "sleep"; }));
  EXPECT_EQ(read_js_stack(sleeping.pid()).error, JsStackError::kNotNode);
  for (const pid_t pid : {0, -1, 1 << 30}) EXPECT_EQ(read_js_stack(pid).error, JsStackError::kGone);
  Child ended({"true"});
  ASSERT_TRUE(eventually([&] { return ended.stat().state == 'Z'; }));
  EXPECT_EQ(read_js_stack(ended.pid()).error, JsStackError::kGone) << "a zombie";
}

/// A process that does nothing but run.
class Spinning : public Child {
 public:
  Spinning() : Child({"sh", "-c", "while :; do :; done"}) {
    EXPECT_TRUE(eventually([&] { return stat().user_ticks > 0; }));
  }
  [[nodiscard]] bool runs_on() const {
    const auto before = stat().user_ticks;
    return eventually([&] { return stat().user_ticks > before; });
  }
};

TEST(ThreadStop, ThreadIsStoppedWhileOneLooksAndRunsOn) {
  const Spinning child;
  char state = 0;
  ThreadRegisters seen;
  const auto stop = stop_thread(child.pid(), kLongest, [&](const ThreadRegisters& registers) {
    state = child.stat().state;
    seen = registers;
  });
  EXPECT_EQ(stop.result, ThreadStop::Result::kDone);
  EXPECT_EQ(state, 't');
  EXPECT_NE(seen.stack_pointer, 0U);
  EXPECT_TRUE(seen.frame_pointer);
  EXPECT_FALSE(child.traced());
  EXPECT_TRUE(child.runs_on());
}

TEST(ThreadStop, ThreadRunsOnWhenTheOneWhoLooksThrows) {
  const Spinning child;
  EXPECT_THROW(
      stop_thread(child.pid(), kLongest, [](const ThreadRegisters&) { throw std::runtime_error("x"); }),
      std::runtime_error);
  EXPECT_FALSE(child.traced());
  EXPECT_TRUE(child.runs_on());
}

TEST(ThreadStop, ThreadRunsOnWhenTheOneWhoLooksIsKilled) {
  const Spinning child;
  const pid_t looker = check("fork", ::fork());
  if (looker == 0) {
    stop_thread(child.pid(), kLongest, [](const ThreadRegisters&) {
      for (;;) ::pause();
    });
    ::_exit(1);
  }
  ASSERT_TRUE(eventually([&] { return child.stat().state == 't'; }));
  ::kill(looker, SIGKILL);
  ASSERT_EQ(::waitpid(looker, nullptr, 0), looker);
  EXPECT_FALSE(child.traced());
  EXPECT_TRUE(child.runs_on());
}

TEST(ThreadStop, ThreadThatDoesNotStopInTimeIsLetGo) {
  const Spinning child;
  int looked = 0;
  for (int i = 0; i < 200; ++i)
    stop_thread(child.pid(), std::chrono::nanoseconds(0), [&](const ThreadRegisters&) { ++looked; });
  EXPECT_LE(looked, 200);
  EXPECT_FALSE(child.traced());
  EXPECT_TRUE(child.runs_on());
}

TEST(ThreadStop, ExitOfAChildThatIsLookedAtIsLeftToItsParent) {
  Spinning child;
  const auto stop = stop_thread(child.pid(), kLongest, [&](const ThreadRegisters&) {
    ::kill(child.pid(), SIGKILL);
    EXPECT_TRUE(eventually([&] { return child.stat().state == 'Z'; }));
  });
  EXPECT_EQ(stop.result, ThreadStop::Result::kDone);
  const int status = child.wait();
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << status;
}

TEST(ThreadStop, WhoIsGoneOrHeldByAnotherIsNotStopped) {
  const auto never = [](const ThreadRegisters&) { ADD_FAILURE() << "looked"; };
  EXPECT_EQ(stop_thread(1 << 30, kLongest, never).result, ThreadStop::Result::kGone);
  const Spinning child;
  const auto outer = stop_thread(child.pid(), kLongest, [&](const ThreadRegisters&) {
    EXPECT_EQ(stop_thread(child.pid(), kLongest, never).result, ThreadStop::Result::kNotPermitted);
  });
  EXPECT_EQ(outer.result, ThreadStop::Result::kDone);
}

}  // namespace
}  // namespace codex
