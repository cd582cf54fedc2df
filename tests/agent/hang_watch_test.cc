#include "agent/supervision/hang_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>

#include "agent/os/process_table.h"
#include "tests/support/evil_server.h"
#include "tests/support/loop_fixture.h"

namespace codex {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// A process that listens and never returns to accept: it spins, sleeps or is stopped.
class Server {
 public:
  explicit Server(void (*hang)()) : listener_(test::listen_on_loopback(16, port_)), pid_(::fork()) {
    if (pid_ == 0) {
      hang();
      ::_exit(1);
    }
  }
  ~Server() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  [[nodiscard]] ProcessId id() const { return *identify_process(pid_); }
  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  std::uint16_t port_ = 0;
  UniqueFd listener_;
  pid_t pid_;
};

void spin() {
  std::atomic<unsigned> turns{0};
  for (;;) ++turns;
}

void sleep_on() {
  for (;;) ::pause();
}

class Watched : public LoopFixture {
 protected:
  void watch(const Server& server) { watch_.watch(server.id(), "127.0.0.1", server.port(), std::nullopt); }

  std::vector<std::string> told_;
  std::optional<HangVerdict> confirmed_;
  std::optional<HangPolicy::Decision> acted_;
  std::map<HangClass, int> votes_;
  HangWatch watch_{loop_,
                   HangPolicy(true),
                   [] { return std::vector<ProcStat>(); },
                   {[this](const HangVerdict&) { told_.push_back("suspected"); },
                    [this](const HangVerdict&) { told_.push_back("half way"); },
                    [this](const HangVerdict& verdict) {
                      if (!confirmed_) told_.push_back("confirmed");
                      confirmed_ = verdict;
                      votes_ = watch_.votes();
                    },
                    [this](const HangVerdict&, const HangPolicy::Decision& decision) { acted_ = decision; },
                    [this](const HangVerdict&, Duration) { told_.push_back("over"); },
                    {}}};
};

TEST_F(Watched, ALoopIsSuspectedThenLookedAtThenConfirmedAndThatOnceEach) {
  const Server server(spin);
  watch(server);
  ASSERT_TRUE(turn_until([&] { return confirmed_.has_value(); }));
  EXPECT_EQ(confirmed_->hang, HangClass::kSpin);
  EXPECT_THAT(told_, ::testing::ElementsAre("suspected", "half way", "confirmed"));
  EXPECT_GE(votes_[HangClass::kSpin], 5);
  EXPECT_TRUE(watch_.signals().event_loop);
  EXPECT_TRUE(watch_.signals().accept_queue);
  const auto plan = watch_.plan();
  EXPECT_EQ(plan.action, HangAction::kRestart);
  EXPECT_EQ(plan.patience, Duration(seconds(5)));
  watch_.stop();
  EXPECT_EQ(told_.back(), "over");
  EXPECT_FALSE(watch_.watching());
  EXPECT_FALSE(watch_.signals().event_loop);
}

TEST_F(Watched, AStoppedProcessIsToBeContinued) {
  const Server server(sleep_on);
  ::kill(server.pid(), SIGSTOP);
  watch(server);
  ASSERT_TRUE(turn_until([&] { return acted_.has_value(); }));
  EXPECT_EQ(confirmed_->hang, HangClass::kStopped);
  EXPECT_EQ(acted_->action, HangAction::kContinue);
  EXPECT_TRUE(watch_.signals().stopped);
}

TEST_F(Watched, AnotherProcessBeginsWithAClearRecord) {
  const Server first(spin);
  watch(first);
  ASSERT_TRUE(turn_until([&] { return confirmed_.has_value(); }));
  const Server second(sleep_on);
  watch(second);
  EXPECT_EQ(told_.back(), "over");
  EXPECT_EQ(watch_.verdict().state, HangVerdict::State::kHealthy);
}

TEST_F(Watched, AProcessThatIsGoneIsNoHang) {
  auto server = std::make_unique<Server>(spin);
  watch(*server);
  ASSERT_TRUE(turn_until([&] { return confirmed_.has_value(); }));
  server.reset();
  ASSERT_TRUE(turn_until([&] { return told_.back() == "over"; }));
}

}  // namespace
}  // namespace codex
