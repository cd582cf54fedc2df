#include "agent/evidence/evidence_recorder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/command_fixture.h"
#include "tests/support/few_descriptors.h"

namespace codex {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;

/// A recorder whose looking is done by `sh`, on a real loop.
class Recorder : public CommandFixture {
 protected:
  void shell(const std::string& script) {
    recorder_ = std::make_unique<EvidenceRecorder>(
        loop_, directory_ / "evidence", TreeIdentity{"test" + std::to_string(::getpid()), "", "secret"},
        redactor_, log_, [this] { ++changes_; },
        std::vector<std::string>{"sh", "-c", script, directory_.path()});
  }

  void capture(const std::string& backend = "api") {
    EvidenceRequest request;
    request.backend = backend;
    request.id = "id-" + backend;
    recorder_->capture(std::move(request), [this](const auto& answer) { answers_.push_back(answer); });
  }

  bool answered(std::size_t count) {
    return turn_until([&] { return answers_.size() >= count; });
  }
  [[nodiscard]] std::uint64_t count(std::string_view result) const {
    return recorder_->counts().find(result)->second;
  }

  std::vector<std::optional<EvidenceRecorder::Answer>> answers_;
  std::unique_ptr<EvidenceRecorder> recorder_;
  Reaper reaper_{loop_, [this](pid_t pid, const ExitStatus& status, const rusage&) {
                   if (recorder_) recorder_->on_reaped(pid, status);
                 }};
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
  const auto request = decode_evidence_request(written("request"));
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
  ASSERT_TRUE(logged("no space, ***")) << log();
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
      loop_, directory_ / "evidence", TreeIdentity{"test", "", "secret"}, redactor_, log_, [] {},
      std::vector<std::string>{"/not/there"});
  capture();
  ASSERT_TRUE(answered(1));
  EXPECT_FALSE(answers_[0]);
  EXPECT_EQ(count("failure"), 1U);
}

TEST_F(Recorder, WithoutDescriptorsThereIsNoneAndNobodyWaitsForIt) {
  CODEX_SKIP_WITHOUT_DESCRIPTORS();
  shell("true");
  {
    const test::FewDescriptors none(0);
    EXPECT_NO_THROW(capture());
    ASSERT_TRUE(answered(1));
  }
  EXPECT_FALSE(answers_[0]);
  EXPECT_FALSE(recorder_->busy("api"));
  capture();
  ASSERT_TRUE(answered(2));
  EXPECT_EQ(count("failure"), 1U);
  EXPECT_EQ(count("success"), 1U);
}

TEST_F(Recorder, OneThatTakesTooLongIsKilledWithAllThatCameOfIt) {
  shell(R"(sleep 1000 & echo $! > "$0/pid"; wait)");
  capture();
  ASSERT_TRUE(answered(1));
  EXPECT_FALSE(answers_[0]);
  EXPECT_EQ(count("timeout"), 1U);
  ASSERT_GT(pid_in("pid"), 0);
  EXPECT_TRUE(turn_until([&] { return ended("pid"); }));
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
  ASSERT_TRUE(turn_until([&] { return pid_in("pid") > 0; }));
  recorder_.reset();
  EXPECT_TRUE(turn_until([&] { return ended("pid"); }));
  EXPECT_TRUE(answers_.empty());
}

}  // namespace
}  // namespace codex
