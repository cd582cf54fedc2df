#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/config_files/dotenv.h"

namespace codex {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::string value_of(std::string_view text, std::string_view name = "A") {
  Diagnostics diagnostics;
  const Dotenv dotenv = parse_dotenv(text, ".env", diagnostics);
  const auto found = dotenv.entries.find(name);
  return found == dotenv.entries.end() ? "(not set)" : found->second.value;
}

std::vector<std::string> warnings_of(std::string_view text) {
  Diagnostics diagnostics;
  parse_dotenv(text, ".env", diagnostics);
  EXPECT_THAT(diagnostics.errors, IsEmpty());
  return diagnostics.warnings;
}

TEST(ConfigDotenv, ReadsWhatTheNodePackageReads) {
  // The right column is what dotenv 16.6.1 answers for the left one.
  const std::pair<const char*, const char*> corpus[] = {
      {"A=1", "1"},
      {"A=", ""},
      {"A=\nB=2", ""},
      {"A = 1 ", "1"},
      {"  A=1", "1"},
      {"export A=1", "1"},
      {"export  A=1", "1"},
      {"A: 1", "1"},
      {"A=a b  ", "a b"},
      {"A=a # comment", "a"},
      {"A=a#b", "a"},
      {"A=#b", ""},
      {"A=\"a#b\" # comment", "a#b"},
      {"A='a # b'", "a # b"},
      {"A=`it's \"this\"`", "it's \"this\""},
      {"A=\"a\\nb\"", "a\nb"},
      {"A=\"a\\rb\"", "a\rb"},
      {"A=\"a\\tb\"", "a\\tb"},
      {"A=\"say \\\"hi\\\"\"", "say \\\"hi\\\""},
      {"A=\"C:\\dir\\\"", "C:\\dir\\"},
      {"A='a\\nb'", "a\\nb"},
      {"A=a\\nb", "a\\nb"},
      {"A=\"first\nsecond\"", "first\nsecond"},
      {"A='first\r\nsecond'\r\n", "first\nsecond"},
      {"A=\" padded \"", " padded "},
      {"A=\"open", "\"open"},
      {"A=\"a\"b", "\"a\"b"},
      {"A=\"a\" \"b\"", "a\" \"b"},
      {"A=$HOME/${B}", "$HOME/${B}"},
      {"A=a=b", "a=b"},
      {"A=1\nA=2", "2"},
      {"A=\"\"", ""},
      {"A=postgres://u:p@h:5432/db?x=1", "postgres://u:p@h:5432/db?x=1"},
  };
  for (const auto& [text, value] : corpus) EXPECT_EQ(value_of(text), value) << text;
}

TEST(ConfigDotenv, NamesMayHaveDotsAndDashes) {
  EXPECT_EQ(value_of("a.b-c=1", "a.b-c"), "1");
  EXPECT_EQ(value_of("export=1", "export"), "1");
  EXPECT_EQ(value_of("export = 1", "export"), "1");
}

TEST(ConfigDotenv, TellsTheLineOfAnythingItIgnores) {
  EXPECT_THAT(warnings_of("# comment\n\nA=1\nthis is no setting\n=2\n"),
              ElementsAre(".env:4: this line is not KEY=VALUE; it is ignored",
                          ".env:5: this line is not KEY=VALUE; it is ignored"));
  EXPECT_THAT(warnings_of("A='x\ny'\nbad\n"), ElementsAre(HasSubstr(".env:3:")));
}

TEST(ConfigDotenv, WarnsOfAHashThatCutsAValue) {
  const auto warnings = warnings_of("\nDATABASE_URL=postgres://u:hun#ter2@h/db\n");
  EXPECT_THAT(warnings,
              ElementsAre(HasSubstr(".env:2: this line ends the value of \"DATABASE_URL\" at '#'")));
  EXPECT_THAT(warnings.front(), testing::Not(HasSubstr("hun")));
  EXPECT_THAT(warnings_of("A=a # comment"), IsEmpty());
}

TEST(ConfigDotenv, AFileThatIsNoDotenvGivesFewWarnings) {
  std::string text;
  for (int i = 0; i < 5000; ++i) text += "what is this\n";
  const auto warnings = warnings_of(text);
  EXPECT_EQ(warnings.size(), 11U);
  EXPECT_THAT(warnings.back(), HasSubstr("4990 more"));
}

TEST(ConfigDotenv, RemembersThePlaceOfEachName) {
  Diagnostics diagnostics;
  const Dotenv dotenv = parse_dotenv("A=\"1\n2\"\n  export B=3\n", ".env", diagnostics);
  const Place place = dotenv.entries.at("B").place;
  EXPECT_EQ(place.line, 3U);
  EXPECT_EQ(place.column, 10U);
}

TEST(ConfigDotenv, LongAndHostileTextsTakeLinearTime) {
  const std::string megabyte(1'000'000, 'x');
  EXPECT_EQ(value_of("A=" + megabyte), megabyte);
  EXPECT_EQ(value_of("A=\"" + megabyte + "\""), megabyte);
  std::string quotes = "A=\"";
  for (int i = 0; i < 300'000; ++i) quotes += "\\\"x";
  EXPECT_EQ(value_of(quotes).size(), quotes.size() - 2);
  std::string breaks = "A=\"";
  for (int i = 0; i < 300'000; ++i) breaks += "\\n";
  EXPECT_EQ(value_of(breaks + "\""), std::string(300'000, '\n'));
}

}  // namespace
}  // namespace codex
