#include "agent/cli/event_text.h"

#include <gtest/gtest.h>

namespace codex {
namespace {

TEST(EventText, AChangeOfStateIsOneLine) {
  ::setenv("TZ", "UTC", 1);
  const auto event = parse_event(
      R"({"seq":7,"at":"2026-11-23T12:03:04.500Z","backend":"codex","event":"state","from":"running",
          "to":"backoff","reason":"crash","detail":"exit code 1"})");
  ASSERT_TRUE(event);
  EXPECT_EQ(event->seq, 7U);
  EXPECT_EQ(render_event(*event), "2026-11-23 12:03:04  codex  running -> backoff  crash  exit code 1\n");
}

TEST(EventText, WithoutAChangeTheEventIsNamed) {
  EventDocument event;
  event.at = "now";
  event.event = "agent_started";
  event.from = event.to = "running";
  EXPECT_EQ(render_event(event), "now  agent_started\n");
}

TEST(EventText, HostileTextCannotMakeASecondLine) {
  const auto event = parse_event(R"({"at":"t","backend":"b","event":"e","detail":"x\n2026 fake\u001b[2J"})");
  ASSERT_TRUE(event);
  EXPECT_EQ(render_event(*event), "t  b  e  x\\x0a2026 fake\\x1b[2J\n");
}

}  // namespace
}  // namespace codex
