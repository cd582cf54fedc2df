#pragma once

#include <functional>
#include <string>

#include "agent/os/event_loop.h"
#include "agent/os/worker.h"
#include "agent/sockets/sock_diag.h"
#include "agent/text/redactor.h"

namespace codex {

/// Who holds a listening socket, as the port probe wants to know it.
struct ListenerHolder {
  bool ours = false;        ///< in the supervised tree
  std::string description;  ///< "pid 4251 (node)", safe to show
};

/// What probes share. Everything outlives the probes. Loop thread.
struct ProbeContext {
  EventLoop& loop;
  Worker& resolver;  ///< for name resolution of libraries that would block
  SockDiag& sock_diag;
  const Redactor& redactor;
  class CurlMulti& curl;                                     ///< probes/http/curl_multi.h
  std::function<ListenerHolder(const Listener&)> holder_of;  ///< set per backend
};

}  // namespace codex
