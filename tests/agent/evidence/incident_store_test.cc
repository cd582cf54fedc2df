#include "agent/evidence/incident_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/temporary_directory.h"

namespace codex {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;

class Incidents : public ::testing::Test {
 protected:
  /// An incident as a capture leaves it.
  void keep(const std::string& id, const std::string& backend = "api", std::size_t bytes = 10) {
    write_contents(store_.open(id, backend) / "report.json", std::string(bytes, 'x'));
    store_.publish(id);
  }

  TemporaryDirectory directory_;
  IncidentStore store_{directory_ / "evidence"};
};

TEST(IncidentId, SortsByTimeAndNamesTheBackend) {
  EXPECT_EQ(incident_id(WallTime(std::chrono::milliseconds(1'764'157'353'482)), "api"),
            "20251126T114233.482Z-api");
}

TEST_F(Incidents, WithoutADirectoryThereAreNone) {
  EXPECT_TRUE(store_.list().empty());
  EXPECT_EQ(store_.find("latest"), std::nullopt);
}

TEST_F(Incidents, OneThatIsNotPublishedIsNone) {
  store_.open("20260101T000000.000Z-api", "api");
  EXPECT_TRUE(store_.list().empty());
}

TEST_F(Incidents, ASuspicionThatDidNotComeTrueIsThrownAwayByTheNextOfItsBackend) {
  const auto suspicion = store_.open("20260101T000000.000Z-api", "api");
  const auto other = store_.open("20260101T000000.001Z-web", "web");
  keep("20260101T000001.000Z-api");
  EXPECT_FALSE(fs::exists(suspicion));
  EXPECT_TRUE(fs::exists(other));
  EXPECT_THAT(store_.list(), ElementsAre("20260101T000001.000Z-api"));
}

TEST_F(Incidents, APublishedOneIsOpenedAgain) {
  keep("20260101T000000.000Z-api");
  EXPECT_EQ(store_.open("20260101T000000.000Z-api", "api"), store_.path("20260101T000000.000Z-api"));
}

TEST_F(Incidents, TheNewestAreKept) {
  for (int i = 10; i < 40; ++i) keep("20260101T0000" + std::to_string(i) + ".000Z-api");
  ASSERT_EQ(store_.list().size(), IncidentStore::kMostIncidents);
  EXPECT_EQ(store_.list().front(), "20260101T000020.000Z-api");
  EXPECT_EQ(store_.find("latest"), "20260101T000039.000Z-api");
}

TEST_F(Incidents, TheirSizeIsBoundedButTheNewestStays) {
  keep("20260101T000000.000Z-api", "api", IncidentStore::kMostBytes - 100);
  keep("20260101T000001.000Z-api", "api", 50);
  EXPECT_EQ(store_.list().size(), 2U);
  keep("20260101T000002.000Z-api", "api", 100);
  EXPECT_THAT(store_.list(), ElementsAre("20260101T000001.000Z-api", "20260101T000002.000Z-api"));
  keep("20260101T000003.000Z-api", "api", IncidentStore::kMostBytes + 1);
  EXPECT_THAT(store_.list(), ElementsAre("20260101T000003.000Z-api"));
}

TEST_F(Incidents, WhatSomebodyElseLeftThereStays) {
  fs::create_directories(directory_ / "evidence" / "to show the team");
  for (int i = 10; i < 40; ++i) keep("20260101T0000" + std::to_string(i) + ".000Z-api");
  EXPECT_TRUE(fs::exists(directory_ / "evidence" / "to show the team"));
  EXPECT_EQ(store_.find("to show"), std::nullopt);
}

TEST_F(Incidents, ABeginningIsEnoughIfItMeansOne) {
  keep("20260101T000000.000Z-api");
  keep("20260101T000000.000Z-api-2", "api-2");
  keep("20260102T000000.000Z-web", "web");
  EXPECT_EQ(store_.find("20260102"), "20260102T000000.000Z-web");
  EXPECT_EQ(store_.find("20260101"), std::nullopt);
  EXPECT_EQ(store_.find("20260101T000000.000Z-api"), "20260101T000000.000Z-api");
  EXPECT_EQ(store_.find("../20260101T000000.000Z-api"), std::nullopt);
  EXPECT_EQ(store_.find(""), std::nullopt);
}

}  // namespace
}  // namespace codex
