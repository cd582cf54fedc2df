#include "probes/hang/hang_detector.h"

#include <algorithm>

namespace codex {

namespace {

using std::chrono::milliseconds;

constexpr Duration kSuspectLoop = milliseconds(250);
constexpr Duration kConfirmLoop = milliseconds(750);
constexpr Duration kConfirmBusy = milliseconds(600);  // of CPU time received: harder evidence than waiting
constexpr Duration kStarvedAfter = milliseconds(1000);
constexpr int kLoopQuorum = 5;
constexpr int kRequestQuorum = 3;
constexpr int kConfirmPercent = 250;  // of the patience with requests
constexpr Duration kMostElapsed =
    milliseconds(200);  // between two looks: beyond that it was us who were late
constexpr int kDroppedQuorum = 2;
constexpr double kDescriptorsLow = 0.95;
constexpr Duration kOften = milliseconds(250), kNormal = milliseconds(1000), kRarely = milliseconds(10'000);
constexpr Duration kMostSeldom = milliseconds(2000);
constexpr Duration kSomeWork = milliseconds(1), kProbeSlow = milliseconds(700);
// A look at requests may take one in so many parts of a CPU.
constexpr int kNormalShare = 400, kUrgentShare = 40;

}  // namespace

void HangDetector::forget() {
  loop_.reset(false);
  requests_.reset();
  overload_.reset();
  start_.reset();
  before_.reset();
  descriptors_low_ = debugger_ = false;
  dropped_ = 0;
  dropping_ = Duration{0};
  verdict_ = HangVerdict{};
}

void HangDetector::learn_start(Duration elapsed) {
  usual_start_ = std::max(usual_start_.value_or(Duration{0}), elapsed);
}

Duration HangDetector::count_elapsed(const HangObservation& seen) {
  const auto elapsed = before_ ? std::clamp(seen.at - *before_, Duration{0}, kMostElapsed) : Duration{0};
  before_ = seen.at;
  return elapsed;
}

const HangVerdict& HangDetector::observe(const HangObservation& seen) {
  const auto elapsed = count_elapsed(seen);
  note_looks(seen);
  if (seen.resumed) {
    loop_.reset(true);
    requests_.reset();
    overload_.reset();
    start_.reset();
    dropped_ = 0;
  }
  if (seen.startup) {
    start_.observe(*seen.startup, usual_start_);
  } else if (!seen.observable || !seen.listening) {
    forget();
    before_ = seen.at;
  } else {
    if (seen.process) debugger_ = seen.process->tracer != 0 || seen.process->debugger_connected;
    loop_.observe(seen, elapsed);
    requests_.observe(seen);
    overload_.observe(seen);
    watch_descriptors(seen, elapsed);
  }
  verdict_ = judge(seen);
  signals_ = read_signals(seen);
  return verdict_;
}

HangSignals HangDetector::read_signals(const HangObservation& seen) const {
  HangSignals signals;
  signals.http_probe = seen.http.failures > 0;
  if (seen.startup || !seen.observable) return signals;
  signals.accept_queue = seen.accept_queue.value_or(0) > 0;
  signals.event_loop = loop_.clock() >= kSuspectLoop;
  signals.cpu = signals.event_loop && seen.main.state == 'R';
  signals.uninterruptible = signals.event_loop && seen.main.state == 'D';
  signals.stopped = seen.main.state == 'T';
  signals.descriptors = descriptors_low_;
  signals.requests = requests_.clock() > Duration{0};
  return signals;
}

std::optional<std::string> HangDetector::overload() const {
  return overload_.overloaded() ? std::optional(overload_.why()) : std::nullopt;
}

std::map<HangClass, int> HangDetector::votes() const {
  auto votes = loop_.votes().counts();
  if (votes.empty()) votes = requests_.votes().counts();
  if (votes.empty() && verdict_.hang) votes[*verdict_.hang] = 1;
  return votes;
}

void HangDetector::note_looks(const HangObservation& seen) {
  if (seen.process) saw_process_ = seen.at;
  if (seen.process && seen.process->threads_known) saw_threads_ = seen.at;
  if (seen.requests) {
    saw_requests_ = seen.at;
    if (seen.requests->outgoing_known) saw_outgoing_ = seen.at;
    requests_cost_ = seen.requests->cost;
    reads_then_ = seen.main.read_calls;
    cpu_then_ = seen.main.cpu_nanos;
  }
  active_ = seen.main.read_calls != reads_then_ || Duration(seen.main.cpu_nanos - cpu_then_) > kSomeWork ||
            seen.http.in_flight_for.value_or(Duration{0}) > kProbeSlow;
}

bool HangDetector::requests_due(TimePoint now) const {
  if (!saw_requests_) return true;
  const auto since = now - *saw_requests_;
  if (requests_.urgent(now)) return since >= std::clamp(requests_cost_ * kUrgentShare, kOften, kNormal);
  // Whoever read nothing has got no request.
  if (!active_ && !requests_.anybody_waits()) return false;
  return since >= std::clamp(requests_cost_ * kNormalShare, kNormal, kMostSeldom);
}

void HangDetector::watch_descriptors(const HangObservation& seen, Duration elapsed) {
  using Probe = AcceptProbeView::State;
  if (seen.process) {
    const auto& process = *seen.process;
    descriptors_low_ = process.fd_limit > 0 && static_cast<double>(process.open_fds) >=
                                                   kDescriptorsLow * static_cast<double>(process.fd_limit);
    descriptors_ = std::to_string(process.open_fds) + " of " + std::to_string(process.fd_limit);
  }
  if (seen.accept_probe.state == Probe::kDropped) ++dropped_;
  if (seen.accept_probe.state == Probe::kAccepted || !descriptors_low_) dropped_ = 0;
  dropping_ = dropped_ > 0 ? dropping_ + elapsed : Duration{0};
}

HangVerdict HangDetector::judge(const HangObservation& seen) const {
  HangVerdict verdict;
  if (seen.startup) {
    verdict = judge_start(seen);
  } else if (loop_.clock() > Duration{0} || loop_.wall() >= kStarvedAfter) {
    verdict = judge_loop();
  } else if (dropped_ > 0) {
    const bool sure = dropped_ >= kDroppedQuorum;
    verdict.state = sure ? HangVerdict::State::kConfirmed : HangVerdict::State::kSuspect;
    verdict.hang = HangClass::kFdExhausted;
    verdict.why = "drops connections, " + descriptors_ + " descriptors are open";
    verdict.since = seen.at - dropping_;
    verdict.clock = dropping_;
  } else {
    verdict = judge_requests();
  }
  verdict.debugger = debugger_;
  verdict.probe_failures = seen.http.failures;
  return verdict;
}

HangVerdict HangDetector::judge_loop() const {
  HangVerdict verdict;
  verdict.since = loop_.since();
  verdict.clock = loop_.clock();
  const auto winner = loop_.votes().winner(kLoopQuorum);
  const bool starved = winner && winner->hang == HangClass::kStarved && loop_.wall() >= kStarvedAfter;
  const bool busy = winner && (winner->hang == HangClass::kSpin || winner->hang == HangClass::kGc);
  if (winner && (loop_.clock() >= (busy ? kConfirmBusy : kConfirmLoop) || starved)) {
    verdict.state = HangVerdict::State::kConfirmed;
    verdict.hang = winner->hang;
    verdict.why = winner->why;
  } else if (loop_.clock() >= kSuspectLoop || loop_.wall() >= kStarvedAfter) {
    verdict.state = HangVerdict::State::kSuspect;
    verdict.hang = loop_.votes().newest();
    verdict.why = loop_.votes().newest_why();
  }
  // Once told, a class stays while the looks are not of one mind.
  if (verdict.state == HangVerdict::State::kSuspect && verdict_.state == HangVerdict::State::kConfirmed &&
      verdict_.since == verdict.since) {
    verdict.state = HangVerdict::State::kConfirmed;
    verdict.hang = verdict_.hang;
    verdict.why = verdict_.why;
  }
  if (descriptors_low_ && verdict.hang == HangClass::kHandler) {
    verdict.hang = HangClass::kFdExhausted;
    verdict.why = "does not accept, " + descriptors_ + " descriptors are open";
  }
  return verdict;
}

HangVerdict HangDetector::judge_requests() const {
  HangVerdict verdict;
  if (requests_.clock() == Duration{0}) return verdict;
  verdict.state = HangVerdict::State::kSuspect;
  verdict.since = requests_.since();
  verdict.clock = requests_.clock();
  verdict.hang = requests_.votes().newest();
  verdict.why = requests_.votes().newest_why();
  const auto winner = requests_.votes().winner(kRequestQuorum);
  if (winner && requests_.agreed() && requests_.clock() * 100 >= requests_.patience() * kConfirmPercent) {
    verdict.state = HangVerdict::State::kConfirmed;
    verdict.hang = winner->hang;
    verdict.why = winner->why;
  }
  return verdict;
}

HangVerdict HangDetector::judge_start(const HangObservation& seen) const {
  HangVerdict verdict;
  if (start_.state() == StuckStart::State::kGettingOn) return verdict;
  verdict.state = start_.state() == StuckStart::State::kStuck ? HangVerdict::State::kConfirmed
                                                              : HangVerdict::State::kSuspect;
  verdict.hang = HangClass::kStartupStuck;
  verdict.why = start_.why();
  verdict.clock = start_.clock();
  verdict.since = seen.at - start_.clock();
  return verdict;
}

HangDepth HangDetector::wants(TimePoint now) const {
  const auto due = [now](const std::optional<TimePoint>& last, Duration period) {
    return !last || now - *last >= period;
  };
  const bool blocked = loop_.clock() > Duration{0};
  const bool waits = !blocked && requests_.somebody_waits();
  const auto newest = loop_.votes().newest();
  HangDepth depth;
  depth.accept = loop_.in_doubt() || descriptors_low_;
  depth.debugger = blocked && (newest == HangClass::kFutex || newest == HangClass::kPaused);
  depth.requests = (!blocked || loop_.seems_busy()) && requests_due(now);
  depth.outgoing = depth.requests && (waits || due(saw_outgoing_, kRarely));
  depth.threads = (blocked && due(saw_threads_, kOften)) || (waits && depth.requests);
  depth.process = blocked || descriptors_low_ || due(saw_process_, kNormal);
  return depth;
}

}  // namespace codex
