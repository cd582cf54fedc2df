#include "probes/database/postgres_guard.h"

#include <libpq-fe.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <charconv>
#include <cstdint>

namespace codex {

namespace {

/// A start-up and SELECT 1 take less than 1 KiB from an honest server.
constexpr std::uint64_t kMaxReceived = 1024 * 1024;
constexpr int kReceiveBuffer = 64 * 1024;
/// libpq itself refuses longer authentication messages.
constexpr std::size_t kMaxMessage = 2048;
/// About a second of computing; PostgreSQL's default is 4096.
constexpr unsigned kMaxRounds = 1'000'000;

/// Authentication requests (PostgreSQL, section 55.7).
enum Request : std::uint32_t { kOk = 0, kClearPassword = 3, kSaslContinue = 11, kSaslFinal = 12 };

bool is_tcp(int socket) {
  int domain = 0;
  socklen_t size = sizeof domain;
  if (::getsockopt(socket, SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0) return false;
  return domain == AF_INET || domain == AF_INET6;
}

void set_option(int socket, int option, int value) {
  ::setsockopt(socket, SOL_SOCKET, option, &value, sizeof value);
}

std::uint32_t to_uint32(std::string_view bytes) {
  std::uint32_t value = 0;
  for (const char byte : bytes.substr(0, 4)) value = value << 8 | static_cast<unsigned char>(byte);
  return value;
}

/// The `i` attribute of a server-first-message (RFC 5802 section 5.1).
bool asks_too_many_rounds(std::string_view message) {
  const auto at = message.find(",i=");
  if (at == std::string_view::npos) return false;
  const auto digits = message.substr(at + 3);
  unsigned rounds = 0;
  const auto error = std::from_chars(digits.data(), digits.data() + digits.size(), rounds).ec;
  return error == std::errc::result_out_of_range || rounds > kMaxRounds;
}

}  // namespace

bool is_flooded(int socket) {
  tcp_info info{};
  socklen_t size = sizeof info;
  if (::getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return false;
  if (size < offsetof(tcp_info, tcpi_bytes_received) + sizeof info.tcpi_bytes_received) return false;
  return info.tcpi_bytes_received > kMaxReceived;
}

PostgresGuard::Verdict PostgresGuard::inspect(pg_conn* connection) {
  const int socket = PQsocket(connection);
  if (socket < 0 || !is_tcp(socket)) return Verdict::kPass;
  if (PQstatus(connection) == CONNECTION_STARTED) {
    // A small window: a fast sender shall not be far ahead of our judgement.
    set_option(socket, SO_RCVBUF, kReceiveBuffer);
    waited_for_ = 0;
    return Verdict::kPass;
  }
  if (is_flooded(socket)) return Verdict::kFlood;
  if (PQsslInUse(connection)) return Verdict::kPass;

  std::array<char, kMaxMessage + 2> bytes;
  const auto count = ::recv(socket, bytes.data(), bytes.size(), MSG_PEEK | MSG_DONTWAIT);
  if (count <= 0) return Verdict::kPass;
  const std::string_view seen(bytes.data(), static_cast<std::size_t>(count));

  // The answer "no TLS" is one byte; what follows it unasked would reach libpq's buffer unseen.
  if (PQstatus(connection) == CONNECTION_SSL_STARTUP && seen.size() > 1 && seen.front() == 'N') {
    return Verdict::kOutOfTurn;
  }
  if (PQstatus(connection) != CONNECTION_AWAITING_RESPONSE) return Verdict::kPass;
  const auto verdict = seen.front() == 'R' ? inspect_authentication(socket, seen) : Verdict::kPass;
  if (verdict == Verdict::kPass && waited_for_ > 0) {
    waited_for_ = 0;
    set_option(socket, SO_RCVLOWAT, 1);
  }
  return verdict;
}

PostgresGuard::Verdict PostgresGuard::inspect_authentication(int socket, std::string_view seen) {
  constexpr std::size_t kHead = 9;  // type, length, request
  const std::size_t needed = seen.size() < kHead ? kHead : to_uint32(seen.substr(1)) + std::size_t{1};
  if (needed < kHead || needed > kMaxMessage) return Verdict::kPass;
  if (seen.size() < needed) {
    if (waited_for_ >= needed) return Verdict::kPass;  // The connection ended: libpq shall see it.
    waited_for_ = needed;
    set_option(socket, SO_RCVLOWAT, static_cast<int>(needed));
    return Verdict::kWaitForMore;
  }
  const auto request = to_uint32(seen.substr(5));
  if (request == kClearPassword) return Verdict::kClearPassword;
  if (request == kSaslContinue && asks_too_many_rounds(seen.substr(0, needed)))
    return Verdict::kTooManyRounds;
  // After any request but the last ones the server has to wait for us.
  const bool is_question = request != kOk && request != kSaslFinal;
  return is_question && seen.size() > needed ? Verdict::kOutOfTurn : Verdict::kPass;
}

}  // namespace codex
