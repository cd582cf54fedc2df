#include "agent/startup_pages.h"

#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "agent/text/redactor.h"

namespace codex {
namespace {

/// Kilobytes of file-backed pages in memory, from /proc/self/status.
long resident_file_kb() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("RssFile:")) return std::stol(line.substr(8));
  }
  return -1;
}

TEST(StartupPages, AreReleasedAndComeBackWhenNeeded) {
  Redactor redactor;
  redactor.add_url(Secret("postgres://bob:hunter22@db/x"));
  const std::string before = redactor.safe("login postgres://bob:hunter22@db/x \x1b[31m");
  const long held = resident_file_kb();
  release_startup_pages();
  EXPECT_LT(resident_file_kb(), held);
  EXPECT_EQ(redactor.safe("login postgres://bob:hunter22@db/x \x1b[31m"), before);
}

}  // namespace
}  // namespace codex
