#include "exporters/status_page/sparkline.h"

#include <gmock/gmock.h>

#include <limits>

namespace codex {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr float kUnknown = std::numeric_limits<float>::quiet_NaN();

TEST(Sparkline, DrawsAStepForEachValueAndNothingWhereNoneIsKnown) {
  const std::string svg = sparkline_html({kUnknown, 1, 2, kUnknown, 4, kUnknown}, {}, 6, 4, "latency");
  EXPECT_THAT(svg, HasSubstr("class=line d=\"M1 30.5h1V21h1M4 2h1\""));
  EXPECT_THAT(svg, HasSubstr("class=area d=\"M1 40V30.5h1V21h1V40zM4 40V2h1V40z\""));
  EXPECT_THAT(svg, HasSubstr("aria-label=\"latency\""));
  EXPECT_THAT(svg, Not(HasSubstr("class=failed")));
}

TEST(Sparkline, GrowsWithItsPeakAndNotBelowItsTop) {
  EXPECT_THAT(sparkline_html({10}, {}, 1, 1, ""), HasSubstr("M0 2h1"));
  EXPECT_THAT(sparkline_html({.1F}, {}, 1, 1, ""), HasSubstr("M0 36.2h1"));
}

TEST(Sparkline, ShowsOnlyTheNewest) {
  EXPECT_THAT(sparkline_html({1, 1, 4, 4}, {1, 0, 0, 0}, 2, 4, ""),
              HasSubstr("class=line d=\"M0 2h1V2h1\"/></svg>"));
}

TEST(Sparkline, MarksFailures) {
  EXPECT_THAT(sparkline_html({kUnknown, 1}, {1, 0}, 2, 1, ""), HasSubstr("class=failed d=\"M0.5 40v-12\""));
}

TEST(Sparkline, IsEmptyWithoutValues) {
  const std::string svg = sparkline_html({kUnknown, kUnknown}, {kUnknown, kUnknown}, 2, 0, "a<b");
  EXPECT_THAT(svg, Not(HasSubstr("<path")));
  EXPECT_THAT(svg, HasSubstr("a&lt;b"));
  EXPECT_EQ(peak_of({kUnknown, 3, 2}), 3);
  EXPECT_EQ(peak_of({}), 0);
}

}  // namespace
}  // namespace codex
