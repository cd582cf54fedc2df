#include "exporters/status_page/timeline.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "exporters/snapshot.h"

namespace codex {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string band_of(const std::vector<RecentState>& states) {
  return timeline_html(states, scale_of(states));
}

TEST(Timeline, EveryStateHasAPatternOfItsOwn) {
  const std::string patterns = timeline_patterns();
  std::vector<std::string> strokes;
  for (const std::string_view state : kStates) {
    const auto at = patterns.find("id=\"state-" + std::string(state) + "\"");
    ASSERT_NE(at, std::string::npos) << state;
    const auto path = patterns.find("d=\"", at);
    strokes.push_back(patterns.substr(path, patterns.find('"', path + 3) - path));
    EXPECT_THAT(band_of({{std::string(state), "", 1800, 0}}),
                HasSubstr("fill=\"url(#state-" + std::string(state) + ")\""));
  }
  std::sort(strokes.begin(), strokes.end());
  EXPECT_EQ(std::unique(strokes.begin(), strokes.end()), strokes.end());
}

TEST(Timeline, PlacesStatesOnTheHour) {
  const std::string band = band_of({{"running", "ready", 3600, 900}, {"failed", "start_limit", 900, 0}});
  EXPECT_THAT(band, HasSubstr("<rect x=\"0.00%\" width=\"75.00%\""));
  EXPECT_THAT(band, HasSubstr("<rect x=\"75.00%\" width=\"25.00%\""));
  EXPECT_THAT(band, HasSubstr("<title>running for 45 min, until 15 min ago (ready)</title>"));
  EXPECT_THAT(band, HasSubstr("<title>failed for 15 min (start_limit)</title>"));
  EXPECT_THAT(band, HasSubstr(">failed</text>"));
  EXPECT_THAT(band, Not(HasSubstr("not known")));
}

TEST(Timeline, AHangOfTwoSecondsIsSeenAboveItsNeighbours) {
  const std::string band = band_of(
      {{"running", "", 3600, 12}, {"hung", "", 12, 10}, {"stopping", "", 10, 9}, {"running", "", 9, 0}});
  EXPECT_THAT(band, HasSubstr("width=\"0.40%\" height=\"100%\" fill=\"url(#state-hung)\""));
  EXPECT_GT(band.rfind("<title>hung"), band.rfind("<title>stopping"));
  EXPECT_GT(band.rfind("<title>stopping"), band.rfind("<title>running"));
}

TEST(Timeline, WhileNothingIsOlderThanTenMinutesThoseAreShown) {
  const std::string young = band_of({{"running", "", 600, 0}});
  EXPECT_THAT(young, HasSubstr("<rect x=\"0.00%\" width=\"100.00%\""));
  EXPECT_THAT(young, HasSubstr("10 min ago"));
  const std::string older = band_of({{"running", "", 601, 0}});
  EXPECT_THAT(older, HasSubstr("<rect x=\"83.31%\" width=\"16.69%\""));
  EXPECT_THAT(older, HasSubstr("1 h ago"));
}

TEST(Timeline, NothingReachesBeyondNow) {
  EXPECT_THAT(band_of({{"hung", "", 0.5, 0}}), HasSubstr("<rect x=\"99.60%\" width=\"0.40%\""));
}

TEST(Timeline, WhatNobodyCouldNoticeIsNotDrawn) {
  const std::string band = band_of({{"stopped", "agent_started", 60.002, 60}, {"running", "", 60, 0}});
  EXPECT_THAT(band, Not(HasSubstr("stopped")));
}

TEST(Timeline, WhatIsNowIsDrawnFromTheFirstMoment) {
  const std::string band = band_of({{"starting", "", 1.001, 0.001}, {"running", "", 0.001, 0}});
  EXPECT_THAT(band, HasSubstr("</svg>running <b>"));
  EXPECT_THAT(band, HasSubstr("<title>running for "));
}

TEST(Timeline, TheLegendAddsUp) {
  const std::string band =
      band_of({{"running", "", 700, 400}, {"backoff", "", 400, 350}, {"running", "", 350, 0}});
  EXPECT_THAT(band, HasSubstr("running <b>10 min 50 s</b>"));
  EXPECT_THAT(band, HasSubstr("backoff <b>50 s</b>"));
  EXPECT_THAT(band, HasSubstr("not known <b>48 min 20 s</b>"));
}

TEST(Timeline, AnUnknownStateRefersToNothingElse) {
  const std::string band = band_of({{"x\" onload=\"y", "", 1800, 0}});
  EXPECT_THAT(band, Not(HasSubstr("x\"")));
  EXPECT_THAT(band, HasSubstr("url(#state-stopped)"));
}

}  // namespace
}  // namespace codex
