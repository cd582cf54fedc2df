#include "agent/supervision/hang_watch.h"

#include <fcntl.h>

#include <ctime>
#include <utility>

#include "agent/os/files.h"
#include "agent/os/kernel_clock.h"

namespace codex {

namespace {

using std::chrono::milliseconds;

constexpr Duration kHalfWay = milliseconds(400);  // to a confirmed loop hang
constexpr Duration kStartPeriod = milliseconds(500);
constexpr Duration kStartWaits = std::chrono::seconds(2);  // a start that gets on has no time to be asked
constexpr Duration kSlept = milliseconds(50);              // the two clocks are not read at the same instant
constexpr Duration kLookAccuracy = milliseconds(5);

std::uint64_t io_calls_of(pid_t pid) {
  ThreadView view;
  const auto text = read_proc_file(AT_FDCWD, ("/proc/" + std::to_string(pid) + "/io").c_str());
  if (text) parse_thread_io(*text, view);
  return view.read_calls + view.write_calls;
}

/// Its URL, though written out, leads to the backend's own port on this host.
bool is_own(const ProbeSpec& spec, std::optional<std::uint16_t> port) {
  if (!port) return false;
  for (const auto* host : {"://127.0.0.1:", "://localhost:", "://[::1]:"}) {
    const auto text = host + std::to_string(*port);
    const auto at = spec.target.find(text);
    const auto end = at + text.size();
    if (at != std::string::npos && (end == spec.target.size() || spec.target[end] == '/')) return true;
  }
  return false;
}

}  // namespace

HangWatch::HangWatch(EventLoop& loop, HangPolicy policy, std::function<std::vector<ProcStat>()> members,
                     Events events)
    : loop_(loop),
      members_(std::move(members)),
      events_(std::move(events)),
      policy_(std::move(policy)),
      timer_(
          loop, "hang watch", [this] { look(); }, Priority::kNormal, kLookAccuracy) {}

std::set<std::uint16_t> HangWatch::database_ports(std::optional<std::uint16_t> own) {
  auto ports = RequestWaits::usual_database_ports();
  if (own) ports.insert(*own);
  return ports;
}

void HangWatch::watch_start(std::optional<std::uint16_t> database_port, Duration time_limit) {
  stop();
  start_waits_ = std::make_unique<StartupWaits>(database_ports(database_port));
  started_ = loop_.now();
  start_limit_ = time_limit;
  looked_at_start_ = {};
  http_ = database_ = Probing{};
  host_slept();
  timer_.arm_after(kPeriod);
}

void HangWatch::watch(const ProcessId& server, const std::string& address, std::uint16_t port,
                      std::optional<std::uint16_t> database_port, NetworkNamespace network) {
  if (server_ == server && observer_) return;
  if (started_) detector_.learn_start(loop_.now() - *started_);
  // The start is over and an earlier server is none any more, whether or not the new one can be watched.
  stop();
  observer_ = std::make_unique<HangObserver>(server, address, port, database_ports(database_port), members_,
                                             std::move(network));
  server_ = server;
  host_slept();
  timer_.arm_after(kPeriod);
}

void HangWatch::start_is_over() {
  if (started_) stop();
}

void HangWatch::stop() {
  timer_.disarm();
  tell_over(loop_.now());
  observer_.reset();
  start_waits_.reset();
  server_.reset();
  serving_.clear();
  started_.reset();
  detector_.forget();
  policy_.on_over();
}

std::optional<HangWatch::Asked> HangWatch::asked_of(const ProbeSpec& spec,
                                                    std::optional<std::uint16_t> port) {
  if (spec.kind == ProbeKind::kHttp && (spec.own_listener || is_own(spec, port))) return Asked::kHttp;
  if (spec.kind == ProbeKind::kDatabase) return Asked::kDatabase;
  return std::nullopt;
}

void HangWatch::probe_began(Asked asked, bool encrypted) {
  auto& probing = asked == Asked::kHttp ? http_ : database_;
  probing.began = loop_.now();
  probing.encrypted = encrypted;
}

void HangWatch::probe_ended(Asked asked, Outcome outcome, bool unanswered) {
  auto& probing = asked == Asked::kHttp ? http_ : database_;
  const auto began = std::exchange(probing.began, std::nullopt);
  if (outcome == Outcome::kUnknown) return;
  probing.known = true;
  probing.failures = outcome == Outcome::kSuccess ? 0 : probing.failures + 1;
  if (outcome == Outcome::kSuccess) probing.success_began = began;
  if (!unanswered) probing.unanswered_since.reset();
  if (unanswered && !probing.unanswered_since) probing.unanswered_since = began;
}

ProbeFact HangWatch::fact(const Probing& probing, TimePoint now) {
  ProbeFact fact;
  fact.known = probing.known || probing.began;
  fact.failures = probing.failures;
  fact.encrypted = probing.encrypted;
  if (probing.began) fact.in_flight_for = now - *probing.began;
  if (probing.unanswered_since) fact.unanswered_for = now - *probing.unanswered_since;
  if (probing.success_began) fact.success_began = now - *probing.success_began;
  return fact;
}

bool HangWatch::host_slept() {
  const auto ahead = read_kernel_clock(CLOCK_BOOTTIME) - read_kernel_clock(CLOCK_MONOTONIC);
  return ahead - std::exchange(boot_ahead_, ahead) > kSlept;
}

StartupView HangWatch::look_at_start(TimePoint now) {
  StartupView view;
  view.since_start = now - *started_;
  view.time_limit = start_limit_;
  const auto members = members_();
  for (const auto& member : members) {
    view.cpu_ticks += member.user_ticks + member.system_ticks;
    // What an ended child did is its parent's, so that the sum does not fall.
    view.cpu_ticks += static_cast<std::uint64_t>(member.user_ticks_children + member.system_ticks_children);
    view.io_calls += io_calls_of(member.pid);
  }
  if (view.since_start >= kStartWaits && start_waits_) view.waits_for = start_waits_->look(members, now);
  return view;
}

HangObservation HangWatch::observe(TimePoint now) {
  HangObservation seen;
  if (observer_) {
    seen = observer_->look(detector_.wants(now), now);
  } else {
    seen.at = now;
    seen.startup = look_at_start(now);
  }
  seen.resumed = host_slept();
  seen.http = fact(http_, now);
  seen.database = fact(database_, now);
  return seen;
}

void HangWatch::look() {
  timer_.arm_after(kPeriod);
  const TimePoint now = loop_.now();
  if (!observer_) {
    if (now - looked_at_start_ < kStartPeriod) return;
    looked_at_start_ = now;
  }
  const auto cpu = read_kernel_clock(CLOCK_THREAD_CPUTIME_ID);
  const auto seen = observe(now);
  const auto verdict = detector_.observe(seen);
  serving_ = seen.serving;
  spent_ += read_kernel_clock(CLOCK_THREAD_CPUTIME_ID) - cpu;
  if (events_.looked) events_.looked(seen, verdict);
  tell(verdict, now);
  if (timer_.armed()) tell_workers(seen);
}

void HangWatch::tell_workers(const HangObservation& seen) {
  const bool several = seen.serving.size() > 1;
  if (!events_.workers || (!several && !std::exchange(told_workers_, several))) return;
  told_workers_ = several;
  events_.workers(seen.serving, detector_.stuck_workers());
}

void HangWatch::tell(const HangVerdict& verdict, TimePoint now) {
  using State = HangVerdict::State;
  if (verdict.state == State::kHealthy) return tell_over(now);
  if (told_.state == State::kHealthy) {
    told_.since = now - verdict.clock;
    told_.state = State::kSuspect;
    told_.last = verdict;
    events_.suspected(verdict);
    if (!timer_.armed()) return;
  }
  told_.last = verdict;
  if (!std::exchange(told_.half_way, told_.half_way || now - told_.since >= kHalfWay) && told_.half_way &&
      verdict.state == State::kSuspect) {
    if (events_.half_way) events_.half_way(verdict);
  }
  if (verdict.state != State::kConfirmed) return;
  if (told_.state != State::kConfirmed || told_.hang != verdict.hang) {
    told_.state = State::kConfirmed;
    told_.hang = verdict.hang;
    events_.confirmed(verdict);
    if (!timer_.armed()) return;
  }
  const auto decision = policy_.on_confirmed(verdict, now);
  if (decision.action != HangAction::kNone) events_.act(verdict, decision);
}

void HangWatch::tell_over(TimePoint now) {
  if (told_.state == HangVerdict::State::kHealthy) return;
  const auto told = std::exchange(told_, Told{});
  policy_.on_over();
  events_.over(told.last, now - told.since);
}

}  // namespace codex
