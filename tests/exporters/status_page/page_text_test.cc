#include "exporters/status_page/page_text.h"

#include <gmock/gmock.h>

#include <set>

#include "exporters/snapshot.h"

namespace codex {
namespace {

using ::testing::HasSubstr;

TEST(PageText, SpansHaveTwoUnits) {
  EXPECT_EQ(span_text(-1), "0 s");
  EXPECT_EQ(span_text(59.4), "59 s");
  EXPECT_EQ(span_text(60), "1 min");
  EXPECT_EQ(span_text(7983.5), "2 h 13 min");
  EXPECT_EQ(span_text(86400 + 60), "1 d 1 min");
  EXPECT_EQ(span_text(1e300), "11574074 d 1 h");
  EXPECT_EQ(moment_text(9.94), "9.9 s");
  EXPECT_EQ(moment_text(10), "10 s");
  EXPECT_EQ(moment_text(0.001), "under 0.1 s");
}

TEST(PageText, Quantities) {
  EXPECT_EQ(memory_text(1.5 * (1 << 20)), "1.5 MiB");
  EXPECT_EQ(memory_text(112 << 20), "112 MiB");
  EXPECT_EQ(cpu_text(0.0123), "1.2 %");
}

TEST(PageText, EscapesAndCuts) {
  EXPECT_EQ(html("a<b>&\"'"), "a&lt;b&gt;&amp;&quot;&#39;");
  EXPECT_LE(html(std::string(30000, 'x')).size(), 520U);
  EXPECT_EQ(html("\xff"), "\xef\xbf\xbd");
}

TEST(PageText, TimesSayTheirDateWhenItIsNotToday) {
  const WallTime now = WallTime(std::chrono::seconds(1790000000));
  EXPECT_THAT(time_html(now, now), HasSubstr("<time datetime=\"2026-09-21T14:13:20.000Z\" title=\"2026-09-"));
  EXPECT_EQ(time_html(now, now).find(", "), std::string::npos);
  EXPECT_THAT(time_html(now - std::chrono::hours(30), now), HasSubstr("Sep "));
}

TEST(PageText, EveryStateHasAMoodAndASign) {
  EXPECT_EQ(mood_of_state("running"), "good");
  EXPECT_EQ(mood_of_state("hung"), "bad");
  EXPECT_EQ(mood_of_state("never heard of"), "bad");
  EXPECT_LT(badness_of_state("running"), badness_of_state("starting"));
  EXPECT_LT(badness_of_state("starting"), badness_of_state("degraded"));
  EXPECT_LT(badness_of_state("degraded"), badness_of_state("failed"));
  std::set<std::string_view> signs;
  for (const std::string_view state : {"running", "stopped", "starting", "degraded", "failed"})
    signs.insert(sign_of_state(state));
  EXPECT_EQ(signs.size(), 5U);
}

}  // namespace
}  // namespace codex
