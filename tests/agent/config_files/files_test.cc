#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gmock/gmock.h>

#include "agent/config_files/text_file.h"
#include "agent/config_files/toml_syntax.h"
#include "tests/agent/config/config_fixture.h"

namespace codex {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

using ConfigFiles = ConfigTest;

constexpr std::size_t kMegabyte = 1024 * 1024;

TEST_F(ConfigFiles, AByteOrderMarkAndCarriageReturnsAreTolerated) {
  EXPECT_EQ(backend("\xEF\xBB\xBF[backend.api]\r\nport = 4000\r\ncommand = [\"x\"]\r\n").port, 4000);
  EXPECT_THAT(errors("\xEF\xBB\xBF[backend.api]\r\nport = 0\r\n"),
              ElementsAre(StartsWith("codex-agent.toml:2:8: port: ")));
}

TEST_F(ConfigFiles, ADirectoryIsNoConfiguration) {
  std::filesystem::create_directory(in_project("codex-agent.toml"));
  EXPECT_THAT(errors(),
              ElementsAre("codex-agent.toml: is not a regular file; a directory, a FIFO or a device is never "
                          "read"));
}

TEST_F(ConfigFiles, AFifoWithoutAWriterDoesNotHang) {
  ASSERT_EQ(mkfifo(in_project("codex-agent.toml").c_str(), 0600), 0);
  EXPECT_THAT(errors(), ElementsAre(HasSubstr("is not a regular file")));
  std::filesystem::remove(in_project("codex-agent.toml"));
  ASSERT_EQ(mkfifo(in_project(".env").c_str(), 0600), 0);
  EXPECT_THAT(errors(), ElementsAre(StartsWith(".env: is not a regular file")));
}

TEST_F(ConfigFiles, AnEndlessDeviceDoesNotHang) {
  std::filesystem::create_symlink("/dev/zero", in_project("codex-agent.toml"));
  const LoadResult result = load();
  ASSERT_EQ(result.errors.size(), 1U);
  EXPECT_THAT(result.errors.front().message, AllOf(Not(IsEmpty()), Not(HasSubstr("parse"))));
}

TEST_F(ConfigFiles, ALinkToNothingIsAnErrorNotZeroConfiguration) {
  std::filesystem::create_symlink("nowhere.toml", in_project("codex-agent.toml"));
  EXPECT_THAT(errors(), ElementsAre(HasSubstr("cannot be read: No such file")));
}

TEST_F(ConfigFiles, AMegabyteIsReadAndOneByteMoreIsNot) {
  const std::string start = "[backend.api]\n#";
  EXPECT_THAT(errors(start + std::string(kMegabyte - start.size(), 'x')), IsEmpty());
  EXPECT_THAT(errors(start + std::string(kMegabyte + 1 - start.size(), 'x')),
              ElementsAre("codex-agent.toml: is larger than 1 MiB; a configuration is a few KiB"));
  write("codex-agent.toml", "");
  std::filesystem::resize_file(in_project("codex-agent.toml"), 5'000'000'000);
  EXPECT_THAT(errors(), ElementsAre(HasSubstr("larger than 1 MiB")));
}

TEST_F(ConfigFiles, OtherEncodingsAreRefusedAtTheirFirstByte) {
  EXPECT_THAT(errors("[backend.api]\n# \xC3\xA9 caf\xE9\n"),
              ElementsAre("codex-agent.toml:2:8: this byte is not UTF-8; save the file as UTF-8"));
  EXPECT_THAT(errors("\xFF\xFE[\0b\0"),
              ElementsAre(StartsWith("codex-agent.toml:1:1: this byte is not UTF-8")));
  EXPECT_THAT(errors(std::string("[agent]\nx = \"\0\"\n", 15)),
              ElementsAre("codex-agent.toml:2:6: a NUL byte; this is not a text file"));
  write("codex-agent.toml", "");
  write(".env", "A=1\nNAME=caf\xE9\n");
  EXPECT_THAT(errors(), ElementsAre(StartsWith(".env:2:9: this byte is not UTF-8")));
}

TEST_F(ConfigFiles, DeepNestingIsAnErrorNotAStackOverflow) {
  const auto repeat = [](std::string_view part, int count) {
    std::string text;
    for (int i = 0; i < count; ++i) text += part;
    return text;
  };
  EXPECT_THAT(errors("[" + repeat("a.", 500'000) + "a]\n"), ElementsAre(HasSubstr("too many parts")));
  EXPECT_THAT(errors(repeat("a.", 500'000) + "a = 1\n"), ElementsAre(HasSubstr("too many parts")));
  EXPECT_THAT(errors("x = " + repeat("[", 500'000)), ElementsAre(HasSubstr("not TOML")));
  EXPECT_THAT(errors("x = " + repeat("{a=", 300'000)), ElementsAre(HasSubstr("not TOML")));
  EXPECT_THAT(errors("x = " + repeat("{a.a.a.a.a.a.a.a.a.a.a.a.a=", 200) + "1" + repeat("}", 200)),
              ElementsAre(HasSubstr("unknown key \"x\"")));
  write("codex-agent.toml", "");
  write("package.json", repeat("[", 1'000'000));
  EXPECT_THAT(errors(), ElementsAre(StartsWith("package.json: ")));
}

TEST_F(ConfigFiles, NoStringHidesADeepKey) {
  std::string deep = "a";
  for (int i = 0; i < 16; ++i) deep += ".a";
  EXPECT_EQ(find_deep_key(deep.substr(2)), std::string_view::npos);
  EXPECT_EQ(find_deep_key(deep), 31U);
  const std::string inside[] = {
      "# " + deep,
      "x = \"" + deep + "\"",
      "x = '" + deep + "'",
      "x = \"\"\"\n" + deep + "\"\"\"",
      "x = '''\n" + deep + "'''",
      "x = \"\\\"" + deep + "\"",
      "x = [1.5, 1.5, 1.5, 1.5, 1.5, 1.5, 1.5, 1.5, 1.5, 1.5, 1.5, 1.5, 1.5, 1.5, 1.5, 1.5, 1.5]"};
  for (const std::string& text : inside)
    EXPECT_EQ(find_deep_key(text + "\n"), std::string_view::npos) << text;
  for (const char* before : {"x = \"\"\"a\"\"\"\"", "x = '''a'''''", "x = \"a\\\\\"", "x = 'a\\'",
                             "x = \"open", "# it's", "x = \"\"", "x = ''"}) {
    const std::string text = std::string(before) + "\n" + deep + " = \"\"\n";
    EXPECT_NE(find_deep_key(text), std::string_view::npos) << text;
  }
}

TEST_F(ConfigFiles, AMalformedPackageJsonIsToldOnce) {
  write("package.json", "{\n  \"name\": \"x\",\n  oops\n}\n");
  EXPECT_THAT(errors(), ElementsAre("package.json:3:3: not JSON from here on"));
  write("package.json", "[]");
  EXPECT_THAT(errors(), ElementsAre("package.json: must be a JSON object"));
  write("package.json", R"({"name": 5, "scripts": {"dev": "x"}})");
  EXPECT_THAT(errors(), IsEmpty());
  write("package.json", R"({"scripts": "dev"})");
  EXPECT_THAT(errors(), ElementsAre(HasSubstr("neither a script")));
}

TEST_F(ConfigFiles, AnUnreadableFileIsNamed) {
  write("codex-agent.toml", "");
  ASSERT_EQ(chmod(in_project("codex-agent.toml").c_str(), 0), 0);
  constexpr uid_t kNobody = 65534;
  const bool root = geteuid() == 0;  // root may read everything, so look with other eyes
  if (root) {
    ASSERT_EQ(chmod(in_project("").c_str(), 0755), 0);
    ASSERT_EQ(seteuid(kNobody), 0);
  }
  const auto found = errors();
  if (root) {
    ASSERT_EQ(seteuid(0), 0);
  }
  EXPECT_THAT(found, ElementsAre("codex-agent.toml: cannot be read: Permission denied"));
}

TEST_F(ConfigFiles, AMissingProjectIsNamed) {
  LoadOptions options;
  options.project_directory = in_project("none");
  const LoadResult result = load_config(options);
  ASSERT_EQ(result.errors.size(), 1U);
  EXPECT_THAT(result.errors.front().message,
              HasSubstr("there is no directory " + in_project("none").string()));
}

struct stat file_of(uid_t owner, mode_t mode) {
  struct stat info {};
  info.st_uid = owner;
  info.st_mode = S_IFREG | mode;
  return info;
}

TEST(ConfigTrust, RootObeysOnlyItselfAndTheOwnerOfTheDirectory) {
  constexpr uid_t kAnna = 1000, kBert = 1001;
  EXPECT_EQ(distrust(0, file_of(0, 0644), file_of(kAnna, 0755)), "");
  EXPECT_EQ(distrust(0, file_of(kAnna, 0664), file_of(kAnna, 0755)), "");
  EXPECT_THAT(distrust(0, file_of(kBert, 0600), file_of(kAnna, 0755)), HasSubstr("user id 1001"));
  EXPECT_THAT(distrust(0, file_of(kBert, 0600), file_of(0, 0755)), HasSubstr("chown"));
  EXPECT_THAT(distrust(0, file_of(0, 0602), file_of(0, 0755)), HasSubstr("chmod o-w"));
  EXPECT_EQ(distrust(kAnna, file_of(kBert, 0666), file_of(0, 0755)), "");
}

TEST_F(ConfigFiles, AWorldWritableFileIsRefusedByRoot) {
  write("codex-agent.toml", "");
  write(".env", "");
  if (geteuid() != 0) GTEST_SKIP() << "a rule for root only; ConfigTrust covers it";
  ASSERT_EQ(chmod(in_project("codex-agent.toml").c_str(), 0666), 0);
  EXPECT_THAT(errors(), ElementsAre(StartsWith("codex-agent.toml: anybody may write this file")));
  ASSERT_EQ(chmod(in_project("codex-agent.toml").c_str(), 0644), 0);
  ASSERT_EQ(chmod(in_project(".env").c_str(), 0666), 0);
  EXPECT_THAT(errors(), ElementsAre(StartsWith(".env: anybody may write this file")));
}

}  // namespace
}  // namespace codex
