#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "agent/changes/change_watch.h"
#include "agent/config/config.h"
#include "agent/evidence/evidence_recorder.h"
#include "agent/os/event_loop.h"
#include "agent/os/rotating_file.h"
#include "agent/output/child_output.h"
#include "agent/policy/exit_diagnosis.h"
#include "agent/policy/health.h"
#include "agent/policy/lifecycle.h"
#include "agent/policy/memory_guard.h"
#include "agent/policy/reconnect_guard.h"
#include "agent/policy/startup.h"
#include "agent/policy/wrapper_guard.h"
#include "agent/process/port_watch.h"
#include "agent/process/process_end_watch.h"
#include "agent/process/process_tree.h"
#include "agent/process/resource_sampler.h"
#include "agent/process/tree_stopper.h"
#include "agent/record/backend_record.h"
#include "agent/record/event_history.h"
#include "agent/record/logger.h"
#include "agent/record/recent_history.h"
#include "agent/record/standing_troubles.h"
#include "agent/record/state_file.h"
#include "agent/supervision/hang_watch.h"
#include "agent/supervision/prober.h"
#include "exporters/snapshot.h"

namespace codex {

/// What all backends of one agent share; everything outlives them.
struct BackendServices {
  EventLoop& loop;
  Worker& disk;
  Worker& resolver;
  Worker& walker;  ///< for walks through a project's directories, which may take long
  CurlMulti& curl;
  const Redactor& redactor;
  Logger& log;
  EventHistory& events;
  StateFile& state;
  EvidenceRecorder& evidence;
  std::filesystem::path state_directory;
  std::filesystem::path log_file;    ///< the agent's own
  const TreeIdentities& identities;  ///< tell this agent's processes from all others, also the next agent
  bool use_cgroup = true;
  std::optional<rlimit> inherited_open_files;  ///< RLIMIT_NOFILE that children get back
};

/// One supervised backend: carries out what its Lifecycle decides and feeds it what happens. Loop thread.
///
/// One direction: tree, probes and timers -> events -> Lifecycle -> actions -> tree, probes, timers; every
/// change ends in changed(), after which snapshot() tells the new story.
class Backend {
 public:
  Backend(const BackendConfig& config, BackendServices services, std::function<void()> changed);

  void start();
  void stop();
  void restart();

  /// Brings it into the state that the operators wanted when the last agent was killed; `otherwise` is wanted
  /// if none was. Without `spawning` only what lives is taken over or down. Nothing after a command. Throws
  /// std::system_error if it cannot be told what lives; to be called again then.
  void resume(bool otherwise, bool spawning);

  /// What the last command and everything since has led to would survive the agent's death.
  [[nodiscard]] bool saved() const { return services_.state.settled(); }

  /// The agent is about to end and leaves everything as it is, for the next one. released(): that has no
  /// further use for this agent.
  void release();
  [[nodiscard]] bool released() const { return released_; }

  /// The reaper's report; true if the process was this backend's.
  bool on_reaped(pid_t pid, const ExitStatus& status, const rusage& usage);

  [[nodiscard]] const std::string& name() const { return config_.name; }
  [[nodiscard]] const BackendConfig& config() const { return config_; }
  [[nodiscard]] const Lifecycle& lifecycle() const { return lifecycle_; }
  /// The outcome of the last start or stop in one line, for the operator who asked for it.
  [[nodiscard]] std::string summary() const;
  /// State and phase under way in two words, for those who only want to know whether anything moved.
  [[nodiscard]] std::string progress() const;
  [[nodiscard]] BackendSnapshot snapshot();
  [[nodiscard]] BackendRecent recent() const;

  [[nodiscard]] const ResourceSampler& sampler() const { return sampler_; }

 private:
  void handle(Event event);
  enum class Attempted { kDone, kFailed, kShort };
  Attempted attempt(std::string_view what, const std::function<void()>& step);
  void start_attempted(Attempted attempted);
  bool look(std::string_view what, const std::function<void()>& step);
  bool look_at_port();
  [[nodiscard]] bool may_have_leftovers();
  void timer();
  void kill_tree();
  void announce_pid();
  void carry_out(const Action& action);
  void spawn();
  void adopt();
  [[nodiscard]] bool was_ready(const ProcessTree::Adoptable& leftover);
  [[nodiscard]] bool has_resumed() const;
  void arm_listen_timer();
  void follow_startup();
  void follow_health();
  void begin_start(bool resumed);
  void begin_stop();
  void stop_tree();
  void begin_generation();
  void spawn_failed(const SpawnError& error);
  void save_state();

  // backend_hang.cc: what is made of the hang watch's news
  void follow_server();
  void probe_asked(std::size_t index);
  void probe_answered(std::size_t index);
  [[nodiscard]] const ProbeSpec* own_database() const;
  [[nodiscard]] std::optional<std::uint16_t> own_database_port() const;
  void hang_suspected(const HangVerdict& verdict);
  void hang_confirmed(const HangVerdict& verdict);
  void take_evidence(const HangVerdict& verdict, EvidenceRequest::Moment moment);
  void evidence_taken(const std::string& incident, const std::optional<EvidenceRecorder::Answer>& answer);
  void restart_hung();
  [[nodiscard]] std::string next_step() const;
  [[nodiscard]] HangSnapshot hang_snapshot() const;
  void hang_due(const HangVerdict& verdict, const HangPolicy::Decision& decision);
  void hang_over(const HangVerdict& last, Duration lasted);
  void consider_hang();

  // backend_recovery.cc: ends that nobody asked for, and what follows
  void exited(const ExitStatus& status);
  [[nodiscard]] TimePoint outlived() const;
  ExitDiagnosis diagnose(const ExitStatus& status);
  [[nodiscard]] Await cure(Cause cause);
  void look_for_idle_wrapper();
  void application_ended(const ExitDiagnosis& diagnosis, const std::string& how);
  void watch_memory();
  void await();
  void change_limited();
  void follow_awaited();
  void unblock();

  void entered(State before);
  void rest();
  void start_ended_early();
  void publish_state(std::string_view reason, std::string detail);
  void sample();

  // backend_recent.cc: what is kept for people who look at the last hour
  void recall();
  void note_answer(std::size_t index);

  BackendConfig config_;
  BackendServices services_;
  std::function<void()> changed_;
  BackendRecord record_;
  RecentHistory recent_;
  Lifecycle lifecycle_;
  SockDiag sock_diag_;
  StandingTroubles troubles_;
  ProcessTree tree_;
  TreeStopper stopper_;
  std::optional<PortWatch> port_;
  RotatingFile output_file_;
  ChildOutput output_;
  ResourceSampler sampler_;
  Prober prober_;
  std::optional<Startup> startup_;
  HealthVerdict health_;
  WrapperGuard wrapper_;
  MemoryGuard memory_;
  ReconnectGuard reconnect_;
  ProcessEndWatch server_;
  HangWatch hang_watch_;
  std::optional<HangVerdict> hang_;  ///< while one is confirmed
  std::optional<HangSnapshot> last_hang_;
  std::string incident_;  ///< id of the evidence of the present suspicion or hang; "" without
  std::optional<TimePoint> suspicion_looked_at_;     ///< the last closer look at a mere suspicion
  std::optional<HangPolicy::Decision> restart_due_;  ///< waits only for the evidence
  ChangeWatch change_;
  std::string problem_;  ///< why the last start failed or the state is what it is; "" when all is well
  std::uint64_t generation_ = 0;
  std::string idle_wrapper_;     ///< what is known of an application that ended below a wrapper; "" otherwise
  bool told_to_end_ = false;     ///< by an earlier agent: what lives is not to be taken over
  std::uint64_t oom_kills_ = 0;  ///< of the kernel, when the present generation was started
  bool adopted_ = false;         ///< the present generation was started by an earlier agent
  bool resumed_ready_ = false;   ///< adopted, and its start had been completed then
  bool served_ = false;          ///< the present generation has been ready once
  std::optional<WallTime> started_at_;
  std::optional<pid_t> pid_written_;  ///< what the pid file says because of us
  TimePoint begun_at_{}, running_since_{}, port_seen_free_{};
  std::deque<Event> queue_;
  bool handling_ = false;
  bool commanded_ = false;  ///< by an operator, since this agent began
  bool released_ = false;
  Timer state_timer_, adopt_timer_, listen_timer_, sample_timer_, idle_timer_, await_timer_;  // keep last
};

}  // namespace codex
