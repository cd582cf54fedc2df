#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "agent/os/clock.h"

namespace codex {

/// "20261126T114233.482Z-codex": sorts by time, and names the backend. Pure.
std::string incident_id(WallTime suspected_at, const std::string& backend);

/// Directory of the evidence below an agent's state directory.
std::filesystem::path evidence_directory(const std::filesystem::path& state_directory);

/// The directories of all incidents of one agent: ID/report.txt, ID/report.json, ID/raw/. What is not
/// complete has another name and is no incident. Blocks on the file system. Throws std::system_error.
class IncidentStore {
 public:
  static constexpr std::size_t kMostIncidents = 20;
  static constexpr std::uintmax_t kMostBytes = std::uintmax_t{64} << 20;

  explicit IncidentStore(std::filesystem::path directory);

  /// Where `id` is kept or being made; makes it. Half-made ones of the same backend are thrown away: they
  /// were suspicions that did not come true.
  std::filesystem::path open(const std::string& id, const std::string& backend);

  /// Gives `id` its name. Keeps the newest incidents: at most kMostIncidents with at most kMostBytes
  /// together, but this one always.
  void publish(const std::string& id);

  /// Ids, the oldest first. Empty without a directory.
  [[nodiscard]] std::vector<std::string> list() const;

  /// The incident that `name` means: its id, the beginning of one, or "latest". nullopt if none or several
  /// do.
  [[nodiscard]] std::optional<std::string> find(const std::string& name) const;

  [[nodiscard]] std::filesystem::path path(const std::string& id) const { return directory_ / id; }

 private:
  void prune(const std::string& newest);

  std::filesystem::path directory_;
};

}  // namespace codex
