#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "agent/os/unique_fd.h"

namespace codex {

/// A cgroup v2 directory of our own, with no controllers but those that it inherits: it lists a tree's processes
/// exactly, kills them at once (cgroup.kill, Linux 5.14) and counts their CPU time, where its parent hands the
/// memory controller down their memory, too (Documentation/admin-guide/cgroup-v2.rst). Loop thread.
class Cgroup {
 public:
  struct Cpu {
    double user_seconds = 0, system_seconds = 0;
  };

  /// Makes (or takes over) the group `name` below the one we live in, wherever cgroup2 is mounted. nullopt
  /// where that is not allowed or there is no cgroup v2: the caller then works without.
  static std::optional<Cgroup> create(const std::string& name);

  Cgroup(Cgroup&&) noexcept = default;
  Cgroup& operator=(Cgroup&&) noexcept = default;
  /// Removes the group if it is empty.
  ~Cgroup();

  [[nodiscard]] int fd() const { return directory_.get(); }
  [[nodiscard]] std::vector<pid_t> pids() const;
  /// Whether no process lives in it or below it (cgroup.events). A list of pids cannot tell: a process may
  /// hand on to its child and be gone before it is looked at.
  [[nodiscard]] bool is_empty() const;
  [[nodiscard]] std::optional<Cpu> cpu() const;
  /// memory.current without the inactive file cache, which goes before anything is short of memory. nullopt
  /// where memory is not counted by cgroup.
  [[nodiscard]] std::optional<std::uint64_t> memory() const;
  /// Whether a new generation may be born into it. A group that has been killed once may kill whoever is born
  /// into it later (seen on Linux 6.18), and what became of one that an earlier agent made is not known.
  [[nodiscard]] bool unspent() const { return unspent_; }
  void kill();  ///< SIGKILL to every member, frozen ones too; ones that are just being forked included

 private:
  Cgroup(std::filesystem::path path, UniqueFd directory, bool unspent);
  std::filesystem::path path_;
  UniqueFd directory_;
  bool unspent_;
};

/// Bytes in use by the texts of memory.current and memory.stat; nullopt if one is not that.
std::optional<std::uint64_t> cgroup_memory_of(const std::string& current, const std::string& stat);

/// Where cgroup2 is mounted according to the text of /proc/self/mountinfo; "" if nowhere.
std::filesystem::path find_cgroup2_mount(const std::string& mountinfo);

/// Path of the v2 group in the text of /proc/self/cgroup (the line `0::/path`); "" if there is none.
std::string find_cgroup2_path(const std::string& cgroup_file);

}  // namespace codex
