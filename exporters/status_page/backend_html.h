#pragma once

#include <string>

#include "exporters/recent.h"
#include "exporters/snapshot.h"

namespace codex {

/// Everything the page says of one backend.
std::string backend_html(const BackendSnapshot& backend, const BackendRecent& recent, WallTime now);

}  // namespace codex
