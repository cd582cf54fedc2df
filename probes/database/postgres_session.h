#pragma once

#include <memory>
#include <string>
#include <vector>

#include "probes/database/postgres_guard.h"
#include "probes/database/postgres_settings.h"
#include "probes/finding.h"
#include "probes/probe.h"

struct pg_conn;

namespace codex {

inline constexpr const char* kFloodWords = "the server sent more than 1 MiB";

/// One connection to PostgreSQL and its one query, through libpq's non-blocking side (PQconnectPoll(3)).
///
/// advance() never waits for the server, but it computes (TLS, and SCRAM with as many rounds as the server
/// likes) and reads certificate files: call it from a Worker. Used by one thread at a time. The destructor
/// closes the connection and waits for nobody.
class PostgresSession {
 public:
  enum class Wait { kRead, kWrite, kNothing };

  static constexpr const char* kPing = "SELECT 1";

  /// All hosts that are not socket directories must have an address. Any answer to a `query` other than kPing
  /// is a success; rows() has it.
  explicit PostgresSession(PostgresSettings settings, std::string query = kPing);

  /// Goes on as far as possible, says what to wait for. The socket may be another one after each call.
  /// kNothing: finding() is final.
  Wait advance();

  [[nodiscard]] int socket() const;
  [[nodiscard]] bool encrypted() const;
  [[nodiscard]] Phase phase() const { return phase_; }  ///< connect, tls, auth or query
  /// Success: the text is "PostgreSQL 15.20 at 127.0.0.1:5432/codex". Raw: it quotes the server.
  [[nodiscard]] const Finding& finding() const { return finding_; }
  /// The answer's fields as text, NULL as "". Raw.
  [[nodiscard]] const std::vector<std::vector<std::string>>& rows() const { return rows_; }

 private:
  void open();
  Wait advance_connection();
  Wait send_query();
  Wait advance_query();
  Wait conclude(Finding finding);
  Wait refuse(PostgresGuard::Verdict verdict);
  void note_phase();

  PostgresSettings settings_;
  std::string query_;
  std::vector<std::vector<std::string>> rows_;
  std::unique_ptr<pg_conn, void (*)(pg_conn*)> connection_;
  PostgresGuard guard_;
  Phase phase_ = Phase::kConnect;
  bool querying_ = false;
  Finding finding_;
};

}  // namespace codex
