#include "probes/resolver.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <strings.h>

#include <algorithm>
#include <cerrno>
#include <memory>

namespace codex {

namespace {

bool is_numeric(const std::string& host) {
  in6_addr address;
  const std::string without_zone = host.substr(0, host.find('%'));
  return ::inet_pton(AF_INET, host.c_str(), &address) == 1 ||
         ::inet_pton(AF_INET6, without_zone.c_str(), &address) == 1;
}

Finding trouble_of_lookup(int code) {
  const int error = errno;
  if (code == EAI_MEMORY) return {Outcome::kUnknown, Reason::kInternal, "out of memory"};
  if (code == EAI_SYSTEM) {
    auto finding = judge_errno(error);
    if (finding.outcome == Outcome::kFailure) finding.reason = Reason::kResolve;
    return finding;
  }
  // Without descriptors neither /etc/hosts nor a name server can be read, and it says "unknown" all the same.
  if (auto shortage = own_shortage()) return *std::move(shortage);
  return {Outcome::kFailure, Reason::kResolve, ::gai_strerror(code)};
}

}  // namespace

std::optional<std::vector<std::string>> resolve_without_network(const std::string& host) {
  if (::strcasecmp(host.c_str(), "localhost") == 0) return {{"127.0.0.1", "::1"}};
  std::string bare = host;
  if (bare.size() > 2 && bare.front() == '[' && bare.back() == ']') bare = bare.substr(1, bare.size() - 2);
  if (is_numeric(bare)) return {{bare}};
  return std::nullopt;
}

Resolution resolve_host(const std::string& host) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_ADDRCONFIG;
  addrinfo* list = nullptr;
  if (const int code = ::getaddrinfo(host.c_str(), nullptr, &hints, &list); code != 0) {
    return {{}, trouble_of_lookup(code)};
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(list, ::freeaddrinfo);
  Resolution found;
  for (const addrinfo* entry = list; entry != nullptr; entry = entry->ai_next) {
    char text[NI_MAXHOST];
    if (::getnameinfo(entry->ai_addr, entry->ai_addrlen, text, sizeof text, nullptr, 0, NI_NUMERICHOST) !=
        0) {
      continue;
    }
    if (std::find(found.addresses.begin(), found.addresses.end(), text) == found.addresses.end()) {
      found.addresses.emplace_back(text);
    }
  }
  if (found.addresses.empty()) {
    found.finding = Finding{Outcome::kFailure, Reason::kResolve, "the name has no address"};
  }
  return found;
}

}  // namespace codex
