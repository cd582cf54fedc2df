#pragma once

#include <string>
#include <string_view>

#include "probes/finding.h"

namespace codex {

/// Judges a server's error by its SQLSTATE (PostgreSQL, appendix A). The text is raw.
Finding trouble_of_sqlstate(std::string_view sqlstate, std::string_view message);

/// Judges the text of PQerrorMessage(3) after a failed connection. libpq offers nothing but this text; with
/// PQERRORS_VERBOSE a server's error in it carries its SQLSTATE. The result's text is raw.
Finding trouble_of_connection(std::string_view text);

}  // namespace codex
