#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace codex {

/// report.txt of a report.json: what a person needs first comes first, and fits the first screen. Members
/// that are missing or of another type are left out. Pure.
std::string report_text(const nlohmann::ordered_json& report);

}  // namespace codex
