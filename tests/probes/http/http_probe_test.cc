#include <gmock/gmock.h>

#include <fstream>

#include "tests/probes/probe_fixture.h"
#include "tests/probes/tls_peer.h"
#include "tests/support/evil_server.h"
#include "tests/support/temporary_directory.h"

namespace codex::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr std::size_t kMebibyte = 1024 * 1024;

std::string ok(const std::string& body) {
  return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

EvilServer::Script answering(const std::string& answer) {
  return [answer](EvilPeer& peer) {
    peer.read_until("\r\n\r\n");
    peer.send(answer);
  };
}

ProbeSpec http_spec(const std::string& url) {
  ProbeSpec spec;
  spec.name = "http";
  spec.kind = ProbeKind::kHttp;
  spec.url = Secret(url);
  return spec;
}

ProbeSpec http_spec(const EvilServer& server, const std::string& path = "/health") {
  return http_spec("http://127.0.0.1:" + std::to_string(server.port()) + path);
}

std::vector<Phase> phases_of(const ProbeResult& result) {
  std::vector<Phase> phases;
  for (const auto& entry : result.phases) phases.push_back(entry.phase);
  return phases;
}

class HttpProbeTest : public ProbeFixture {
 protected:
  /// Asks a server with this script under the short deadline.
  ProbeResult ask_evil(EvilServer::Script script) {
    const EvilServer server(std::move(script));
    return ask(http_spec(server), kShort);
  }
};

void expect_failure(const ProbeResult& result, Reason reason) {
  EXPECT_EQ(result.outcome, Outcome::kFailure) << result.detail;
  EXPECT_EQ(to_string(result.reason), to_string(reason)) << result.detail;
}

TEST_F(HttpProbeTest, SuccessNamesStatusAndSize) {
  std::string request;
  const EvilServer server([&](EvilPeer& peer) {
    request = peer.read_until("\r\n\r\n");
    peer.send(ok("{\"ok\":true}"));
  });
  const auto result = ask(http_spec(server));
  EXPECT_EQ(result.outcome, Outcome::kSuccess);
  EXPECT_EQ(result.reason, Reason::kNone);
  EXPECT_EQ(result.detail, "GET /health 200, 11 bytes");
  EXPECT_EQ(result.http_status, 200);
  EXPECT_EQ(result.body_bytes, 11U);
  EXPECT_THAT(phases_of(result),
              ElementsAre(Phase::kResolve, Phase::kConnect, Phase::kProcessing, Phase::kTransfer));
  EXPECT_THAT(request, StartsWith("GET /health HTTP/1.1\r\n"));
  EXPECT_THAT(request, HasSubstr("\r\nAccept-Encoding: identity\r\n"));
}

TEST_F(HttpProbeTest, SendsConfiguredHeaders) {
  std::string request;
  const EvilServer server([&](EvilPeer& peer) {
    request = peer.read_until("\r\n\r\n");
    peer.send(ok(""));
  });
  auto spec = http_spec(server);
  spec.http.headers = {{"X-Probe", "yes"}, {"X-Empty", ""}};
  EXPECT_EQ(ask(spec).outcome, Outcome::kSuccess);
  EXPECT_THAT(request, HasSubstr("\r\nX-Probe: yes\r\n"));
  EXPECT_THAT(request, HasSubstr("\r\nX-Empty:\r\n"));
}

TEST_F(HttpProbeTest, HeaderWithALineBreakIsNeverSent) {
  const EvilServer server(answering(ok("")));
  auto spec = http_spec(server);
  spec.http.headers = {{"X-Probe", "yes\r\nX-Smuggled: 1"}};
  const auto result = ask(spec);
  EXPECT_EQ(result.outcome, Outcome::kUnknown);
  EXPECT_EQ(server.connections(), 0);
}

TEST_F(HttpProbeTest, ProxyFromTheEnvironmentIsIgnored) {
  const EvilServer server(answering(ok("")));
  ::setenv("http_proxy", "http://127.0.0.1:1", 1);
  const auto result = ask(http_spec(server));
  ::unsetenv("http_proxy");
  EXPECT_EQ(result.outcome, Outcome::kSuccess) << result.detail;
}

TEST_F(HttpProbeTest, LocalhostNeedsNoResolver) {
  const BusyWorker busy(resolver);
  const EvilServer server(answering(ok("")));
  const auto result = ask(http_spec("http://localhost:" + std::to_string(server.port()) + "/"));
  EXPECT_EQ(result.outcome, Outcome::kSuccess) << result.detail;
}

TEST_F(HttpProbeTest, UnexpectedStatusQuotesTheBodySafely) {
  const auto result = ask_evil(answering("HTTP/1.1 503 Down\r\nContent-Length: 9\r\n\r\nno db\n\x1b[1"));
  expect_failure(result, Reason::kStatus);
  EXPECT_EQ(result.http_status, 503);
  EXPECT_EQ(result.detail, "GET /health 503, 9 bytes: no db\\x0a\\x1b[1");
}

TEST_F(HttpProbeTest, StatusRangesAreInclusive) {
  struct Case {
    int status;
    bool success;
  };
  for (const auto& [status, success] :
       {Case{200, true}, Case{399, true}, Case{400, false}, Case{999, false}, Case{204, true}}) {
    const auto result = ask_evil(answering("HTTP/1.1 " + std::to_string(status) +
                                           " X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"));
    EXPECT_EQ(result.outcome == Outcome::kSuccess, success) << result.detail;
    EXPECT_EQ(result.http_status, status);
  }
}

TEST_F(HttpProbeTest, BodyMustContainTheText) {
  const EvilServer server(answering(ok("status: green")));
  auto spec = http_spec(server);
  spec.http.body_contains = "green";
  EXPECT_EQ(ask(spec).outcome, Outcome::kSuccess);
  spec.http.body_contains = "blue";
  expect_failure(ask(spec), Reason::kBody);
}

TEST_F(HttpProbeTest, BodyMustMatchTheExpressionEvenPastANul) {
  const EvilServer server(answering(ok(std::string("a\0status: 17", 12))));
  auto spec = http_spec(server);
  spec.http.body_regex = "status: [0-9]+$";
  const auto result = ask(spec);
  EXPECT_EQ(result.outcome, Outcome::kSuccess) << result.detail;
  spec.http.body_regex = "status: [a-z]+$";
  expect_failure(ask(spec), Reason::kBody);
}

TEST_F(HttpProbeTest, BodyIsJudgedByItsFirst64KiB) {
  for (const std::size_t excess : {std::size_t{0}, std::size_t{1}}) {
    const EvilServer server(
        answering(ok(std::string(64 * 1024 - 4, 'x') + "mark" + std::string(excess, 'x'))));
    auto spec = http_spec(server);
    spec.http.body_contains = "mark";
    const auto result = ask(spec);
    EXPECT_EQ(result.outcome, Outcome::kSuccess) << result.detail;
    EXPECT_EQ(result.body_bytes, 64 * 1024U);
    EXPECT_EQ(result.detail.find("first 64 KiB") != std::string::npos, excess > 0) << result.detail;
  }
}

TEST_F(HttpProbeTest, NobodyListeningIsRefused) {
  std::uint16_t port = 0;
  listen_on_loopback(1, port).reset();
  const auto result = ask(http_spec("http://127.0.0.1:" + std::to_string(port) + "/health"));
  expect_failure(result, Reason::kRefused);
  EXPECT_EQ(result.http_status, 0);
  EXPECT_EQ(result.detail, "GET /health: connection refused");
}

TEST_F(HttpProbeTest, SilenceIsATimeout) {
  const auto result = ask_evil([](EvilPeer& peer) { peer.wait_until_closed(); });
  expect_failure(result, Reason::kTimeout);
  EXPECT_EQ(result.detail, "GET /health: no answer within 300 ms (connected, no byte received)");
  EXPECT_THAT(phases_of(result), ElementsAre(Phase::kResolve, Phase::kConnect, Phase::kProcessing));
}

TEST_F(HttpProbeTest, FullBacklogIsATimeout) {
  std::uint16_t port = 0;
  const auto listener = listen_on_loopback(0, port);
  const auto spec = http_spec("http://127.0.0.1:" + std::to_string(port) + "/health");
  const auto result = ask_in_full_backlog(spec);
  expect_failure(result, Reason::kTimeout);
  EXPECT_EQ(result.detail, "GET /health: no answer within 300 ms (not connected)");
  EXPECT_THAT(phases_of(result), ElementsAre(Phase::kResolve, Phase::kConnect));
}

TEST_F(HttpProbeTest, DripInTheHeadEndsAtTheDeadline) {
  const auto result = ask_evil([](EvilPeer& peer) {
    peer.read_until("\r\n\r\n");
    peer.drip("HTTP/1.1 200 OK\r\nX-Slow: " + std::string(1000, 'x'), 5ms);
  });
  expect_failure(result, Reason::kTimeout);
  EXPECT_THAT(result.detail, HasSubstr("head unfinished"));
  EXPECT_EQ(result.http_status, 0);
}

TEST_F(HttpProbeTest, DripInTheBodyEndsAtTheDeadline) {
  const auto result = ask_evil([](EvilPeer& peer) {
    peer.read_until("\r\n\r\n");
    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
    peer.drip(std::string(1000, 'x'), 5ms);
  });
  expect_failure(result, Reason::kTimeout);
  EXPECT_EQ(result.http_status, 200);
  EXPECT_THAT(result.detail, HasSubstr("status 200"));
  EXPECT_TRUE(result.flows);
}

TEST_F(HttpProbeTest, ABadAnswerThatDripsIsNotOnItsWay) {
  const auto result = ask_evil([](EvilPeer& peer) {
    peer.read_until("\r\n\r\n");
    peer.send("HTTP/1.1 500 Oh\r\nContent-Length: 1000\r\n\r\n");
    peer.drip(std::string(1000, 'x'), 5ms);
  });
  expect_failure(result, Reason::kTimeout);
  EXPECT_FALSE(result.flows);
}

TEST_F(HttpProbeTest, EndlessContinueEndsAtTheDeadlineOrTheHeadLimit) {
  const auto dripping = ask_evil([](EvilPeer& peer) {
    peer.read_until("\r\n\r\n");
    while (peer.drip("H", 2ms) && peer.send("TTP/1.1 100 Continue\r\n\r\n")) {
    }
  });
  expect_failure(dripping, Reason::kTimeout);
  const auto flooding = ask_evil([](EvilPeer& peer) {
    peer.read_until("\r\n\r\n");
    peer.stream("HTTP/1.1 100 Continue\r\n\r\n", kMebibyte);
  });
  expect_failure(flooding, Reason::kProtocol);
  EXPECT_THAT(flooding.detail, HasSubstr("above 16 KiB"));
}

TEST_F(HttpProbeTest, TwoHundredContinuesBeforeAnAnswerAreFine) {
  const auto result = ask_evil([](EvilPeer& peer) {
    peer.read_until("\r\n\r\n");
    peer.stream("HTTP/1.1 100 Continue\r\n\r\n", 200 * 25);
    peer.send(ok("up"));
  });
  EXPECT_EQ(result.outcome, Outcome::kSuccess) << result.detail;
  EXPECT_EQ(result.http_status, 200);
}

TEST_F(HttpProbeTest, HeadIsLimitedTo16KiB) {
  const std::string fixed = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX: \r\n\r\n";
  for (const int excess : {-1, 0, 1}) {
    const auto padding = static_cast<std::size_t>(16 * 1024 + excess) - fixed.size();
    const auto result = ask_evil(
        answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX: " + std::string(padding, 'x') + "\r\n\r\n"));
    EXPECT_EQ(result.outcome == Outcome::kSuccess, excess <= 0) << excess << " " << result.detail;
    if (excess > 0) expect_failure(result, Reason::kProtocol);
  }
}

TEST_F(HttpProbeTest, EndlessHeaderLineTakesNoMemory) {
  const auto before = resident_bytes();
  const auto result = ask_evil([](EvilPeer& peer) {
    peer.read_until("\r\n\r\n");
    peer.send("HTTP/1.1 200 OK\r\nX: ");
    peer.stream(std::string(64 * 1024, 'x'), 1024 * kMebibyte);
  });
  expect_failure(result, Reason::kProtocol);
  EXPECT_LT(resident_bytes(), before + kMemorySlack);
}

TEST_F(HttpProbeTest, EndlessHeadersTakeNoMemory) {
  const auto before = resident_bytes();
  const auto result = ask_evil([](EvilPeer& peer) {
    peer.read_until("\r\n\r\n");
    peer.send("HTTP/1.1 200 OK\r\n");
    peer.stream("X-Header: abcdefgh\r\n", 1024 * kMebibyte);
  });
  expect_failure(result, Reason::kProtocol);
  EXPECT_LT(resident_bytes(), before + kMemorySlack);
}

TEST_F(HttpProbeTest, LongStatusLinesAreAProtocolFailure) {
  for (const std::size_t length : {std::size_t{30 * 1024}, kMebibyte}) {
    const auto result = ask_evil(answering("HTTP/1.1 200 " + std::string(length, 'x') + "\r\n\r\n"));
    expect_failure(result, Reason::kProtocol);
  }
}

TEST_F(HttpProbeTest, GigabyteOfBodyIsLeftUnread) {
  const auto before = resident_bytes();
  const EvilServer server([](EvilPeer& peer) {
    peer.read_until("\r\n\r\n");
    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n");
    peer.stream(std::string(64 * 1024, 'x'), 1024 * kMebibyte);
  });
  const auto result = ask(http_spec(server), kShort);
  EXPECT_EQ(result.outcome, Outcome::kSuccess) << result.detail;
  EXPECT_EQ(result.detail, "GET /health 200, first 64 KiB of the body");
  EXPECT_EQ(result.body_bytes, 64 * 1024U);
  EXPECT_LT(resident_bytes(), before + kMemorySlack);
}

TEST_F(HttpProbeTest, BodyWithoutLengthEndsWithTheConnection) {
  const auto result = ask_evil(answering("HTTP/1.1 200 OK\r\n\r\nup"));
  EXPECT_EQ(result.outcome, Outcome::kSuccess) << result.detail;
  EXPECT_EQ(result.body_bytes, 2U);
}

TEST_F(HttpProbeTest, FalseContentLengthsAreProtocolFailures) {
  for (const std::string length : {"1000", "-5", "abc"}) {
    const auto result = ask_evil(answering("HTTP/1.1 200 OK\r\nContent-Length: " + length + "\r\n\r\nup"));
    expect_failure(result, Reason::kProtocol);
  }
  const auto too_large =
      ask_evil(answering("HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\nup"));
  EXPECT_EQ(too_large.outcome, Outcome::kSuccess) << too_large.detail;
}

TEST_F(HttpProbeTest, CompressedBodyIsNotInflated) {
  const auto result =
      ask_evil(answering("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 8\r\n\r\nnot gzip"));
  EXPECT_EQ(result.outcome, Outcome::kSuccess) << result.detail;
  EXPECT_EQ(result.body_bytes, 8U);
}

TEST_F(HttpProbeTest, ResetIsAReset) {
  const auto at_once = ask_evil([](EvilPeer& peer) { peer.reset(); });
  expect_failure(at_once, Reason::kReset);
  const auto after_request = ask_evil([](EvilPeer& peer) {
    peer.read_until("\r\n\r\n");
    peer.reset();
  });
  expect_failure(after_request, Reason::kReset);
}

TEST_F(HttpProbeTest, ClosingWithoutAWordIsAReset) {
  const auto result = ask_evil([](EvilPeer& peer) { peer.read_until("\r\n\r\n"); });
  expect_failure(result, Reason::kReset);
  EXPECT_THAT(result.detail, HasSubstr("closed without an answer"));
}

TEST_F(HttpProbeTest, OtherProtocolsAreProtocolFailures) {
  for (const std::string banner :
       {"SSH-2.0-OpenSSH_9.2\r\n", "220 mail ESMTP\r\n", "\x15\x03\x01\x02\x02\x16", "<html>up</html>"}) {
    const auto result = ask_evil([&](EvilPeer& peer) {
      peer.read_until("\r\n\r\n");
      peer.send(banner);
    });
    expect_failure(result, Reason::kProtocol);
    EXPECT_THAT(result.detail, Not(HasSubstr("\x15")));
  }
}

TEST_F(HttpProbeTest, RedirectIsAnAnswerLikeAnyOther) {
  const EvilServer server(
      answering("HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n"));
  const auto result = ask(http_spec(server));
  EXPECT_EQ(result.outcome, Outcome::kSuccess);
  EXPECT_EQ(result.http_status, 302);
  EXPECT_EQ(server.connections(), 1);
}

TEST_F(HttpProbeTest, RedirectIsFollowedOnTheSameHost) {
  const EvilServer server([](EvilPeer& peer) {
    const auto request = peer.read_until("\r\n\r\n");
    peer.send(request.starts_with("GET /health ")
                  ? "HTTP/1.1 302 Found\r\nLocation: /real\r\nContent-Length: 0\r\n\r\n"
                  : ok("arrived"));
  });
  auto spec = http_spec(server);
  spec.http.follow_redirects = true;
  const auto result = ask(spec);
  EXPECT_EQ(result.outcome, Outcome::kSuccess) << result.detail;
  EXPECT_EQ(result.http_status, 200);
  EXPECT_EQ(server.connections(), 2);
  EXPECT_THAT(phases_of(result),
              ElementsAre(Phase::kResolve, Phase::kConnect, Phase::kProcessing, Phase::kTransfer));
}

TEST_F(HttpProbeTest, RedirectElsewhereIsNotFollowed) {
  for (const std::string target :
       {"http://localhost:1/", "file:///etc/passwd", "//169.254.169.254/", "gopher://127.0.0.1/"}) {
    const EvilServer server(
        answering("HTTP/1.1 302 Found\r\nLocation: " + target + "\r\nContent-Length: 0\r\n\r\n"));
    auto spec = http_spec(server);
    spec.http.follow_redirects = true;
    expect_failure(ask(spec), Reason::kStatus);
    EXPECT_EQ(server.connections(), 1);
  }
}

TEST_F(HttpProbeTest, RedirectsAreFollowedFiveTimes) {
  const EvilServer server(answering("HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n"));
  auto spec = http_spec(server);
  spec.http.follow_redirects = true;
  expect_failure(ask(spec), Reason::kStatus);
  EXPECT_EQ(server.connections(), 6);
}

TEST_F(HttpProbeTest, SelfSignedCertificateIsATlsFailure) {
  const TlsIdentity identity;
  const EvilServer server([&](EvilPeer& peer) { answer_over_tls(peer, identity, ok("up")); });
  const std::string url = "https://127.0.0.1:" + std::to_string(server.port()) + "/health";
  expect_failure(ask(http_spec(url)), Reason::kTls);

  auto trusting = http_spec(url);
  trusting.http.tls_verify = false;
  const auto unverified = ask(trusting);
  EXPECT_EQ(unverified.outcome, Outcome::kSuccess) << unverified.detail;
  EXPECT_THAT(phases_of(unverified), ElementsAre(Phase::kResolve, Phase::kConnect, Phase::kTls,
                                                 Phase::kProcessing, Phase::kTransfer));

  const TemporaryDirectory directory;
  auto informed = http_spec(url);
  informed.http.ca_file = directory.path() / "ca.pem";
  std::ofstream(informed.http.ca_file) << identity.certificate_pem();
  const auto verified = ask(informed);
  EXPECT_EQ(verified.outcome, Outcome::kSuccess) << verified.detail;
}

TEST_F(HttpProbeTest, TlsWithAPlainServerIsATlsFailure) {
  const EvilServer server([](EvilPeer& peer) { peer.send("HTTP/1.1 400 Bad Request\r\n\r\n"); });
  expect_failure(ask(http_spec("https://127.0.0.1:" + std::to_string(server.port()) + "/")), Reason::kTls);
}

TEST_F(HttpProbeTest, SilentTlsServerEndsAtTheDeadline) {
  const EvilServer server([](EvilPeer& peer) { peer.wait_until_closed(); });
  const auto result = ask(http_spec("https://127.0.0.1:" + std::to_string(server.port()) + "/"), kShort);
  expect_failure(result, Reason::kTimeout);
  EXPECT_THAT(result.detail, HasSubstr("TLS handshake unfinished"));
  EXPECT_THAT(phases_of(result), ElementsAre(Phase::kResolve, Phase::kConnect, Phase::kTls));
}

TEST_F(HttpProbeTest, BusyResolverIsUnknown) {
  const BusyWorker busy(resolver);
  const auto result = ask(http_spec("http://backend.invalid/health"), kShort);
  EXPECT_EQ(result.outcome, Outcome::kUnknown);
  EXPECT_EQ(result.reason, Reason::kInternal);
}

TEST_F(HttpProbeTest, NameWithoutAddressIsAResolveFailure) {
  const auto result = ask(http_spec("http://backend.invalid/health"));
  expect_failure(result, Reason::kResolve);
  EXPECT_THAT(phases_of(result), ElementsAre(Phase::kResolve));
}

TEST_F(HttpProbeTest, UnusableSpecificationIsUnknown) {
  for (const std::string url : {"", "ftp://127.0.0.1/", "http://", "http://127.0.0.1:99999999/"}) {
    EXPECT_EQ(ask(http_spec(url)).outcome, Outcome::kUnknown) << url;
  }
  auto spec = http_spec("http://127.0.0.1/");
  spec.http.body_regex = "(";
  EXPECT_EQ(ask(spec).outcome, Outcome::kUnknown);
}

TEST_F(HttpProbeTest, CancelIsSilentAndClosesTheConnection) {
  const EvilServer server([](EvilPeer& peer) { peer.wait_until_closed(); });
  const auto before = open_descriptors();
  const auto probe = make_probe(http_spec(server), context);
  probe->start(Clock::now() + kShort, [](const ProbeResult&) { ADD_FAILURE() << "answer after cancel"; });
  run_until([&] { return server.connections() == 1; });
  probe->cancel();
  EXPECT_LE(open_descriptors(), before + 1);  // The server's end may still be open.
  const auto past_the_deadline = Clock::now() + kShort + kSlack;
  while (Clock::now() < past_the_deadline) loop.run_once(20ms);
}

TEST_F(HttpProbeTest, ProbeMayBeDestroyedByItsAnswer) {
  const EvilServer server(answering(ok("")));
  auto probe = make_probe(http_spec(server), context);
  probe->start(Clock::now() + kAmple, [&](const ProbeResult&) { probe.reset(); });
  run_until([&] { return probe == nullptr; });
}

TEST_F(HttpProbeTest, ThrowingAnswerReachesTheLoopOnce) {
  const EvilServer server(answering(ok("")));
  const auto probe = make_probe(http_spec(server), context);
  int answers = 0;
  probe->start(Clock::now() + kAmple, [&](const ProbeResult&) {
    ++answers;
    throw std::runtime_error("from the prober");
  });
  run_until([&] { return answers > 0; });
  EXPECT_EQ(answers, 1);
  EXPECT_EQ(loop.stats().callback_errors, 1U);
  EXPECT_EQ(ask(*probe, kAmple).outcome, Outcome::kSuccess);
}

TEST_F(HttpProbeTest, TwoHundredAttemptsLeaveNoDescriptor) {
  const EvilServer server([turn = 0](EvilPeer& peer) mutable {
    peer.read_until("\r\n\r\n");
    if (++turn % 2 == 0) return peer.reset();
    peer.send(ok("up"));
  });
  const auto probe = make_probe(http_spec(server), context);
  ask(*probe, kAmple);
  const auto before = open_descriptors();
  for (int i = 0; i < 200; ++i) ask(*probe, kAmple);
  // The server may still hold the end of the last connection.
  run_until([&] { return open_descriptors() <= before; });
}

}  // namespace
}  // namespace codex::test
