#include "probes/hang/overload.h"

#include <gtest/gtest.h>

namespace codex {
namespace {

using std::chrono::milliseconds;

class OverloadTest : public testing::Test {
 protected:
  static constexpr Duration kStep = milliseconds(50);

  /// Looks for so long; the thread gets `share` of a CPU, and reads and writes in every so manieth look.
  void look(Duration time, double share, int reads_and_writes_every, char state = 'R') {
    for (Duration done{0}; done < time; done += kStep) {
      seen_.at += kStep;
      seen_.main.state = state;
      seen_.main.cpu_nanos += static_cast<std::uint64_t>(share * static_cast<double>(kStep.count()));
      if (reads_and_writes_every > 0 && ++looks_ % reads_and_writes_every == 0) {
        ++seen_.main.read_calls;
        ++seen_.main.write_calls;
      }
      overload_.observe(seen_);
    }
  }

  Overload overload_;
  HangObservation seen_;
  int looks_ = 0;
};

TEST_F(OverloadTest, ABusyThreadThatReadsAndWritesIsOverloaded) {
  look(milliseconds(2400), 0.97, 1);
  EXPECT_FALSE(overload_.overloaded()) << "too short to tell";
  look(milliseconds(200), 0.97, 1);
  EXPECT_TRUE(overload_.overloaded());
  EXPECT_EQ(overload_.why(), "uses 97 % of a CPU and goes on reading and writing");
}

TEST_F(OverloadTest, AnAnswerASecondIsEnough) {
  look(milliseconds(4000), 1.0, 20);
  EXPECT_TRUE(overload_.overloaded());
}

TEST_F(OverloadTest, ABusyThreadThatDoesNotReadAndWriteIsNot) {
  look(milliseconds(4000), 1.0, 1);
  look(milliseconds(3000), 1.0, 0);
  EXPECT_FALSE(overload_.overloaded()) << "what it did three seconds ago does not count";
}

TEST_F(OverloadTest, AThreadThatHasTimeLeftIsNot) {
  look(milliseconds(4000), 0.7, 1, 'S');
  EXPECT_FALSE(overload_.overloaded());
}

TEST_F(OverloadTest, AThreadThatAlwaysWantsToRunIsThoughOthersTakeItsCpu) {
  look(milliseconds(4000), 0.3, 1, 'R');
  EXPECT_TRUE(overload_.overloaded());
}

TEST_F(OverloadTest, ANewProcessIsJudgedByItself) {
  look(milliseconds(4000), 1.0, 1);
  overload_.reset();
  look(milliseconds(2000), 1.0, 1);
  EXPECT_FALSE(overload_.overloaded());
}

}  // namespace
}  // namespace codex
