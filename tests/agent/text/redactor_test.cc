#include "agent/text/redactor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace codex {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Redactor knowing(const std::vector<std::string>& secrets) {
  Redactor redactor;
  for (const auto& secret : secrets) redactor.add(Secret(secret));
  return redactor;
}

Redactor knowing_url(const std::string& url) {
  Redactor redactor;
  redactor.add_url(Secret(url));
  return redactor;
}

TEST(Redactor, ReplacesEveryOccurrenceAndNothingElse) {
  const Redactor redactor = knowing({"S3cret"});
  EXPECT_EQ(redactor.scrub("a S3cret b S3cretS3cret S3cre"), "a *** b *** S3cre");
  EXPECT_EQ(redactor.scrub(std::string_view("\x00\xFF\n", 3)), std::string_view("\x00\xFF\n", 3));
  EXPECT_EQ(redactor.scrub(""), "");
}

TEST(Redactor, WithoutSecretsChangesNothing) {
  EXPECT_EQ(Redactor().scrub("password"), "password");
}

TEST(Redactor, IgnoresTextsTooShortToBeSecret) {
  const Redactor redactor = knowing({"abc", ""});
  EXPECT_EQ(redactor.scrub("abc"), "abc");
  EXPECT_EQ(knowing({"abcd"}).scrub("xabcd"), "x***");
}

TEST(Redactor, KnowsEncodedAndDecodedForms) {
  const Redactor redactor = knowing({"p@ss/w\"rd(1)"});
  EXPECT_EQ(redactor.scrub("p%40ss%2Fw%22rd%281%29"), "***");                       // strict
  EXPECT_EQ(redactor.scrub("p%40ss%2fw%22rd%281%29"), "***");                       // lower-case digits
  EXPECT_EQ(redactor.scrub("p%40ss%2Fw%22rd(1)"), "***");                           // encodeURIComponent()
  EXPECT_EQ(redactor.scrub("{\"key\":\"p@ss/w\\\"rd(1)\"}"), "{\"key\":\"***\"}");  // in JSON
  EXPECT_EQ(knowing({"p%40ss%2Fword"}).scrub("p@ss/word"), "***");
}

TEST(Redactor, KnowsTheLinesOfASecretOfSeveral) {
  const Redactor redactor = knowing({"first line\nsecond line\n"});
  EXPECT_EQ(redactor.scrub("[first line]"), "[***]");
  EXPECT_EQ(redactor.scrub("[second line]"), "[***]");
}

TEST(Redactor, MasksOverlappingSecretsAsOne) {
  EXPECT_EQ(knowing({"abcdef", "defghi"}).scrub("-abcdefghi-"), "-***-");
  EXPECT_EQ(knowing({"abcd", "abcdefgh"}).scrub("abcdefgh abcd"), "*** ***");
  EXPECT_EQ(knowing({"aaaa"}).scrub("aaaaaaa"), "***");
}

TEST(Redactor, AMaskCannotCompleteASecret) {
  const Redactor redactor = knowing({"a***b", "S3cret", "****"});
  for (const char* text : {"aS3cretb", "*S3cret", "aaS3cretbb", "S3cret*"}) {
    const std::string clean = redactor.scrub(text);
    EXPECT_THAT(clean, Not(HasSubstr("a***b"))) << text;
    EXPECT_THAT(clean, Not(HasSubstr("****"))) << text;
    EXPECT_THAT(clean, Not(HasSubstr("S3cret"))) << text;
  }
}

struct LeakCase {
  const char* url;
  const char* message;  ///< as libpq and others print it
  const char* secret;
};

TEST(Redactor, MasksThePiecesThatMisparsedUrlsLeaveInMessages) {
  const LeakCase cases[] = {
      {"postgres://bob:S3cret@db/x", "missing \"=\" after \"postgresq://bob:S3cret@db/x\"", "S3cret"},
      {"postgres://bob:p@S3cret@127.0.0.1/x", "could not translate host name \"S3cret@127.0.0.1\"", "S3cret"},
      {"postgres://bob:S3cr/et@db/x", "invalid integer value \"S3cr\" for connection option \"port\"",
       "S3cr"},
      {"postgres://bob:S3%cret@db/x", "invalid percent-encoded token: \"S3%cret\"", "S3%cret"},
      {"postgres://bob:S3cret@[::1/x", "end of string reached: \"postgres://bob:S3cret@[::1/x\"", "S3cret"},
      {"postgres://bob:pw?S3cret@db/x", "missing key/value separator: \"S3cret@db/x\"", "S3cret"},
      {"postgres://b@b:S3cret@db/x", "invalid port \"S3cret@db\"", "S3cret"},
      {"postgres://bob:S3cret/x", "invalid integer value \"S3cret\" for connection option \"port\"",
       "S3cret"},
      {"postgres://bob@db/x?password=S3cret&sslmode=require", "option S3cret", "S3cret"},
      {"host=db password=S3cret user=bob", "bad string: password=S3cret", "S3cret"},
      {"host=db password='S3 cret' user=bob", "bad string: S3 cret", "S3 cret"},
      {"bob:S3cret@db/x", "bob:S3cret@db/x", "S3cret"},
      {"postgres://bob:S3%63ret@db/x", "FATAL: S3cret", "S3cret"},
      {"redis://:S3cret@db", "AUTH S3cret", "S3cret"},
  };
  for (const auto& c : cases) {
    EXPECT_THAT(knowing_url(c.url).scrub(c.message), Not(HasSubstr(c.secret))) << c.url;
  }
}

TEST(Redactor, LeavesTheInnocentPartsOfAUrlReadable) {
  for (const char* url :
       {"postgres://bob:S3cret@localhost:5432/shop?sslmode=disable", "postgres://bob@localhost:5432/shop",
        "http://localhost:5000/health", "postgres://[::1]:5432/shop", "postgres://h1:5432,h2:5433/shop"}) {
    EXPECT_EQ(knowing_url(url).scrub("localhost:5432 shop bob sslmode ::1 health 5000 h2:5433"),
              "localhost:5432 shop bob sslmode ::1 health 5000 h2:5433")
        << url;
  }
}

TEST(Redactor, SafePrefixKeepsBackWhatMayBecomeASecret) {
  const Redactor redactor = knowing({"S3cret"});
  EXPECT_EQ(redactor.safe_prefix("hello"), 5U);
  EXPECT_EQ(redactor.safe_prefix("hello S"), 6U);
  EXPECT_EQ(redactor.safe_prefix("hello S3cre"), 6U);
  EXPECT_EQ(redactor.safe_prefix("hello S3cret"), 12U);
  EXPECT_EQ(redactor.safe_prefix("hello S3cretS3"), 12U);
  EXPECT_EQ(Redactor().safe_prefix("S3"), 2U);
  // "abcd" is complete, but may be the beginning of the longer one.
  EXPECT_EQ(knowing({"abcd", "abcdefgh"}).safe_prefix("xabcd"), 1U);
  // The complete one reaches over the place where the second may begin.
  EXPECT_EQ(knowing({"abcdef", "efghij"}).safe_prefix("xabcdef"), 1U);
}

TEST(Redactor, SafeEscapesAndCutsAfterScrubbing) {
  const Redactor redactor = knowing({"S3cret"});
  EXPECT_EQ(redactor.safe("S3cret\x1b[31m\n"), "***\\x1b[31m\\x0a");
  EXPECT_EQ(redactor.safe(std::string(256, 'x')), std::string(256, 'x'));
  EXPECT_EQ(redactor.safe(std::string(257, 'x')), std::string(253, 'x') + "...");
  EXPECT_EQ(redactor.safe("xxxxxS3cret", 8), "xxxxx***");
  EXPECT_EQ(redactor.safe("abcdef", 2), "ab");
  EXPECT_EQ(redactor.safe("abc", std::string::npos), "abc");
  EXPECT_LE(redactor.safe(std::string(30'000, '\x01')).size(), 256U);
}

TEST(EscapeForDisplay, EscapesWhatMovesTheCursorOrTheDirection) {
  EXPECT_EQ(escape_for_display(std::string_view("\0\t\x7f", 3), 100), "\\x00\\x09\\x7f");
  EXPECT_EQ(escape_for_display("\xC2\x9B", 100), "\\xc2\\x9b");           // C1 CSI
  EXPECT_EQ(escape_for_display("\xE2\x80\xAE", 100), "\\xe2\\x80\\xae");  // right-to-left override
  EXPECT_EQ(escape_for_display("\xE2\x80\xA8", 100), "\\xe2\\x80\\xa8");  // line separator
  EXPECT_EQ(escape_for_display("h\xC3\xA9 \xE2\x9C\x85 \xF0\x9F\x92\xA5", 100),
            "h\xC3\xA9 \xE2\x9C\x85 \xF0\x9F\x92\xA5");
}

TEST(EscapeForDisplay, ReplacesInvalidUtf8ByteByByte) {
  const std::string replaced = "\xEF\xBF\xBD";
  EXPECT_EQ(escape_for_display("\xFF", 100), replaced);
  EXPECT_EQ(escape_for_display("\xC3", 100), replaced);                                // ends early
  EXPECT_EQ(escape_for_display("\xC0\xAF", 100), replaced + replaced);                 // overlong
  EXPECT_EQ(escape_for_display("\xED\xA0\x80", 100), replaced + replaced + replaced);  // surrogate
  EXPECT_EQ(escape_for_display("\xF4\x90\x80\x80", 100).size(), 4 * replaced.size());  // above U+10FFFF
}

TEST(EscapeForDisplay, CutsOnACharacterBorder) {
  EXPECT_EQ(escape_for_display("ab\xC3\xA9", 3), "ab");
  EXPECT_EQ(escape_for_display("ab\xC3\xA9", 4), "ab\xC3\xA9");
  EXPECT_EQ(escape_for_display("a\nb", 4), "a");
  EXPECT_EQ(escape_for_display("a", 0), "");
}

TEST(UrlWithoutSecrets, ShowsWellFormedUrlsWithoutTheirSecrets) {
  const std::pair<const char*, const char*> cases[] = {
      {"postgres://bob:S3cret@localhost:5432/shop", "postgres://bob@localhost:5432/shop"},
      {"postgres://bob:p%40ss@[::1]:5432/shop", "postgres://bob@[::1]:5432/shop"},
      {"postgres://localhost/shop", "postgres://localhost/shop"},
      {"postgres:///shop?host=/run/postgresql", "postgres:///shop?host=/run/postgresql"},
      {"postgres://h1:1,h2:2/shop", "postgres://h1:1,h2:2/shop"},
      {"postgres://db/shop?password=S3cret", "postgres://db/shop"},
      {"postgres://db/shop?p%61ssword=S3cret&sslmode=require", "postgres://db/shop?sslmode=require"},
      {"https://db/health?a=1&API_KEY=S3cret&b=2#S3cret", "https://db/health?a=1&b=2"},
      {"redis://:S3cret@db", "redis://@db"},
      {"sqlite:./data.db", "sqlite:./data.db"},
  };
  for (const auto& [url, shown] : cases) EXPECT_EQ(url_without_secrets(url), shown) << url;
}

TEST(UrlWithoutSecrets, ShowsNothingOfWhatItCannotTellApart) {
  for (const char* url :
       {"", "S3cret", "bob:S3cret", "bob:S3cret@db/x", "postgres:bob:S3cret@db",
        "postgres://bob:p@S3cret@db/x", "postgres://bob:S3/cret@db/x", "postgres://bob:S3?cret@db/x",
        "postgres://bob:S3#cret@db/x", "postgres://bob:S3cret/x", "postgres://bob:S3cret@[::1/x",
        "postgres://b@b:S3cret@db/x", "postgres://bob:S3 cret@db/x", "postgres://bob:S3cret@db/x\n",
        "://bob:S3cret@db", "sqlite:bob:S3cret@db"}) {
    EXPECT_EQ(url_without_secrets(url), "(unparsable URL)") << url;
  }
}

TEST(PercentDecode, KeepsMalformedEscapes) {
  EXPECT_EQ(percent_decode("%41%62%2f%2F"), "Ab//");
  EXPECT_EQ(percent_decode("%"), "%");
  EXPECT_EQ(percent_decode("%4"), "%4");
  EXPECT_EQ(percent_decode("%4g%%41"), "%4g%A");
  EXPECT_EQ(percent_decode("a+b"), "a+b");
}

}  // namespace
}  // namespace codex
