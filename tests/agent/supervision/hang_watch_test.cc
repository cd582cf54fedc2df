#include "agent/supervision/hang_watch.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>

#include "agent/os/check.h"
#include "agent/os/process_table.h"
#include "tests/support/evil_server.h"
#include "tests/support/few_descriptors.h"
#include "tests/support/loop_fixture.h"

namespace codex {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// A process that listens; what it does then is its own affair: it spins, sleeps, is stopped, or serves.
class Server {
 public:
  explicit Server(void (*life)(int listener), int defer_seconds = 0)
      : listener_(test::listen_on_loopback(16, port_)), pid_(fork_with(defer_seconds)) {
    if (pid_ == 0) {
      life(listener_.get());
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
  pid_t fork_with(int defer_seconds) {
    check("TCP_DEFER_ACCEPT",
          ::setsockopt(listener_.get(), IPPROTO_TCP, TCP_DEFER_ACCEPT, &defer_seconds, sizeof defer_seconds));
    return check("fork", ::fork());
  }

  std::uint16_t port_ = 0;
  UniqueFd listener_;
  pid_t pid_;
};

/// Rests where an event loop does until somebody comes.
void rest(int listener) {
  pollfd events{listener, POLLIN, 0};
  while (::poll(&events, 1, -1) <= 0) continue;
}

/// Runs for ever once somebody has come.
void spin(int listener) {
  rest(listener);
  std::atomic<unsigned> turns{0};
  for (;;) ++turns;
}

/// Once somebody has come it serves whoever comes, and rests nowhere.
void rest_and_serve_by_and_by(int listener) {
  rest(listener);
  ::fcntl(listener, F_SETFL, O_NONBLOCK);
  for (;; ::usleep(10'000)) ::close(::accept(listener, nullptr, nullptr));
}

void sleep_on(int /*listener*/) {
  for (;;) ::pause();
}

/// Rests in accept(2).
void serve(int listener) {
  for (;;) ::close(::accept(listener, nullptr, nullptr));
}

class Watched : public LoopFixture {
 protected:
  void watch(const Server& server) { watch_.watch(server.id(), "127.0.0.1", server.port(), std::nullopt); }

  /// Where it rests is known by now; then somebody comes and asks.
  void visit(const Server& server) {
    ASSERT_TRUE(turn_until([this] { return looks_ >= 15; }));
    visitor_ = test::connect_to(server.port());
    ASSERT_EQ(::send(visitor_.get(), "GET", 3, MSG_NOSIGNAL), 3);
  }
  UniqueFd visitor_;

  std::vector<std::string> told_;
  int looks_ = 0, deferred_ = 0, asked_ = 0;
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
                    {},
                    [this](const HangObservation& seen, const HangVerdict&) {
                      ++looks_;
                      asked_ += seen.accept_probe.state != AcceptProbeView::State::kIdle;
                      deferred_ += seen.accept_probe.state == AcceptProbeView::State::kDeferred;
                    }}};
};

TEST_F(Watched, ALoopIsSuspectedThenLookedAtThenConfirmedAndThatOnceEach) {
  const Server server(spin);
  watch(server);
  visit(server);
  ASSERT_TRUE(turn_until([&] { return confirmed_.has_value(); }));
  EXPECT_EQ(confirmed_->hang, HangClass::kSpin);
  EXPECT_THAT(told_, ::testing::ElementsAre("suspected", "half way", "confirmed"));
  EXPECT_GE(votes_[HangClass::kSpin], 5);
  EXPECT_TRUE(watch_.signals().event_loop);
  EXPECT_TRUE(watch_.signals().accept_queue);
  const auto plan = watch_.plan(watch_.verdict());
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

TEST_F(Watched, AServerThatDefersSilentConnectionsIsNotSuspected) {
  const Server server(rest_and_serve_by_and_by, 60);
  watch(server);
  visit(server);
  visitor_.reset();
  const int looks = looks_;
  ASSERT_TRUE(turn_until([&] { return looks_ >= looks + 30 || !told_.empty(); }));
  EXPECT_THAT(told_, ::testing::IsEmpty());
  EXPECT_GT(deferred_, 0) << "it was asked";
}

TEST_F(Watched, AServerThatRestsIsNotAskedByConnections) {
  const Server server(serve);
  watch(server);
  ASSERT_TRUE(turn_until([&] { return looks_ >= 30; }));
  EXPECT_EQ(asked_, 0);
}

TEST_F(Watched, AServerThatDefersSilentConnectionsAndIsStoppedIsFoundWithoutAClient) {
  const Server server(serve, 60);
  ::kill(server.pid(), SIGSTOP);
  watch(server);
  ASSERT_TRUE(turn_until([&] { return confirmed_.has_value(); }));
  EXPECT_EQ(confirmed_->hang, HangClass::kStopped);
}

TEST_F(Watched, AServerThatCannotBeWatchedForWantOfDescriptorsIsWatchedFromTheNextCallOn) {
  CODEX_SKIP_WITHOUT_DESCRIPTORS();
  const Server server(sleep_on);
  const auto id = server.id();
  ::kill(server.pid(), SIGSTOP);
  constexpr int kMore = 20;  // than all that an observer opens
  for (int spare = 0; spare < kMore; ++spare) {
    watch_.watch_start(std::nullopt, seconds(60));
    {
      const test::FewDescriptors few(spare);
      try {
        watch_.watch(id, "127.0.0.1", server.port(), std::nullopt);
        break;  // with everything it needs, as is seen below
      } catch (const std::system_error& e) {
        EXPECT_EQ(e.code().value(), EMFILE);
      }
    }
    EXPECT_FALSE(watch_.watching());
    loop_.run_once(2 * HangWatch::kPeriod);
    EXPECT_EQ(looks_, 0) << spare << "the start is over, and nothing else is there to look at";
    ASSERT_LT(spare, kMore - 1);
  }
  watch(server);
  ASSERT_TRUE(turn_until([&] { return confirmed_.has_value(); }));
  EXPECT_EQ(confirmed_->hang, HangClass::kStopped);
}

TEST_F(Watched, AnotherProcessBeginsWithAClearRecord) {
  const Server first(spin);
  watch(first);
  visit(first);
  ASSERT_TRUE(turn_until([&] { return confirmed_.has_value(); }));
  const Server second(sleep_on);
  watch(second);
  EXPECT_EQ(told_.back(), "over");
  EXPECT_EQ(watch_.verdict().state, HangVerdict::State::kHealthy);
}

TEST_F(Watched, AProcessThatIsGoneIsNoHang) {
  auto server = std::make_unique<Server>(spin);
  watch(*server);
  visit(*server);
  ASSERT_TRUE(turn_until([&] { return confirmed_.has_value(); }));
  server.reset();
  ASSERT_TRUE(turn_until([&] { return told_.back() == "over"; }));
}

}  // namespace
}  // namespace codex
