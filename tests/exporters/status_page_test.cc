#include <gmock/gmock.h>

#include "exporters/status_document.h"
#include "sample_snapshot.h"

namespace codex {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using testing::sample_snapshot;
using testing::source_of;

std::string page_of(const Snapshot& snapshot) {
  HttpRoutes routes;
  add_status_page(routes, source_of(snapshot));
  bool parked = false;
  return routes.respond("GET / HTTP/1.1\r\nHost: x\r\n\r\n", std::nullopt, parked);
}

TEST(StatusPage, ShowsTheBackendItsChecksAndTheWayOn) {
  const std::string page = page_of(sample_snapshot());
  EXPECT_THAT(page, HasSubstr("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(page, HasSubstr("Content-Type: text/html; charset=utf-8\r\n"));
  for (const char* text :
       {"codex", "running", "database", "http", "port", "3.4 ms", "2 h 13 min", "pid 4242",
        "port 5000 listening", "112 MiB in 4 processes", "href=/metrics", "href=/api/v1/status"}) {
    EXPECT_THAT(page, HasSubstr(text));
  }
}

TEST(StatusPage, LoadsAndRunsNothing) {
  const std::string page = page_of(sample_snapshot());
  EXPECT_THAT(page, HasSubstr("Content-Security-Policy: default-src 'none';"));
  for (const char* text : {"<script", "<img", "<link", "src=", "@import", "url("}) {
    EXPECT_THAT(page.substr(page.find("\r\n\r\n")), Not(HasSubstr(text)));
  }
}

TEST(StatusPage, EscapesEverythingItDidNotWriteItself) {
  Snapshot snapshot = sample_snapshot();
  const std::string evil = "<script>alert('x')</script>\"&\x1b[31m\xff";
  BackendSnapshot& backend = snapshot.backends[0];
  backend.name = backend.state = backend.problem = backend.health_reason = evil;
  backend.probes[0].name = backend.probes[0].reason = backend.probes[0].detail = evil;
  snapshot.agent.version = snapshot.agent.log_error = evil;
  const std::string page = page_of(snapshot);
  EXPECT_THAT(page, Not(HasSubstr("<script")));
  EXPECT_THAT(page, Not(HasSubstr("\x1b")));
  EXPECT_THAT(page, Not(HasSubstr("\xff")));
  EXPECT_THAT(page, HasSubstr("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&quot;&amp;\\x1b[31m"));
}

TEST(StatusPage, SaysSoWithoutABackend) {
  EXPECT_THAT(page_of(Snapshot{}), HasSubstr("No backend is configured"));
}

TEST(StatusPage, AnUnaskedAndAFailedCheckSayItInWords) {
  Snapshot snapshot = sample_snapshot();
  snapshot.backends[0].probes[0].outcome.reset();
  snapshot.backends[0].probes[1].outcome = "failure";
  snapshot.backends[0].probes[1].reason = "timeout";
  const std::string page = page_of(snapshot);
  EXPECT_THAT(page, HasSubstr("not asked yet"));
  EXPECT_THAT(page, HasSubstr("failed: timeout"));
}

}  // namespace
}  // namespace codex
