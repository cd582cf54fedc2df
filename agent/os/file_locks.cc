#include "agent/os/file_locks.h"

#include <fcntl.h>

#include <algorithm>
#include <string>

#include "agent/os/files.h"

namespace codex {

namespace {
constexpr std::size_t kLargest = 16 << 20;
}

std::vector<pid_t> flock_holders(ino_t inode) {
  const auto locks = read_proc_file(AT_FDCWD, "/proc/locks", kLargest);
  return locks ? parse_flock_holders(*locks, inode) : std::vector<pid_t>{};
}

std::vector<pid_t> parse_flock_holders(std::string_view locks, ino_t inode) {
  std::vector<pid_t> holders;
  while (!locks.empty()) {
    const std::string line(locks.substr(0, locks.find('\n')));
    locks.remove_prefix(std::min(locks.size(), line.size() + 1));
    int pid = 0;
    unsigned long long number = 0;
    // "1: FLOCK  ADVISORY  WRITE 4711 fe:01:1835 0 EOF"; one that only waits for a lock is "1: -> FLOCK ...".
    const int fields = std::sscanf(line.c_str(), "%*u: FLOCK %*31s %*31s %d %*x:%*x:%llu ", &pid, &number);
    if (fields == 2 && number == inode) holders.push_back(pid);
  }
  return holders;
}

}  // namespace codex
