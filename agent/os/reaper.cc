#include "agent/os/reaper.h"

#include <sys/prctl.h>
#include <sys/wait.h>

#include <csignal>
#include <exception>
#include <utility>

#include "agent/os/check.h"

namespace codex {

Reaper::Reaper(EventLoop& loop, Reaped reaped)
    : reaped_(std::move(reaped)), sigchld_(loop, SIGCHLD, [this] { reap(); }) {
  check("prctl(PR_SET_CHILD_SUBREAPER)", ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0));
}

void Reaper::reap() {
  std::exception_ptr first_error;  // One report that fails must not leave the other zombies.
  for (;;) {
    int status = 0;
    rusage usage{};
    const pid_t pid = ::wait4(-1, &status, WNOHANG, &usage);
    if (pid <= 0) break;
    ExitStatus exit;
    if (WIFEXITED(status)) exit.code = WEXITSTATUS(status);
    if (WIFSIGNALED(status)) {
      exit.signal = WTERMSIG(status);
      exit.core_dumped = WCOREDUMP(status);
    }
    try {
      reaped_(pid, exit, usage);
    } catch (...) {
      if (!first_error) first_error = std::current_exception();
    }
  }
  if (first_error) std::rethrow_exception(first_error);
}

}  // namespace codex
