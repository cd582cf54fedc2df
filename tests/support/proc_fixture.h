#pragma once

#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <map>
#include <string>
#include <vector>

#include "agent/os/proc_files.h"

namespace codex {

/// A process as its /proc files shall tell it.
struct FakeProcess {
  pid_t pid = 0;
  std::uint64_t start_ticks = 1'000;
  std::string comm = "node";
  char state = 'S';
  pid_t parent = 1;
  std::uint64_t user_ticks = 0, system_ticks = 0;
  std::int64_t user_ticks_children = 0, system_ticks_children = 0;
  std::uint64_t minor_faults = 0, minor_faults_children = 0, major_faults = 0, major_faults_children = 0;
  std::uint64_t virtual_bytes = 0, resident_pages = 0;
  std::uint64_t voluntary = 0, involuntary = 0;  ///< of the main thread
  std::map<pid_t, std::uint64_t> threads = {};   ///< further threads and their voluntary switches
  bool counts_runs = true;  ///< schedstat is filled; else "0 0 0", as without CONFIG_SCHEDSTATS
  std::uint64_t swap_kib = 0;
  std::uint64_t read_bytes = 0, write_bytes = 0;
  int fds = 3;
  std::string fd_limit = "1024";
  std::uint64_t pss_kib = 0;
};

/// The text of /proc/PID/stat, with all 52 fields.
std::string stat_text(const FakeProcess& process);

/// A directory like /proc, removed at the end. Readable for every user.
///
///   ProcFixture proc({{.pid = 10, .user_ticks = 5}, {.pid = 11, .parent = 10}});
class ProcFixture {
 public:
  explicit ProcFixture(std::initializer_list<FakeProcess> processes = {});
  ~ProcFixture();
  ProcFixture(const ProcFixture&) = delete;
  ProcFixture& operator=(const ProcFixture&) = delete;

  /// Adds a process or rewrites its files in place.
  void set(const FakeProcess& process);

  /// The process is gone, as if it had been waited for.
  void remove(pid_t pid);

  /// Its stat, parsed; throws if there is no such process here.
  [[nodiscard]] ProcStat stat(pid_t pid) const;
  /// Of all processes that are no zombies, by pid.
  [[nodiscard]] std::vector<ProcStat> members() const;

  [[nodiscard]] const std::filesystem::path& root() const { return root_; }
  [[nodiscard]] std::filesystem::path file(pid_t pid, const std::string& name) const;

 private:
  std::filesystem::path root_;
  std::map<pid_t, FakeProcess> processes_;
};

}  // namespace codex
