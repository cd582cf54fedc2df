#pragma once

#include <cstddef>
#include <string_view>

struct pg_conn;

namespace codex {

/// Looks at what a server sent before libpq acts on it, because libpq 15 obeys whoever holds the database's
/// port: it sends the password in clear text, computes as many rounds of SCRAM and reads as many bytes as it
/// is told. Covers unencrypted TCP connections only. One per session.
class PostgresGuard {
 public:
  enum class Verdict { kPass, kWaitForMore, kClearPassword, kTooManyRounds, kOutOfTurn, kFlood };

  /// Call before PQconnectPoll(3) and PQconsumeInput(3). After kWaitForMore wait for EPOLLIN and look again:
  /// the socket is then not readable before the whole message is there (SO_RCVLOWAT), or the connection's
  /// end.
  Verdict inspect(pg_conn* connection);

 private:
  Verdict inspect_authentication(int socket, std::string_view seen);

  std::size_t waited_for_ = 0;  ///< bytes that the last kWaitForMore asked for, 0 if none
};

/// Whether a TCP peer already sent far more than an honest server says at the start of a connection.
bool is_flooded(int socket);

}  // namespace codex
