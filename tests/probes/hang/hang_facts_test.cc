#include <gtest/gtest.h>
#include <netinet/tcp.h>
#include <sys/syscall.h>

#include "probes/hang/request_waits.h"
#include "probes/process/process_facts.h"
#include "probes/process/syscall_names.h"
#include "probes/process/thread_files.h"

namespace codex {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(ThreadFilesText, StateIsBehindTheLastParenthesis) {
  ThreadView view;
  parse_thread_stat("7 (a) R (b) S 1 2 3", view);
  EXPECT_EQ(view.state, 'S');
  parse_thread_stat("7 (broken", view);
  EXPECT_EQ(view.state, 'S') << "left as it was";
  parse_thread_stat(std::string(30'000, '(') + ") ", view);
  EXPECT_EQ(view.state, 'S');
}

TEST(ThreadFilesText, SyscallTellsNumberKindAndFirstArgument) {
  ThreadView view;
  parse_thread_syscall(std::to_string(SYS_epoll_pwait) + " 0xd 0x7ffe 0x400 0x10 0x0 0x8 0x1 0x2\n", view);
  EXPECT_EQ(view.waits_in, WaitKind::kEpoll);
  EXPECT_EQ(view.argument, 13U);
  EXPECT_EQ(describe_wait(view), "epoll_pwait");
  for (const auto* text : {"running\n", "-1 0x7ffe 0x7f\n", "", "99999999999999999999 0x1"}) {
    parse_thread_syscall(text, view);
    EXPECT_EQ(view.waits_in, WaitKind::kNone) << text;
    EXPECT_EQ(view.argument, 0U) << text;
  }
  parse_thread_syscall("4321 0x0", view);
  EXPECT_EQ(view.waits_in, WaitKind::kOther);
  view.wchan = "somewhere";
  EXPECT_EQ(describe_wait(view), "syscall 4321 (somewhere)");
}

TEST(ThreadFilesText, TheOtherFilesAreReadAsFarAsTheyGo) {
  ThreadView view;
  parse_thread_wchan("0", view);
  EXPECT_EQ(view.wchan, "");
  parse_thread_wchan(std::string(30'000, 'w'), view);
  EXPECT_EQ(view.wchan.size(), 64U);
  parse_thread_schedstat("123 456 7\n", view);
  EXPECT_EQ(view.cpu_nanos, 123U);
  parse_thread_schedstat("", view);
  EXPECT_EQ(view.cpu_nanos, 123U);
  parse_thread_io("rchar: 1\nwchar: 2\nsyscr: 30\nsyscw: 4\n", view);
  EXPECT_EQ(view.read_calls, 30U);
  EXPECT_EQ(view.write_calls, 4U);
}

constexpr std::uint64_t kMiB = 1 << 20;
using namespace std::string_view_literals;

TEST(NodeSettingsText, HeapLimitIsAskedForOrOfTheMemory) {
  EXPECT_EQ(parse_node_settings("node\0app.js\0"sv, "", 2000 * kMiB).heap_limit_bytes, 500 * kMiB);
  EXPECT_EQ(parse_node_settings("/usr/bin/node\0app.js\0"sv, "", 64'000 * kMiB).heap_limit_bytes,
            4096 * kMiB);
  EXPECT_EQ(
      parse_node_settings("node\0--max-old-space-size=300\0app.js\0"sv, "", 2000 * kMiB).heap_limit_bytes,
      300 * kMiB);
  EXPECT_EQ(
      parse_node_settings("node\0app.js\0--max-old-space-size=300\0"sv, "", 2000 * kMiB).heap_limit_bytes,
      500 * kMiB)
      << "the program's own argument";
  EXPECT_EQ(parse_node_settings("node\0app.js\0"sv,
                                "A=1\0NODE_OPTIONS=--trace-gc --max_old_space_size=64\0"sv, 2000 * kMiB)
                .heap_limit_bytes,
            64 * kMiB);
  EXPECT_EQ(parse_node_settings("python3\0app.py\0"sv, "", 2000 * kMiB).heap_limit_bytes, 0U);
  EXPECT_EQ(parse_node_settings("", "", 2000 * kMiB).heap_limit_bytes, 0U);
}

TEST(NodeSettingsText, PoolAndInspector) {
  EXPECT_EQ(parse_node_settings("node\0", "", 0).pool_size, 4);
  EXPECT_EQ(parse_node_settings("node\0"sv, "UV_THREADPOOL_SIZE=16\0"sv, 0).pool_size, 16);
  EXPECT_EQ(parse_node_settings("node\0"sv, "UV_THREADPOOL_SIZE=0\0"sv, 0).pool_size, 1);
  EXPECT_EQ(parse_node_settings("node\0"sv, "UV_THREADPOOL_SIZE=99999\0"sv, 0).pool_size, 1024);
  EXPECT_TRUE(parse_node_settings("node\0--inspect=0\0app.js\0"sv, "", 0).inspector);
  EXPECT_FALSE(parse_node_settings("node\0app.js\0--inspect\0"sv, "", 0).inspector);
}

/// A connection with 100 bytes each way, last used so long ago.
TcpSocket connection(std::uint16_t local, std::uint16_t remote, Duration since_sent,
                     Duration since_received) {
  static std::uint64_t next = 1;
  TcpSocket socket;
  socket.local.port = local;
  socket.remote = *SocketAddress::parse("10.0.0.9", remote);
  socket.state = TCP_ESTABLISHED;
  socket.inode = socket.cookie = next++;
  socket.bytes_sent = socket.bytes_received = 100;
  socket.since_sent = since_sent;
  socket.since_received = since_received;
  return socket;
}

class RequestWaitsTest : public testing::Test {
 protected:
  RequestWaits waits{8080, {5432}};
  TimePoint now = Clock::now();
  RequestView look(const std::vector<TcpSocket>& sockets, const std::set<std::uint16_t>& served_ports = {}) {
    std::set<std::uint64_t> own;
    for (const auto& socket : sockets) own.insert(socket.inode);
    waits.begin_look(now, served_ports);
    for (const auto& socket : sockets) waits.see(socket, own);
    now += seconds(1);
    return waits.finish_look(true);
  }
};

TEST_F(RequestWaitsTest, ARequestWaitsFromItsLastByteToTheFirstOfTheAnswer) {
  auto fresh = connection(8080, 40'000, seconds(9), seconds(3));
  fresh.bytes_sent = 0;
  const auto view = look({fresh, connection(8080, 40'001, seconds(5), seconds(2)),
                          connection(8080, 40'002, seconds(1), seconds(4)),
                          connection(8080, 40'003, seconds(7), seconds(7))});
  EXPECT_EQ(view.server.connections, 4);
  EXPECT_EQ(view.server.waiting, 2) << "equal ages say nothing";
  EXPECT_EQ(view.server.oldest, seconds(3));
  EXPECT_EQ(view.server.last_answer, seconds(1));
}

TEST_F(RequestWaitsTest, SilentAndUnacceptedConnectionsDoNotWait) {
  auto silent = connection(8080, 40'000, seconds(9), seconds(9));
  silent.bytes_sent = silent.bytes_received = 0;
  auto unaccepted = connection(8080, 40'001, seconds(9), seconds(3));
  unaccepted.inode = 0;
  EXPECT_EQ(look({silent, unaccepted}).server.waiting, 0);
}

TEST_F(RequestWaitsTest, WhoOnlyClosedHasAskedForNothing) {
  auto closed = connection(8080, 40'000, seconds(9), seconds(9));
  closed.state = TCP_CLOSE_WAIT;
  closed.bytes_sent = 0;
  closed.bytes_received = 1;
  EXPECT_EQ(look({closed}).server.waiting, 0);
  closed.bytes_received = 2;
  EXPECT_EQ(look({closed}).server.waiting, 1) << "asked, and closed its half";
}

TEST_F(RequestWaitsTest, WhatARequestWaitedToBeAcceptedIsNotItsHandlersMatter) {
  auto queued = connection(8080, 40'000, seconds(0), seconds(3));
  queued.bytes_sent = 0;
  auto there_before = queued;
  there_before.cookie = 2;
  queued.inode = 0;
  EXPECT_EQ(look({there_before, queued}).server.waiting, 1);
  queued.inode = 77;
  queued.since_received = there_before.since_received = seconds(4);
  auto view = look({queued});
  EXPECT_TRUE(view.taken);
  EXPECT_EQ(view.server.oldest, seconds(1)) << "a second ago it was not accepted";
  view = look({queued, there_before});
  EXPECT_EQ(view.server.oldest, seconds(2)) << "it still waits, and the other one is new again";
}

TEST_F(RequestWaitsTest, WhoWasThereBeforeTheFirstLookIsNotNew) {
  const auto known = connection(8080, 40'000, seconds(9), seconds(3));
  EXPECT_FALSE(look({known}).taken);
  EXPECT_FALSE(look({known}).taken);
  auto another = known;
  another.cookie = 2;
  EXPECT_TRUE(look({known, another}).taken);
}

TEST_F(RequestWaitsTest, WhatTheServerReadShowsThatItGetsOn) {
  auto socket = connection(8080, 40'000, seconds(9), seconds(3));
  socket.bytes_received = 100;
  socket.unread = 100;
  EXPECT_FALSE(look({socket}).taken);
  EXPECT_FALSE(look({socket}).taken) << "nobody has read it";
  socket.bytes_received = socket.unread = 200;
  EXPECT_FALSE(look({socket}).taken) << "more has come, and nobody has read it";
  socket.unread = 50;
  EXPECT_TRUE(look({socket}).taken);
}

TEST_F(RequestWaitsTest, TellsHowLongAnAnsweredRequestHadWaited) {
  auto slow = connection(8080, 40'000, seconds(9), seconds(3));
  EXPECT_FALSE(look({slow}).answered_after);
  slow.since_sent = milliseconds(10);
  EXPECT_EQ(look({slow}).answered_after, seconds(3));
  EXPECT_EQ(look({slow}).answered_after, seconds(0));
}

TEST_F(RequestWaitsTest, OutgoingConnectionsWaitTheOtherWayRound) {
  const auto view = look({connection(50'000, 5432, seconds(2), seconds(6)),
                          connection(50'001, 5432, seconds(4), seconds(3)),
                          connection(50'002, 443, seconds(1), seconds(8))});
  EXPECT_EQ(view.database.connections, 2);
  EXPECT_EQ(view.database.waiting, 1);
  EXPECT_EQ(view.database.oldest, seconds(2));
  EXPECT_EQ(view.database.last_answer, seconds(3));
  EXPECT_EQ(view.database_address, "10.0.0.9:5432");
  EXPECT_EQ(view.upstream.waiting, 1);
  EXPECT_EQ(view.upstream_address, "10.0.0.9:443");
}

TEST_F(RequestWaitsTest, InTheSameTickALoneAcknowledgementTellsThatTheQueryWaits) {
  auto query = connection(50'000, 5432, seconds(3), seconds(3));
  query.since_acked = seconds(3);
  EXPECT_EQ(look({query}).database.waiting, 0) << "acknowledged by the answer";
  query.since_acked = seconds(3) - milliseconds(40);
  EXPECT_EQ(look({query}).database.waiting, 1);
  query.since_acked = seconds(1);
  EXPECT_EQ(look({query}).database.waiting, 0) << "much later: of a keep-alive";
}

TEST_F(RequestWaitsTest, TheGreetingOfANewConnectionIsNoAnswerToItsQuery) {
  auto query = connection(50'000, 5432, milliseconds(500), milliseconds(520));
  EXPECT_FALSE(look({query}).database.last_answer);
  EXPECT_FALSE(look({query}).database.last_answer);
  query.bytes_received += 10;
  EXPECT_EQ(look({query}).database.last_answer, milliseconds(520));
}

TEST_F(RequestWaitsTest, WhileAQueryWaitsTheGreetingOfAnotherConnectionIsNoAnswer) {
  auto waiting = connection(50'000, 5432, seconds(3), seconds(4));
  look({waiting});
  auto other = connection(50'001, 5432, milliseconds(700), milliseconds(700));
  EXPECT_FALSE(look({waiting, other}).database.last_answer) << "opened since the last look";
  EXPECT_FALSE(look({waiting, other}).database.last_answer) << "nothing has come since";
  other.bytes_received += 10;
  EXPECT_EQ(look({waiting, other}).database.last_answer, milliseconds(700)) << "an answer";
  EXPECT_EQ(look({waiting, other}).database.last_answer, milliseconds(700)) << "it stays one";
}

TEST_F(RequestWaitsTest, WithoutAWaitingQueryAGreetingShowsSinceWhenAllAreSilent) {
  look({});
  EXPECT_EQ(look({connection(50'001, 5432, seconds(2), seconds(2))}).database.last_answer, seconds(2));
}

TEST_F(RequestWaitsTest, AConnectionThatDoesNotOpenWaitsAsLongAsItWasSeen) {
  auto opening = connection(50'000, 443, Duration{0}, Duration{0});
  opening.state = TCP_SYN_SENT;
  opening.bytes_sent = opening.bytes_received = 0;
  EXPECT_EQ(look({opening}).upstream.oldest, seconds(0));
  look({opening});
  EXPECT_EQ(look({opening}).upstream.oldest, seconds(2));
}

TEST_F(RequestWaitsTest, AClientOfAnotherOfItsPortsIsNoUpstream) {
  const auto scraper = connection(9464, 40'000, seconds(1), seconds(2));
  EXPECT_EQ(look({scraper}).upstream.waiting, 1) << "it looks like one";
  EXPECT_EQ(look({scraper}, {9464}).upstream.connections, 0);
}

TEST_F(RequestWaitsTest, ForeignConnectionsAreNotLookedAt) {
  waits.begin_look(now);
  waits.see(connection(50'000, 5432, seconds(2), seconds(6)), {});
  EXPECT_EQ(waits.finish_look(true).database.connections, 0);
}

}  // namespace
}  // namespace codex
