#include "agent/process/debugger_hold.h"

#include <gtest/gtest.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "agent/os/process_table.h"
#include "tests/support/forked_child.h"

namespace codex {
namespace {

using std::string_view_literals::operator""sv;

TEST(DebuggerHold, OptionsAreThoseOfNodeAndOfDebugpy) {
  const auto of = [](std::string_view cmdline, std::string_view environment = {}) {
    const auto options = parse_debugger_options(cmdline, environment);
    return std::pair(options.listens, options.waits);
  };
  EXPECT_EQ(of("node\0server.js\0"sv), std::pair(false, false));
  EXPECT_EQ(of("node\0--inspect=0.0.0.0:9230\0server.js\0"sv), std::pair(true, false));
  EXPECT_EQ(of("node\0--inspect-brk\0server.js\0"sv), std::pair(true, true));
  EXPECT_EQ(of("node\0--inspect-wait=9333\0server.js\0"sv), std::pair(true, true));
  EXPECT_EQ(of("node\0server.js\0"sv, "A=1\0NODE_OPTIONS=--no-warnings --inspect-brk\0"sv),
            std::pair(true, true));
  EXPECT_EQ(of("python3\0-m\0debugpy\0--listen\0005678\0--wait-for-client\0app.py\0"sv),
            std::pair(true, true));
  EXPECT_EQ(of("python3\0/usr/lib/python3/debugpy/adapter\0--for-server\0001\0"sv), std::pair(true, false));
  EXPECT_EQ(of(""), std::pair(false, false));
}

TEST(DebuggerHold, NobodyHoldsWhatRunsFreely) {
  const auto self = read_proc_stat(::getpid());
  ASSERT_TRUE(self);
  EXPECT_EQ(describe_debugger({*self}), "");
  EXPECT_EQ(describe_debugger({}), "");
}

TEST(DebuggerHold, ATracerIsNamedUnlessItIsTheTreesOwnAndLetsItRun) {
  Pipe told, go_on;
  const Child tracer = fork_child([&] {
    const pid_t traced = ::fork();
    if (traced == 0) {
      ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
      ::raise(SIGSTOP);
      for (;;) ::pause();
    }
    ::waitpid(traced, nullptr, 0);
    told.send(traced);
    static_cast<void>(go_on.receive<char>());
    ::ptrace(PTRACE_CONT, traced, nullptr, nullptr);
    told.send(traced);
    for (;;) ::pause();  // The kernel ends what it traces with it, or lets it go.
  });
  const auto traced = told.receive<pid_t>();
  const auto stopped = read_proc_stat(traced), own = read_proc_stat(tracer.pid());
  ASSERT_TRUE(stopped && own);
  const std::string words = "pid " + std::to_string(tracer.pid()) + " (" + own->comm + ") traces pid " +
                            std::to_string(traced) + " (" + stopped->comm + ")";
  EXPECT_EQ(describe_debugger({*stopped}), words);
  EXPECT_EQ(describe_debugger({*own, *stopped}), words) << "its own, but it has stopped it";
  go_on.send('g');
  static_cast<void>(told.receive<pid_t>());
  auto running = *stopped;
  running.state = 'S';
  EXPECT_EQ(describe_debugger({*own, running}), "") << "e.g. a backend that runs under strace";
  EXPECT_EQ(describe_debugger({running}), words);
  ::kill(traced, SIGKILL);
}

}  // namespace
}  // namespace codex
