#include "probes/database/postgres_view.h"

#include <gmock/gmock.h>

#include <variant>

#include "tests/support/evil_server.h"
#include "tests/support/peer_postgres.h"

namespace codex::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

PostgresView look(const EvilServer& server, Duration limit = seconds(20)) {
  const auto parsed =
      parse_postgres_url("postgres://bob@127.0.0.1:" + std::to_string(server.port()) + "/codex");
  return look_at_postgres(std::get<PostgresSettings>(parsed), limit);
}

std::string pg_int16(std::uint16_t value) {
  return {static_cast<char>(value >> 8), static_cast<char>(value & 255)};
}

/// RowDescription, one DataRow a row, CommandComplete, ReadyForQuery.
std::string rows(const std::vector<std::vector<std::string>>& rows) {
  const std::size_t fields = rows.front().size();
  std::string description = pg_int16(static_cast<std::uint16_t>(fields));
  for (std::size_t i = 0; i < fields; ++i) {
    description += "f" + std::string(1, '\0') + pg_int32(0) + pg_int16(0) + pg_int32(25) + pg_int16(0xffff) +
                   pg_int32(0xffffffff) + pg_int16(0);
  }
  std::string answer = pg_message('T', description);
  for (const auto& row : rows) {
    std::string data = pg_int16(static_cast<std::uint16_t>(fields));
    for (const auto& field : row) data += pg_int32(static_cast<std::uint32_t>(field.size())) + field;
    answer += pg_message('D', data);
  }
  return answer + pg_message('C', std::string("SELECT 1\0", 9)) + pg_message('Z', "I");
}

EvilServer::Script answering(std::string answer) {
  return [answer = std::move(answer)](EvilPeer& peer) {
    pg_read_startup(peer);
    if (!peer.send(pg_welcome())) return;
    pg_read_message(peer);
    peer.send(answer);
    peer.wait_until_closed();
  };
}

TEST(PostgresView, TellsWhoWaitsForWhom) {
  const EvilServer server(answering(
      rows({{"90", "40000", "active", "Lock: relation", "3.5", "91 92", "node", "app", "UPDATE t"},
            {"91", "-1", "idle in transaction", "Client: ClientRead", "60", "", "psql", "bob", "SELECT"}})));
  const auto view = look(server);
  EXPECT_EQ(view.error, "");
  ASSERT_EQ(view.clients.size(), 2U);
  EXPECT_EQ(view.clients[0].pid, 90);
  EXPECT_EQ(view.clients[0].port, 40000);
  EXPECT_EQ(view.clients[0].waits_for, "Lock: relation");
  EXPECT_DOUBLE_EQ(view.clients[0].seconds, 3.5);
  EXPECT_THAT(view.clients[0].blockers, ElementsAre(91, 92));
  EXPECT_EQ(view.clients[0].query, "UPDATE t");
  EXPECT_EQ(view.clients[1].port, 0) << "a Unix socket";
  EXPECT_EQ(view.clients[1].waits_for, "") << "an idle client waits for nothing";
  EXPECT_THAT(view.clients[1].blockers, IsEmpty());
}

TEST(PostgresView, ServersThatSayNothingCostNoMoreThanTheLimit) {
  const EvilServer silent([](EvilPeer& peer) { peer.wait_until_closed(); });
  EXPECT_EQ(look(silent, milliseconds(60)).error, "no answer within 60 ms");
}

TEST(PostgresView, ARefusalIsTold) {
  const EvilServer server([](EvilPeer& peer) {
    pg_read_startup(peer);
    peer.send(pg_error('E', {{'S', "FATAL"}, {'C', "28P01"}, {'M', "password authentication failed"}}));
    peer.wait_until_closed();
  });
  EXPECT_THAT(look(server).error, HasSubstr("password authentication failed"));
}

TEST(PostgresView, RowsOfAnotherShapeAreLeftOut) {
  const EvilServer server(answering(rows({{"90", "1"}})));
  const auto view = look(server);
  EXPECT_EQ(view.error, "");
  EXPECT_THAT(view.clients, IsEmpty());
}

}  // namespace
}  // namespace codex::test
