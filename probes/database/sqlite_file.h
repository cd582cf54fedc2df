#pragma once

#include <string>

#include "probes/finding.h"

namespace codex {

/// The path in a `sqlite:` URL: sqlite:relative.db, sqlite:/abs.db, sqlite:///abs.db, sqlite::memory:.
/// A query string is dropped, percent-escapes are decoded.
std::string sqlite_path(const std::string& url);

/// Opens the database read-only, asks `SELECT 1` and reads its schema from the file; never creates, writes or
/// waits for a lock. May hang with its file system: call it from a Worker. Success: the text is
/// "SQLite 3.40.1 demo.db". Raw: it quotes the file.
Finding ask_sqlite(const std::string& path);

}  // namespace codex
