#include "agent/evidence/descriptor_evidence.h"

#include <charconv>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <system_error>

namespace codex {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kMostDescriptors = 200;
constexpr std::string_view kSocket = "socket:[";

/// "socket", "pipe", "anon_inode:[eventpoll]", "file", "device".
std::string kind_of(const std::string& target) {
  if (target.starts_with("/dev/")) return "device";
  if (target.starts_with('/')) return "file";
  if (target.starts_with("anon_inode:")) return target;
  return target.substr(0, target.find(':'));
}

}  // namespace

Descriptors descriptors_of(pid_t pid) {
  Descriptors descriptors;
  std::error_code error;
  const auto directory = std::filesystem::path("/proc") / std::to_string(pid) / "fd";
  for (auto entry = std::filesystem::directory_iterator(directory, error);
       !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    std::error_code gone;
    const std::string name = entry->path().filename(),
                      target = std::filesystem::read_symlink(entry->path(), gone);
    int fd = -1;
    std::from_chars(name.data(), name.data() + name.size(), fd);
    if (!gone && fd >= 0) descriptors.emplace(fd, target);
  }
  return descriptors;
}

std::optional<std::uint64_t> socket_inode(const std::string& target) {
  std::uint64_t inode = 0;
  if (!target.starts_with(kSocket)) return std::nullopt;
  const auto parsed = std::from_chars(target.data() + kSocket.size(), target.data() + target.size(), inode);
  return parsed.ec == std::errc() ? std::optional(inode) : std::nullopt;
}

std::string describe_descriptor(const std::string& target, const SocketEvidence& sockets,
                                const Redactor& redactor) {
  if (const auto inode = socket_inode(target)) {
    if (const auto ends = sockets.describe(*inode); !ends.empty()) return ends;
  }
  return redactor.safe(target);
}

Json to_json(const Descriptors& descriptors, std::optional<std::uint64_t> limit,
             const SocketEvidence& sockets, const Redactor& redactor) {
  std::map<std::string, int> kinds;
  Json shown = Json::array();
  for (const auto& [fd, target] : descriptors) {
    ++kinds[redactor.safe(kind_of(target), 64)];
    if (shown.size() < kMostDescriptors)
      shown.push_back({{"fd", fd}, {"target", describe_descriptor(target, sockets, redactor)}});
  }
  return {{"open", descriptors.size()},
          {"limit", limit ? Json(*limit) : Json(nullptr)},
          {"kinds", kinds},
          {"shown", std::move(shown)}};
}

}  // namespace codex
