#include "agent/supervision/evidence_recorder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>

#include "tests/support/temporary_directory.h"

namespace codex {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;

/// A recorder whose looking is done by `sh`, on a real loop.
class Recorder : public ::testing::Test {
 protected:
  Recorder()
      : reaper_(loop_, [this](pid_t pid, const ExitStatus& status, const rusage&) {
          if (recorder_) recorder_->on_reaped(pid, status);
        }) {
    redactor_.add(Secret("hunter2secret"));
  }

  void shell(const std::string& script) {
    recorder_ = std::make_unique<EvidenceRecorder>(
        loop_, directory_ / "evidence", "test" + std::to_string(::getpid()), redactor_, log_,
        [this] { ++changes_; }, std::vector<std::string>{"sh", "-c", script, directory_.path()});
  }

  void capture(const std::string& backend = "api") {
    EvidenceRequest request;
    request.backend = backend;
    request.id = "id-" + backend;
    recorder_->capture(std::move(request), [this](const auto& answer) { answers_.push_back(answer); });
  }

  template <typename Predicate>
  bool turn_until(Predicate done) {
    const auto end = Clock::now() + seconds(20);
    while (!done()) {
      if (Clock::now() > end) return false;
      loop_.run_once(milliseconds(20));
    }
    return true;
  }
  bool answered(std::size_t count) {
    return turn_until([&] { return answers_.size() >= count; });
  }
  [[nodiscard]] std::uint64_t count(std::string_view result) const {
    return recorder_->counts().find(result)->second;
  }
  [[nodiscard]] std::string log() const { return contents_of(directory_ / "log"); }

  TemporaryDirectory directory_;
  EventLoop loop_;
  Worker disk_{"disk", 16};
  RotatingFile log_file_{disk_, directory_ / "log", 1 << 20, 1};
  Redactor redactor_;
  Logger log_{redactor_, &log_file_, LogLevel::kDebug};
  int changes_ = 0;
  std::vector<std::optional<EvidenceRecorder::Answer>> answers_;
  std::unique_ptr<EvidenceRecorder> recorder_;
  Reaper reaper_;
};

TEST_F(Recorder, HandsTheRequestOverAndTheAnswerBack) {
  shell(R"(cat > "$0/request"; echo '{"id":"x","where":"f (a.js:1) hunter2secret"}')");
  capture();
  EXPECT_TRUE(recorder_->busy("api"));
  EXPECT_FALSE(recorder_->busy("web"));
  ASSERT_TRUE(answered(1));
  ASSERT_TRUE(answers_[0]);
  EXPECT_EQ(answers_[0]->id, "x");
  EXPECT_EQ(answers_[0]->where, "f (a.js:1) ***");
  EXPECT_FALSE(recorder_->busy("api"));
  const auto request = decode_evidence_request(contents_of(directory_ / "request"));
  EXPECT_EQ(request.backend, "api");
  EXPECT_EQ(request.directory, directory_ / "evidence");
  EXPECT_THAT(request.secrets, ::testing::Contains("hunter2secret"));
  EXPECT_EQ(count("success"), 1U);
  EXPECT_GE(changes_, 1);
}

TEST_F(Recorder, AFailureIsToldAndTheNextOneWorks) {
  shell(
      R"(if [ ! -e "$0/once" ]; then touch "$0/once"; echo "no space, hunter2secret" >&2; exit 1; fi; echo '{"id":"y"}')");
  capture();
  capture("web");
  ASSERT_TRUE(answered(2));
  EXPECT_FALSE(answers_[0]);
  EXPECT_TRUE(answers_[1]);
  EXPECT_EQ(count("failure"), 1U);
  ASSERT_TRUE(turn_until([&] { return log().find("no space, ***") != std::string::npos; })) << log();
}

TEST_F(Recorder, NonsenseIsNoAnswer) {
  for (const char* script : {"echo nonsense", "true", "echo '[1]'"}) {
    answers_.clear();
    shell(script);
    capture();
    ASSERT_TRUE(answered(1));
    EXPECT_FALSE(answers_[0]) << script;
    ASSERT_TRUE(turn_until([&] { return !recorder_->busy("api"); }));
  }
}

TEST_F(Recorder, ACommandThatIsNotThereIsAFailure) {
  recorder_ = std::make_unique<EvidenceRecorder>(
      loop_, directory_ / "evidence", "test", redactor_, log_, [] {}, std::vector<std::string>{"/not/there"});
  capture();
  ASSERT_TRUE(answered(1));
  EXPECT_FALSE(answers_[0]);
  EXPECT_EQ(count("failure"), 1U);
}

TEST_F(Recorder, OneThatTakesTooLongIsKilledWithAllThatCameOfIt) {
  shell(R"(sleep 1000 & echo $! > "$0/pid"; wait)");
  capture();
  ASSERT_TRUE(answered(1));
  EXPECT_FALSE(answers_[0]);
  EXPECT_EQ(count("timeout"), 1U);
  const int pid = std::atoi(contents_of(directory_ / "pid").c_str());
  ASSERT_GT(pid, 0);
  EXPECT_TRUE(turn_until([&] { return ::kill(pid, 0) != 0; }));
}

TEST_F(Recorder, WhatWasAnsweredInTimeCounts) {
  shell(R"(echo '{"id":"x"}'; exec sleep 1000)");
  capture();
  ASSERT_TRUE(answered(1));
  ASSERT_TRUE(answers_[0]);
  EXPECT_EQ(answers_[0]->id, "x");
  EXPECT_EQ(count("timeout"), 1U);
}

TEST_F(Recorder, TooManyRequestsAreRefusedAtOnce) {
  shell(R"(echo '{"id":"z"}')");
  for (std::size_t i = 0; i <= EvidenceRecorder::kMostWaiting; ++i) capture();
  ASSERT_EQ(answers_.size(), 1U);
  EXPECT_FALSE(answers_[0]);
  ASSERT_TRUE(answered(EvidenceRecorder::kMostWaiting + 1));
  EXPECT_EQ(count("success"), EvidenceRecorder::kMostWaiting);
}

TEST_F(Recorder, ItsEndEndsWhatRuns) {
  shell(R"(echo $$ > "$0/pid.new"; mv "$0/pid.new" "$0/pid"; exec sleep 1000)");
  capture();
  ASSERT_TRUE(turn_until([&] { return !contents_of(directory_ / "pid").empty(); }));
  const int pid = std::atoi(contents_of(directory_ / "pid").c_str());
  recorder_.reset();
  EXPECT_TRUE(turn_until([&] { return ::kill(pid, 0) != 0; }));
  EXPECT_TRUE(answers_.empty());
}

}  // namespace
}  // namespace codex
