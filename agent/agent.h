#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/backend_target.h"
#include "agent/config/config.h"
#include "agent/control/operations.h"
#include "agent/evidence/evidence_recorder.h"
#include "agent/hooks/event_hook.h"
#include "agent/instance_lock.h"
#include "agent/os/event_loop.h"
#include "agent/os/reaper.h"
#include "agent/os/worker.h"
#include "agent/record/repeated_errors.h"
#include "agent/supervision/backend.h"
#include "exporters/http/http_front.h"
#include "probes/http/curl_multi.h"

namespace codex {

/// How the daemon was started.
struct AgentOptions {
  bool start_backends = false;  ///< start all of them at once, but for those that were stopped by an operator
  bool adopt_only = false;      ///< what an earlier agent left running is taken over, nothing else is started
  std::vector<std::string> adopt_only_of;  ///< the same for these backends
  bool replace = false;                    ///< take over from the agent that runs now
  std::optional<int> ready_fd;  ///< write one byte here when commands are taken, then work in the background
};

/// The whole agent. Members are in dependency order: construction is start-up, destruction is shut-down.
class Agent {
 public:
  /// Takes the directory's lock, binds the metrics port and the control socket. Throws std::runtime_error
  /// with a message for the operator when the agent cannot work here; nothing has been started then.
  Agent(Config config, AgentOptions options);

  /// Works until SIGTERM, SIGINT or a shutdown command, stops every backend, and returns the exit code.
  int run();

 private:
  void callback_failed(std::string_view callback, std::string_view error);
  void resume();
  void on_reaped(pid_t pid, const ExitStatus& status, const rusage& usage);
  void changed();
  void publish();
  void shut_down();
  std::vector<OperationTarget*> all_targets();
  void end_after(std::uint64_t operation);
  void hand_over();
  void finish_hand_over();
  void open_control();
  void look_after_state_directory();
  void renew_state_directory();
  void announce();
  std::shared_ptr<const Snapshot> snapshot();
  Snapshot build_snapshot();
  void add_collectors(AgentSnapshot& agent);

  Config config_;
  AgentOptions options_;
  InstanceLock lock_;
  rlimit inherited_open_files_;
  EventLoop loop_;
  LoopSchedule schedule_{loop_};
  TimePoint started_at_ = Clock::now();
  WallTime config_loaded_at_ = std::chrono::system_clock::now();
  Worker disk_{"disk", 1024};
  Worker resolver_{"resolver", 64};
  Worker walker_{"walker", 64};
  RotatingFile log_file_;
  Logger log_;
  RotatingFile events_file_;
  EventHistory events_;
  StateFile state_;
  TreeIdentities identities_;
  CurlMulti curl_;
  Reaper reaper_;
  EventHook event_hook_;
  EvidenceRecorder evidence_;
  std::vector<std::unique_ptr<Backend>> backends_;
  std::deque<BackendTarget> targets_;  ///< the same, for commands
  RepeatedErrors callback_errors_;
  std::vector<Backend*> to_resume_;  ///< of which it could not be told yet what an earlier agent left
  Operations operations_;
  HttpRoutes public_routes_, control_routes_;
  std::shared_ptr<const Snapshot> snapshot_;  ///< nullptr: something has changed since the last one
  bool shutting_down_ = false;                ///< from the command on; nothing may be started any more
  bool handing_over_ = false;                 ///< the backends stay for the next agent
  std::size_t holding_ = 0;                   ///< backends that still have a use for this agent then
  bool ending_ = false;                       ///< the loop is about to be left
  int exit_code_ = 0;                         ///< of run(), once ending_
  std::uint64_t told_ = 0;                    ///< what waiting clients have been told: revisions and events
  std::optional<std::uint64_t> shutdown_operation_;
  std::string metrics_url_;
  std::unique_ptr<HttpFront> public_front_, control_front_;
  SignalWatch sigterm_, sigint_;
  Timer resume_, publish_, deadlines_, end_, hand_over_, settled_, housekeeping_;  // keep last
};

}  // namespace codex
