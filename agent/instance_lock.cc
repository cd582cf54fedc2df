#include "agent/instance_lock.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <stdexcept>
#include <string>

#include "agent/os/check.h"
#include "agent/os/file_locks.h"
#include "agent/os/process_table.h"

namespace codex {

namespace {

constexpr int kPollMilliseconds = 5;

UniqueFd open_lock_file(const std::filesystem::path& path) {
  UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file)
    throw std::runtime_error("cannot open " + path.string() + ": " + std::system_category().message(errno));
  return file;
}

/// False: somebody else has it. A file system without such locks (some network ones refuse them on a
/// directory) stands in nobody's way.
bool lock(const UniqueFd& file) {
  return !file || ::flock(file.get(), LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK;
}

/// Who may read a directory may lock it. Only our own user and root can be an agent of this project.
bool lock_against_agents(const UniqueFd& directory) {
  if (lock(directory)) return true;
  struct stat info {};
  if (::fstat(directory.get(), &info) != 0) return false;
  const auto holders = flock_holders(info.st_ino);
  return std::none_of(holders.begin(), holders.end(),
                      [](pid_t holder) { return runs_as(holder, ::geteuid()) || runs_as(holder, 0); });
}

std::string pid_in(const UniqueFd& file) {
  char text[32] = {};
  const auto n = ::pread(file.get(), text, sizeof text - 1, 0);
  const std::string pid = n > 0 ? std::string(text, text + n) : "unknown";
  return pid.substr(0, pid.find('\n'));
}

}  // namespace

InstanceLock::InstanceLock(const std::filesystem::path& state_directory,
                           const std::filesystem::path& project_directory,
                           const std::optional<Takeover>& takeover)
    : state_directory_(state_directory),
      project_(::open(project_directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)),
      file_(open_lock_file(state_directory / "lock")) {
  const auto free = [this] { return lock_against_agents(project_) && lock(file_); };
  bool ours = free();
  const std::string other = "pid " + pid_in(file_);
  if (!ours && takeover) {
    takeover->request();
    for (const TimePoint until = Clock::now() + takeover->patience; !ours && Clock::now() < until;
         ours = free()) {
      ::poll(nullptr, 0, kPollMilliseconds);
    }
    if (!ours) {
      throw std::runtime_error("the agent (" + other +
                               ") has agreed to hand over but does not end. Its backends " +
                               "go on; end it with SIGKILL, then repeat");
    }
  }
  if (!ours) {
    throw std::runtime_error(
        "another agent (" + other + ") already runs for " + state_directory.parent_path().string() +
        ". Use it (codex-agent status), take over from it (codex-agent run --replace), or " +
        "end it with: codex-agent shutdown");
  }
  renew();
}

void InstanceLock::renew() {
  file_ = open_lock_file(state_directory_ / "lock");
  lock(file_);
  const std::string pid = std::to_string(::getpid()) + "\n";
  check("ftruncate", ::ftruncate(file_.get(), 0));
  check("pwrite", ::pwrite(file_.get(), pid.data(), pid.size(), 0));
}

}  // namespace codex
