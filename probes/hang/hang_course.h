#pragma once

#include <optional>
#include <string>
#include <vector>

#include "probes/hang/hang_verdict.h"

namespace codex {

/// Who speaks for a hang, the strongest first.
enum class HangSource {
  kStart,        ///< a start that stands still: nobody else can speak then
  kLoop,         ///< the serving thread, seen away from where it rests while work waits
  kDescriptors,  ///< connections that are dropped at once
  kRequests,     ///< requests without an answer, our own probes among them
};

/// What one source says in one look; a healthy one says nothing.
struct HangFinding {
  HangSource source = HangSource::kLoop;
  HangVerdict::State state = HangVerdict::State::kHealthy;
  std::optional<HangClass> hang{};
  std::string why{};
  TimePoint since{};  ///< when progress ended, as this source knows
  Duration clock{0};  ///< how long that lasts, CPU-honest
};

/// The course of one hang, from the first suspicion to the recovery. Pure: no clock, no I/O.
///
///   state      on                                                     goes to
///   healthy    a source suspects or confirms                          suspect, confirmed
///   suspect    a source confirms                                      confirmed: `since` is settled
///   suspect    no source speaks for kRecovery                         healthy
///   confirmed  the source that named it, or a stronger one, confirms  confirmed: class and reason are its
///   confirmed  a weaker one does, and the one that named it has been
///              silent for kRecovery                                   confirmed: class and reason are its
///   confirmed  no source speaks for kRecovery                         healthy: one look is no recovery
///
/// While confirmed, `since` stays and `clock` never goes back, whichever source speaks.
class HangCourse {
 public:
  static constexpr Duration kRecovery = std::chrono::seconds(2);

  /// One look at `now`; `elapsed`, as far as it counts, since the one before. `findings`: of each source at
  /// most one. A start that stood still is one that did until forget(): `lasting`.
  const HangVerdict& observe(TimePoint now, Duration elapsed, const std::vector<HangFinding>& findings,
                             bool lasting = false);
  void forget() { *this = HangCourse{}; }

  [[nodiscard]] const HangVerdict& verdict() const { return verdict_; }

 private:
  void suspect(const HangFinding& finding);
  void confirm(const HangFinding& finding);
  void count(const HangFinding& finding, Duration elapsed);

  HangVerdict verdict_;
  HangSource named_by_ = HangSource::kRequests;
  TimePoint heard_at_{};        ///< any source
  TimePoint namer_heard_at_{};  ///< the one that named it, or a stronger one
  TimePoint block_since_{};     ///< of the loop's newest block, and what the clock showed when it began
  Duration before_block_{0};
};

}  // namespace codex
