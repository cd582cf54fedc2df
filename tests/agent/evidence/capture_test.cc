#include "agent/evidence/capture.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "agent/evidence/incident_store.h"
#include "agent/os/files.h"
#include "tests/support/temporary_directory.h"

namespace codex {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Moment = EvidenceRequest::Moment;

/// Of a backend without a living process: what is asked for is what the agent knows itself.
class Captures : public ::testing::Test {
 protected:
  std::string look(Moment moment, const std::string& hang_class) {
    EvidenceRequest request;
    request.moment = moment;
    request.directory = store_directory_;
    request.id = kId;
    request.backend = "api";
    request.token_prefix = "no-such-agent/api/";
    request.hang_class = hang_class;
    std::string id = "never told";
    capture(request, [&](const auto& answer) { id = answer.at("id"); });
    return id;
  }

  json report() const { return json::parse(read_regular_file(store().path(kId) / "report.json", 1 << 20)); }
  IncidentStore store() const { return IncidentStore(store_directory_); }

  static constexpr auto kId = "20260101T000000.000Z-api";
  TemporaryDirectory directory_;
  std::filesystem::path store_directory_ = directory_ / "evidence";
};

TEST_F(Captures, ASuspicionIsNoIncidentAndHasNoIdToBeShownBy) {
  EXPECT_EQ(look(Moment::kSuspected, "spin"), "");
  EXPECT_THAT(store().list(), IsEmpty());
}

TEST_F(Captures, AConfirmedHangIsAnIncidentThatTellsOfItsSuspicion) {
  look(Moment::kSuspected, "spin");
  EXPECT_EQ(look(Moment::kConfirmed, "gc"), kId);
  EXPECT_THAT(store().list(), ElementsAre(kId));
  EXPECT_EQ(report().at("class"), "gc");
  ASSERT_EQ(report().at("earlier").size(), 1U);
  EXPECT_EQ(report()["earlier"][0].at("class"), "spin");
}

TEST_F(Captures, ALaterClassOfTheSameHangIsAddedToItsIncident) {
  look(Moment::kConfirmed, "gc");
  EXPECT_EQ(look(Moment::kConfirmed, "spin"), kId);
  EXPECT_THAT(store().list(), ElementsAre(kId));
  EXPECT_EQ(report().at("class"), "spin");
  EXPECT_EQ(report().at("earlier").size(), 1U);
}

}  // namespace
}  // namespace codex
