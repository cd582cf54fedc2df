#include "agent/instance_lock.h"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>
#include <stdexcept>
#include <string>

#include "agent/os/check.h"

namespace codex {

InstanceLock::InstanceLock(const std::filesystem::path& state_directory) {
  const auto path = state_directory / "lock";
  file_ = UniqueFd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file_)
    throw std::runtime_error("cannot open " + path.string() + ": " + std::system_category().message(errno));
  if (::flock(file_.get(), LOCK_EX | LOCK_NB) < 0) {
    char text[32] = {};
    const auto n = ::pread(file_.get(), text, sizeof text - 1, 0);
    const std::string pid = n > 0 ? std::string(text, text + n) : "?";
    throw std::runtime_error("another agent (pid " + pid.substr(0, pid.find('\n')) + ") already runs for " +
                             state_directory.parent_path().string() +
                             ". Use it (codex-agent status), or end it with: codex-agent shutdown");
  }
  const std::string pid = std::to_string(::getpid()) + "\n";
  check("ftruncate", ::ftruncate(file_.get(), 0));
  check("pwrite", ::pwrite(file_.get(), pid.data(), pid.size(), 0));
}

}  // namespace codex
