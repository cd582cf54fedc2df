#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/os/event_loop.h"
#include "agent/os/proc_files.h"
#include "agent/policy/hang_policy.h"
#include "probes/hang/hang_detector.h"
#include "probes/hang/hang_observer.h"
#include "probes/hang/startup_waits.h"
#include "probes/probe_result.h"
#include "probes/probe_spec.h"

namespace codex {

/// Watches one backend for hangs: looks every 50 ms while it runs, judges, and says when something is to be
/// done. It does nothing itself beyond looking: no signal, no request. Loop thread.
class HangWatch {
 public:
  /// A hang was first suspected, then confirmed, acted upon, or is over. Called from the loop, one after
  /// the other; they may call stop() and watch().
  struct Events {
    std::function<void(const HangVerdict&)> suspected;  ///< ask the HTTP probe now: its answer is a vote
    /// Still suspected: a look now, to compare with later; may be empty.
    std::function<void(const HangVerdict&)> half_way;
    /// The moment for evidence; again when the class changes.
    std::function<void(const HangVerdict&)> confirmed;
    std::function<void(const HangVerdict&, const HangPolicy::Decision&)> act;  ///< never with kNone
    std::function<void(const HangVerdict& last, Duration lasted)> over;  ///< progress again, or the end of it
    /// Every look at several processes that serve, and the first at one after that; may be empty.
    std::function<void(const std::vector<ProcessId>& serving, const std::vector<StuckWorker>& stuck)> workers;
    /// Every look, for a recorder; may be empty.
    std::function<void(const HangObservation&, const HangVerdict&)> looked;
  };

  /// `members`: the live processes of the backend's tree; asked twice a second while it starts.
  HangWatch(EventLoop& loop, HangPolicy policy, std::function<std::vector<ProcStat>()> members,
            Events events);

  /// A start begins: until watch() or start_is_over(), the tree is watched for signs of life. For starts that
  /// end by a port; what else a program is doing that says nothing, nobody can tell.
  /// `database_port` as in watch().
  void watch_start(std::optional<std::uint16_t> database_port, Duration time_limit);

  /// Whatever it does from here on is no start. Nothing is watched until watch(), unless that came first.
  void start_is_over();

  /// `server` listens now; `address` as in Listener, `network`: where that is. The same process again changes
  /// nothing. Throws std::system_error as HangObserver does; then nothing is watched until it is called
  /// again.
  void watch(const ProcessId& server, const std::string& address, std::uint16_t port,
             std::optional<std::uint16_t> database_port, NetworkNamespace network = {});

  /// The backend is on its way down. Ends a hang that was told of, by over().
  void stop();

  /// Facts from elsewhere, as they come.
  enum class Asked { kHttp, kDatabase };
  /// What a probe asks, as far as it says something of hangs of the backend on `port`.
  static std::optional<Asked> asked_of(const ProbeSpec& spec, std::optional<std::uint16_t> port);
  void probe_began(Asked asked, bool encrypted = false);
  /// `unanswered`: it ran into its time limit, and no answer had begun.
  void probe_ended(Asked asked, Outcome outcome, bool unanswered);

  [[nodiscard]] const HangVerdict& verdict() const { return detector_.verdict(); }
  [[nodiscard]] std::map<HangClass, int> votes() const { return detector_.votes(); }
  /// Who served at the last look; empty while nobody is watched.
  [[nodiscard]] const std::vector<ProcessId>& serving() const { return serving_; }
  [[nodiscard]] HangSignals signals() const { return watching() ? detector_.signals() : HangSignals{}; }
  /// It has no time left and yet gets on, so that a probe's timeout says nothing else; whence we know.
  [[nodiscard]] std::optional<std::string> overload() const {
    return watching() ? detector_.overload() : std::nullopt;
  }
  /// What will be done about a hang, and when its clock shows `patience`.
  [[nodiscard]] HangPolicy::Decision plan(const HangVerdict& verdict) const {
    return policy_.plan(verdict, loop_.now());
  }
  /// CPU time that all looks together took.
  [[nodiscard]] Duration spent() const { return spent_; }
  [[nodiscard]] bool watching() const { return timer_.armed(); }

  /// Where databases are looked for: at their usual ports, and at the backend's own.
  static std::set<std::uint16_t> database_ports(std::optional<std::uint16_t> own);

  static constexpr Duration kPeriod = std::chrono::milliseconds(50);

 private:
  struct Probing {
    std::optional<TimePoint> began, success_began, unanswered_since;
    int failures = 0;
    bool known = false, encrypted = false;
  };
  void look();
  HangObservation observe(TimePoint now);
  StartupView look_at_start(TimePoint now);
  [[nodiscard]] static ProbeFact fact(const Probing& probing, TimePoint now);
  void tell(const HangVerdict& verdict, TimePoint now);
  void tell_over(TimePoint now);
  void tell_workers(const HangObservation& seen);
  bool host_slept();

  EventLoop& loop_;
  std::function<std::vector<ProcStat>()> members_;
  Events events_;
  HangDetector detector_;
  HangPolicy policy_;
  std::optional<ProcessId> server_;
  std::unique_ptr<HangObserver> observer_;
  std::optional<TimePoint> started_;  ///< while it starts
  Duration start_limit_{0};
  TimePoint looked_at_start_{};
  std::unique_ptr<StartupWaits> start_waits_;
  Probing http_, database_;
  std::vector<ProcessId> serving_;
  bool told_workers_ = false;
  Duration spent_{0};
  Duration boot_ahead_{0};  ///< CLOCK_BOOTTIME counts suspends, CLOCK_MONOTONIC does not
  struct Told {
    HangVerdict::State state = HangVerdict::State::kHealthy;
    std::optional<HangClass> hang;
    bool half_way = false;
    HangVerdict last;
    TimePoint since{};
  } told_;
  Timer timer_;  // keep last
};

}  // namespace codex
