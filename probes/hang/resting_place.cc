#include "probes/hang/resting_place.h"

#include <utility>

namespace codex {

namespace {
constexpr int kStays = 10;              // looks: half a second without anything to do
constexpr int kStaysAfterAnAnswer = 0;  // of a program that is known to serve by now
}  // namespace

std::optional<RestingPlace::Place> RestingPlace::asleep_in_loop(const ThreadView& main) {
  const bool loop = main.waits_in == WaitKind::kEpoll || main.waits_in == WaitKind::kPoll ||
                    main.waits_in == WaitKind::kAccept;
  if (main.state != 'S' || !loop) return std::nullopt;
  return Place{main.syscall, main.argument};
}

void RestingPlace::observe(const HangObservation& seen) {
  if (seen.process) has_children_ = seen.process->children > 0;
  const auto& success = seen.http.success_began;
  const bool answered = success && (!success_before_ || *success < *success_before_);
  success_before_ = success;
  has_served_ = has_served_ || answered;
  served_ = served_ || answered || seen.accept_probe.state == AcceptProbeView::State::kAccepted;

  const auto here = asleep_in_loop(seen.main);
  const bool ran = seen.main.cpu_nanos != std::exchange(cpu_before_, seen.main.cpu_nanos);
  const bool same = here && here == before_;
  stayed_ = same ? stayed_ + 1 : 0;
  // The probe began and was answered between two looks.
  const bool asked_before = std::exchange(asked_before_, seen.http.in_flight_for.has_value());
  const bool accepted = seen.accept_probe.state == AcceptProbeView::State::kAccepted;
  const bool serves = (answered && !asked_before) || (accepted && !here);
  if (serves && !ran && !seen.shared_listener) others_serve_ = true;
  if (others_serve_) place_.reset();
  returned_ = same && (returned_ || ran);
  before_ = here;
  const bool nothing_to_do = seen.accept_queue == 0U && !seen.http.in_flight_for &&
                             (!seen.requests || seen.requests->server.waiting == 0);
  has_rested_ = has_rested_ || (here && nothing_to_do);
  if (here && seen.accept_queue == 0U && !others_serve_) {
    // A nested loop (execSync) may begin right after an answer, but not after two; nor without a child.
    if (std::exchange(served_, false) && std::exchange(served_from_, here) == here) place_ = here;
    if (!place_ && nothing_to_do && stayed_ >= (has_served_ ? kStaysAfterAnAnswer : kStays) &&
        (returned_ || !has_children_))
      place_ = here;
  }
  at_rest_ = here && here == place_;
}

}  // namespace codex
