#include "agent/text/nearest_word.h"

#include <gtest/gtest.h>

namespace codex {
namespace {

TEST(NearestWord, IsWithinAThirdOfItsLength) {
  const std::vector<std::string> known = {"port", "command", "directory", "env"};
  EXPECT_EQ(nearest_word("prt", known), "port");
  EXPECT_EQ(nearest_word("pto", known), "");
  EXPECT_EQ(nearest_word("comand", known), "command");
  EXPECT_EQ(nearest_word("zzz", known), "");
}

TEST(NearestWord, TwoNeighboursInTheWrongOrderAreOneSlip) {
  const std::vector<std::string> verbs = {"start", "stop", "restart", "status", "run"};
  EXPECT_EQ(nearest_word("statsu", verbs), "status");
  EXPECT_EQ(nearest_word("sotp", verbs), "stop");
  EXPECT_EQ(nearest_word("reestart", verbs), "restart");
}

TEST(NearestWord, OfTwoTheNearerIsMeant) {
  EXPECT_EQ(nearest_word("stat", {"status", "start"}), "start");
}

TEST(NearestWord, NothingNearIsNoWord) {
  EXPECT_EQ(nearest_word("deploy", {"start", "stop", "run"}), "");
  EXPECT_EQ(nearest_word("", {"run"}), "");
  EXPECT_EQ(nearest_word("start", {}), "");
  EXPECT_EQ(nearest_word(std::string(30'000, 's'), {"start"}), "");
}

}  // namespace
}  // namespace codex
