#include "agent/os/worker.h"

#include <gtest/gtest.h>
#include <sys/prctl.h>

#include <array>
#include <csignal>
#include <future>
#include <stdexcept>
#include <vector>

#include "agent/os/clock.h"

namespace codex {
namespace {

TEST(Worker, RunsJobsInTheOrderOfTheirSubmission) {
  std::vector<int> order;
  {
    Worker worker("test", 100);
    for (int i = 0; i < 100; ++i) ASSERT_TRUE(worker.submit([&order, i] { order.push_back(i); }));
  }
  ASSERT_EQ(order.size(), 100U);
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
}

TEST(Worker, RefusesAJobWhenItsMailboxIsFull) {
  std::promise<void> begun, release;
  Worker worker("test", 2);
  ASSERT_TRUE(worker.submit([&, released = release.get_future().share()] {
    begun.set_value();
    released.wait();
  }));
  begun.get_future().wait();
  EXPECT_TRUE(worker.submit([] {}));
  EXPECT_TRUE(worker.submit([] {}));
  EXPECT_FALSE(worker.submit([] {}));
  release.set_value();
}

TEST(Worker, BlocksSignalsAndBearsItsName) {
  sigset_t mask;
  sigemptyset(&mask);
  std::array<char, 16> name{};
  {
    Worker worker("a-name-that-is-far-too-long", 1);
    ASSERT_TRUE(worker.submit([&] {
      pthread_sigmask(SIG_SETMASK, nullptr, &mask);
      prctl(PR_GET_NAME, name.data());
    }));
  }
  for (const int blocked : {SIGTERM, SIGINT, SIGHUP, SIGCHLD, SIGPIPE, SIGXFSZ}) {
    EXPECT_EQ(sigismember(&mask, blocked), 1) << blocked;
  }
  EXPECT_EQ(sigismember(&mask, SIGSEGV), 0);
  EXPECT_STREQ(name.data(), "a-name-that-is-");
}

TEST(Worker, LeavesTheSignalMaskOfItsCreatorAlone) {
  sigset_t before, after;
  pthread_sigmask(SIG_SETMASK, nullptr, &before);
  const Worker worker("test", 1);
  pthread_sigmask(SIG_SETMASK, nullptr, &after);
  EXPECT_EQ(sigismember(&before, SIGTERM), sigismember(&after, SIGTERM));
}

TEST(Worker, SurvivesAJobThatThrows) {
  bool ran = false;
  {
    Worker worker("test", 2);
    ASSERT_TRUE(worker.submit([] { throw std::runtime_error("a job's mistake"); }));
    ASSERT_TRUE(worker.submit([&ran] { ran = true; }));
  }
  EXPECT_TRUE(ran);
}

TEST(Worker, GivesAStuckJobUpAfterASecondAndRunsNothingAfterIt) {
  struct Shared {
    std::promise<void> begun, release, released;
    bool second_ran = false;
  };
  const auto shared = std::make_shared<Shared>();
  TimePoint begin;
  {
    Worker worker("test", 2);
    ASSERT_TRUE(worker.submit([shared] {
      shared->begun.set_value();
      shared->release.get_future().wait();
      shared->released.set_value_at_thread_exit();
    }));
    ASSERT_TRUE(worker.submit([shared] { shared->second_ran = true; }));
    shared->begun.get_future().wait();
    begin = Clock::now();
  }
  const Duration took = Clock::now() - begin;
  EXPECT_GE(took, std::chrono::milliseconds(900));
  EXPECT_LT(took, std::chrono::milliseconds(1800));
  shared->release.set_value();
  shared->released.get_future().wait();
  EXPECT_FALSE(shared->second_ran);
}

TEST(Worker, ASubmitterMayOutliveItsWorker) {
  std::function<bool(std::function<void()>)> submit;
  {
    const Worker worker("test", 2);
    submit = worker.submitter();
    EXPECT_TRUE(submit([] {}));
  }
  EXPECT_FALSE(submit([] {}));
}

}  // namespace
}  // namespace codex
