#include "agent/supervision/backend.h"

#include <algorithm>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "agent/os/check.h"
#include "agent/record/log_line.h"
#include "agent/supervision/describe.h"

namespace codex {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// What we write ourselves is no change of the project.
std::vector<std::filesystem::path> own_files(const BackendConfig& config, const BackendServices& services) {
  return {config.output_file, config.pid_file, services.log_file, services.state_directory};
}

/// What lives may be of an agent of 0.1.0, or taken over from one.
TreeIdentity identity_of(const BackendConfig& config, const BackendServices& services) {
  TreeIdentity identity = services.identities.of(config.name);
  const auto earlier = services.state.earlier(config.name);
  identity.guessable = earlier && earlier->guessable;
  return identity;
}

std::vector<std::string> names_of(const std::vector<ProbeSpec>& probes) {
  std::vector<std::string> names;
  for (const ProbeSpec& probe : probes) names.push_back(probe.name);
  return names;
}

}  // namespace

Backend::Backend(const BackendConfig& config, BackendServices services, std::function<void()> changed)
    : config_(config),
      services_(services),
      changed_(std::move(changed)),
      recent_(names_of(config.probes)),
      lifecycle_({config.start_timeout, config.stop_timeout, config.restart},
                 std::hash<std::string>{}(services.identities.of(config.name).token_prefix())),
      troubles_(services.log, services.redactor, config.name),
      tree_(services.loop, identity_of(config, services), services.use_cgroup,
            {[this] {
               if (startup_) startup_->set(StartupPhase::kSpawn, true, Clock::now());
               sample();
               follow_startup();
             },
             [this](const SpawnError& error) { spawn_failed(error); },
             [this](const ExitStatus& status) { exited(status); }}),
      stopper_(services.loop, tree_, sock_diag_, config.port,
               {[this](bool port_free) {
                  if (port_free) port_seen_free_ = services_.loop.now();
                  handle({EventType::kTreeEmpty});
                },
                [this](const std::string& signal) { record_.stop_signal(signal); }}),
      output_file_(services.disk, config.output_file, config.output_max_bytes, config.output_keep),
      output_(services.loop, services.redactor, output_file_, services.state_directory, config.name),
      sampler_(config.collect_pss),
      prober_(config.probes,
              ProbeContext{services.loop, services.resolver, sock_diag_, services.redactor, services.curl,
                           [this](const Listener& listener) {
                             return port_ ? port_->holder_of(listener) : ListenerHolder{};
                           }},
              {[this](std::size_t index) { probe_asked(index); },
               [this](std::size_t index) {
                 probe_answered(index);
                 note_answer(index);
                 follow_startup();
                 follow_health();
                 follow_awaited();
               }}),
      memory_(config.memory_limit_bytes),
      reconnect_(config.restart.reconnect_timeout),
      server_(services.loop, [this] { look_for_idle_wrapper(); }),
      hang_watch_(services.loop, HangPolicy(config.hang_action == HangReaction::kRestart, config.hang_rules),
                  [this] { return tree_.members(); },
                  {[this](const HangVerdict&) { prober_.ask_http_now(); },
                   [this](const HangVerdict& verdict) { hang_suspected(verdict); },
                   [this](const HangVerdict& verdict) { hang_confirmed(verdict); },
                   [this](const HangVerdict& verdict, const HangPolicy::Decision& decision) {
                     hang_due(verdict, decision);
                   },
                   [this](const HangVerdict& last, Duration lasted) { hang_over(last, lasted); },
                   {}}),
      change_(services.loop, services.walker, config.directory, own_files(config, services),
              {[this] { unblock(); }, [this] { change_limited(); }}),
      state_timer_(
          services.loop, "state", [this] { timer(); }, Priority::kUrgent),
      adopt_timer_(services.loop, "adopt",
                   [this] { start_attempted(attempt("adopt", [this] { adopt(); })); }),
      listen_timer_(services.loop, "listen", [this] { follow_startup(); }),
      sample_timer_(
          services.loop, "sample", [this] { sample(); }, Priority::kNormal, milliseconds(20)),
      idle_timer_(services.loop, "idle_wrapper", [this] { look_for_idle_wrapper(); }),
      await_timer_(services.loop, "await", [this] { follow_awaited(); }) {
  if (const auto earlier = services_.state.earlier(config_.name)) {
    generation_ = earlier->generation;
    told_to_end_ = earlier->stopping;
    record_.restore(earlier->history);
    lifecycle_.budget().restore(earlier->budget);
  }
  if (config_.port) port_.emplace(*config_.port, sock_diag_, tree_, services_.redactor);
  if (tree_.find_leftovers()) {
    services_.log.warning(LogLine("leftovers_found")
                              .kv("backend", config_.name)
                              .kv("why", "an earlier agent ended without stopping it")
                              .str());
    sample_timer_.arm_after(Duration{0});
  }
  recall();
}

void Backend::start() {
  services_.log.info(LogLine("start_requested").kv("backend", config_.name).str());
  begin_start(false);
  commanded_ = true;
}

void Backend::begin_start(bool resumed) {
  Event event{EventType::kStart};
  event.resumed = resumed;
  event.leftovers = may_have_leftovers();
  event.adoptable = !told_to_end_ && tree_.adoptable();
  handle(event);
}

void Backend::stop() {
  services_.log.info(LogLine("stop_requested").kv("backend", config_.name).str());
  commanded_ = true;
  Event event{EventType::kStop};
  event.leftovers = may_have_leftovers();
  handle(event);
}

void Backend::restart() {
  services_.log.info(LogLine("restart_requested").kv("backend", config_.name).str());
  commanded_ = true;
  Event event{EventType::kRestart, Cause::kRestartCommand};
  event.leftovers = may_have_leftovers();
  handle(event);
}

void Backend::resume(bool otherwise, bool spawning) {
  if (commanded_) return;
  const auto earlier = services_.state.earlier(config_.name);
  const bool alive = !tree_.members().empty();
  // What lives and of which nothing is known was not stopped by anybody.
  const bool wanted = earlier ? earlier->desired_running : otherwise || alive;
  if (wanted && (spawning || alive)) begin_start(true);
  if (!wanted && alive) stop();
  recent_.entered(record_.state(), "agent_started", services_.loop.now());
}

void Backend::release() {
  prober_.stop();
  output_.hand_over([this] { released_ = true; });
}

void Backend::timer() {
  Event event{EventType::kTimer};
  const State state = lifecycle_.state();
  event.leftovers = (state == State::kBackoff || state == State::kFailed) && may_have_leftovers();
  handle(event);
}

bool Backend::on_reaped(pid_t pid, const ExitStatus& status, const rusage& usage) {
  if (!tree_.on_reaped(pid, status)) return false;
  sampler_.add_reaped(usage);
  stopper_.member_gone();
  return true;
}

void Backend::handle(Event event) {
  queue_.push_back(event);
  if (handling_) return;  // An action's own events wait until the action's step is complete.
  handling_ = true;
  while (!queue_.empty()) {
    const Event next = queue_.front();
    queue_.pop_front();
    const State before = lifecycle_.state();
    const auto actions = lifecycle_.on(next, services_.loop.now());
    if (lifecycle_.state() != before) attempt("entered", [&] { entered(before); });
    for (const auto& action : actions) {
      const bool starts = action.type == ActionType::kSpawn || action.type == ActionType::kAdopt;
      const auto attempted = attempt("action", [&] { carry_out(action); });
      if (starts) start_attempted(attempted);
    }
  }
  handling_ = false;
  save_state();
  changed_();
}

/// A look that may fail for a while, and keeps no other from being made.
bool Backend::look(std::string_view what, const std::function<void()>& step) {
  return troubles_.look(what, services_.loop.now(), step);
}

/// False without a port, and when it cannot be looked at: then the last look counts on.
bool Backend::look_at_port() {
  return port_ && look("port", [this] { port_->look(); });
}

/// True also when it cannot be told: to bring down what is not there is soon done.
bool Backend::may_have_leftovers() {
  bool found = true;
  look("processes", [&] { found = !tree_.members().empty(); });
  return found;
}

void Backend::save_state() {
  SavedBackend saved;
  saved.desired_running = lifecycle_.desired_running();
  saved.stopping = lifecycle_.state() == State::kStopping;
  saved.ready = lifecycle_.state() == State::kRunning;
  saved.guessable = tree_.identity().guessable;
  saved.generation = generation_;
  saved.budget = lifecycle_.budget().history();
  saved.history = record_.history();
  services_.state.save(config_.name, std::move(saved));
}

/// One step on its own, so that its failure keeps no other step from being done. Its error is in problem_
/// then; kShort: for want of descriptors or memory.
Backend::Attempted Backend::attempt(std::string_view what, const std::function<void()>& step) {
  try {
    step();
    return Attempted::kDone;
  } catch (const std::exception& e) {
    problem_ = services_.redactor.safe(e.what());
    services_.log.error(
        LogLine("step_failed").kv("backend", config_.name).kv("step", what).kv("error", problem_).str());
    const auto* error = dynamic_cast<const std::system_error*>(&e);
    return error != nullptr && is_shortage(error->code().value()) ? Attempted::kShort : Attempted::kFailed;
  }
}

/// Half a start is a failed one: whatever lives of it is taken down, or there is nothing to take down.
void Backend::start_attempted(Attempted attempted) {
  if (attempted == Attempted::kDone) return;
  problem_ = "Server could not be started: " + problem_;
  Event failed{tree_.leader() ? EventType::kExited : EventType::kSpawnFailed, Cause::kCrash};
  failed.transient = true;
  failed.shortage = attempted == Attempted::kShort;
  handle(failed);
}

void Backend::carry_out(const Action& action) {
  switch (action.type) {
    case ActionType::kSpawn:
      return spawn();
    case ActionType::kAdopt:
      return adopt();
    case ActionType::kStopTree:
      return begin_stop();
    case ActionType::kKillTree:
      return kill_tree();
    case ActionType::kArmTimer:
      return state_timer_.arm_at(action.at);
    case ActionType::kDisarmTimer:
      return state_timer_.disarm();
    case ActionType::kCountRestart:
      return record_.restarted(action.cause);
  }
}

/// What an operator wants stopped stays stopped, whatever happens to this agent: the wish is written down
/// before the first signal goes out. A restart has no such haste; should we die in it, it is a start for the
/// next agent.
void Backend::begin_stop() {
  if (lifecycle_.desired_running()) return stop_tree();
  save_state();
  services_.state.when_saved([this] {
    if (lifecycle_.state() == State::kStopping) stop_tree();
  });
}

void Backend::stop_tree() {
  look_at_port();  // The stopper asks in the network namespace where the tree listens.
  stopper_.stop(config_.stop_signal);
}

void Backend::kill_tree() {
  LogLine line("stop_timeout");
  line.kv("backend", config_.name).kv("action", "SIGKILL");
  if (stopper_.killing()) {
    problem_ = stopper_.obstacle();
    line.kv("obstacle", problem_);
  }
  services_.log.warning(line.str());
  stopper_.kill();
}

}  // namespace codex
