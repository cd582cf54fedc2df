#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "agent/supervision/application_watch.h"
#include "tests/support/fake_schedule.h"
#include "tests/support/fake_tree.h"
#include "tests/support/probe_attempts.h"

namespace codex::testing {

inline constexpr char kMissingModule[] = "Error: Cannot find module 'express'";
inline constexpr char kPortInUse[] = "Error: listen EADDRINUSE: address already in use :::3000";
inline constexpr char kRefused[] = "Error: connect ECONNREFUSED 127.0.0.1:5432";
inline constexpr char kStartingUp[] = "FATAL: the database system is starting up";
inline constexpr char kEdited[] = "[nodemon] starting `node app.js`";
inline constexpr char kNodemonWaits[] = "[nodemon] app crashed - waiting for file changes before starting...";

/// An ApplicationWatch over processes of words; it is asked to look again when it wants to be.
class ApplicationWatchFixture : public ::testing::Test {
 protected:
  void SetUp() override {
    config_.name = "api";
    config_.port = 3000;
    config_.probes = {probe_spec("port", ProbeKind::kPort), probe_spec("http", ProbeKind::kHttp),
                      probe_spec("other", ProbeKind::kHttp)};
    config_.probes[0].own_listener = config_.probes[1].own_listener = true;
    redactor_.add(Secret("opensesame"));
    make();
  }
  /// With what config_ says now.
  void make() {
    probes_.clear();
    for (const ProbeSpec& spec : config_.probes) probes_.emplace_back(spec);
    lifecycle_ = Lifecycle({config_.start_timeout, config_.stop_timeout, config_.restart}, 1);
    watch_ = std::make_unique<ApplicationWatch>(
        config_, probes_, lifecycle_, schedule_, tree_, record_, redactor_,
        ApplicationWatch::Hands{.ended = [this](const Report& report) { ended_.push_back(report); },
                                .changed = [this] { ++changed_; },
                                .look_again = [this] { watch_->look(); },
                                .forgive = [this] { ++forgiven_; },
                                .oom_kills = [this] { return oom_kills_; }});
  }
  void ask_database() { config_.probes.push_back(probe_spec("database", ProbeKind::kDatabase)); }

  /// An agent starts it, for whom nobody waits.
  void start(bool resumed = true) {
    Event event{EventType::kStart};
    event.resumed = resumed;
    lifecycle_.on(event, schedule_.now());
    watch_->begin_generation();
    tree_.leader_seen = 10;
    tree_.members_seen = {process(10)};
    tree_.port_seen.emplace();
    tree_.port_seen->number = 3000;
    tree_.port_seen->ours = false;
  }
  /// It listens and is ready.
  void run() {
    start();
    listen(20);
    lifecycle_.on({EventType::kReady}, schedule_.now());
    watch_->served();
    watch_->look();
    ASSERT_EQ(lifecycle_.state(), State::kRunning);
  }
  void listen(pid_t pid) {
    tree_.members_seen = {process(10), process(pid)};
    tree_.server_seen = ProcessId{pid, static_cast<std::uint64_t>(pid)};
    tree_.port_seen->ours = true;
  }
  /// The server ends and what started it lives on.
  void server_ends() {
    tree_.members_seen = {process(10)};
    tree_.server_seen.reset();
    tree_.port_seen->ours = false;
    watch_->look();
  }
  static ProcStat process(pid_t pid) {
    ProcStat stat;
    stat.pid = pid;
    stat.start_ticks = static_cast<std::uint64_t>(pid);
    return stat;
  }

  void says(std::string line) { tree_.lines.emplace_back(schedule_.now(), std::move(line)); }
  const Report& leader_exits(const ExitStatus& status = {true, 1, 0, false}) {
    tree_.leader_seen.reset();
    record_.exited(status, schedule_.wall_now());
    watch_->leader_exited(status);
    return ended_.back();
  }
  std::uint64_t diagnosed(Cause cause) {
    BackendSnapshot snapshot;
    record_.fill(snapshot);
    return snapshot.exit_causes.at(std::string(to_string(cause)));
  }

  BackendConfig config_;
  FakeSchedule schedule_;
  FakeTree tree_;
  Redactor redactor_;
  BackendRecord record_;
  Lifecycle lifecycle_{LifecycleConfig{}, 1};
  std::vector<ProbeTracker> probes_;
  std::uint64_t oom_kills_ = 3;
  std::vector<Report> ended_;
  int changed_ = 0, forgiven_ = 0;
  std::unique_ptr<ApplicationWatch> watch_;
};

}  // namespace codex::testing
