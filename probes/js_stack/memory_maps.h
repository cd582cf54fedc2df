#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "probes/js_stack/code_kind.h"

namespace codex {

/// One line of /proc/PID/maps (proc_pid_maps(5)).
struct Mapping {
  std::uint64_t begin = 0, end = 0;
  bool readable = false, executable = false;
  std::uint64_t inode = 0;  ///< 0: anonymous
  std::string path;         ///< raw, "" if anonymous, "[stack]" ...; " (deleted)" is kept
};

/// What a process had mapped at one moment. Immutable; any thread.
class MemoryMaps {
 public:
  /// Lines that make no sense, overlap or go backwards are left out.
  explicit MemoryMaps(std::string_view text);

  /// The mapping that holds `address`, or nullptr.
  [[nodiscard]] const Mapping* find(std::uint64_t address) const;
  [[nodiscard]] CodeKind code_at(std::uint64_t address) const;
  [[nodiscard]] const std::vector<Mapping>& all() const { return mappings_; }

 private:
  std::vector<Mapping> mappings_;
};

}  // namespace codex
