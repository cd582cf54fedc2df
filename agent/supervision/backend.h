#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "agent/supervision/application_watch.h"
#include "agent/supervision/awaited_condition.h"
#include "agent/supervision/backend_process.h"
#include "agent/supervision/backend_services.h"
#include "agent/supervision/backend_story.h"
#include "agent/supervision/hang_response.h"
#include "agent/supervision/health_watch.h"
#include "agent/supervision/lifecycle_driver.h"
#include "agent/supervision/live_tree.h"
#include "agent/supervision/prober.h"
#include "agent/supervision/resource_watch.h"
#include "agent/supervision/startup_watch.h"

namespace codex {

/// One supervised backend: carries out what its Lifecycle decides and feeds it what its parts find. Loop thread.
///
/// One direction: a part reports an event and the sentence that explains it -> Lifecycle -> actions; a new state
/// begins and ends the parts' watches and is published; every change ends in changed(), after which snapshot()
/// tells the new story. No part knows another one, or this class.
class Backend {
 public:
  Backend(const BackendConfig& config, const BackendServices& services, std::function<void()> changed);
  Backend(const Backend&) = delete;
  Backend& operator=(const Backend&) = delete;

  void start();
  void stop();
  void restart();

  /// Brings it into the state that the operators wanted when the last agent was killed; `otherwise` is wanted
  /// if none was. Without `spawning` only what lives is taken over or down. Nothing after a command. Throws
  /// std::system_error if it cannot be told what lives; to be called again then.
  void resume(bool otherwise, bool spawning);

  /// What the last command and everything since has led to would survive the agent's death.
  [[nodiscard]] bool saved() const { return context_.services.state.settled(); }

  /// The agent is about to end and leaves everything as it is, for the next one. `released`: that has no
  /// further use for this agent.
  void release(std::function<void()> released);

  /// The reaper's report; true if the process was this backend's.
  bool on_reaped(pid_t pid, const ExitStatus& status, const rusage& usage) {
    return tree_.on_reaped(pid, status, usage);
  }

  [[nodiscard]] const std::string& name() const { return context_.config.name; }
  [[nodiscard]] const BackendConfig& config() const { return context_.config; }
  [[nodiscard]] const Lifecycle& lifecycle() const { return driver_.lifecycle(); }
  /// The outcome of the last start or stop in one line, for the operator who asked for it.
  [[nodiscard]] std::string summary() const;
  /// The newest lines, ten at most, of what it wrote since it was started last, safe to show.
  [[nodiscard]] std::vector<std::string> last_output() const;
  /// State and phase under way in two words, for those who only want to know whether anything moved.
  [[nodiscard]] std::string progress() const;
  [[nodiscard]] BackendSnapshot snapshot() const;
  [[nodiscard]] BackendRecent recent() const { return story_.recent(); }
  [[nodiscard]] const ResourceSampler& sampler() const { return tree_.sampler(); }

 private:
  struct Context {
    BackendConfig config;
    BackendServices services;
    std::function<void()> changed;
    StandingTroubles troubles;
  };

  void report(const Report& report);
  void step_failed(std::string_view step, const std::exception& error);
  void carry_out(const Action& action);
  void begin_stop();
  void entered(State before);
  void rest();
  void start_failed();
  void probe_answered(std::size_t index);
  void capture(EvidenceRequest request, EvidenceRecorder::Done done);
  void follow_server();
  void look_at_application();
  bool look_for_debugger();
  void follow_health();
  void publish(std::string_view reason, const std::string& detail);
  void save();

  Context context_;
  std::string held_start_;  ///< by a debugger, in words
  LifecycleDriver driver_;
  BackendStory story_;
  LiveTree tree_;
  BackendProcess process_;
  Prober prober_;
  StartupWatch startup_;
  HealthWatch health_;
  HangResponse hangs_;
  ApplicationWatch application_;
  ResourceWatch resources_;
  AwaitedCondition awaited_;
};

}  // namespace codex
