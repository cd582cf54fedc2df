#include "probes/process/process_directory.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <latch>
#include <thread>
#include <vector>

namespace codex {
namespace {

TEST(ProcessDirectory, TheMainThreadIsTheFirst) {
  constexpr int kThreads = 4;
  std::latch done(1), running(kThreads);
  std::vector<pid_t> ids(kThreads);
  std::vector<std::jthread> threads;
  for (auto& id : ids) {
    threads.emplace_back([&] {
      id = ::gettid();
      running.count_down();
      done.wait();
    });
  }
  running.wait();
  const UniqueFd proc(::open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC));
  const auto found = ProcessDirectory(proc.get(), ::getpid()).threads();
  done.count_down();
  ASSERT_FALSE(found.empty());
  EXPECT_EQ(found.front(), ::getpid());
  for (const pid_t id : ids) EXPECT_EQ(std::count(found.begin(), found.end(), id), 1) << id;
}

TEST(ProcessDirectory, AProcessThatIsGoneHasNoThreads) {
  const UniqueFd proc(::open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC));
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  const ProcessDirectory process(proc.get(), child);
  ASSERT_TRUE(process);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  EXPECT_TRUE(process.threads().empty());
}

}  // namespace
}  // namespace codex
