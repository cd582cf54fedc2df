#pragma once

#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "agent/os/clock.h"
#include "agent/os/unique_fd.h"

namespace codex {

/// The daemon's executable: beside our own, else in ../libexec/codex-agent/. Throws std::runtime_error that
/// says where it looked.
std::filesystem::path find_daemon();

/// Becomes the daemon (execv(3)). Returns only by throwing std::system_error.
[[noreturn]] void exec_daemon(const std::filesystem::path& daemon, const std::vector<std::string>& arguments);

/// Runs the daemon to its end and collects what it prints; at most 1 MiB.
struct DaemonOutput {
  int exit_code = 0;
  std::string text;
};
DaemonOutput run_daemon(const std::filesystem::path& daemon, const std::vector<std::string>& arguments,
                        bool show_errors);

/// An agent that was started in the background and has not yet said that it listens.
class LaunchedDaemon {
 public:
  enum class State { kReady, kEnded, kWaiting };

  /// Starts `daemon ARGUMENTS... --ready-fd N` in a session of its own: stdin /dev/null, both outputs a
  /// file in memory (memfd_create(2)), which neither fills up nor breaks when we end first. The daemon lets
  /// go of it once it is ready. Throws std::system_error.
  LaunchedDaemon(const std::filesystem::path& daemon, const std::vector<std::string>& arguments);

  /// Waits for news until `deadline`, or until `tick`, called at least every 100 ms, says false.
  State wait(TimePoint deadline, const std::function<bool()>& tick);

  [[nodiscard]] pid_t pid() const { return pid_; }
  /// Once ended: its exit code, 128 + N after signal N.
  [[nodiscard]] int exit_code() const { return exit_code_; }
  /// What it has printed so far, at most 64 KiB: why it cannot start, or warnings.
  [[nodiscard]] std::string output() const;

 private:
  State state_of_end(TimePoint deadline, const std::function<bool()>& tick);

  pid_t pid_ = 0;
  UniqueFd ready_, output_;
  int exit_code_ = 0;
};

/// The pid in STATE_DIRECTORY/lock; nullopt if there is none. For messages: it may be stale.
std::optional<pid_t> recorded_agent_pid(const std::filesystem::path& state_directory);

}  // namespace codex
