#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "agent/os/clock.h"
#include "agent/os/process_id.h"
#include "probes/process/process_view.h"
#include "probes/process/thread_view.h"

namespace codex {

/// Our own connection that asks for nothing: does the event loop accept?
struct AcceptProbeView {
  enum class State {
    kIdle,      ///< none is open
    kWaiting,   ///< connected, not accepted yet
    kAccepted,  ///< seen accepted in this look
    kDropped,   ///< accepted and closed at once, seen in this look
    kRefused,   ///< could not connect
    kDeferred,  ///< the kernel keeps it from a server that wants requests only: says nothing of the server
  };
  State state = State::kIdle;
  Duration age{0};  ///< since it connected
};

/// Connections of one kind that somebody spoke on last and nobody answered.
struct WaitingSockets {
  int connections = 0;
  int waiting = 0;
  Duration oldest{0};                   ///< how long the oldest has waited; 0 without one
  std::optional<Duration> last_answer;  ///< since the newest answer on any of them
};

/// What the kernel's socket table tells about requests: who waits for whom.
struct RequestView {
  WaitingSockets server;                   ///< clients that wait for the backend, ourselves left out
  WaitingSockets queued;                   ///< requests that nobody has accepted yet
  bool taken = false;                      ///< since the last look one was accepted, or read from
  std::optional<Duration> answered_after;  ///< longest wait that ended with an answer since the last look
  bool outgoing_known = false;             ///< the following were looked at
  WaitingSockets database;                 ///< the backend waits for its database
  WaitingSockets upstream;                 ///< the backend waits for another server
  std::string upstream_address;            ///< of the oldest, "127.0.0.1:5999"
  std::string database_address;
  Duration cost{0};  ///< CPU time of this look: large on hosts with large tables
};

/// What is known of an active probe of the agent.
struct ProbeFact {
  bool known = false;                     ///< configured, and asked at least once
  int failures = 0;                       ///< in a row, up to now
  std::optional<Duration> in_flight_for;  ///< an attempt is under way
  std::optional<Duration> success_began;  ///< since the last successful attempt began
  /// Since the first attempt began that ran into its time limit, if none was answered since: a request that
  /// still waits, as far as the server is concerned.
  std::optional<Duration> unanswered_for;
  bool encrypted = false;  ///< the server says something to everybody: a handshake is no answer
};

/// While nobody listens yet: whether the tree does anything.
struct StartupView {
  Duration since_start{0};
  Duration time_limit{0};       ///< of a start; 0: none
  std::uint64_t cpu_ticks = 0;  ///< of the whole tree
  std::uint64_t io_calls = 0;   ///< of the whole tree
  std::uint64_t output_bytes = 0;
  std::string waits_for;  ///< as StartupWaits tells it; "" if nothing can be told
};

/// One of the processes that serve the port.
struct WorkerView {
  ProcessId id;
  ThreadView main;
  std::optional<ProcessView> process;
  std::optional<RequestView> requests;  ///< of its own connections: server and taken alone
};

/// Everything the hang detector learns in one look, with the time of the look. Parts that were not looked at
/// are absent.
struct HangObservation {
  TimePoint at{};
  bool resumed = false;    ///< the host slept since the last look
  bool observable = true;  ///< the process lives and its files can be read
  bool listening = true;
  std::optional<std::uint32_t> accept_queue;
  bool shared_listener = false;     ///< of one worker among several: others accept from the queue, too
  bool has_work = false;            ///< of such a worker: it took a request and has not answered it
  std::vector<WorkerView> workers;  ///< who serves; may be empty where there is one
  std::vector<ProcessId> serving;   ///< who will be looked at next time
  ThreadView main;                  ///< of the first worker, as process
  AcceptProbeView accept_probe;
  std::optional<ProcessView> process;
  std::optional<RequestView> requests;
  std::optional<StartupView> startup;
  ProbeFact http, database;
};

}  // namespace codex
