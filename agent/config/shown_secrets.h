#pragma once

#include <string>

#include "agent/config/config.h"

namespace codex {

/// True if the variable or header must be shown as "***".
bool is_hidden(const std::string& name, const std::string& value);

/// A probe's URL as it may be shown: without password.
std::string shown_url(const ProbeSpec& probe);

}  // namespace codex
