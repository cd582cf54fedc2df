#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "probes/hang/hang_detector.h"
#include "tests/support/hang_record.h"

namespace codex {
namespace {

/// A recording: the first line is a comment that says what is expected of it.
///
///   # expect: spin within 1500 ms of 50123456
///   # expect: nothing
struct Recording {
  std::optional<std::string> hang;
  std::chrono::milliseconds within{0};
  TimePoint hung_at{};
  std::vector<HangObservation> looks;
};

Recording load(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::string line;
  Recording recording;
  while (std::getline(file, line)) {
    if (line.starts_with("# expect: ")) {
      std::istringstream words(line.substr(10));
      std::string hang, skip;
      std::int64_t within = 0, at = 0;
      words >> hang >> skip >> within >> skip >> skip >> at;
      if (hang == "nothing") continue;
      recording.hang = hang;
      recording.within = std::chrono::milliseconds(within);
      recording.hung_at = TimePoint(Duration(at));
    } else {
      const auto seen = read_observation(line);
      if (!seen) throw std::runtime_error(path.string() + ": malformed: " + line);
      recording.looks.push_back(*seen);
    }
  }
  return recording;
}

std::vector<std::string> names() {
  std::vector<std::string> found;
  for (const auto& entry : std::filesystem::directory_iterator(CODEX_SOURCE_DIR "/tests/probes/golden/hang"))
    if (entry.path().extension() == ".txt") found.push_back(entry.path().stem());
  std::sort(found.begin(), found.end());
  return found;
}

class HangGolden : public testing::TestWithParam<std::string> {
 protected:
  Recording recording = load(CODEX_SOURCE_DIR "/tests/probes/golden/hang/" + GetParam() + ".txt");
};
INSTANTIATE_TEST_SUITE_P(Recorded, HangGolden, testing::ValuesIn(names()),
                         [](const auto& param) { return param.param; });

TEST_P(HangGolden, IsJudgedAsItWas) {
  HangDetector detector;
  std::optional<TimePoint> confirmed;
  std::string hang;
  for (const auto& seen : recording.looks) {
    const auto& verdict = detector.observe(seen);
    if (verdict.state != HangVerdict::State::kConfirmed) continue;
    if (!confirmed) confirmed = seen.at;
    hang = to_string(*verdict.hang);
    EXPECT_FALSE(verdict.why.empty());
    EXPECT_GE(verdict.since, recording.looks.front().at - std::chrono::seconds(30));
  }
  if (!recording.hang) {
    EXPECT_FALSE(confirmed) << hang;
    return;
  }
  ASSERT_TRUE(confirmed);
  EXPECT_EQ(hang, *recording.hang);
  EXPECT_GT(*confirmed, recording.hung_at);
  EXPECT_LE(*confirmed, recording.hung_at + recording.within);
}

TEST_P(HangGolden, IsNothingWhenTheHostSleptBetweenAnyTwoLooks) {
  HangDetector detector;
  for (auto seen : recording.looks) {
    seen.resumed = true;
    const auto& verdict = detector.observe(seen);
    ASSERT_NE(verdict.state, HangVerdict::State::kConfirmed) << verdict.why;
  }
}

TEST_P(HangGolden, LinesSurviveTheRoundTrip) {
  for (const auto& seen : recording.looks) {
    const auto line = write_observation(seen);
    const auto again = read_observation(line);
    ASSERT_TRUE(again);
    ASSERT_EQ(write_observation(*again), line);
    ASSERT_FALSE(read_observation(line + " surprise=1"));
    ASSERT_FALSE(read_observation(line.substr(0, line.size() - 2)));
  }
}

TEST(HangGoldens, CoverEveryClassThatCanBeRecorded) {
  std::map<std::string, int> covered;
  for (const auto& name : names())
    ++covered[load(CODEX_SOURCE_DIR "/tests/probes/golden/hang/" + name + ".txt").hang.value_or("nothing")];
  for (const auto hang : kHangClasses) {
    // A disk that does not answer takes a file system of its own: see hang_loop_test.cc.
    if (hang == HangClass::kDiskWait) continue;
    EXPECT_GT(covered[std::string(to_string(hang))], 0) << to_string(hang);
  }
  EXPECT_GE(covered["nothing"], 6);
}

}  // namespace
}  // namespace codex
