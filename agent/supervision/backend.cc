#include "agent/supervision/backend.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include "agent/changes/change_watch.h"
#include "agent/os/check.h"
#include "agent/os/kernel_counters.h"
#include "agent/record/log_line.h"
#include "agent/supervision/describe.h"

namespace codex {

namespace {

/// What we write ourselves is no change of the project.
std::vector<std::filesystem::path> own_files(const BackendConfig& config, const BackendServices& services) {
  return {config.output_file, config.pid_file, services.log_file, services.state_directory};
}

std::vector<std::string> names_of(const std::vector<ProbeSpec>& probes) {
  std::vector<std::string> names;
  for (const ProbeSpec& probe : probes) names.push_back(probe.name);
  return names;
}

}  // namespace

Backend::Backend(const BackendConfig& config, const BackendServices& services, std::function<void()> changed)
    : context_{config, services, std::move(changed), {services.log, services.redactor, config.name}},
      driver_(
          {config.start_timeout, config.stop_timeout, config.restart},
          std::hash<std::string>{}(services.identities.of(config.name).token_prefix()), services.schedule,
          {.entered = [this](State before) { entered(before); },
           .carry_out = [this](const Action& action) { carry_out(action); },
           .leftovers =
               [this] {
                 // True also when it cannot be told: to bring down what is not there is soon done.
                 bool found = true;
                 context_.troubles.look("processes", context_.services.schedule.now(),
                                        [&] { found = !tree_.members().empty(); });
                 return found;
               },
           .held = [this] { return look_for_debugger(); },
           .failed = [this](std::string_view step, const std::exception& error) { step_failed(step, error); },
           .settled =
               [this] {
                 save();
                 context_.changed();
               }}),
      story_(config.name, names_of(config.probes), services.schedule, services.log, services.redactor,
             services.events),
      tree_(context_.config, context_.services, context_.troubles,
            {.executed =
                 [this] {
                   resources_.look();
                   startup_.executed();
                 },
             .spawn_failed = [this](const SpawnError& error) { process_.spawn_failed(error); },
             .leader_exited = [this](const ExitStatus& status) { process_.leader_exited(status); },
             .server_ended = [this] { look_at_application(); },
             .empty = [this](bool port_free) { process_.tree_empty(port_free); },
             .signalled = [this](const std::string& signal) { story_.record().stop_signal(signal); }}),
      process_(config.name, services.state.earlier(config.name), services.schedule, tree_, context_.troubles,
               story_.record(), services.log,
               {.begins =
                    [this] {
                      held_start_.clear();
                      startup_.begin(process_.adopted_ready());
                      health_.begin_generation();
                      application_.begin_generation();
                      resources_.begin_generation();
                      // How long a start took is not known of one that another agent began.
                      if (tree_.port() != nullptr && !process_.adopted())
                        hangs_.watch().watch_start(own_database_port(context_.config),
                                                   context_.config.start_timeout);
                    },
                .begun =
                    [this] {
                      story_.tell_problem("");
                      prober_.begin_generation();
                      if (process_.adopted()) resources_.look();
                      if (process_.adopted()) startup_.executed();
                    },
                .exited = [this](const ExitStatus& status) { application_.leader_exited(status); },
                .reported = [this](const Report& what) { report(what); }}),
      prober_(
          context_.config.probes,
          ProbeContext{services.loop, services.resolver, tree_.sock_diag(), services.redactor, services.curl,
                       [this](const Listener& listener) {
                         auto* port = tree_.port_watch();
                         return port != nullptr ? port->holder_of(listener) : ListenerHolder{};
                       }},
          {[this](std::size_t index) {
             const auto& spec = prober_.trackers()[index].spec();
             const auto asked = HangWatch::asked_of(spec, context_.config.port);
             if (asked) hangs_.watch().probe_began(*asked, spec.url.reveal().starts_with("https:"));
           },
           [this](std::size_t index) { probe_answered(index); }}),
      startup_(context_.config, prober_.trackers(), services.schedule, tree_,
               {.listens = [this] { follow_server(); },
                .reachable = [this] { prober_.begin_readiness(); },
                .ready = [this] { driver_.handle({EventType::kReady}); },
                .followed = [this] { context_.changed(); }}),
      health_(config.restart),
      hangs_(
          context_.config, services.loop, [this] { return tree_.members(); }, services.schedule,
          driver_.lifecycle(), story_.record(), services.log, services.redactor,
          {.capture = [this](EvidenceRequest request,
                             EvidenceRecorder::Done done) { capture(std::move(request), std::move(done)); },
           .capturing = [this] { return context_.services.evidence.busy(context_.config.name); },
           .continue_server =
               [this] {
                 context_.troubles.look("SIGCONT", context_.services.schedule.now(),
                                        [this] { tree_.resume_server(); });
               },
           .signal_worker =
               [this](const ProcessId& worker, int signal) {
                 context_.troubles.look("signal a worker", context_.services.schedule.now(),
                                        [&] { tree_.signal(worker, signal); });
               },
           .ask_http = [this] { prober_.ask_http_now(); },
           .changed =
               [this] {
                 follow_health();
                 context_.changed();
               },
           .forgive = [this] { prober_.forgive_all(); },
           .restart = [this](const Report& what) { report(what); }}),
      application_(context_.config, prober_.trackers(), driver_.lifecycle(), services.schedule, tree_,
                   story_.record(), services.redactor,
                   {.ended = [this](const Report& what) { report(what); },
                    .changed = [this] { follow_health(); },
                    .look_again = [this] { look_at_application(); },
                    .forgive = [this] { prober_.forgive_all(); },
                    .oom_kills = kernel_oom_kills}),
      resources_(config.memory_limit_bytes, driver_.lifecycle(), services.schedule, tree_, context_.troubles,
                 services.redactor,
                 {.looked =
                      [this](bool used) {
                        if (used)
                          story_.note_usage(static_cast<double>(tree_.usage().used_memory.bytes),
                                            tree_.cpu_ratio());
                        if (lifecycle().state() == State::kStarting) look_for_debugger();
                        look_at_application();
                        follow_health();
                        context_.changed();
                      },
                  .over_limit = [this](const Report& what) { report(what); }}),
      awaited_(config.name, config.restart.retry_interval, prober_.trackers(), driver_.lifecycle(),
               services.schedule, tree_, services.log, services.redactor,
               [this](ProjectChanges::Events events) {
                 const auto& own = context_.services;
                 return std::make_unique<ChangeWatch>(own.loop, own.walker, context_.config.directory,
                                                      own_files(context_.config, own), std::move(events));
               },
               {.ask_database = [this] { prober_.begin_generation(); },
                .come = [this] { driver_.handle({EventType::kUnblocked}); }}) {
  if (const auto earlier = services.state.earlier(config.name)) {
    story_.record().restore(earlier->history);
    driver_.budget().restore(earlier->budget);
  }
  const bool alive = !tree_.members().empty();
  if (alive) {
    services.log.warning(LogLine("leftovers_found")
                             .kv("backend", config.name)
                             .kv("why", "an earlier agent ended without stopping it")
                             .str());
    resources_.look_soon();
  }
  story_.recall(alive);
}

void Backend::start() {
  context_.services.log.info(LogLine("start_requested").kv("backend", name()).str());
  Event event{EventType::kStart};
  event.adoptable = process_.adoptable();
  driver_.handle(event);
}

void Backend::stop() {
  context_.services.log.info(LogLine("stop_requested").kv("backend", name()).str());
  driver_.handle({EventType::kStop});
}

void Backend::restart() {
  context_.services.log.info(LogLine("restart_requested").kv("backend", name()).str());
  driver_.handle({EventType::kRestart, Cause::kRestartCommand});
}

void Backend::resume(bool otherwise, bool spawning) {
  if (driver_.commanded()) return;
  const auto earlier = context_.services.state.earlier(name());
  const bool alive = !tree_.members().empty();
  // What lives and of which nothing is known was not stopped by anybody.
  const bool wanted = earlier ? earlier->desired_running : otherwise || alive;
  if (wanted && (spawning || alive)) {
    Event event{EventType::kStart};
    event.resumed = true;
    event.adoptable = process_.adoptable();
    driver_.handle(event);
  }
  if (!wanted && alive) stop();
  story_.agent_started();
}

void Backend::release(std::function<void()> released) {
  prober_.stop();
  tree_.hand_over(std::move(released));
}

/// An event that a part has found, with its explanation.
void Backend::report(const Report& report) {
  if (!report.problem.empty()) story_.tell_problem(report.problem);
  const auto type = report.event.type;
  // Nothing was started, and what the last one wrote says nothing about it.
  if (type == EventType::kPortTaken) tree_.begin_generation();
  if (type == EventType::kRestart || (type == EventType::kExited && !report.problem.empty())) story_.ill();
  driver_.handle(report.event);
}

/// Half a start is a failed one: whatever lives of it is taken down, or there is nothing to take down.
void Backend::step_failed(std::string_view step, const std::exception& error) {
  const std::string problem = context_.services.redactor.safe(error.what());
  context_.services.log.error(
      LogLine("step_failed").kv("backend", name()).kv("step", step).kv("error", problem).str());
  if (step != LifecycleDriver::kStartStep) return story_.tell_problem(problem);
  Event failed{tree_.leader() ? EventType::kExited : EventType::kSpawnFailed, Cause::kCrash};
  const auto* system_error = dynamic_cast<const std::system_error*>(&error);
  failed.transient = true;
  failed.shortage = system_error != nullptr && is_shortage(system_error->code().value());
  report({failed, "Server could not be started: " + problem});
}

void Backend::carry_out(const Action& action) {
  switch (action.type) {
    case ActionType::kSpawn:
      return process_.spawn();
    case ActionType::kAdopt:
      return process_.adopt();
    case ActionType::kStopTree:
      return begin_stop();
    case ActionType::kKillTree: {
      LogLine line("stop_timeout");
      line.kv("backend", name()).kv("action", "SIGKILL");
      const std::string obstacle = tree_.kill();
      if (!obstacle.empty()) line.kv("obstacle", obstacle);
      if (!obstacle.empty()) story_.tell_problem(obstacle);
      return context_.services.log.warning(line.str());
    }
    case ActionType::kCountRestart:
      return story_.record().restarted(action.cause);
    case ActionType::kArmTimer:
    case ActionType::kDisarmTimer:
      return;  // the driver's own
  }
}

/// What an operator wants stopped stays stopped, whatever happens to this agent: the wish is written down
/// before the first signal goes out. A restart has no such haste; should we die in it, it is a start for the
/// next agent.
void Backend::begin_stop() {
  if (lifecycle().desired_running()) return tree_.stop();
  save();
  context_.services.state.when_saved([this] {
    if (lifecycle().state() == State::kStopping) tree_.stop();
  });
}

void Backend::save() {
  SavedBackend saved;
  saved.desired_running = lifecycle().desired_running();
  saved.stopping = lifecycle().state() == State::kStopping;
  saved.ready = lifecycle().state() == State::kRunning;
  saved.guessable = tree_.identity().guessable;
  process_.save(saved);
  saved.budget = lifecycle().budget().history();
  saved.history = story_.record().history();
  context_.services.state.save(name(), std::move(saved));
}

}  // namespace codex
