#pragma once

#include <optional>
#include <set>
#include <vector>

#include "agent/os/clock.h"
#include "agent/os/process_id.h"
#include "agent/os/process_stat.h"

namespace codex {

/// Notices that the application is gone while what started it lives on: nodemon and `node --watch` wait for
/// an edit after a crash, for ever if need be, and their own process is in the best of health. Pure.
///
/// The sign is structural and knows no program by name: the process that had the port has ended, nobody of
/// the tree listens, and nothing that was started since lives, for `kPatience`. While a reload is under way
/// there is a process that is younger than the end of the last one. A start that never came to listen has no
/// such sign; there only the wrapper's own word counts (wrapper_words.h), where nothing lives beside it.
class WrapperGuard {
 public:
  static constexpr Duration kPatience = std::chrono::seconds(1);

  /// A new generation: nothing has listened yet.
  void begin_generation();

  /// One look: the tree's members, and whose socket listens (nullopt: nobody of ours).
  void observe(const std::vector<ProcStat>& members, std::optional<ProcessId> listener, TimePoint now);

  /// Since when the application has been gone; nullopt while it has not, or not for long enough.
  [[nodiscard]] std::optional<TimePoint> idle_since(TimePoint now) const;

  /// Something new has lived since the server ended: its wrapper has started it again, and may do so for an
  /// edit only.
  [[nodiscard]] bool renewed() const { return renewed_; }

  /// There is a suspicion: look often.
  [[nodiscard]] bool suspicious() const { return gone_at_.has_value(); }

  /// The server is missing, and it is too early to say whether for good; its probes fail meanwhile. Where
  /// something new runs this is for a moment only: then its probes are to be trusted again.
  [[nodiscard]] bool undecided(TimePoint now) const {
    return missing_since_ && (!restarting_ || now - *missing_since_ <= kPatience);
  }

 private:
  void forgive();

  std::optional<ProcessId> server_;         ///< the last one that had the port
  std::set<ProcessId> wrappers_;            ///< members when the server was found gone
  bool restarting_ = false;                 ///< something lives that was started since
  bool renewed_ = false;                    ///< something has
  std::optional<TimePoint> missing_since_;  ///< when it was found gone
  std::optional<TimePoint> gone_at_;        ///< when there was last anything that might become it
};

/// Each of `members` started the next and nothing else: where one of them says that its application has ended,
/// nothing else is left that could become the server. Pure.
bool is_chain(const std::vector<ProcStat>& members);

}  // namespace codex
