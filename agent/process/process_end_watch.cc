#include "agent/process/process_end_watch.h"

#include <utility>

#include "agent/os/process_table.h"

namespace codex {

void ProcessEndWatch::follow(std::optional<ProcessId> server) {
  if (server == server_) return;
  watch_.reset();
  pidfd_.reset();
  server_.reset();
  if (!server) return;
  UniqueFd pidfd = open_pidfd(server->pid);
  const bool gone = !pidfd || identify_process(server->pid) != server;
  server_ = server;
  if (gone) return;  // The next look sees it.
  pidfd_ = std::move(pidfd);
  watch_ = FdWatch(
      loop_, "server_pidfd", pidfd_.get(), EPOLLIN,
      [this](std::uint32_t) {
        watch_.reset();
        ended_();
      },
      Priority::kUrgent);
}

}  // namespace codex
