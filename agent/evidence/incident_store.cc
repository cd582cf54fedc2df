#include "agent/evidence/incident_store.h"

#include <algorithm>
#include <string_view>
#include <system_error>
#include <utility>

#include "agent/os/files.h"
#include "agent/text/rfc3339.h"

namespace codex {

namespace {

constexpr std::string_view kHalfMade = ".partial";

/// "20261126T114233.482Z-...": whatever else lies there is somebody's own.
bool is_incident(std::string_view name) {
  constexpr std::string_view kShape = "00000000T000000.000Z-";
  if (name.size() <= kShape.size() || name.ends_with(kHalfMade)) return false;
  return std::equal(kShape.begin(), kShape.end(), name.begin(),
                    [](char shape, char c) { return shape == '0' ? c >= '0' && c <= '9' : c == shape; });
}

std::uintmax_t bytes_in(const std::filesystem::path& directory) {
  std::uintmax_t bytes = 0;
  std::error_code error;
  for (auto entry = std::filesystem::recursive_directory_iterator(directory, error);
       !error && entry != std::filesystem::recursive_directory_iterator(); entry.increment(error)) {
    std::error_code gone;
    const auto size = entry->is_regular_file(gone) ? entry->file_size(gone) : 0;
    if (!gone) bytes += size;
  }
  return bytes;
}

}  // namespace

std::string incident_id(WallTime suspected_at, const std::string& backend) {
  std::string id = format_rfc3339(suspected_at);
  std::erase_if(id, [](char c) { return c == '-' || c == ':'; });
  return id + "-" + backend;
}

std::filesystem::path evidence_directory(const std::filesystem::path& state_directory) {
  return state_directory / "evidence";
}

IncidentStore::IncidentStore(std::filesystem::path directory) : directory_(std::move(directory)) {}

std::filesystem::path IncidentStore::open(const std::string& id, const std::string& backend) {
  make_private_directory(directory_);
  for (const auto& entry : std::filesystem::directory_iterator(directory_)) {
    const std::string name = entry.path().filename();
    if (name.ends_with("-" + backend + std::string(kHalfMade)) && name != id + std::string(kHalfMade))
      std::filesystem::remove_all(entry.path());
  }
  if (std::filesystem::is_directory(path(id))) return path(id);
  const auto half_made = path(id + std::string(kHalfMade));
  make_private_directory(half_made);
  return half_made;
}

void IncidentStore::publish(const std::string& id) {
  if (!std::filesystem::is_directory(path(id)))
    std::filesystem::rename(path(id + std::string(kHalfMade)), path(id));
  prune(id);
}

void IncidentStore::prune(const std::string& newest) {
  auto ids = list();
  std::uintmax_t bytes = bytes_in(path(newest));
  std::size_t kept = 1;
  for (auto id = ids.rbegin(); id != ids.rend(); ++id) {
    if (*id == newest) continue;
    bytes += bytes_in(path(*id));
    if (++kept > kMostIncidents || bytes > kMostBytes) std::filesystem::remove_all(path(*id));
  }
}

std::vector<std::string> IncidentStore::list() const {
  std::vector<std::string> ids;
  std::error_code error;
  for (auto entry = std::filesystem::directory_iterator(directory_, error);
       !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    const std::string name = entry->path().filename();
    if (is_incident(name)) ids.push_back(name);
  }
  if (error && error != std::errc::no_such_file_or_directory)
    throw std::filesystem::filesystem_error("cannot list the evidence", directory_, error);
  std::sort(ids.begin(), ids.end());
  return ids;
}

std::optional<std::string> IncidentStore::find(const std::string& name) const {
  const auto ids = list();
  if (name == "latest") return ids.empty() ? std::nullopt : std::optional(ids.back());
  const auto begins = [&](const std::string& id) { return id.starts_with(name); };
  const auto first = std::find_if(ids.begin(), ids.end(), begins);
  if (first == ids.end() || name.empty()) return std::nullopt;
  if (*first != name && std::any_of(first + 1, ids.end(), begins)) return std::nullopt;
  return *first;
}

}  // namespace codex
