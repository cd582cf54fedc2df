#include "agent/record/standing_troubles.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <system_error>

#include "tests/support/command_fixture.h"

namespace codex {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;

class Troubles : public CommandFixture {
 protected:
  bool fails() {
    return !troubles_.look("port", now_,
                           [] { throw std::system_error(EMFILE, std::system_category(), "open"); });
  }
  bool works() {
    return troubles_.look("port", now_, [] {});
  }
  /// How many lines of the log have `text`, once `last` was logged.
  std::size_t lines_with(const std::string& text) {
    log_.info("mark " + std::to_string(++marks_));
    EXPECT_TRUE(logged("mark " + std::to_string(marks_)));
    const auto all = log();
    std::size_t count = 0;
    for (auto at = all.find(text); at != std::string::npos; at = all.find(text, at + 1)) ++count;
    return count;
  }

  StandingTroubles troubles_{log_, redactor_, "api"};
  TimePoint now_ = Clock::now();
  int marks_ = 0;
};

TEST_F(Troubles, AreToldWhenTheyBeginAndWhenTheyAreOver) {
  EXPECT_TRUE(works());
  EXPECT_TRUE(fails());
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(fails());
  EXPECT_EQ(lines_with("look_fails backend=api look=port error=\"open: Too many open files\""), 1U);
  now_ += StandingTroubles::kOver - milliseconds(1);
  EXPECT_TRUE(works());
  EXPECT_EQ(lines_with("look_works_again"), 0U) << "for once, perhaps";
  now_ += milliseconds(1);
  EXPECT_TRUE(works());
  EXPECT_EQ(lines_with("look_works_again backend=api look=port"), 1U);
  EXPECT_TRUE(fails());
  EXPECT_EQ(lines_with("look_fails"), 2U);
}

TEST_F(Troubles, OneLookKeepsNoOtherFromBeingMadeAndBugsAreNoTroubles) {
  EXPECT_TRUE(fails());
  EXPECT_TRUE(troubles_.look("memory", now_, [this] { EXPECT_TRUE(fails()) << "one within another"; }));
  EXPECT_THROW(troubles_.look("memory", now_, [] { throw std::logic_error("bug"); }), std::logic_error);
}

}  // namespace
}  // namespace codex
