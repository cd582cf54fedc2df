#include "agent/os/cgroup.h"

#include <gtest/gtest.h>

namespace codex {
namespace {

TEST(Cgroup, MemoryInUseLeavesOutWhatGoesFirst) {
  EXPECT_EQ(cgroup_memory_of("1000000\n", "anon 600000\nfile 400000\ninactive_file 300000\n"), 700000U);
  EXPECT_EQ(cgroup_memory_of("1000\n", "inactive_file 1001\n"), 0U) << "they are read one after the other";
  EXPECT_EQ(cgroup_memory_of("1000\n", "anon 600000\n"), std::nullopt);
  EXPECT_EQ(cgroup_memory_of("max\n", "inactive_file 1\n"), std::nullopt);
  EXPECT_EQ(cgroup_memory_of("", ""), std::nullopt);
}

}  // namespace
}  // namespace codex
