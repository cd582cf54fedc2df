#include "probes/database/postgres_errors.h"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <optional>

namespace codex {

namespace {

struct ServerError {
  std::string_view sqlstate, message;
};

bool is_sqlstate(std::string_view text) {
  return text.size() == 5 && std::all_of(text.begin(), text.end(),
                                         [](unsigned char c) { return std::isdigit(c) || std::isupper(c); });
}

std::string_view first_line(std::string_view text) {
  return text.substr(0, text.find('\n'));
}

/// Finds "SEVERITY:  28P01: message"; the severity may be in any language.
std::optional<ServerError> find_server_error(std::string_view text) {
  for (auto at = text.find(":  "); at != std::string_view::npos; at = text.find(":  ", at + 1)) {
    const auto rest = text.substr(at + 3);
    if (rest.size() < 7 || !is_sqlstate(rest.substr(0, 5)) || rest.substr(5, 2) != ": ") continue;
    return ServerError{rest.substr(0, 5), first_line(rest.substr(7))};
  }
  return std::nullopt;
}

/// Of `connection to server at "h" (a), port p failed: why` only why; the rest is said by the caller.
std::string_view without_preamble(std::string_view text) {
  constexpr std::string_view kFailed = " failed: ";
  const auto at = text.find(kFailed);
  const auto why = at == std::string_view::npos ? text : text.substr(at + kFailed.size());
  return first_line(why);
}

bool mentions(std::string_view text, std::string_view words) {
  return text.find(words) != std::string_view::npos;
}

bool mentions_any_errno(std::string_view text, std::initializer_list<int> numbers) {
  return std::any_of(numbers.begin(), numbers.end(),
                     [&](int number) { return mentions(text, ::strerrordesc_np(number)); });
}

std::string_view not_ready_words(std::string_view message) {
  if (mentions(message, "shutting down")) return "server is shutting down";
  if (mentions(message, "recovery")) return "server is recovering";
  return "server is starting up";
}

}  // namespace

Finding trouble_of_sqlstate(std::string_view sqlstate, std::string_view message) {
  std::string_view words = message;
  Reason reason = Reason::kQuery;
  if (sqlstate.starts_with("28")) reason = Reason::kAuth;
  if (sqlstate == "08P01") reason = Reason::kProtocol;
  if (sqlstate == "57P03") words = not_ready_words(message);
  if (sqlstate == "57P01" || sqlstate == "57P02") words = "server is shutting down";
  if (sqlstate == "53300") words = "too many connections";
  if (sqlstate == "3D000") words = "database does not exist";
  return {Outcome::kFailure, reason, std::string(words) + " (" + std::string(sqlstate) + ")"};
}

Finding trouble_of_connection(std::string_view text) {
  if (const auto error = find_server_error(text)) return trouble_of_sqlstate(error->sqlstate, error->message);
  const std::string words(without_preamble(text));
  if (mentions(text, "out of memory") ||
      mentions_any_errno(text, {EMFILE, ENFILE, ENOBUFS, ENOMEM, EADDRNOTAVAIL})) {
    return {Outcome::kUnknown, Reason::kInternal, words};
  }
  const auto reason = [&] {
    if (mentions(text, "could not translate host name")) return Reason::kResolve;
    if (mentions_any_errno(text, {ECONNREFUSED, ENOENT, EACCES, EHOSTUNREACH, ENETUNREACH}))
      return Reason::kRefused;
    if (mentions_any_errno(text, {ETIMEDOUT})) return Reason::kTimeout;
    if (mentions(text, "server closed the connection") || mentions(text, "EOF detected") ||
        mentions_any_errno(text, {ECONNRESET, EPIPE})) {
      return Reason::kReset;
    }
    if (mentions(text, "password") || mentions(text, "authentication method") || mentions(text, "SCRAM") ||
        mentions(text, "SASL") || mentions(text, "channel binding")) {
      return Reason::kAuth;
    }
    if (mentions(text, "SSL") || mentions(text, "certificate")) return Reason::kTls;
    return Reason::kProtocol;
  }();
  return {Outcome::kFailure, reason, words};
}

}  // namespace codex
