#include "exporters/prometheus/self_process.h"

#include <gtest/gtest.h>

namespace codex {
namespace {

TEST(SelfProcess, ItsStartIsAConstant) {
  const auto first = read_self_process();
  ASSERT_TRUE(first);
  for (int i = 0; i < 200; ++i) EXPECT_EQ(read_self_process()->started_at, first->started_at);
}

}  // namespace
}  // namespace codex
