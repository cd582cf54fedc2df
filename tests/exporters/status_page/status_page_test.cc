#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>

#include "exporters/status_page/status_page.h"
#include "tests/exporters/http/ask_routes.h"
#include "tests/exporters/sample_snapshot.h"

namespace codex {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using testing::sample_recent;
using testing::sample_snapshot;
using testing::source_of;

std::string get(const std::string& path, const Snapshot& snapshot, const BackendRecent& recent) {
  HttpRoutes routes;
  add_status_page(routes, source_of(snapshot), [&] { return std::vector<BackendRecent>{recent}; });
  return testing::get(routes, path);
}

std::string page_of(const Snapshot& snapshot, const BackendRecent& recent = sample_recent()) {
  return get("/", snapshot, recent);
}

std::size_t count(const std::string& text, std::string_view part) {
  std::size_t n = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
  return n;
}

std::string file(const std::string& name) {
  std::ifstream stream(CODEX_SOURCE_DIR "/" + name);
  std::stringstream text;
  text << stream.rdbuf();
  return text.str();
}

TEST(StatusPage, AnAnswerThatIsOlderThanUsualShowsItsAgeAndWhetherItPrecedesTheHang) {
  Snapshot snapshot = sample_snapshot();
  ProbeSnapshot& http = snapshot.backends[0].probes[1];
  http.outcome = "success";
  http.period_seconds = 5;
  http.age_seconds = 5.9;
  EXPECT_THAT(page_of(snapshot), Not(HasSubstr(" ago</small>")));
  http.age_seconds = 6;
  EXPECT_THAT(page_of(snapshot), HasSubstr("<td class=good>&#10003; ok <small>6 s ago</small>"));
  HangSnapshot hang{"spin", {}, "uses 99 % of a CPU", "", "", "restart"};
  hang.lasted_seconds = 4;
  snapshot.backends[0].hang = hang;
  EXPECT_THAT(page_of(snapshot),
              HasSubstr("<td class=calm>&#8943; ok <small>6 s ago, before the hang</small>"));
  http.age_seconds = 3;
  EXPECT_THAT(page_of(snapshot), Not(HasSubstr("before the hang")));
}

TEST(StatusPage, ShowsTheBackendItsChecksAndTheWayOn) {
  const std::string page = page_of(sample_snapshot());
  EXPECT_THAT(page, HasSubstr("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(page, HasSubstr("Content-Type: text/html; charset=utf-8\r\n"));
  for (const char* text : {"<title>running: codex",
                           "codex",
                           "running",
                           "database",
                           "http",
                           "port",
                           "3.4 ms",
                           "2 h 13 min",
                           "4242",
                           "5000 <small>listening",
                           "memory <b>96 MiB</b>",
                           "in 4 processes",
                           "limit 512 MiB",
                           "55 <small>",
                           "2 hang",
                           "SIGKILL <small>oom_kill",
                           "href=/metrics",
                           "href=/api/v1/status",
                           "href=/api/v1/history",
                           "href=/docs"}) {
    EXPECT_THAT(page, HasSubstr(text));
  }
}

TEST(StatusPage, RunsNothingThatStandsInItAndLoadsNothingFromElsewhere) {
  const std::string page = page_of(sample_snapshot());
  const std::string policy =
      "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self';";
  EXPECT_THAT(page, HasSubstr(policy));
  EXPECT_THAT(page, Not(HasSubstr("unsafe")));
  const std::string body = page.substr(page.find("\r\n\r\n"));
  EXPECT_EQ(count(body, "<script"), 1U);
  EXPECT_THAT(body, HasSubstr("<script src=/status.js defer></script>"));
  for (const char* text : {"<style", "style=", " on", "javascript:", "<img", "=http", "=//", "url(http"}) {
    EXPECT_THAT(body, Not(HasSubstr(text)));
  }
}

std::string body_of(const std::string& path) {
  const std::string response = get(path, sample_snapshot(), sample_recent());
  EXPECT_THAT(response, HasSubstr("HTTP/1.1 200 OK\r\n")) << path;
  return response.substr(response.find("\r\n\r\n") + 4);
}

/// The documents to which `document` has links, by their paths in the repository.
std::set<std::string> linked_from(const std::string& document) {
  static const std::regex kLink(R"(\]\(([^):#]+\.md)[)#])");
  const std::string text = file(document);
  std::set<std::string> found;
  for (std::sregex_iterator link(text.begin(), text.end(), kLink), end; link != end; ++link) {
    const auto folder = std::filesystem::path(document).parent_path();
    found.insert((folder / (*link)[1].str()).lexically_normal().string());
  }
  return found;
}

TEST(StatusPage, ItsPartsAreTheFilesOfTheSource) {
  EXPECT_EQ(body_of("/status.css"), file("exporters/status_page/page.css"));
  EXPECT_EQ(body_of("/status.js"), file("exporters/status_page/page.js"));
  EXPECT_EQ(body_of("/docs"), file("README.md"));
  EXPECT_THAT(get("/statusxjs", sample_snapshot(), sample_recent()), HasSubstr("404"));
}

TEST(StatusPage, EveryDocumentThatTheReadmeLeadsToIsThere) {
  std::set<std::string> seen{"README.md"};
  std::vector<std::string> to_read{"README.md"};
  while (!to_read.empty()) {
    const std::string document = to_read.back();
    to_read.pop_back();
    EXPECT_EQ(body_of("/docs/" + document), file(document));
    for (const std::string& next : linked_from(document)) {
      if (seen.insert(next).second) to_read.push_back(next);
    }
  }
  for (const char* document : {"agent/docs/commands.md", "agent/docs/hangs.md", "exporters/docs/metrics.md",
                               "dashboards/README.md", "dashboards/runbooks.md"})
    EXPECT_TRUE(seen.count(document)) << document;
  for (const char* path :
       {"/docs/", "/docs/agent/docs", "/docs/agent/docs/../docs/hangs.md", "/docs/agent/main.cc"})
    EXPECT_THAT(get(path, sample_snapshot(), sample_recent()), HasSubstr("404")) << path;
}

TEST(StatusPage, EscapesEverythingItDidNotWriteItself) {
  Snapshot snapshot = sample_snapshot();
  BackendRecent recent = sample_recent();
  const std::string evil = "<script>alert('x')</script>\"&\x1b[31m\xff";
  BackendSnapshot& backend = snapshot.backends[0];
  backend.name = backend.state = backend.problem = backend.health_reason = backend.awaiting = evil;
  backend.restarts = {{evil, 1}};
  backend.last_exit->signal = backend.last_exit->cause = backend.last_exit->why = evil;
  backend.startup.waiting_for = evil;
  for (ProbeSnapshot& probe : backend.probes)
    probe.name = probe.role = probe.target = probe.reason = probe.detail = evil;
  backend.probes[0].outcome = "failure";
  snapshot.agent.version = snapshot.agent.log_error = evil;
  for (RecentState& state : recent.states) state.state = state.reason = evil;
  for (RecentEvent& event : recent.events) event.from = event.to = event.reason = event.detail = evil;
  for (const bool hangs : {false, true}) {
    const HangSnapshot hang{evil, {}, evil, evil, evil, evil};
    backend.last_hang = hang;
    if (hangs) backend.hang = hang;
    const std::string page = page_of(snapshot, recent);
    EXPECT_EQ(count(page, "<script"), 1U) << "our own";
    EXPECT_THAT(page, Not(HasSubstr("\x1b")));
    EXPECT_THAT(page, Not(HasSubstr("\xff")));
    EXPECT_THAT(page, HasSubstr("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&quot;&amp;\\x1b[31m"));
    EXPECT_GE(count(page, "&lt;script"), 30U);
  }
}

TEST(StatusPage, SaysSoWithoutABackend) {
  EXPECT_THAT(page_of(Snapshot{}), HasSubstr("No backend is configured"));
}

TEST(StatusPage, AnUnaskedAndAFailedCheckSayItInWords) {
  Snapshot snapshot = sample_snapshot();
  snapshot.backends[0].probes[0].outcome.reset();
  snapshot.backends[0].probes[1].outcome = "failure";
  snapshot.backends[0].probes[1].reason = "timeout";
  snapshot.backends[0].probes[1].consecutive_failures = 2;
  const std::string page = page_of(snapshot);
  EXPECT_THAT(page, HasSubstr("not asked yet"));
  EXPECT_THAT(page, HasSubstr("failed: timeout <small>2 of 3</small>"));
}

TEST(StatusPage, WhatAtRestIsNotAskedIsNotCalledOk) {
  Snapshot snapshot = sample_snapshot();
  EXPECT_EQ(count(page_of(snapshot), "&#10003; ok"), 3U);
  for (const char* state : {"stopped", "stopping", "backoff", "failed"}) {
    snapshot.backends[0].state = state;
    EXPECT_EQ(count(page_of(snapshot), "not asked now"), 3U) << state;
    EXPECT_THAT(page_of(snapshot), Not(HasSubstr("http answers"))) << state;
  }
  snapshot.backends[0].awaiting = "database";
  EXPECT_EQ(count(page_of(snapshot), "not asked now"), 2U);
  EXPECT_THAT(page_of(snapshot), HasSubstr("database answers"));
}

TEST(StatusPage, TellsOfAHangAndOfWhatComesNext) {
  Snapshot snapshot = sample_snapshot();
  EXPECT_THAT(page_of(snapshot), HasSubstr("Last hang: <strong>spin</strong>"));
  HangSnapshot hang{"futex", {}, "waits for a lock", "wait (app.js:7)", "the-id", "restart"};
  hang.lasted_seconds = 4.25;
  hang.due_in_seconds = 0.8;
  snapshot.backends[0].hang = hang;
  snapshot.backends[0].last_hang.reset();
  std::string page = page_of(snapshot);
  for (const char* text : {"Hang: futex</strong> for 4.2 s", "<code>wait (app.js:7)</code>",
                           "waits for a lock", "codex-agent evidence the-id", "Restart in 0.8 s."})
    EXPECT_THAT(page, HasSubstr(text));
  snapshot.backends[0].hang->due_in_seconds = 0;
  EXPECT_THAT(page_of(snapshot), HasSubstr("Restart is due."));
  snapshot.backends[0].hang->action = "continue";
  EXPECT_THAT(page_of(snapshot), HasSubstr("SIGCONT is due."));
  snapshot.backends[0].hang->action = "report";
  EXPECT_THAT(page_of(snapshot), HasSubstr("nothing else is done"));
}

TEST(StatusPage, SaysWhatAStartWaitsFor) {
  Snapshot snapshot = sample_snapshot();
  BackendSnapshot& backend = snapshot.backends[0];
  backend.next_attempt.reset();
  EXPECT_THAT(page_of(snapshot), Not(HasSubstr("class=next")));
  backend.awaiting = "database";
  EXPECT_THAT(page_of(snapshot),
              HasSubstr("It waits for the database. 4 of 5 automatic restarts are left in 1 min."));
  backend.next_attempt = WallTime{};
  EXPECT_THAT(page_of(snapshot),
              HasSubstr("It waits for the database; the next attempt is at the latest at <time"));
}

TEST(StatusPage, TheTitleTellsTheWorst) {
  Snapshot snapshot = sample_snapshot();
  snapshot.backends.push_back(snapshot.backends[0]);
  EXPECT_THAT(page_of(snapshot), HasSubstr("<title>2 of 2 backends running - codex-agent</title>"));
  const std::string calm = page_of(snapshot);
  snapshot.backends[1].state = "hung";
  EXPECT_THAT(page_of(snapshot), HasSubstr("<title>1 of 2 backends running - codex-agent</title>"));
  const auto icon = [](const std::string& page) { return page.substr(page.find("rel=icon"), 250); };
  EXPECT_NE(icon(calm), icon(page_of(snapshot)));
}

}  // namespace
}  // namespace codex
