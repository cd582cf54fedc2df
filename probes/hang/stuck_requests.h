#pragma once

#include <deque>
#include <optional>

#include "probes/hang/hang_observation.h"
#include "probes/hang/vote_window.h"

namespace codex {

/// Attempts of the HTTP probe in a row that failed or have been waiting for longer than an answer takes; nullopt
/// without such a probe.
std::optional<int> unanswered_probes(const ProbeFact& http);

/// Judges whether requests are answered; and what they wait for, if not. Pure. A request is one that a client
/// waits with, accepted or in the queue, and an attempt of our own probe: one that ran into its time limit
/// stays without an answer until another gets one.
///
/// Long polls look like requests without an answer. So a request must have waited much longer than the slow
/// ones of this backend usually do, nothing else may have been answered meanwhile, and without somebody
/// outside to blame an active HTTP probe must agree.
class StuckRequests {
 public:
  /// Call with every look that has `requests`.
  void observe(const HangObservation& seen);
  void reset();

  /// For how long nothing was answered although somebody waits; 0: all is well.
  [[nodiscard]] Duration clock() const { return clock_; }
  [[nodiscard]] std::optional<TimePoint> since() const { return since_; }
  [[nodiscard]] const VoteWindow& votes() const { return votes_; }

  /// Somebody outside is to blame, or the active probe agrees; else it is a suspicion that a probe may
  /// settle.
  [[nodiscard]] bool agreed() const { return agreed_; }

  /// A wait this long is not usual here: at least 1 s, four times what slow requests take.
  [[nodiscard]] Duration patience() const;
  /// Some request waits noticeably: worth a look at what it waits for.
  [[nodiscard]] bool somebody_waits() const { return somebody_waits_; }
  [[nodiscard]] bool anybody_waits() const { return anybody_waits_; }
  /// Nobody waits but our own probe.
  [[nodiscard]] bool only_we_wait() const { return only_we_wait_; }
  /// And soon again: something may be wrong, or is new. Waits that last are usual, unless they are suspect.
  [[nodiscard]] bool urgent(TimePoint now) const;

 private:
  struct Suspicion {
    HangClass hang;
    std::string why;
    bool agreed = true;
  };
  struct Unanswered {
    int clients = 0;  ///< accepted or not
    int probes = 0;   ///< attempts of ours
    Duration oldest{0};
    [[nodiscard]] int all() const { return clients + probes; }
  };
  [[nodiscard]] Unanswered unanswered(const HangObservation& seen) const;
  [[nodiscard]] std::optional<Suspicion> judge(const HangObservation& seen) const;
  [[nodiscard]] std::optional<Suspicion> outside_cause(const HangObservation& seen,
                                                       const Unanswered& waits) const;
  void learn(const RequestView& requests);
  void clear();

  std::deque<Duration> answered_after_;                      ///< one a look with answers, the newest
  int usual_database_waits_ = 0, usual_upstream_waits_ = 0;  ///< that no request waits for: subscriptions
  bool anybody_waits_ = false, somebody_waits_ = false, only_we_wait_ = false, agreed_ = false;
  Duration clock_{0};
  std::optional<TimePoint> taken_at_;  ///< anybody accepted or read anything
  std::optional<TimePoint> since_, noticed_;
  VoteWindow votes_{12};
};

}  // namespace codex
