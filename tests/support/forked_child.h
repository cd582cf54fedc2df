#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <utility>

#include "agent/os/check.h"
#include "agent/os/unique_fd.h"

namespace codex {

/// A child of this test, killed and reaped at the end.
class Child {
 public:
  explicit Child(pid_t pid) : pid_(pid) {}
  Child(Child&& other) noexcept : pid_(std::exchange(other.pid_, 0)) {}
  Child& operator=(Child&&) = delete;
  ~Child() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    reap();
  }
  [[nodiscard]] pid_t pid() const { return pid_; }
  /// Waits until it is a zombie, without reaping it.
  void await_exit() const {
    siginfo_t info{};
    check("waitid", ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOWAIT));
  }
  void reap() { check("waitpid", ::waitpid(std::exchange(pid_, 0), nullptr, 0)); }

 private:
  pid_t pid_;
};

inline Child fork_child(const std::function<void()>& body) {
  const pid_t pid = check("fork", ::fork());
  if (pid == 0) {
    body();
    ::_exit(0);
  }
  return Child(pid);
}

/// What a child tells its parent, or the other way round.
struct Pipe {
  Pipe() {
    int fds[2];
    check("pipe2", ::pipe2(fds, O_CLOEXEC));
    read_end.reset(fds[0]);
    write_end.reset(fds[1]);
  }
  template <typename T>
  T receive() {
    T value{};
    if (::read(read_end.get(), &value, sizeof value) != sizeof value) throw_errno("read from child");
    return value;
  }
  template <typename T>
  void send(const T& value) {
    if (::write(write_end.get(), &value, sizeof value) != sizeof value) ::_exit(1);
  }
  UniqueFd read_end, write_end;
};

}  // namespace codex
