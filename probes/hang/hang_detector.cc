#include "probes/hang/hang_detector.h"

#include <algorithm>
#include <utility>

namespace codex {

namespace {

using std::chrono::milliseconds;

constexpr Duration kSuspectLoop = milliseconds(250);
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
  workers_.forget();
  watched_ = ProcessId{};
  serving_ = 0;
  requests_.reset();
  overload_.reset();
  start_.reset();
  before_.reset();
  descriptors_low_ = debugger_ = false;
  dropped_ = 0;
  dropping_ = Duration{0};
  course_.forget();
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
    workers_.start_anew();
    requests_.reset();
    overload_.reset();
    start_.reset();
    dropped_ = 0;
    course_.forget();
  }
  if (seen.startup) {
    start_.observe(*seen.startup, usual_start_);
  } else if (!seen.observable || !seen.listening) {
    forget();
    before_ = seen.at;
  } else {
    if (seen.process) debugger_ = seen.process->tracer != 0 || seen.process->debugger_connected;
    observe_loops(seen, elapsed);
    requests_.observe(seen);
    overload_.observe(seen);
    watch_descriptors(seen, elapsed);
  }
  const auto found = findings(seen);
  verdict_ = course_.observe(seen.at, elapsed, found, seen.startup.has_value());
  verdict_.debugger = debugger_;
  verdict_.unanswered_probes = unanswered_probes(seen.http);
  signals_ = read_signals(seen);
  return verdict_;
}

void HangDetector::observe_loops(const HangObservation& seen, Duration elapsed) {
  serving_ = std::max<int>(1, static_cast<int>(seen.workers.size()));
  if (several()) {
    watched_ = ProcessId{};
    loop_.reset(false);
    return workers_.observe(seen, elapsed);
  }
  workers_.forget();
  const ProcessId only = seen.workers.empty() ? ProcessId{} : seen.workers.front().id;
  if (std::exchange(watched_, only) != only) loop_.reset(false);
  loop_.observe(seen, elapsed);
}

std::vector<StuckWorker> HangDetector::stuck_workers() const {
  return several() ? workers_.stuck() : std::vector<StuckWorker>{};
}

HangSignals HangDetector::read_signals(const HangObservation& seen) const {
  HangSignals signals;
  signals.http_probe = seen.http.failures > 0;
  if (seen.startup || !seen.observable) return signals;
  signals.accept_queue = seen.accept_queue.value_or(0) > 0;
  signals.event_loop = (several() ? workers_.longest_clock() : loop_.clock()) >= kSuspectLoop;
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
  // What the threads beside it do is not seen by the main one.
  active_ = !loops_known() || seen.main.read_calls != reads_then_ ||
            Duration(seen.main.cpu_nanos - cpu_then_) > kSomeWork || seen.http.unanswered_for ||
            seen.http.in_flight_for.value_or(Duration{0}) > kProbeSlow;
}

bool HangDetector::requests_due(TimePoint now) const {
  if (!saw_requests_) return true;
  const auto since = now - *saw_requests_;
  if (requests_.urgent(now) || workers_.somebody_in_doubt())
    return since >= std::clamp(requests_cost_ * kUrgentShare, kOften, kNormal);
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

std::vector<HangFinding> HangDetector::findings(const HangObservation& seen) const {
  if (seen.startup) return {judge_start(seen)};
  return {judge_loop(), judge_descriptors(seen), judge_requests()};
}

HangFinding HangDetector::judge_loop() const {
  HangFinding finding = several() ? workers_.finding() : loop_.finding();
  if (descriptors_low_ && finding.hang == HangClass::kHandler) {
    finding.hang = HangClass::kFdExhausted;
    finding.why = "does not accept, " + descriptors_ + " descriptors are open";
  }
  return finding;
}

HangFinding HangDetector::judge_descriptors(const HangObservation& seen) const {
  HangFinding finding{.source = HangSource::kDescriptors};
  if (dropped_ == 0) return finding;
  const bool sure = dropped_ >= kDroppedQuorum;
  finding.state = sure ? HangVerdict::State::kConfirmed : HangVerdict::State::kSuspect;
  finding.hang = HangClass::kFdExhausted;
  finding.why = "drops connections, " + descriptors_ + " descriptors are open";
  finding.since = seen.at - dropping_;
  finding.clock = dropping_;
  return finding;
}

HangFinding HangDetector::judge_requests() const {
  HangFinding finding{.source = HangSource::kRequests};
  // A thread that has no time left answers in turn, and closes what it has answered: nothing is seen of that.
  const bool serves_others = requests_.only_we_wait() && overload_.gets_on();
  const bool busy = !several() && (loop_.seems_busy() || overload_.overloaded() || serves_others);
  if (requests_.clock() == Duration{0} || busy) return finding;
  finding.state = HangVerdict::State::kSuspect;
  finding.since = requests_.since().value_or(TimePoint{});
  finding.clock = requests_.clock();
  finding.hang = requests_.votes().newest();
  finding.why = requests_.votes().newest_why();
  const auto winner = requests_.votes().winner(kRequestQuorum);
  if (winner && requests_.agreed() && requests_.clock() * 100 >= requests_.patience() * kConfirmPercent) {
    finding.state = HangVerdict::State::kConfirmed;
    finding.hang = winner->hang;
    finding.why = winner->why;
  }
  return finding;
}

HangFinding HangDetector::judge_start(const HangObservation& seen) const {
  HangFinding finding{.source = HangSource::kStart};
  if (start_.state() == StuckStart::State::kGettingOn) return finding;
  finding.state = start_.state() == StuckStart::State::kStuck ? HangVerdict::State::kConfirmed
                                                              : HangVerdict::State::kSuspect;
  finding.hang = HangClass::kStartupStuck;
  finding.why = start_.why();
  finding.clock = start_.clock();
  finding.since = seen.at - start_.clock();
  return finding;
}

HangDepth HangDetector::wants(TimePoint now) const {
  const auto due = [now](const std::optional<TimePoint>& last, Duration period) {
    return !last || now - *last >= period;
  };
  const bool blocked = (several() ? workers_.longest_clock() : loop_.clock()) > Duration{0};
  const bool seems_busy = several() || loop_.seems_busy();
  const bool waits = !blocked && requests_.somebody_waits();
  const auto newest = loop_.votes().newest();
  HangDepth depth;
  depth.accept = (several() ? workers_.all_in_doubt() : loop_.in_doubt()) || descriptors_low_;
  depth.group = requests_.somebody_waits() || workers_.somebody_in_doubt();
  depth.debugger = blocked && (newest == HangClass::kFutex || newest == HangClass::kPaused);
  depth.requests = (!blocked || seems_busy) && requests_due(now);
  depth.outgoing = depth.requests && (waits || due(saw_outgoing_, kRarely));
  depth.threads = (blocked && due(saw_threads_, kOften)) || (waits && depth.requests);
  depth.process = blocked || descriptors_low_ || due(saw_process_, kNormal);
  return depth;
}

}  // namespace codex
