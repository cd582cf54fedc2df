#include <csignal>
#include <string>

#include <gtest/gtest.h>

#include "agent/config/addresses.h"
#include "agent/config_files/diagnostics.h"
#include "agent/config_files/text_file.h"
#include "agent/config_files/values.h"

namespace codex {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

const std::string kVeryLong(30'000, '9');

TEST(ConfigValues, WholeNumbersAreDecimalDigitsOnly) {
  EXPECT_EQ(parse_whole("0").value, 0);
  EXPECT_EQ(parse_whole("42").value, 42);
  EXPECT_EQ(parse_whole("999999999999999999").value, 999'999'999'999'999'999);
  for (const std::string& text :
       {std::string(), std::string("010"), std::string("00"), std::string("1e3"), std::string(" 5"),
        std::string("5 "), std::string("+5"), std::string("-5"), std::string("0x10"), std::string("nan"),
        std::string("1.0"), std::string("1000000000000000000"), kVeryLong, std::string("5\0", 2)}) {
    EXPECT_FALSE(parse_whole(text).value) << text.substr(0, 40);
  }
}

TEST(ConfigValues, DurationsNeedAUnit) {
  EXPECT_EQ(parse_duration("0s").value, Duration(0));
  EXPECT_EQ(parse_duration("500ms").value, Duration(milliseconds(500)));
  EXPECT_EQ(parse_duration("5s").value, Duration(seconds(5)));
  EXPECT_EQ(parse_duration("2m").value, Duration(minutes(2)));
  EXPECT_EQ(parse_duration("24h").value, Duration(hours(24)));
  EXPECT_EQ(parse_duration("1000000h").value, Duration(hours(1'000'000)));
  for (const std::string& text :
       {std::string(), std::string("5"), std::string("s"), std::string("5 s"), std::string("05s"),
        std::string("1.5s"), std::string("-1s"), std::string("5S"), std::string("5sec"), std::string("1m30s"),
        std::string("nan"), std::string("1000001h"), std::string("1000000001ms"), kVeryLong,
        kVeryLong + "s"}) {
    EXPECT_FALSE(parse_duration(text).value) << text.substr(0, 40);
    EXPECT_FALSE(parse_duration(text).error.empty());
  }
}

TEST(ConfigValues, DurationsAreShownInTheLargestExactUnit) {
  for (const char* text : {"0s", "1ms", "999ms", "1s", "90s", "2m", "1h", "25h", "1001ms"}) {
    EXPECT_EQ(format_duration(parse_duration(text).value.value()), text);
  }
  EXPECT_EQ(format_duration(seconds(60)), "1m");
  EXPECT_EQ(format_duration(milliseconds(3'600'000)), "1h");
}

TEST(ConfigValues, SizesNeedABinaryUnit) {
  EXPECT_EQ(parse_size("0B").value, 0U);
  EXPECT_EQ(parse_size("64KiB").value, 65'536U);
  EXPECT_EQ(parse_size("10MiB").value, 10U * 1024 * 1024);
  EXPECT_EQ(parse_size("1GiB").value, 1ULL << 30);
  for (const char* text :
       {"", "10", "10MB", "10mib", "10 MiB", "MiB", "-1B", "1.5GiB", "010B", "4294967297B"}) {
    EXPECT_FALSE(parse_size(text).value) << text;
  }
  for (const char* text : {"1B", "1023B", "1KiB", "1025B", "10MiB", "3GiB"}) {
    EXPECT_EQ(format_size(parse_size(text).value.value()), text);
  }
}

TEST(ConfigValues, StartLimitsAreACountInATime) {
  const auto limit = parse_start_limit("5 in 60s").value;
  ASSERT_TRUE(limit);
  EXPECT_EQ(limit->count, 5);
  EXPECT_EQ(limit->interval, Duration(seconds(60)));
  EXPECT_TRUE(parse_start_limit("1 in 1s").value);
  EXPECT_TRUE(parse_start_limit("1000 in 24h").value);
  for (const char* text : {"", "5", "5 in", "5 in ", "in 60s", "0 in 60s", "1001 in 60s", "5 in 999ms",
                           "5 in 1441m", "5  in 60s", "5 in 60", "05 in 60s", "-1 in 60s"}) {
    EXPECT_FALSE(parse_start_limit(text).value) << text;
  }
}

TEST(ConfigValues, StopSignalsAreThoseThatStop) {
  EXPECT_EQ(parse_stop_signal("SIGTERM").value, SIGTERM);
  EXPECT_EQ(parse_stop_signal("INT").value, SIGINT);
  for (const char* text : {"", "SIG", "SIGUSR1", "SIGUSR2", "USR2", "SIGSTOP", "sigterm", "15", "SIGTERM "}) {
    EXPECT_FALSE(parse_stop_signal(text).value) << text;
  }
  EXPECT_NE(parse_stop_signal("SIGUSR2").error.find("nodemon"), std::string::npos);
}

TEST(ConfigValues, StatusListsAreCodesAndRanges) {
  using Ranges = std::vector<std::pair<int, int>>;
  EXPECT_EQ(parse_status_list("200").value, (Ranges{{200, 200}}));
  EXPECT_EQ(parse_status_list("200-299,404").value, (Ranges{{200, 299}, {404, 404}}));
  EXPECT_EQ(parse_status_list("100-599, 204").value, (Ranges{{100, 599}, {204, 204}}));
  for (const char* text : {"", ",", "200,", ",200", "99", "600", "299-200", "200-", "-200", "200-299-300",
                           "2xx", "0200", "200;404", "200 - 299"}) {
    EXPECT_FALSE(parse_status_list(text).value) << text;
  }
  std::string many = "200";
  for (int i = 0; i < 64; ++i) many += ",200";
  EXPECT_FALSE(parse_status_list(many).value);
  EXPECT_EQ(format_status_list({{200, 299}, {404, 404}}), "200-299,404");
}

TEST(ConfigValues, NamesAreFitForALabel) {
  EXPECT_TRUE(is_label_name("codex", true));
  EXPECT_TRUE(is_label_name("2nd-api_v1", true));
  EXPECT_FALSE(is_label_name("2nd", false));
  EXPECT_TRUE(is_label_name(std::string(64, 'a'), true));
  for (const std::string& name :
       {std::string(), std::string(65, 'a'), std::string("-a"), std::string("_a"), std::string("Api"),
        std::string("a b"), std::string("a.b"), std::string("ä")}) {
    EXPECT_FALSE(is_label_name(name, true)) << name;
  }
}

TEST(ConfigValues, PortsAreOneTo65535) {
  EXPECT_EQ(parse_port("1").value, 1);
  EXPECT_EQ(parse_port("65535").value, 65535);
  for (const char* text : {"", "0", "65536", "abc", "080", "5000 ", "-1", "5e3"})
    EXPECT_FALSE(parse_port(text).value);
}

TEST(ConfigValues, ListenAddressesAreHostAndPort) {
  const auto v6 = parse_listen_address("[::1]:9847").value;
  ASSERT_TRUE(v6);
  EXPECT_EQ(v6->host, "::1");
  EXPECT_EQ(v6->port, 9847);
  EXPECT_EQ(parse_listen_address("127.0.0.1:0").value->port, 0);
  EXPECT_EQ(parse_listen_address("metrics.example:65535").value->port, 65535);
  for (const char* text : {"", ":9847", "9847", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "::1:9847",
                           "[::1]", "[::1:9847", "[zz]:1", "a b:1", "http://x:1", "a..b:1", "127.0.0.1:09"}) {
    EXPECT_FALSE(parse_listen_address(text).value) << text;
  }
}

TEST(ConfigValues, LoopbackIsMoreThanOneAddress) {
  for (const char* host : {"127.0.0.1", "127.9.9.9", "::1", "localhost"})
    EXPECT_TRUE(is_loopback(host)) << host;
  for (const char* host : {"0.0.0.0", "::", "10.0.0.1", "128.0.0.1", "example"})
    EXPECT_FALSE(is_loopback(host)) << host;
}

TEST(ConfigValues, HttpUrlsAreAbsoluteAndClean) {
  for (const char* url : {"http://127.0.0.1:5000/health", "https://api.example", "HTTP://a/?q=1",
                          "http://[::1]:80/x", "https://user:pass@api.example:443/h"}) {
    EXPECT_TRUE(parse_http_url(url).value) << url;
  }
  for (const char* url : {"", "/health", "ftp://a/", "http:/a", "http://", "http:///x", "http://a:0/",
                          "http://a:65536/", "http://a:/", "http://a b/", "http://a/\r\nX: 1",
                          "http://a/#top", "http://[::1/", "http://a/é", "http://-a/"}) {
    EXPECT_FALSE(parse_http_url(url).value) << url;
  }
}

TEST(ConfigValues, DatabaseUrlsArePostgresOrSqlite) {
  const std::filesystem::path home = "/srv/app";
  const auto read = [&](const char* text) {
    return parse_database_url(text, home).value.value_or(Secret("-")).reveal();
  };
  EXPECT_EQ(read("postgres://u@h/db"), "postgres://u@h/db");
  EXPECT_EQ(read("postgresql:///db?host=/run/postgresql"), "postgresql:///db?host=/run/postgresql");
  EXPECT_EQ(read("sqlite:data/dev.db"), "sqlite:///srv/app/data/dev.db");
  EXPECT_EQ(read("sqlite://./dev.db?mode=ro"), "sqlite:///srv/app/dev.db?mode=ro");
  EXPECT_EQ(read("sqlite:///var/lib/x.db"), "sqlite:///var/lib/x.db");
  EXPECT_EQ(read("sqlite:/var/lib/x.db"), "sqlite:///var/lib/x.db");
  EXPECT_EQ(read("sqlite::memory:"), "sqlite::memory:");
  EXPECT_EQ(read("PostgreSQL://u@h/db"), "postgresql://u@h/db");
  EXPECT_EQ(parse_database_url("sqlite:a%20b.db", "/srv/100%?").value.value().reveal(),
            "sqlite:///srv/100%25%3F/a%20b.db");
  for (const char* text : {"", "mysql://u@h/db", "mongodb://h", "postgres:db", "postgres://u:p w@h",
                           "sqlite:", "sqlite:?mode=ro", "file:dev.db", "host=h password=x"}) {
    EXPECT_EQ(read(text), "-") << text;
  }
}

TEST(ConfigValues, OnlyUrlsWithAPasswordCarryOne) {
  for (const char* text : {"postgres://u:p@h/db", "redis://:p@h", "postgres://h/db?user=u&password=p"}) {
    EXPECT_TRUE(carries_password(text)) << text;
  }
  for (const char* text :
       {"", "postgres://u@h:5432/db", "http://127.0.0.1:5000/health", "https://a/b?c=d", "a:b@c"}) {
    EXPECT_FALSE(carries_password(text)) << text;
  }
}

TEST(ConfigValues, TextThatMayHoldAPasswordIsNotShown) {
  EXPECT_EQ(shown("abc"), "\"abc\"");
  EXPECT_EQ(shown("a\x1b[31m"), "\"a\\x1b[31m\"");
  for (const char* text : {"postgres://u:hunter2@h", "u:hunter2@h", "PASSWORD=hunter2"}) {
    EXPECT_EQ(shown(text).find("hunter2"), std::string::npos);
  }
  EXPECT_LT(shown(kVeryLong).size(), 64U);
}

TEST(ConfigValues, InvalidUtf8IsFoundWhereItIs) {
  EXPECT_EQ(find_invalid_utf8("plain, \xC3\xA9, \xE2\x82\xAC, \xF0\x9F\x98\x80"), std::string::npos);
  const std::pair<std::string, std::size_t> bad[] = {{"a\xE9", 1},
                                                     {"\xC3", 0},
                                                     {"\xC0\x80", 0},
                                                     {"ab\xED\xA0\x80", 2},
                                                     {"\xF4\x90\x80\x80", 0},
                                                     {"\xE0\x80\x80", 0},
                                                     {"\x80", 0},
                                                     {"\xFF\xFE", 0},
                                                     {"\xE2\x82", 0},
                                                     {"\xF5\x80\x80\x80", 0},
                                                     {std::string("a\0", 2), 1}};
  for (const auto& [text, where] : bad) EXPECT_EQ(find_invalid_utf8(text), where);
  const Place place = place_at("a\n\xC3\xA9\xC3\xA9!", 6);
  EXPECT_EQ(place.line, 2U);
  EXPECT_EQ(place.column, 3U);
}

}  // namespace
}  // namespace codex
