#include "agent/evidence/thread_evidence.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <nlohmann/json.hpp>
#include <thread>

#include "agent/os/unique_fd.h"

namespace codex {
namespace {

PendingCall call(int number, std::uint64_t first = 0, std::uint64_t second = 0) {
  return {number, {first, second, 0, 0, 0, 0}};
}

const CallContext kContext{[](int fd) { return fd == 7 ? "pipe:[12]" : ""; },
                           [](std::uint64_t address) { return address == 0x1000 ? "/tmp/fifo" : ""; },
                           [](pid_t pid) { return pid == 812 ? "sleep 100" : ""; }};

TEST(PendingCall, IsReadFromProc) {
  const auto parsed = parse_pending_call("257 0xffffff9c 0x7f12 0x80000 0x0 0x0 0xff 0x7ffe 0x7f00\n");
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->number, 257);
  EXPECT_THAT(parsed->arguments, ::testing::ElementsAre(0xffffff9c, 0x7f12, 0x80000, 0, 0, 0xff));
}

TEST(PendingCall, IsNoneForAThreadThatRunsAndForMalformedText) {
  for (const char* text : {"running\n", "-1 0x7ffe 0x7f00\n", "", "257", "257 0x1 0x2", "257 1 2 3 4 5 6",
                           "257 0x1 0x2 0x3 0x4 0x5 0xzz", "99999999999999 0x0 0x0 0x0 0x0 0x0 0x0"})
    EXPECT_FALSE(parse_pending_call(text)) << text;
}

TEST(PendingCall, IsDescribedByWhatItWaitsFor) {
  EXPECT_EQ(describe_call(call(SYS_openat, 0xffffff9c, 0x1000), kContext), "openat(\"/tmp/fifo\")");
  EXPECT_EQ(describe_call(call(SYS_openat, 0xffffff9c, 0x2000), kContext), "openat()");
  EXPECT_EQ(describe_call(call(SYS_read, 7), kContext), "read(7: pipe:[12])");
  EXPECT_EQ(describe_call(call(SYS_write, 9), kContext), "write(9)");
  EXPECT_EQ(describe_call(call(SYS_wait4, 812), kContext), "wait4(812: sleep 100)");
  EXPECT_EQ(describe_call(call(SYS_wait4, static_cast<std::uint64_t>(-1)), kContext), "wait4(any child)");
  EXPECT_EQ(describe_call(call(SYS_futex, 0x1000), kContext), "futex");
  EXPECT_EQ(describe_call(call(9999), kContext), "syscall 9999");
}

TEST(Threads, OneThatReadsAPipeIsSeenInItWithTheMainThreadFirst) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
  const UniqueFd in(ends[0]);
  UniqueFd out(ends[1]);
  std::thread reader([&] {
    char byte = 0;
    [[maybe_unused]] const auto n = ::read(in.get(), &byte, 1);
  });
  const std::string expected = "read(" + std::to_string(in.get()) + ": pipe:[";
  const auto has_reader = [&](const nlohmann::ordered_json& threads) {
    return std::any_of(threads.begin(), threads.end(), [&](const auto& thread) {
      return thread["call"].is_string() && thread["call"].template get<std::string>().starts_with(expected);
    });
  };
  const auto end = Clock::now() + std::chrono::seconds(20);
  bool seen = false;
  while (!seen && Clock::now() < end) {
    const auto threads =
        threads_of(::getpid(), descriptors_of(::getpid()), SocketEvidence({}, {}, {}), Redactor());
    ASSERT_GE(threads.size(), 1U);
    EXPECT_EQ(threads[0]["id"], ::getpid());
    seen = has_reader(threads);
  }
  EXPECT_TRUE(seen);
  out.reset();
  reader.join();
}

TEST(Threads, AProcessThatIsGoneHasNone) {
  EXPECT_TRUE(threads_of(0x7ffffff0, {}, SocketEvidence({}, {}, {}), Redactor()).empty());
}

}  // namespace
}  // namespace codex
