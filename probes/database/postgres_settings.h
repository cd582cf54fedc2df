#pragma once

#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace codex {

/// One server to try. `host` is a name, an address or the directory of a Unix socket.
struct PostgresHost {
  std::string host, address, port;  ///< address: numeric, "" until resolved or for a Unix socket
  [[nodiscard]] bool is_socket_directory() const { return host.starts_with('/') || host.starts_with('@'); }
};

/// A database URL, ready for PQconnectStartParams. Holds the password.
struct PostgresSettings {
  std::vector<PostgresHost> hosts;
  std::vector<std::pair<std::string, std::string>> parameters;  ///< everything but host, hostaddr and port
  std::string target;                                           ///< "127.0.0.1:5432/codex"
};

/// Reads a postgres:// or postgresql:// URL (libpq, section "Connection URIs"). Query parameters that libpq
/// does not know, such as Prisma's `schema`, are left out, because backends understand them. What the URL
/// leaves open gets a fixed value where libpq would look into the environment, a password file or Kerberos.
/// The alternative is an error in our own words: libpq's quote pieces of the password.
std::variant<PostgresSettings, std::string> parse_postgres_url(const std::string& url);

/// Removes every PG* variable (PGSERVICE, PGOPTIONS, PGSSLROOTCERT ...) from this process: libpq reads some
/// of them whatever it is told. Call it in main before any thread starts (unsetenv(3) is not thread-safe).
void forget_postgres_environment();

}  // namespace codex
