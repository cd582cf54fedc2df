#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/config/config.h"
#include "agent/os/schedule.h"
#include "agent/policy/exit_diagnosis.h"
#include "agent/policy/probe_tracker.h"
#include "agent/policy/wrapper_guard.h"
#include "agent/record/backend_record.h"
#include "agent/supervision/backend_tree.h"
#include "agent/supervision/report.h"
#include "agent/text/redactor.h"

namespace codex {

/// Notices ends that nobody asked for, of the leader or of an application below a wrapper that lives on, and
/// says why. Loop thread.
class ApplicationWatch {
 public:
  struct Hands {
    std::function<void(const Report&)> ended;  ///< kExited
    std::function<void()> changed;             ///< idle() or undecided() may not be what it was
    std::function<void()> look_again;          ///< it is time to look at the port and to look() again
    std::function<void()> forgive;  ///< an edit has come: what its probes have said no longer counts
    std::function<std::uint64_t()> oom_kills;  ///< of the kernel so far
  };
  /// `probes` has those of `config`. Everything outlives it.
  ApplicationWatch(const BackendConfig& config, const std::vector<ProbeTracker>& probes,
                   const Lifecycle& lifecycle, Schedule& schedule, BackendTree& tree, BackendRecord& record,
                   const Redactor& redactor, Hands hands);

  /// A new generation: nothing has listened yet.
  void begin_generation();
  /// The present generation has been ready.
  void served() { served_ = true; }

  /// The leader has ended.
  void leader_exited(const ExitStatus& status);

  /// Looks whether the application is gone while what started it lives; after each look at the port. Throws
  /// std::system_error when the processes cannot be looked at.
  void look();

  /// Whatever it is: the error that it, or something that it has started, reported last; "" without one.
  [[nodiscard]] std::string said();

  /// What is known of an application that ended below a wrapper; "" otherwise.
  [[nodiscard]] const std::string& idle() const { return idle_; }
  /// It may have ended: its probes fail for that, or are about to.
  [[nodiscard]] bool undecided() const { return wrapper_.undecided(schedule_.now()); }

 private:
  void look_at_start();
  void found_idle();
  void idles_on(TimePoint since);
  void give_up_waiting();
  [[nodiscard]] bool code_is_good() const;
  [[nodiscard]] bool only_wrappers_live();
  [[nodiscard]] std::string words(const ExitDiagnosis& diagnosis) const;
  [[nodiscard]] TimePoint outlived() const;
  [[nodiscard]] ExitDiagnosis diagnose(const ExitStatus& status);
  [[nodiscard]] Await cure(Cause cause);
  void ended(const ExitDiagnosis& diagnosis, const std::string& how);

  const BackendConfig& config_;
  const std::vector<ProbeTracker>& probes_;
  const Lifecycle& lifecycle_;
  Schedule& schedule_;
  BackendTree& tree_;
  BackendRecord& record_;
  const Redactor& redactor_;
  Hands hands_;
  WrapperGuard wrapper_;
  std::string idle_;
  bool served_ = false;
  std::uint64_t oom_kills_ = 0;  ///< when the present generation was started
  std::unique_ptr<Alarm> look_again_;
};

}  // namespace codex
