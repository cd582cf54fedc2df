#include "agent/os/files.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cerrno>
#include <system_error>

#include "tests/support/temporary_directory.h"

namespace codex {
namespace {

using ::testing::HasSubstr;

int errno_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const std::system_error& e) {
    return e.code().value();
  }
  return 0;
}

mode_t mode_of(const std::filesystem::path& path) {
  struct stat info {};
  return ::lstat(path.c_str(), &info) == 0 ? info.st_mode & 07777U : 0;
}

TEST(ReadRegularFile, ReadsUpToItsLimitAndNotAByteMore) {
  const TemporaryDirectory directory;
  for (const std::size_t size : {std::size_t{0}, std::size_t{99}, std::size_t{100}}) {
    write_contents(directory / "file", std::string(size, 'x'));
    EXPECT_EQ(read_regular_file(directory / "file", 100), std::string(size, 'x'));
  }
  write_contents(directory / "file", std::string(101, 'x'));
  EXPECT_EQ(errno_of([&] { read_regular_file(directory / "file", 100); }), EFBIG);
}

TEST(ReadRegularFile, RefusesWhatIsNoRegularFileWithoutWaiting) {
  const TemporaryDirectory directory;
  ASSERT_EQ(::mkfifo((directory / "fifo").c_str(), 0600), 0);
  EXPECT_EQ(errno_of([&] { read_regular_file(directory / "fifo", 100); }), EINVAL);
  EXPECT_EQ(errno_of([&] { read_regular_file("/dev/zero", 100); }), EINVAL);
  EXPECT_EQ(errno_of([&] { read_regular_file(directory.path(), 100); }), EINVAL);
}

TEST(ReadRegularFile, NamesTheFileThatIsMissing) {
  try {
    read_regular_file("/nonexistent/codex.toml", 100);
    FAIL() << "nothing was thrown";
  } catch (const std::system_error& e) {
    EXPECT_EQ(e.code().value(), ENOENT);
    EXPECT_THAT(e.what(), HasSubstr("/nonexistent/codex.toml"));
  }
}

TEST(ReadProcFile, ReadsAFileWhoseSizeTheKernelGivesAsZero) {
  const UniqueFd self(::open("/proc/self", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const auto status = read_proc_file(self.get(), "status");
  ASSERT_TRUE(status);
  EXPECT_THAT(*status, HasSubstr("Pid:\t" + std::to_string(::getpid())));
  EXPECT_EQ(read_proc_file(self.get(), "status", 5)->size(), 5U);
}

TEST(ReadProcFile, SaysByErrnoWhyThereIsNothing) {
  const UniqueFd self(::open("/proc/self", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  errno = 0;
  EXPECT_FALSE(read_proc_file(self.get(), "no-such-file"));
  EXPECT_EQ(errno, ENOENT);
  EXPECT_FALSE(read_proc_file(self.get(), "fd"));
  EXPECT_EQ(errno, EISDIR);
}

TEST(WriteFileAtomically, ReplacesContentAndMode) {
  const TemporaryDirectory directory;
  const auto path = directory / "state.json";
  write_contents(path, "old and much longer content");
  const std::string large(300'000, 'n');
  write_file_atomically(path, large, 0640);
  EXPECT_EQ(contents_of(path), large);
  EXPECT_EQ(mode_of(path), 0640U);
}

TEST(WriteFileAtomically, LeavesTheOldContentAndNoRubbishWhenItFails) {
  const TemporaryDirectory directory;
  std::filesystem::create_directory(directory / "taken");
  EXPECT_EQ(errno_of([&] { write_file_atomically(directory / "taken", "x"); }), EISDIR);
  EXPECT_EQ(errno_of([&] { write_file_atomically(directory / "missing/state.json", "x"); }), ENOENT);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory.path()), {}), 1);
}

TEST(WriteFileAtomically, ReplacesASymbolicLinkInsteadOfFollowingIt) {
  const TemporaryDirectory directory;
  write_contents(directory / "victim", "untouched");
  std::filesystem::create_symlink(directory / "victim", directory / "state.json");
  write_file_atomically(directory / "state.json", "new");
  EXPECT_EQ(contents_of(directory / "victim"), "untouched");
  EXPECT_FALSE(std::filesystem::is_symlink(directory / "state.json"));
}

TEST(MakePrivateDirectory, MakesParentsAndTightensTheLastOne) {
  const TemporaryDirectory directory;
  make_private_directory(directory / "a/b/c/");
  EXPECT_EQ(mode_of(directory / "a/b/c"), 0700U);
  std::filesystem::permissions(directory / "a/b/c", std::filesystem::perms::all);
  make_private_directory(directory / "a/b/c");
  EXPECT_EQ(mode_of(directory / "a/b/c"), 0700U);
  EXPECT_EQ(mode_of(directory / "a") & 0022U, 0U);
}

TEST(MakePrivateDirectory, RefusesALinkAndAFile) {
  const TemporaryDirectory directory;
  std::filesystem::create_directory(directory / "real");
  std::filesystem::create_directory_symlink(directory / "real", directory / "link");
  write_contents(directory / "file", "");
  EXPECT_THROW(make_private_directory(directory / "link"), std::runtime_error);
  EXPECT_THROW(make_private_directory(directory / "file"), std::runtime_error);
}

TEST(MakePrivateDirectory, NamesTheOwnerOfAForeignDirectory) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give a directory away";
  const TemporaryDirectory directory;
  std::filesystem::create_directory(directory / "foreign");
  ASSERT_EQ(::chown((directory / "foreign").c_str(), 65534, 65534), 0);
  try {
    make_private_directory(directory / "foreign");
    FAIL() << "nothing was thrown";
  } catch (const std::runtime_error& e) {
    EXPECT_THAT(e.what(), HasSubstr("belongs to user nobody"));
    EXPECT_THAT(e.what(), HasSubstr((directory / "foreign").string()));
  }
}

TEST(SameFile, IsKnownByAnyOfItsNames) {
  const TemporaryDirectory directory;
  write_contents(directory / "file", "x");
  write_contents(directory / "copy", "x");
  std::filesystem::create_hard_link(directory / "file", directory / "link");
  const auto stat_of = [&](const char* name) {
    struct stat info {};
    EXPECT_EQ(::stat((directory / name).c_str(), &info), 0);
    return info;
  };
  EXPECT_TRUE(is_same_file(stat_of("file"), stat_of("link")));
  EXPECT_FALSE(is_same_file(stat_of("file"), stat_of("copy")));
}

}  // namespace
}  // namespace codex
