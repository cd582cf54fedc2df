#include "agent/record/event_history.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/text/rfc3339.h"
#include "tests/support/temporary_directory.h"

namespace codex {
namespace {

using ::testing::HasSubstr;
using namespace std::chrono_literals;

const WallTime kNoon = *parse_rfc3339("2026-11-23T12:03:04.123Z");

LifecycleEvent event(std::string detail) {
  return {0, kNoon, "api", "state_changed", "running", "backoff", "crash", std::move(detail)};
}

/// One life of the agent: the worker's end has written everything.
struct Life {
  explicit Life(const std::filesystem::path& path, std::uint64_t max_bytes = 1 << 20)
      : file(worker, path, max_bytes, 3), history(file) {}
  Worker worker{"disk", 100};
  RotatingFile file;
  EventHistory history;
};

std::vector<std::uint64_t> seqs(const std::vector<LifecycleEvent>& events) {
  std::vector<std::uint64_t> numbers;
  for (const auto& e : events) numbers.push_back(e.seq);
  return numbers;
}

TEST(Rfc3339, WritesUtcMillisecondsAndReadsThemBack) {
  EXPECT_EQ(format_rfc3339(WallTime{}), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(format_rfc3339(kNoon + 999us), "2026-11-23T12:03:04.123Z");
  EXPECT_EQ(format_rfc3339(WallTime{} - 1ms), "1969-12-31T23:59:59.999Z");
  for (const char* wrong :
       {"", "2026-11-23T12:03:04Z", "2026-11-23 12:03:04.123Z", "2026-02-30T12:03:04.123Z",
        "2026-11-23T24:03:04.123Z", "2026-11-23T12:03:04.1x3Z", "2026-11-23T12:03:04.123+"}) {
    EXPECT_FALSE(parse_rfc3339(wrong)) << wrong;
  }
}

TEST(EventHistory, NumbersEventsAndGivesThoseAfterOne) {
  const TemporaryDirectory directory;
  Life life(directory / "events.jsonl");
  EXPECT_EQ(life.history.last(), 0U);
  for (std::uint64_t seq = 1; seq <= 3; ++seq) EXPECT_EQ(life.history.append(event("x")), seq);
  EXPECT_EQ(seqs(life.history.after(0)), (std::vector<std::uint64_t>{1, 2, 3}));
  EXPECT_EQ(seqs(life.history.after(2)), (std::vector<std::uint64_t>{3}));
  EXPECT_TRUE(life.history.after(3).empty());
  EXPECT_TRUE(life.history.after(99).empty());
}

TEST(EventHistory, TellsOfEveryNewEventOnceItIsNumbered) {
  const TemporaryDirectory directory;
  Life(directory / "events.jsonl").history.append(event("of an earlier agent"));
  Life life(directory / "events.jsonl");
  std::vector<LifecycleEvent> told;
  life.history.on_append([&](const LifecycleEvent& e) {
    EXPECT_EQ(life.history.last(), e.seq);
    told.push_back(e);
  });
  life.history.append(event("new"));
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told.front().seq, 2U);
  EXPECT_EQ(told.front().detail, "new");
}

TEST(EventHistory, KeepsTheNewestThousand) {
  const TemporaryDirectory directory;
  Life life(directory / "events.jsonl");
  for (int i = 0; i < 1005; ++i) life.history.append(event("x"));
  const auto events = life.history.after(0);
  ASSERT_EQ(events.size(), 1000U);
  EXPECT_EQ(events.front().seq, 6U);
  EXPECT_EQ(events.back().seq, 1005U);
}

TEST(EventHistory, WritesOneJsonObjectALine) {
  const TemporaryDirectory directory;
  {
    Life life(directory / "events.jsonl");
    life.history.append(event("say \"hi\"\n"));
  }
  EXPECT_EQ(contents_of(directory / "events.jsonl"),
            R"({"seq":1,"at":"2026-11-23T12:03:04.123Z","backend":"api","event":"state_changed",)"
            R"("from":"running","to":"backoff","reason":"crash","detail":"say \"hi\"\n"})"
            "\n");
}

TEST(EventHistory, ReplacesInvalidUtf8InJson) {
  EXPECT_THAT(to_json(event("a\xFFz")), HasSubstr("a\xEF\xBF\xBDz"));
}

TEST(EventHistory, TakesUpWhereTheLastAgentEnded) {
  const TemporaryDirectory directory;
  const auto path = directory / "events.jsonl";
  {
    Life life(path);
    life.history.append(event("first"));
    life.history.append(event("second"));
  }
  Life life(path);
  const auto events = life.history.after(0);
  ASSERT_EQ(seqs(events), (std::vector<std::uint64_t>{1, 2}));
  EXPECT_EQ(events[1].at, kNoon);
  EXPECT_EQ(events[1].backend, "api");
  EXPECT_EQ(events[1].from, "running");
  EXPECT_EQ(events[1].to, "backoff");
  EXPECT_EQ(events[1].reason, "crash");
  EXPECT_EQ(events[1].detail, "second");
  EXPECT_EQ(life.history.append(event("third")), 3U);
}

TEST(EventHistory, GivesTheNewestOfOneBackend) {
  const TemporaryDirectory directory;
  Life life(directory / "events.jsonl");
  for (int i = 0; i < 3; ++i) {
    life.history.append(event("of api"));
    LifecycleEvent other = event("of web");
    other.backend = "web";
    life.history.append(std::move(other));
  }
  EXPECT_EQ(seqs(life.history.newest("api", 2)), (std::vector<std::uint64_t>{5, 3}));
  EXPECT_EQ(seqs(life.history.newest("web", 10)), (std::vector<std::uint64_t>{6, 4, 2}));
  EXPECT_TRUE(life.history.newest("none", 10).empty());
}

TEST(EventHistory, ReadsTheRotatedFileToo) {
  const TemporaryDirectory directory;
  const auto path = directory / "events.jsonl";
  {
    Life life(path, 400);
    for (int i = 0; i < 3; ++i) life.history.append(event("x"));
  }
  ASSERT_TRUE(std::filesystem::exists(path.string() + ".1"));
  EXPECT_EQ(seqs(Life(path, 400).history.after(0)), (std::vector<std::uint64_t>{1, 2, 3}));
  // The agent died between the rotation and the next line.
  std::filesystem::rename(path, path.string() + ".1");
  EXPECT_EQ(Life(path, 400).history.last(), 3U);
}

TEST(EventHistory, SkipsGarbageAndHalfLines) {
  const TemporaryDirectory directory;
  const auto path = directory / "events.jsonl";
  std::string text = "half of a line\"}\n\n[]\n{}\n";
  LifecycleEvent good = event("good");
  good.seq = 7;
  text += to_json(good) + "\n";
  text += to_json(good) + "\n";  // twice
  text += R"({"seq":-1,"at":"2026-11-23T12:03:04.123Z"})"
          "\n";
  text += R"({"seq":8,"at":"yesterday","backend":1})"
          "\n";
  text += R"({"seq":18446744073709551615,"at":"2026-11-23T12:03:04.123Z","backend":"","event":"",)"
          R"("from":"","to":"","reason":"","detail":""})"
          "\n";
  text += std::string(5000, '[') + "\n" + std::string("\0\xFF\n", 3);
  good.seq = 8;
  text += to_json(good).substr(0, 60);  // The last agent died in mid-write.
  write_contents(path, text);
  {
    Life life(path);
    EXPECT_EQ(seqs(life.history.after(0)), (std::vector<std::uint64_t>{7}));
    EXPECT_EQ(life.history.append(event("next")), 8U);
  }
  EXPECT_EQ(seqs(Life(path).history.after(0)), (std::vector<std::uint64_t>{7, 8}));
}

TEST(EventHistory, ReadsOnlyTheEndOfAHugeFile) {
  const TemporaryDirectory directory;
  const auto path = directory / "events.jsonl";
  write_contents(path, "");
  std::filesystem::resize_file(path, std::uintmax_t{5} << 30);  // Sparse.
  LifecycleEvent last = event("last");
  last.seq = 41;
  {
    std::ofstream file(path, std::ios::app | std::ios::binary);
    file << "\n" << to_json(last) << "\n";
  }
  EXPECT_EQ(Life(path, std::uint64_t{1} << 40).history.last(), 41U);
}

}  // namespace
}  // namespace codex
