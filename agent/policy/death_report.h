#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace codex {

/// What a runtime writes about an error that nobody caught, and programs about one that they did: an
/// exception with its stack, a traceback, a panic.
struct DeathReport {
  std::size_t head = 0;  ///< the line that names the error
  std::size_t end = 0;   ///< the first line behind the report
  std::string text;      ///< the error, without what the runtime says before it
  std::string place;     ///< of the application's code, or ""
  bool final = false;    ///< the runtime says that its program ends of it
};

/// The newest of `lines`, which have no labels (speakers.h). Pure.
std::optional<DeathReport> newest_report(const std::vector<std::string>& lines);

}  // namespace codex
