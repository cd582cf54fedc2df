#include "probes/database/postgres_session.h"

#include <libpq-fe.h>

#include <cstring>
#include <vector>

#include "agent/text/host_port.h"
#include "probes/database/postgres_errors.h"

namespace codex {

namespace {

using Result = std::unique_ptr<PGresult, decltype(&PQclear)>;

Finding protocol_trouble(std::string text) {
  return {Outcome::kFailure, Reason::kProtocol, std::move(text)};
}

std::string text_or(const char* text, const char* otherwise) {
  return text != nullptr ? text : otherwise;
}

/// "15.20" of "15.20 (Debian 15.20-0+deb12u1)".
std::string short_version(const PGconn* connection) {
  const std::string version = text_or(PQparameterStatus(connection, "server_version"), "");
  return version.substr(0, version.find(' '));
}

std::vector<std::vector<std::string>> rows_of(const PGresult* result) {
  std::vector<std::vector<std::string>> rows;
  for (int row = 0; row < PQntuples(result); ++row) {
    auto& fields = rows.emplace_back();
    for (int field = 0; field < PQnfields(result); ++field)
      fields.emplace_back(PQgetvalue(result, row, field),
                          static_cast<std::size_t>(PQgetlength(result, row, field)));
  }
  return rows;
}

Finding judge(const PGconn* connection, const PGresult* result, bool ping) {
  if (result == nullptr) return protocol_trouble("no result");
  if (const char* sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE)) {
    return trouble_of_sqlstate(sqlstate, text_or(PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY), ""));
  }
  if (PQresultStatus(result) == PGRES_FATAL_ERROR) return trouble_of_connection(PQresultErrorMessage(result));
  if (!ping && PQresultStatus(result) != PGRES_TUPLES_OK) return protocol_trouble("no rows");
  const bool is_one = PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) == 1 &&
                      PQnfields(result) == 1 && std::strcmp(PQgetvalue(result, 0, 0), "1") == 0;
  if (ping && !is_one) return protocol_trouble("SELECT 1 was not answered with 1");
  const std::string host = text_or(PQhost(connection), "");
  return {Outcome::kSuccess, Reason::kNone,
          "PostgreSQL " + short_version(connection) + " at " +
              join_host_port(host, text_or(PQport(connection), "")) + "/" + text_or(PQdb(connection), "")};
}

}  // namespace

PostgresSession::PostgresSession(PostgresSettings settings, std::string query)
    : settings_(std::move(settings)), query_(std::move(query)), connection_(nullptr, PQfinish) {}

void PostgresSession::open() {
  std::string hosts, addresses, ports;
  const auto append = [](std::string& list, const std::string& text, bool first) {
    list += (first ? "" : ",") + text;
  };
  bool has_address = false;
  for (const auto& host : settings_.hosts) {
    const bool first = &host == &settings_.hosts.front();
    append(hosts, host.host, first);
    append(addresses, host.address, first);
    append(ports, host.port, first);
    has_address = has_address || !host.address.empty();
  }
  std::vector<const char*> names{"host", "port"}, values{hosts.c_str(), ports.c_str()};
  if (has_address) {
    names.push_back("hostaddr");
    values.push_back(addresses.c_str());
  }
  for (const auto& [name, value] : settings_.parameters) {
    names.push_back(name.c_str());
    values.push_back(value.c_str());
  }
  names.push_back(nullptr);
  values.push_back(nullptr);
  connection_.reset(PQconnectStartParams(names.data(), values.data(), 0));
}

PostgresSession::Wait PostgresSession::advance() {
  if (!connection_) {
    open();
    if (!connection_) return conclude({Outcome::kUnknown, Reason::kInternal, "out of memory"});
    // Verbose errors carry their SQLSTATE; notices of a stranger are nobody's news.
    PQsetErrorVerbosity(connection_.get(), PQERRORS_VERBOSE);
    PQsetNoticeProcessor(
        connection_.get(), [](void*, const char*) {}, nullptr);
    if (PQstatus(connection_.get()) != CONNECTION_BAD) return Wait::kWrite;
    return conclude(trouble_of_connection(PQerrorMessage(connection_.get())));
  }
  const auto verdict = guard_.inspect(connection_.get());
  if (verdict != PostgresGuard::Verdict::kPass) return refuse(verdict);
  return querying_ ? advance_query() : advance_connection();
}

PostgresSession::Wait PostgresSession::refuse(PostgresGuard::Verdict verdict) {
  switch (verdict) {
    case PostgresGuard::Verdict::kPass:
    case PostgresGuard::Verdict::kWaitForMore:
      return Wait::kRead;
    case PostgresGuard::Verdict::kClearPassword:
      return conclude(
          {Outcome::kFailure, Reason::kAuth,
           "the server asks for the password in clear text over an unencrypted connection; not sent"});
    case PostgresGuard::Verdict::kOutOfTurn:
      return conclude(protocol_trouble("the server spoke out of turn"));
    case PostgresGuard::Verdict::kTooManyRounds:
      return conclude(
          {Outcome::kFailure, Reason::kAuth, "the server asks for more than a million SCRAM rounds"});
    case PostgresGuard::Verdict::kFlood:
      return conclude(protocol_trouble(kFloodWords));
  }
  return conclude(protocol_trouble("unexpected bytes"));
}

PostgresSession::Wait PostgresSession::advance_connection() {
  const auto next = PQconnectPoll(connection_.get());
  note_phase();
  switch (next) {
    case PGRES_POLLING_READING:
    case PGRES_POLLING_ACTIVE:
      return Wait::kRead;
    case PGRES_POLLING_WRITING:
      return Wait::kWrite;
    case PGRES_POLLING_FAILED:
      return conclude(trouble_of_connection(PQerrorMessage(connection_.get())));
    case PGRES_POLLING_OK:
      return send_query();
    default:
      return conclude({Outcome::kUnknown, Reason::kInternal, "libpq waits for something unknown"});
  }
}

PostgresSession::Wait PostgresSession::send_query() {
  // Also keeps PQfinish from waiting until the server takes the farewell.
  PQsetnonblocking(connection_.get(), 1);
  if (PQsendQuery(connection_.get(), query_.c_str()) == 0) {
    return conclude(trouble_of_connection(PQerrorMessage(connection_.get())));
  }
  querying_ = true;
  return advance_query();
}

PostgresSession::Wait PostgresSession::advance_query() {
  PGconn* connection = connection_.get();
  if (PQflush(connection) == 1) return Wait::kWrite;
  if (PQconsumeInput(connection) == 0) return conclude(trouble_of_connection(PQerrorMessage(connection)));
  if (PQisBusy(connection)) return Wait::kRead;
  const Result result(PQgetResult(connection), PQclear);
  auto finding = judge(connection, result.get(), query_ == kPing);
  if (finding.outcome == Outcome::kSuccess) rows_ = rows_of(result.get());
  return conclude(std::move(finding));
}

PostgresSession::Wait PostgresSession::conclude(Finding finding) {
  finding_ = std::move(finding);
  return Wait::kNothing;
}

void PostgresSession::note_phase() {
  switch (PQstatus(connection_.get())) {
    case CONNECTION_NEEDED:
    case CONNECTION_STARTED:
      phase_ = Phase::kConnect;
      return;
    case CONNECTION_SSL_STARTUP:
    case CONNECTION_GSS_STARTUP:
      phase_ = Phase::kTls;
      return;
    case CONNECTION_AWAITING_RESPONSE:
    case CONNECTION_AUTH_OK:
    case CONNECTION_SETENV:
    case CONNECTION_CHECK_WRITABLE:
    case CONNECTION_CONSUME:
    case CONNECTION_CHECK_TARGET:
    case CONNECTION_CHECK_STANDBY:
      phase_ = Phase::kAuth;
      return;
    case CONNECTION_OK:
      phase_ = Phase::kQuery;
      return;
    default:  // CONNECTION_MADE, before TLS and after it, says nothing new; nor does a failure.
      return;
  }
}

int PostgresSession::socket() const {
  return connection_ ? PQsocket(connection_.get()) : -1;
}

bool PostgresSession::encrypted() const {
  return connection_ && PQsslInUse(connection_.get()) != 0;
}

}  // namespace codex
