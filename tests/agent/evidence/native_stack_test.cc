#include "agent/evidence/native_stack.h"

#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <functional>
#include <thread>

#include "agent/os/process_table.h"
#include "tests/support/forked_child.h"

namespace codex::test {

// Not static, and never inlined: they are looked for by name.
[[gnu::noinline]] void spins_for_ever(volatile int& turns) {
  for (;;) turns = turns + 1;
}

[[gnu::noinline]] void waits_for_ever() {
  for (;;) ::pause();
}

[[gnu::noinline]] void calls(const std::function<void()>& what) {
  what();
  ::_exit(0);  // So that this is no tail call.
}

}  // namespace codex::test

namespace codex {
namespace {

using std::chrono::seconds;
using test::calls;
using test::spins_for_ever;
using test::waits_for_ever;

/// This program once more, doing something.
class Fork : public Child {
 public:
  explicit Fork(const std::function<void()>& body)
      : Child(fork_child([&] {
          ::prctl(PR_SET_PDEATHSIG, SIGKILL);
          body();
        })) {}
  [[nodiscard]] char state() const { return read_proc_stat(pid())->state; }
  void await(char state) const {
    while (this->state() != state) std::this_thread::yield();
  }
};

std::string text_of(const NativeThread& thread) {
  std::string text = thread.error;
  for (const auto& frame : thread.frames) text += "\n  " + describe(frame);
  return text;
}

bool has(const NativeThread& thread, const std::string& function) {
  return std::any_of(thread.frames.begin(), thread.frames.end(), [&](const NativeFrame& frame) {
    return frame.function.find(function) != std::string::npos && !frame.module.empty();
  });
}

TEST(NativeStack, TellsWhereARunningProgramIsAndLetsItRunOn) {
  const Fork child([] {
    calls([] {
      volatile int turns = 0;
      spins_for_ever(turns);
    });
  });
  child.await('R');
  std::vector<NativeThread> threads;
  // It may not have got there yet.
  do threads = read_native_stacks(child.pid(), seconds(10));
  while (!threads.empty() && !has(threads[0], "spins_for_ever") && child.state() == 'R');
  ASSERT_EQ(threads.size(), 1U);
  EXPECT_EQ(threads[0].id, child.pid());
  EXPECT_TRUE(has(threads[0], "codex::test::spins_for_ever(int volatile&)")) << text_of(threads[0]);
  EXPECT_TRUE(has(threads[0], "codex::test::calls(")) << text_of(threads[0]);
  EXPECT_TRUE(has(threads[0], "main")) << text_of(threads[0]);
  EXPECT_EQ(child.state(), 'R');
}

TEST(NativeStack, TellsOfEveryThreadTheMainOneFirst) {
  const Fork child([] {
    std::thread([] {
      volatile int turns = 0;
      spins_for_ever(turns);
    }).detach();
    calls(waits_for_ever);
  });
  std::vector<NativeThread> threads;
  do threads = read_native_stacks(child.pid(), seconds(10));
  while (threads.size() < 2 || !has(threads[0], "waits_for_ever") || !has(threads[1], "spins_for_ever"));
  EXPECT_EQ(threads[0].id, child.pid());
  EXPECT_TRUE(has(threads[0], "calls")) << text_of(threads[0]);
  EXPECT_TRUE(has(threads[0], "pause")) << text_of(threads[0]);
}

TEST(NativeStack, AStoppedProcessStaysStopped) {
  const Fork child([] { calls(waits_for_ever); });
  child.await('S');
  ::kill(child.pid(), SIGSTOP);
  child.await('T');
  const auto threads = read_native_stacks(child.pid(), seconds(10));
  ASSERT_EQ(threads.size(), 1U);
  EXPECT_FALSE(threads[0].frames.empty()) << text_of(threads[0]);
  EXPECT_EQ(child.state(), 'T');
}

TEST(NativeStack, WithoutTimeNothingIsLookedAt) {
  const Fork child([] { calls(waits_for_ever); });
  EXPECT_TRUE(read_native_stacks(child.pid(), Duration{0}).empty());
  EXPECT_NE(child.state(), 't');
}

TEST(NativeStack, WhoHasEndedHasNone) {
  for (const pid_t pid : {0, -1, 1 << 30})
    EXPECT_THROW(read_native_stacks(pid, seconds(1)), std::runtime_error);
}

TEST(NativeStack, DescribesWhatIsKnownOfAFrame) {
  EXPECT_EQ(describe({0x10, "f(int)", "libx.so", 0x1f}), "f(int)+0x1f (libx.so)");
  EXPECT_EQ(describe({0x10, "", "libx.so", 0}), "0x10 (libx.so)");
  EXPECT_EQ(describe({0x10, "", "", 0}), "0x10");
}

}  // namespace
}  // namespace codex
