#include "agent/os/file_locks.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/os/unique_fd.h"
#include "tests/support/temporary_directory.h"

namespace codex {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(FileLocks, HoldersOfAFlockAreTold) {
  const char* locks =
      "1: POSIX  ADVISORY  WRITE 11 fe:01:1835 0 EOF\n"
      "2: FLOCK  ADVISORY  WRITE 12 fe:01:1835 0 EOF\n"
      "2: -> FLOCK  ADVISORY  WRITE 13 fe:01:1835 0 EOF\n"
      "3: FLOCK  ADVISORY  READ  14 00:2b:1835 0 EOF\n"
      "4: FLOCK  ADVISORY  WRITE 15 fe:01:18350 0 EOF\n"
      "5: OFDLCK ADVISORY  READ -1 fe:01:1835 0 0\n";
  EXPECT_THAT(parse_flock_holders(locks, 1835), ElementsAre(12, 14));
  EXPECT_THAT(parse_flock_holders(locks, 183), IsEmpty());
}

TEST(FileLocks, OddTextHasNoHolders) {
  for (const auto& text : {std::string(), std::string("\n\n"), std::string("1: FLOCK"),
                           std::string("1: FLOCK ADVISORY WRITE x fe:01:7 0 EOF"),
                           "1: FLOCK " + std::string(30000, 'A') + " WRITE 1 fe:01:7 0 EOF"}) {
    EXPECT_THAT(parse_flock_holders(text, 7), IsEmpty()) << text.substr(0, 60);
  }
}

TEST(FileLocks, TheKernelTellsOfADirectory) {
  const TemporaryDirectory directory;
  const UniqueFd fd(::open(directory.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  struct stat info {};
  ASSERT_EQ(::fstat(fd.get(), &info), 0);
  EXPECT_THAT(flock_holders(info.st_ino), ::testing::Not(::testing::Contains(::getpid())));
  ASSERT_EQ(::flock(fd.get(), LOCK_EX | LOCK_NB), 0);
  EXPECT_THAT(flock_holders(info.st_ino), ::testing::Contains(::getpid()));
}

}  // namespace
}  // namespace codex
