#include "agent/text/host_port.h"

#include <gtest/gtest.h>

namespace codex {
namespace {

TEST(HostPort, AnAddressOfIpv6GetsBrackets) {
  EXPECT_EQ(join_host_port("::1", 9847), "[::1]:9847");
  EXPECT_EQ(join_host_port("127.0.0.1", 5000), "127.0.0.1:5000");
  EXPECT_EQ(join_host_port("db.example", "5432"), "db.example:5432");
  EXPECT_EQ(join_host_port("/run/pg:1", "5432"), "/run/pg:1:5432");
}

}  // namespace
}  // namespace codex
