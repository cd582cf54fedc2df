#include "agent/supervision/server_watch.h"

#include <sys/syscall.h>
#include <unistd.h>

#include "agent/os/process_table.h"

namespace codex {

void ServerWatch::follow(std::optional<ProcessId> server) {
  if (server == server_) return;
  watch_.reset();
  pidfd_.reset();
  server_ = server;
  if (!server) return;
  pidfd_ = UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, server->pid, 0)));
  if (!pidfd_ || identify_process(server->pid) != server) return;  // Gone already: the next look sees it.
  watch_ = FdWatch(
      loop_, "server_pidfd", pidfd_.get(), EPOLLIN,
      [this](std::uint32_t) {
        watch_.reset();
        ended_();
      },
      Priority::kUrgent);
}

}  // namespace codex
