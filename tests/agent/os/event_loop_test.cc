#include "agent/os/event_loop.h"

#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <csignal>
#include <stdexcept>
#include <thread>

#include "agent/os/unique_fd.h"

namespace codex {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(EventLoop, TimersFireInOrderAndOnce) {
  EventLoop loop;
  std::string order;
  Timer late(loop, "late", [&] {
    order += "b";
    loop.stop(7);
  });
  Timer early(loop, "early", [&] { order += "a"; });
  late.arm_after(milliseconds(10));
  early.arm_after(milliseconds(1));
  EXPECT_EQ(loop.run(), 7);
  EXPECT_EQ(order, "ab");
  EXPECT_FALSE(early.armed());
}

TEST(EventLoop, ADisarmedTimerDoesNotFire) {
  EventLoop loop;
  bool fired = false;
  Timer timer(loop, "t", [&] { fired = true; });
  Timer end(loop, "end", [&] { loop.stop(0); });
  timer.arm_after(milliseconds(1));
  end.arm_after(milliseconds(5));
  timer.disarm();
  loop.run();
  EXPECT_FALSE(fired);
}

TEST(EventLoop, ATimerMayDestroyAndRearmItself) {
  EventLoop loop;
  int fired = 0;
  auto timer = std::make_unique<Timer>(loop, "outer", [] {});
  *timer = Timer(loop, "self", [&] {
    if (++fired < 3) {
      timer->arm_after(Duration{0});
    } else {
      timer.reset();
      loop.stop(0);
    }
  });
  timer->arm_after(Duration{0});
  loop.run();
  EXPECT_EQ(fired, 3);
}

TEST(EventLoop, AWatchMayCloseItsDescriptorInItsCallback) {
  EventLoop loop;
  UniqueFd fd(::eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK));
  int calls = 0;
  FdWatch watch(loop, "fd", fd.get(), EPOLLIN, [&](std::uint32_t events) {
    EXPECT_TRUE(events & EPOLLIN);
    ++calls;
    watch.reset();
    fd.reset();
    loop.stop(0);
  });
  loop.run();
  EXPECT_EQ(calls, 1);
  EXPECT_FALSE(watch);
}

TEST(EventLoop, APausedWatchIsSilentUntilItIsResumed) {
  EventLoop loop;
  UniqueFd fd(::eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK));
  int calls = 0;
  FdWatch watch(loop, "fd", fd.get(), EPOLLIN, [&](std::uint32_t) {
    ++calls;
    watch.set_events(0);
  });
  loop.run_once(milliseconds(50));
  loop.run_once(milliseconds(1));
  EXPECT_EQ(calls, 1);
  watch.set_events(EPOLLIN);
  loop.run_once(milliseconds(50));
  EXPECT_EQ(calls, 2);
}

TEST(EventLoop, PostedWorkRunsOnTheLoopThreadInOrder) {
  EventLoop loop;
  const auto loop_thread = std::this_thread::get_id();
  std::vector<int> order;
  std::thread other([&] {
    for (int i = 0; i < 100; ++i) {
      loop.post([&, i] {
        EXPECT_EQ(std::this_thread::get_id(), loop_thread);
        order.push_back(i);
        if (i == 99) loop.stop(0);
      });
    }
  });
  loop.run();
  other.join();
  ASSERT_EQ(order.size(), 100U);
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
}

TEST(EventLoop, AnExceptionIsReportedByNameAndEndsNothing) {
  EventLoop loop;
  std::string seen;
  loop.on_error([&](std::string_view name, std::string_view what) {
    seen = std::string(name) + ": " + std::string(what);
  });
  Timer bad(loop, "bad", [] { throw std::runtime_error("boom"); });
  Timer end(loop, "end", [&] { loop.stop(0); });
  bad.arm_after(Duration{0});
  end.arm_after(milliseconds(2));
  EXPECT_EQ(loop.run(), 0);
  EXPECT_EQ(seen, "bad: boom");
  EXPECT_EQ(loop.stats().callback_errors, 1U);
}

TEST(EventLoop, UrgentCallbacksRunBeforeLowOnesOfTheSameTurn) {
  EventLoop loop;
  std::string order;
  UniqueFd a(::eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK)), b(::eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK));
  FdWatch low(
      loop, "low", a.get(), EPOLLIN,
      [&](std::uint32_t) {
        order += "l";
        low.set_events(0);
      },
      Priority::kLow);
  FdWatch urgent(
      loop, "urgent", b.get(), EPOLLIN,
      [&](std::uint32_t) {
        order += "u";
        urgent.set_events(0);
      },
      Priority::kUrgent);
  loop.run_once(milliseconds(50));
  loop.run_once(milliseconds(50));
  EXPECT_EQ(order, "ul");
}

TEST(EventLoop, SignalsArriveAsCallbacks) {
  EventLoop loop;
  bool received = false;
  SignalWatch watch(loop, SIGUSR2, [&] {
    received = true;
    loop.stop(0);
  });
  ::kill(::getpid(), SIGUSR2);
  loop.run();
  EXPECT_TRUE(received);
}

TEST(EventLoop, LagIsCountedForEveryTimerThatFires) {
  EventLoop loop;
  Timer timer(loop, "t", [&] { loop.stop(0); });
  timer.arm_after(milliseconds(1));
  loop.run();
  std::uint64_t total = 0;
  for (const auto count : loop.stats().lag_counts) total += count;
  EXPECT_EQ(total, 1U);
}

}  // namespace
}  // namespace codex
