#include "agent/text/process_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace codex {
namespace {

using ::testing::MatchesRegex;

TEST(ProcessText, TellsWhatAndWhoseAndSinceWhen) {
  ProcessDescription process{4711, "python3 x.py\n", "anna", std::chrono::system_clock::now()};
  EXPECT_THAT(process_text(process, {}),
              MatchesRegex(R"(pid 4711 \(python3 x\.py\\x0a, user anna, since ..:..\))"));
  process.since -= std::chrono::hours(48);
  EXPECT_THAT(process_text(process, {}), MatchesRegex(R"(.*, since ....-..-.. ..:..\))"));
}

TEST(ProcessText, NoSecretIsShown) {
  Redactor redactor;
  redactor.add(Secret("hunter22"));
  const ProcessDescription process{1, "psql --password hunter22", "anna", {}};
  EXPECT_THAT(process_text(process, redactor), MatchesRegex(R"(pid 1 \(psql --password \*\*\*, .*)"));
}

}  // namespace
}  // namespace codex
