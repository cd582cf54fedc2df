#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "agent/os/rotating_file.h"
#include "agent/text/redactor.h"

namespace codex {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

/// The agent's own log: `2026-11-23T12:03:04.123Z warning probe_failed backend=api reason=timeout 2/3`.
///
/// Every message is scrubbed by the Redactor, made safe to show and cut at 4 KiB before it goes anywhere, so
/// one message is one line. Logging never blocks and never throws: the file is a RotatingFile, standard error
/// is written by a thread of its own, and what they cannot take is dropped. Any thread, except set_stderr().
class Logger {
 public:
  /// `file` may be nullptr; it and `redactor` must outlive the logger. `stderr_fd`: where set_stderr() sends.
  Logger(const Redactor& redactor, RotatingFile* file, LogLevel level = LogLevel::kInfo, int stderr_fd = 2);
  ~Logger();
  Logger(const Logger&) = delete;
  Logger& operator=(const Logger&) = delete;

  void debug(std::string_view message);
  void info(std::string_view message);
  void warning(std::string_view message);
  void error(std::string_view message);

  /// Messages below `level` are neither written nor counted.
  void set_level(LogLevel level);

  /// Also writes to standard error, for runs in the foreground; off at first. Loop thread.
  void set_stderr(bool on);

  /// Messages so far by "debug" "info" "warning" "error"; all are present.
  [[nodiscard]] std::map<std::string, std::uint64_t, std::less<>> counts() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace codex
