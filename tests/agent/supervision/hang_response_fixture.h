#pragma once

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "agent/supervision/hang_response.h"
#include "tests/support/fake_schedule.h"

namespace codex::testing {

inline HangVerdict verdict(HangClass hang, Duration clock, std::string why = "its loop is busy") {
  HangVerdict seen;
  seen.state = HangVerdict::State::kConfirmed;
  seen.hang = hang;
  seen.why = std::move(why);
  seen.clock = clock;
  return seen;
}

inline HangVerdict suspicion(Duration clock = std::chrono::milliseconds(400)) {
  HangVerdict seen;
  seen.state = HangVerdict::State::kSuspect;
  seen.why = "nothing is accepted";
  seen.clock = clock;
  return seen;
}

inline HangPolicy::Decision decision(HangAction action, int vain = 0) {
  return {action, std::chrono::seconds(5), vain};
}

/// A HangResponse whose watch never looks: its loop does not turn.
class HangResponseFixture : public ::testing::Test {
 protected:
  struct Captured {
    EvidenceRequest request;
    EvidenceRecorder::Done done;
  };
  static BackendConfig backend_config() {
    BackendConfig config;
    config.name = "api";
    return config;
  }
  static Redactor knows_a_secret() {
    Redactor redactor;
    redactor.add(Secret("opensesame"));
    return redactor;
  }

  void give(EventType type, bool leftovers = false) {
    Event event{type};
    event.leftovers = leftovers;
    lifecycle_.on(event, schedule_.now());
  }
  void run() {
    give(EventType::kStart);
    give(EventType::kReady);
    ASSERT_EQ(lifecycle_.state(), State::kRunning);
  }
  BackendSnapshot shown() const {
    BackendSnapshot snapshot;
    response_.fill(snapshot);
    return snapshot;
  }
  BackendSnapshot recorded() const {
    BackendSnapshot snapshot;
    record_.fill(snapshot);
    return snapshot;
  }
  void answer(std::size_t index, const std::string& id, const std::string& where) {
    captures_.at(index).done(EvidenceRecorder::Answer{id, where});
  }
  const EvidenceRequest& newest() const { return captures_.back().request; }

  BackendConfig config_ = backend_config();
  EventLoop loop_;
  Redactor redactor_ = knows_a_secret();
  Logger log_{redactor_, nullptr};
  FakeSchedule schedule_;
  Lifecycle lifecycle_{LifecycleConfig{}, 1};
  BackendRecord record_;
  std::vector<Captured> captures_;
  bool capturing_ = false;
  int continued_ = 0, changed_ = 0, forgiven_ = 0;
  std::vector<Report> restarts_;
  HangResponse response_{config_,
                         loop_,
                         [] { return std::vector<ProcStat>{}; },
                         schedule_,
                         lifecycle_,
                         record_,
                         log_,
                         redactor_,
                         {.capture =
                              [this](EvidenceRequest request, EvidenceRecorder::Done done) {
                                captures_.push_back({std::move(request), std::move(done)});
                              },
                          .capturing = [this] { return capturing_; },
                          .continue_server = [this] { ++continued_; },
                          .signal_worker = {},
                          .ask_http = {},
                          .changed = [this] { ++changed_; },
                          .forgive = [this] { ++forgiven_; },
                          .restart = [this](const Report& report) { restarts_.push_back(report); }}};
};

}  // namespace codex::testing
