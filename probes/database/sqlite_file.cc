#include "probes/database/sqlite_file.h"

#include <sqlite3.h>
#include <sys/stat.h>

#include <cerrno>
#include <filesystem>
#include <memory>

#include "agent/os/check.h"
#include "agent/text/redactor.h"

namespace codex {

namespace {

constexpr const char* kInMemory = ":memory:";

using Database = std::unique_ptr<sqlite3, decltype(&sqlite3_close)>;

Finding trouble_of_sqlite(sqlite3* database, int code) {
  const std::string text = database != nullptr ? sqlite3_errmsg(database) : sqlite3_errstr(code);
  const int error = database != nullptr ? sqlite3_system_errno(database) : ENOMEM;
  if (is_shortage(error)) return {Outcome::kUnknown, Reason::kInternal, judge_errno(error).text};
  switch (code & 0xff) {
    case SQLITE_NOMEM:
      return {Outcome::kUnknown, Reason::kInternal, text};
    case SQLITE_CANTOPEN:
      return {Outcome::kFailure, Reason::kRefused, text};
    default:
      return {Outcome::kFailure, Reason::kQuery, text};
  }
}

}  // namespace

std::string sqlite_path(const std::string& url) {
  std::string path = url.substr(url.find(':') + 1);
  if (path.starts_with("//")) path.erase(0, 2);
  path = path.substr(0, path.find('?'));
  return percent_decode(path);
}

Finding ask_sqlite(const std::string& path) {
  const bool in_memory = path == kInMemory;
  struct stat status {};
  if (!in_memory && ::stat(path.c_str(), &status) != 0) {
    return {Outcome::kFailure, Reason::kRefused, errno == ENOENT ? "no such file" : judge_errno(errno).text};
  }
  // Opening a FIFO would wait for its other end.
  if (!in_memory && !S_ISREG(status.st_mode)) {
    return {Outcome::kFailure, Reason::kRefused, "not a regular file"};
  }
  sqlite3* handle = nullptr;
  int code = sqlite3_open_v2(path.c_str(), &handle, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, nullptr);
  const Database database(handle, sqlite3_close);
  if (code != SQLITE_OK) return trouble_of_sqlite(handle, code);
  sqlite3_busy_timeout(handle, 0);
  for (const char* query : {"SELECT 1", "PRAGMA schema_version", "SELECT count(*) FROM sqlite_schema"}) {
    code = sqlite3_exec(handle, query, nullptr, nullptr, nullptr);
    if (code != SQLITE_OK) return trouble_of_sqlite(handle, code);
  }
  return {Outcome::kSuccess, Reason::kNone,
          std::string("SQLite ") + sqlite3_libversion() + " " +
              (in_memory ? "in memory" : std::filesystem::path(path).filename().string())};
}

}  // namespace codex
