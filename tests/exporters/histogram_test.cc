#include "exporters/histogram.h"

#include <gmock/gmock.h>

#include <limits>

namespace codex {
namespace {

using ::testing::ElementsAre;

constexpr double kBounds[] = {1, 2.5};

TEST(Histogram, StartsWithAnEmptyBucketPerBoundAndOneForInfinity) {
  const Histogram histogram(kBounds);
  EXPECT_THAT(histogram.bounds(), ElementsAre(1, 2.5));
  EXPECT_THAT(histogram.counts(), ElementsAre(0, 0, 0));
  EXPECT_EQ(histogram.sum(), 0);
}

TEST(Histogram, AValueOnABoundBelongsToThatBucket) {
  Histogram histogram(kBounds);
  for (const double value : {0.0, 0.999, 1.0, std::nextafter(1.0, 2.0), 2.5, std::nextafter(2.5, 3.0), 1e9}) {
    histogram.observe(value);
  }
  EXPECT_THAT(histogram.counts(), ElementsAre(3, 2, 2));
}

TEST(Histogram, SumsWhatItCounts) {
  Histogram histogram(kBounds);
  histogram.observe(0.5);
  histogram.observe(4);
  EXPECT_DOUBLE_EQ(histogram.sum(), 4.5);
}

TEST(Histogram, NanAndNegativeValuesAreNotCounted) {
  Histogram histogram(kBounds);
  histogram.observe(std::numeric_limits<double>::quiet_NaN());
  histogram.observe(-0.001);
  EXPECT_THAT(histogram.counts(), ElementsAre(0, 0, 0));
  EXPECT_EQ(histogram.sum(), 0);
}

TEST(Histogram, BoundsOfEveryPurposeAscend) {
  const auto ascends = [](const auto& bounds) {
    for (std::size_t i = 1; i < std::size(bounds); ++i) EXPECT_LT(bounds[i - 1], bounds[i]);
  };
  ascends(kProbeBounds);
  ascends(kStartupBounds);
  ascends(kRecoveryBounds);
}

}  // namespace
}  // namespace codex
