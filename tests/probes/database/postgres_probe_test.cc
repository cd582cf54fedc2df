#include "probes/database/postgres_probe.h"

#include <gmock/gmock.h>

#include <vector>

#include "probes/database/postgres_errors.h"
#include "probes/database/postgres_settings.h"
#include "tests/probes/probe_fixture.h"
#include "tests/probes/tls_peer.h"
#include "tests/support/evil_server.h"
#include "tests/support/peer_postgres.h"
#include "tests/support/temporary_directory.h"

namespace codex::test {
namespace {

using namespace std::string_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

constexpr std::size_t kMebibyte = 1024 * 1024;

/// A server that lets everybody in and then hands the connection to `then`.
EvilServer::Script welcoming(EvilServer::Script then) {
  return [then = std::move(then)](EvilPeer& peer) {
    pg_read_startup(peer);
    if (peer.send(pg_welcome())) then(peer);
  };
}

EvilServer::Script after_startup(const std::string& answer) {
  return [answer](EvilPeer& peer) {
    pg_read_startup(peer);
    peer.send(answer);
    peer.wait_until_closed();
  };
}

std::vector<Phase> phases_of(const ProbeResult& result) {
  std::vector<Phase> phases;
  for (const auto& entry : result.phases) phases.push_back(entry.phase);
  return phases;
}

ProbeSpec postgres_spec(const std::string& url) {
  ProbeSpec spec;
  spec.name = "database";
  spec.kind = ProbeKind::kDatabase;
  spec.url = Secret(url);
  return spec;
}

ProbeSpec postgres_spec(const EvilServer& server, const std::string& parameters = "") {
  return postgres_spec("postgres://bob:S3cret@127.0.0.1:" + std::to_string(server.port()) + "/codex" +
                       parameters);
}

class PostgresProbeTest : public ProbeFixture {
 protected:
  PostgresProbeTest() { redactor.add(Secret("S3cret")); }

  ProbeResult ask_evil(EvilServer::Script script, const std::string& parameters = "") {
    const EvilServer server(std::move(script));
    return ask(postgres_spec(server, parameters), kShort);
  }
};

void expect_failure(const ProbeResult& result, Reason reason) {
  EXPECT_EQ(result.outcome, Outcome::kFailure) << result.detail;
  EXPECT_EQ(to_string(result.reason), to_string(reason)) << result.detail;
  EXPECT_THAT(result.detail, Not(HasSubstr("S3cret")));
  EXPECT_THAT(result.detail, Not(HasSubstr("\n")));
}

TEST_F(PostgresProbeTest, SuccessNamesVersionAndPlace) {
  std::string startup;
  const EvilServer server([&](EvilPeer& peer) {
    startup = pg_read_startup(peer);
    peer.send(pg_welcome());
    EXPECT_EQ(pg_read_message(peer), "QSELECT 1\0"s);
    peer.send(pg_one_row());
    peer.wait_until_closed();
  });
  const auto result = ask(postgres_spec(server));
  EXPECT_EQ(result.outcome, Outcome::kSuccess) << result.detail;
  EXPECT_EQ(result.detail, "PostgreSQL 15.20 at 127.0.0.1:" + std::to_string(server.port()) + "/codex");
  EXPECT_THAT(phases_of(result), ElementsAre(Phase::kResolve, Phase::kConnect, Phase::kAuth, Phase::kQuery));
  EXPECT_THAT(startup, HasSubstr("application_name\0codex-agent\0"s));
  EXPECT_THAT(startup, HasSubstr("user\0bob\0database\0codex\0"s));
}

TEST_F(PostgresProbeTest, DeclinedEncryptionBelongsToConnecting) {
  const EvilServer server(welcoming([](EvilPeer& peer) {
    pg_read_message(peer);
    peer.send(pg_one_row());
    peer.wait_until_closed();
  }));
  const auto result = ask(postgres_spec(server, "?sslmode=prefer"));
  EXPECT_EQ(result.outcome, Outcome::kSuccess) << result.detail;
  EXPECT_THAT(phases_of(result), ElementsAre(Phase::kResolve, Phase::kConnect, Phase::kAuth, Phase::kQuery));
}

TEST_F(PostgresProbeTest, EnvironmentOfThePsqlClientIsIgnored) {
  std::string startup;
  const EvilServer server([&](EvilPeer& peer) {
    startup = pg_read_startup(peer);
    peer.send(pg_welcome());
    pg_read_message(peer);
    peer.send(pg_one_row());
  });
  ::setenv("PGUSER", "mallory", 1);
  ::setenv("PGHOSTADDR", "192.0.2.1", 1);
  ::setenv("PGOPTIONS", "-c geqo=off", 1);
  ::setenv("PGSERVICE", "no-such-service", 1);
  forget_postgres_environment();
  const auto result = ask(postgres_spec("postgres://127.0.0.1:" + std::to_string(server.port())));
  EXPECT_EQ(result.outcome, Outcome::kSuccess) << result.detail;
  EXPECT_THAT(startup, Not(HasSubstr("mallory")));
  EXPECT_THAT(startup, Not(HasSubstr("geqo")));
  EXPECT_EQ(::getenv("PGSERVICE"), nullptr);
}

TEST_F(PostgresProbeTest, NobodyListeningIsRefused) {
  std::uint16_t port = 0;
  listen_on_loopback(1, port).reset();
  const auto result =
      ask(postgres_spec("postgres://bob:S3cret@127.0.0.1:" + std::to_string(port) + "/codex"));
  expect_failure(result, Reason::kRefused);
  EXPECT_THAT(result.detail, HasSubstr("127.0.0.1:" + std::to_string(port) + "/codex: "));
}

TEST_F(PostgresProbeTest, MissingUnixSocketIsRefused) {
  const TemporaryDirectory directory;
  std::string host;
  for (const char c : directory.path().string()) host += c == '/' ? "%2F" : std::string(1, c);
  expect_failure(ask(postgres_spec("postgres://bob:S3cret@" + host + "/codex")), Reason::kRefused);
}

TEST_F(PostgresProbeTest, SilenceIsATimeout) {
  const auto result = ask_evil([](EvilPeer& peer) { peer.wait_until_closed(); });
  expect_failure(result, Reason::kTimeout);
  EXPECT_THAT(result.detail, HasSubstr("no answer within 300 ms (connected, not logged in)"));
  EXPECT_THAT(phases_of(result), ElementsAre(Phase::kResolve, Phase::kConnect, Phase::kAuth));
}

TEST_F(PostgresProbeTest, FullBacklogIsATimeout) {
  std::uint16_t port = 0;
  const auto listener = listen_on_loopback(0, port);
  const auto spec = postgres_spec("postgres://127.0.0.1:" + std::to_string(port) + "/codex");
  const auto result = ask_in_full_backlog(spec);
  expect_failure(result, Reason::kTimeout);
  EXPECT_THAT(result.detail, HasSubstr("not connected"));
}

TEST_F(PostgresProbeTest, SilenceAfterLoginIsATimeout) {
  const auto result = ask_evil(welcoming([](EvilPeer& peer) { peer.wait_until_closed(); }));
  expect_failure(result, Reason::kTimeout);
  EXPECT_THAT(result.detail, HasSubstr("SELECT 1 not answered"));
  EXPECT_THAT(phases_of(result), ElementsAre(Phase::kResolve, Phase::kConnect, Phase::kAuth, Phase::kQuery));
}

TEST_F(PostgresProbeTest, SilenceAfterTheTlsRequestIsATimeout) {
  const auto result = ask_evil([](EvilPeer& peer) { peer.wait_until_closed(); }, "?sslmode=require");
  expect_failure(result, Reason::kTimeout);
  EXPECT_THAT(result.detail, HasSubstr("TLS handshake unfinished"));
}

TEST_F(PostgresProbeTest, RequiredEncryptionThatIsDeclinedIsATlsFailure) {
  expect_failure(ask_evil(after_startup(pg_welcome()), "?sslmode=require"), Reason::kTls);
}

TEST_F(PostgresProbeTest, DripEndsAtTheDeadline) {
  const auto result = ask_evil([](EvilPeer& peer) {
    pg_read_startup(peer);
    peer.send(pg_message('R', pg_int32(0)));
    while (peer.drip(pg_message('S', "name\0value\0"s), 3ms)) {
    }
  });
  expect_failure(result, Reason::kTimeout);
}

TEST_F(PostgresProbeTest, ClosingAfterTheStartupPacketIsAReset) {
  expect_failure(ask_evil([](EvilPeer& peer) { pg_read_startup(peer); }), Reason::kReset);
  expect_failure(ask_evil([](EvilPeer& peer) {
                   pg_read_startup(peer);
                   peer.reset();
                 }),
                 Reason::kReset);
}

TEST_F(PostgresProbeTest, ClosingAfterTheQueryIsAReset) {
  expect_failure(ask_evil(welcoming([](EvilPeer& peer) { pg_read_message(peer); })), Reason::kReset);
}

TEST_F(PostgresProbeTest, ErrorsAreClassifiedByTheirSqlstate) {
  struct Case {
    std::string sqlstate, message;
    Reason reason;
    std::string words;
  };
  for (const auto& expected :
       {Case{"28P01", "password authentication failed for user \"bob\"", Reason::kAuth,
             "user \"bob\" (28P01)"},
        Case{"28000", "no pg_hba.conf entry", Reason::kAuth, "no pg_hba.conf entry (28000)"},
        Case{"57P03", "the database system is starting up", Reason::kQuery, "server is starting up (57P03)"},
        Case{"57P03", "the database system is shutting down", Reason::kQuery,
             "server is shutting down (57P03)"},
        Case{"53300", "sorry, too many clients already", Reason::kQuery, "too many connections (53300)"},
        Case{"3D000", "database \"codex\" does not exist", Reason::kQuery, "database does not exist (3D000)"},
        Case{"08P01", "invalid startup packet", Reason::kProtocol, "invalid startup packet (08P01)"}}) {
    const auto result = ask_evil(
        after_startup(pg_error('E', {{'S', "FATAL"}, {'C', expected.sqlstate}, {'M', expected.message}})));
    expect_failure(result, expected.reason);
    EXPECT_THAT(result.detail, HasSubstr(expected.words));
  }
}

TEST_F(PostgresProbeTest, ErrorTextIsMadeSafe) {
  const auto result = ask_evil(after_startup(pg_error(
      'E', {{'S', "FATAL"}, {'C', "28P01"}, {'M', "\x1b]0;S3cret\a" + std::string(5000, 'x') + "\nnext"}})));
  expect_failure(result, Reason::kAuth);
  EXPECT_THAT(result.detail, HasSubstr("\\x1b]0;***\\x07"));
  EXPECT_LE(result.detail.size(), 300U);
}

TEST_F(PostgresProbeTest, ErrorOfTheQueryIsAQueryFailure) {
  const auto result = ask_evil(welcoming([](EvilPeer& peer) {
    pg_read_message(peer);
    peer.send(pg_error('E', {{'S', "ERROR"}, {'C', "42501"}, {'M', "permission denied"}}) +
              pg_message('Z', "I"));
    peer.wait_until_closed();
  }));
  expect_failure(result, Reason::kQuery);
  EXPECT_THAT(result.detail, HasSubstr("permission denied (42501)"));
}

TEST_F(PostgresProbeTest, AnswerOtherThanOneIsAProtocolFailure) {
  for (const auto& answer :
       {pg_message('C', "SELECT 0\0"s), pg_message('I', ""), pg_message('G', "\0\0\0"s)}) {
    const auto result = ask_evil(welcoming([&](EvilPeer& peer) {
      pg_read_message(peer);
      peer.send(answer + pg_message('Z', "I"));
      peer.wait_until_closed();
    }));
    expect_failure(result, Reason::kProtocol);
  }
}

TEST_F(PostgresProbeTest, EndlessNoticesAreCutOff) {
  const auto before = resident_bytes();
  const auto notice = pg_error('N', {{'S', "NOTICE"}, {'C', "00000"}, {'M', std::string(1000, 'x')}});
  const auto result = ask_evil(welcoming([&](EvilPeer& peer) { peer.stream(notice, 1024 * kMebibyte); }));
  EXPECT_EQ(result.outcome, Outcome::kFailure);
  EXPECT_TRUE(result.reason == Reason::kProtocol || result.reason == Reason::kTimeout) << result.detail;
  EXPECT_LT(resident_bytes(), before + kMemorySlack);
}

TEST_F(PostgresProbeTest, HugeMessageIsNotSwallowed) {
  const auto before = resident_bytes();
  for (const char type : {'D', 'N', 'S'}) {
    const EvilServer server(welcoming([type](EvilPeer& peer) {
      pg_read_message(peer);
      peer.send(pg_message_of_length(type, 512 * kMebibyte, "x"));
      peer.stream(std::string(64 * 1024, 'x'), 512 * kMebibyte);
    }));
    expect_failure(ask(postgres_spec(server), 5s), Reason::kProtocol);
    EXPECT_LT(resident_bytes(), before + kMemorySlack) << type;
  }
  expect_failure(ask_evil(after_startup(pg_message_of_length('R', 512 * kMebibyte, pg_int32(0)))),
                 Reason::kProtocol);
}

TEST_F(PostgresProbeTest, PasswordIsNotSentInClearText) {
  std::string sent;
  const auto result = ask_evil([&](EvilPeer& peer) {
    pg_read_startup(peer);
    peer.send(pg_message('R', pg_int32(3)));
    sent = pg_read_message(peer);
  });
  expect_failure(result, Reason::kAuth);
  EXPECT_THAT(result.detail, HasSubstr("clear text"));
  EXPECT_EQ(sent, "");
}

TEST_F(PostgresProbeTest, PasswordIsNotSentInClearTextWhenTheRequestDrips) {
  std::string sent;
  const auto result = ask_evil([&](EvilPeer& peer) {
    pg_read_startup(peer);
    peer.drip(pg_message('R', pg_int32(3)), 5ms);
    sent = pg_read_message(peer);
  });
  expect_failure(result, Reason::kAuth);
  EXPECT_EQ(sent, "");
}

TEST_F(PostgresProbeTest, PasswordIsNotSentToAServerThatAsksAheadOfTime) {
  std::string sent;
  const auto result = ask_evil(
      [&](EvilPeer& peer) {
        peer.read_exactly(8);
        peer.send("N" + pg_message('R', pg_int32(3)));
        peer.read_until("\0\0"s);
        sent = pg_read_message(peer);
      },
      "?sslmode=prefer");
  expect_failure(result, Reason::kProtocol);
  EXPECT_EQ(sent, "");
}

TEST_F(PostgresProbeTest, PartOfARequestThenSilenceEndsAtTheDeadline) {
  expect_failure(ask_evil(after_startup("R\0\0"s)), Reason::kTimeout);
}

TEST_F(PostgresProbeTest, PartOfARequestThenEndIsAReset) {
  expect_failure(ask_evil([](EvilPeer& peer) {
                   pg_read_startup(peer);
                   peer.send("R\0\0"s);
                 }),
                 Reason::kReset);
}

TEST_F(PostgresProbeTest, MissingPasswordIsAnAuthFailure) {
  const EvilServer server(after_startup(pg_message('R', pg_int32(5) + "salt")));
  expect_failure(ask(postgres_spec("postgres://bob@127.0.0.1:" + std::to_string(server.port()) + "/codex")),
                 Reason::kAuth);
}

TEST_F(PostgresProbeTest, OtherProtocolsAreProtocolFailures) {
  expect_failure(ask_evil(after_startup("HTTP/1.1 400 Bad Request\r\n\r\n")), Reason::kProtocol);
  expect_failure(ask_evil(after_startup("SSH-2.0-OpenSSH_9.2\r\n")), Reason::kProtocol);
}

EvilServer::Script asking_for_rounds(const std::string& rounds) {
  return [rounds](EvilPeer& peer) {
    pg_read_startup(peer);
    peer.send(pg_message('R', pg_int32(10) + "SCRAM-SHA-256\0\0"s));
    const auto first = pg_read_message(peer);
    const auto nonce = first.substr(std::min(first.size(), first.find("r=") + 2));
    peer.send(pg_message('R', pg_int32(11) + "r=" + nonce + "x,s=c2FsdHNhbHRzYWx0c2FsdA==,i=" + rounds));
    peer.wait_until_closed();
  };
}

TEST_F(PostgresProbeTest, LongScramComputationNeverBlocksTheLoop) {
  const auto result = ask_evil(asking_for_rounds("300000"));
  EXPECT_EQ(result.outcome, Outcome::kFailure) << result.detail;
  EXPECT_LT(loop.stats().slowest_callback, 50ms) << loop.stats().slowest_callback_name;
  const BusyWorker idle_again(resolver);
}

TEST_F(PostgresProbeTest, EndlessScramComputationIsRefused) {
  // 2^31-1 rounds would keep the worker for most of an hour.
  for (const std::string rounds : {"1000001", "2147483647", "99999999999999999999"}) {
    const auto result = ask_evil(asking_for_rounds(rounds));
    expect_failure(result, Reason::kAuth);
    EXPECT_THAT(result.detail, HasSubstr("SCRAM rounds"));
  }
}

TEST_F(PostgresProbeTest, TwoQuestionsAtOnceAreAProtocolFailure) {
  const auto question = pg_message('R', pg_int32(10) + "SCRAM-SHA-256\0\0"s);
  expect_failure(ask_evil(after_startup(question + pg_message('R', pg_int32(3)))), Reason::kProtocol);
}

TEST_F(PostgresProbeTest, EncryptedServerTakesThePasswordAndShowsThePhase) {
  const TlsIdentity identity;
  const EvilServer server([&](EvilPeer& peer) {
    peer.read_exactly(8);
    peer.send("S");
    answer_over_tls(peer, identity, "");
  });
  const auto result =
      ask(postgres_spec(server, "?sslmode=verify-full&sslrootcert=/nonexistent/ca.pem"), kShort);
  expect_failure(result, Reason::kTls);
}

TEST_F(PostgresProbeTest, BusyWorkerIsUnknown) {
  const BusyWorker busy(resolver);
  EXPECT_EQ(ask(postgres_spec("postgres://db.invalid/codex"), kShort).outcome, Outcome::kUnknown);
}

TEST_F(PostgresProbeTest, NameWithoutAddressIsAResolveFailure) {
  expect_failure(ask(postgres_spec("postgres://db.invalid/codex")), Reason::kResolve);
}

TEST_F(PostgresProbeTest, SecondHostOfAListIsTried) {
  std::uint16_t unused = 0;
  listen_on_loopback(1, unused).reset();
  const EvilServer server(welcoming([](EvilPeer& peer) {
    pg_read_message(peer);
    peer.send(pg_one_row());
  }));
  const auto result = ask(postgres_spec("postgres://bob@127.0.0.1:" + std::to_string(unused) +
                                        ",localhost:" + std::to_string(server.port()) + "/codex"));
  EXPECT_EQ(result.outcome, Outcome::kSuccess) << result.detail;
  EXPECT_THAT(result.detail, HasSubstr("localhost:" + std::to_string(server.port())));
}

TEST_F(PostgresProbeTest, CancelIsSilentAndClosesTheConnection) {
  std::atomic<int> closed = 0;
  const EvilServer server([&](EvilPeer& peer) {
    peer.wait_until_closed();
    ++closed;
  });
  const auto probe = make_probe(postgres_spec(server), context);
  probe->start(Clock::now() + kAmple, [](const ProbeResult&) { ADD_FAILURE() << "answer after cancel"; });
  run_until([&] { return server.connections() == 1; });
  probe->cancel();
  run_until([&] { return closed == 1; });
}

TEST_F(PostgresProbeTest, TwoHundredAttemptsLeaveNoDescriptor) {
  const EvilServer server([turn = 0](EvilPeer& peer) mutable {
    pg_read_startup(peer);
    if (++turn % 2 == 0) return peer.reset();
    peer.send(pg_welcome());
    pg_read_message(peer);
    peer.send(pg_one_row());
    peer.wait_until_closed();
  });
  const auto probe = make_probe(postgres_spec(server), context);
  ask(*probe, kAmple);
  const auto before = open_descriptors();
  for (int i = 0; i < 200; ++i) ask(*probe, kAmple);
  run_until([&] { return open_descriptors() <= before; });
}

TEST(PostgresSettings, ForeignParametersAreLeftOut) {
  const auto parsed = parse_postgres_url(
      "postgresql://bob:pw@db:5433/"
      "codex?schema=public&connection_limit=5&sslmode=no-verify&connect_timeout=3");
  ASSERT_TRUE(std::holds_alternative<PostgresSettings>(parsed));
  const auto& settings = std::get<PostgresSettings>(parsed);
  EXPECT_EQ(settings.target, "db:5433/codex");
  EXPECT_THAT(settings.parameters, testing::Contains(testing::Pair("sslmode", "require")));
  EXPECT_THAT(settings.parameters, testing::Contains(testing::Pair("connect_timeout", "3")));
  EXPECT_THAT(settings.parameters, Not(testing::Contains(testing::Pair("schema", testing::_))));
}

TEST(PostgresSettings, MalformedUrlsShowNoPieceOfThePassword) {
  for (const std::string url : {"postgres://bob:p@S3cret@127.0.0.1/x", "postgres://bob:S3cr/et@127.0.0.1/x",
                                "postgres://bob:S3%cret@127.0.0.1/x", "postgres://bob:S3cret@[::1/x",
                                "postgres://bob:S3cret@a,b:1,2,3/x?port=1,2"}) {
    const auto parsed = parse_postgres_url(url);
    ASSERT_TRUE(std::holds_alternative<std::string>(parsed)) << url;
    const auto& error = std::get<std::string>(parsed);
    for (const std::string piece : {"S3", "cret", "bob"}) EXPECT_THAT(error, Not(HasSubstr(piece))) << url;
  }
}

TEST(PostgresSettings, LocalServersAreAskedWithoutEncryptionFirst) {
  const auto mode_of = [](const std::string& url) {
    const auto settings = std::get<PostgresSettings>(parse_postgres_url(url));
    for (const auto& [name, value] : settings.parameters) {
      if (name == "sslmode") return value;
    }
    return ""s;
  };
  EXPECT_EQ(mode_of("postgres://localhost/x"), "allow");
  EXPECT_EQ(mode_of("postgres://[::1]/x"), "allow");
  EXPECT_EQ(mode_of("postgres:///x"), "allow");
  EXPECT_EQ(mode_of("postgres://db/x"), "prefer");
  EXPECT_EQ(mode_of("postgres://localhost/x?sslmode=verify-full"), "verify-full");
}

TEST(PostgresErrors, TextOfLibpqIsJudged) {
  struct Case {
    std::string text;
    Outcome outcome;
    Reason reason;
  };
  for (const auto& expected :
       {Case{"connection to server at \"h\", port 1 failed: Connection refused\n\tIs the server running?\n",
             Outcome::kFailure, Reason::kRefused},
        Case{"could not create socket: Too many open files\n", Outcome::kUnknown, Reason::kInternal},
        Case{"connection to server at \"h\", port 1 failed: FATAL:  28P01: password authentication failed\n"
             "LOCATION:  auth_failed, auth.c:326\n",
             Outcome::kFailure, Reason::kAuth},
        Case{"connection failed: \xd0\x92\xd0\x90\xd0\x96\xd0\x9d\xd0\x9e:  3D000: x\n", Outcome::kFailure,
             Reason::kQuery},
        Case{"connection to server failed: SSL error: certificate verify failed\n", Outcome::kFailure,
             Reason::kTls},
        Case{"fe_sendauth: no password supplied\n", Outcome::kFailure, Reason::kAuth},
        Case{"", Outcome::kFailure, Reason::kProtocol},
        Case{std::string(30000, ':'), Outcome::kFailure, Reason::kProtocol}}) {
    const auto trouble = trouble_of_connection(expected.text);
    EXPECT_EQ(trouble.outcome, expected.outcome) << expected.text;
    EXPECT_EQ(to_string(trouble.reason), to_string(expected.reason)) << expected.text;
  }
}

}  // namespace
}  // namespace codex::test
