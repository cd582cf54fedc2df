#pragma once

#include <string>
#include <vector>

#include "agent/os/unique_fd.h"
#include "probes/port/own_listener.h"
#include "probes/probe_attempt.h"
#include "probes/probe_context.h"
#include "probes/probe_spec.h"
#include "probes/resolver.h"
#include "probes/worker_call.h"

namespace codex {

/// Does somebody accept TCP connections on the port, and is it us?
///
/// With `own_listener` the kernel's LISTEN table is asked first, so that a stranger on the port is a failure
/// (refused) and is named; then a connection is made to an address that our listener is bound to. The
/// connection is closed with RST, which leaves no TIME_WAIT and costs the backend one accept.
class PortProbe final : public Probe {
 public:
  PortProbe(const ProbeSpec& spec, const ProbeContext& context);
  ~PortProbe() override { cancel(); }
  void start(TimePoint deadline, Done done) override { attempt_.begin(deadline, std::move(done)); }
  void cancel() override { attempt_.cancel(); }

 private:
  void ask();
  void ask_own_listener();
  void resolve();
  void connect_next();
  void connected();
  void failed(int error);
  void expire();
  void release();
  void end(Outcome outcome, Reason reason, const std::string& what);

  ProbeSpec spec_;
  ProbeContext context_;
  std::string listener_;                ///< who listens, once known: "pid 4251 (node), accept queue 0 of 511"
  std::vector<std::string> addresses_;  ///< numeric, still to try, the next one last
  NetworkNamespace network_;            ///< in which to connect
  std::string address_;                 ///< the one being tried
  WorkerCall lookup_;
  UniqueFd socket_;
  FdWatch watch_;
  ProbeAttempt attempt_;
};

/// True if a TCP socket is connected to itself, which Linux allows when a client's own port is drawn from the
/// ephemeral range and equals the one it calls: nobody listens there.
bool is_self_connected(int socket);

}  // namespace codex
