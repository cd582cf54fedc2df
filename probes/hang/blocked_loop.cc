#include "probes/hang/blocked_loop.h"

#include <algorithm>
#include <utility>

#include "probes/process/syscall_names.h"

namespace codex {

namespace {

using std::chrono::milliseconds;

constexpr Duration kSuspect = milliseconds(250);
constexpr Duration kConfirm = milliseconds(750);
constexpr Duration kConfirmBusy = milliseconds(600);  // of CPU time received: harder evidence than waiting
constexpr Duration kStarvedAfter = milliseconds(1000);
constexpr int kQuorum = 5;
constexpr Duration kShortSpan = milliseconds(250);
constexpr Duration kStarvedSpan = milliseconds(800);
constexpr double kWorkingRatio = 0.3;    // of a CPU: it works, whatever it was doing at the very moment
constexpr double kStarvedRatio = 0.1;    // of a CPU: it does not really get to run
constexpr double kCollectorRatio = 0.1;  // of a CPU in other threads
constexpr double kHeapNearLimit = 0.6;
constexpr int kCreep = 8;
constexpr Duration kTick = milliseconds(10);  // of the kernel, in ages of answers

std::string percent(double ratio) {
  return std::to_string(static_cast<int>(ratio * 100 + 0.5)) + " %";
}

bool sleeps(const ThreadView& thread) {
  return thread.state == 'S' || thread.state == 'D';
}

}  // namespace

void BlockedLoop::reset(bool keep_learned) {
  clear();
  before_.reset();
  queue_before_ = 0;
  doubtful_looks_ = 0;
  finding_ = HangFinding{};
  if (keep_learned) return;
  place_.forget();
  node_ = single_ = has_taken_ = false;
}

void BlockedLoop::clear() {
  clock_ = wall_ = crept_ = silent_ = Duration{0};
  since_.reset();
  asked_ = false;
  cpu_.clear();
  others_cpu_.clear();
  votes_.clear();
}

void BlockedLoop::observe(const HangObservation& seen, Duration elapsed) {
  look(seen, elapsed);
  finding_ = judge();
}

HangFinding BlockedLoop::judge() const {
  HangFinding finding{.source = HangSource::kLoop};
  if (clock_ == Duration{0} && wall_ < kStarvedAfter) return finding;
  finding.since = since_.value_or(TimePoint{});
  finding.clock = clock_;
  const auto winner = votes_.winner(kQuorum);
  const bool starved = winner && winner->hang == HangClass::kStarved && wall_ >= kStarvedAfter;
  const bool busy = winner && (winner->hang == HangClass::kSpin || winner->hang == HangClass::kGc);
  const bool told = finding_.state == HangVerdict::State::kConfirmed && finding_.since == finding.since;
  if (winner && (clock_ >= (busy ? kConfirmBusy : kConfirm) || starved)) {
    finding.state = HangVerdict::State::kConfirmed;
    finding.hang = winner->hang;
    finding.why = winner->why;
  } else if (told) {
    // Once told, a class stays while the looks are not of one mind.
    finding.state = HangVerdict::State::kConfirmed;
    finding.hang = finding_.hang;
    finding.why = finding_.why;
  } else if (clock_ >= kSuspect || wall_ >= kStarvedAfter) {
    finding.state = HangVerdict::State::kSuspect;
    finding.hang = votes_.newest();
    finding.why = votes_.newest_why();
  }
  return finding;
}

bool BlockedLoop::at_rest() const {
  return place_.at_rest() || (single_ && !node_ && !place_.learned() && place_.in_some_loop());
}

void BlockedLoop::look(const HangObservation& seen, Duration elapsed) {
  using Probe = AcceptProbeView::State;
  place_.observe(seen);
  if (seen.process) node_ = seen.process->heap_limit_bytes > 0;
  if (seen.process) single_ = seen.process->threads == 1;
  has_taken_ = has_taken_ || seen.has_work || (seen.requests && seen.requests->server.waiting > 0);
  const auto& main = seen.main;
  const bool reads = before_ && main.read_calls != before_->read_calls;
  const bool writes = before_ && main.write_calls != before_->write_calls;
  const std::uint64_t cpu = before_ ? main.cpu_nanos - std::min(main.cpu_nanos, before_->cpu_nanos) : 0;
  before_ = main;
  const bool idle = at_rest();
  doubtful_looks_ = is_known() && !idle && !reads && !writes ? doubtful_looks_ + 1 : 0;

  const bool accepted = seen.accept_probe.state == Probe::kAccepted;
  const auto queue_now = seen.accept_queue.value_or(0);
  const bool shrank = queue_now < std::exchange(queue_before_, queue_now);
  const bool queue = queue_now > 0;
  const bool stopped = main.state == 'T';  // Who is stopped does nothing, whether or not there is work.
  const bool dropped = seen.accept_probe.state == Probe::kDropped;
  const bool taken = accepted || shrank || dropped;
  // Of a shared listener somebody accepts, perhaps another one.
  const bool shared = seen.shared_listener;
  const bool to_accept = (queue || seen.accept_probe.state == Probe::kWaiting) && !(shared && taken);
  const bool pending = to_accept || stopped || seen.has_work;
  const bool rests = idle && (shared || !queue);
  const bool unknown = !is_known() && !stopped;
  if ((taken && !shared) || !pending || unknown || rests || served_meanwhile(seen)) return clear();

  const bool runnable = main.state == 'R';
  const auto charged = runnable ? std::min<Duration>(Duration(cpu), elapsed) : elapsed;
  silent_ += charged;
  if (reads && writes) crept_ += std::exchange(silent_, Duration{0}) / kCreep;
  clock_ = crept_ + silent_;
  wall_ += elapsed;
  if (!since_) since_ = seen.at;
  cpu_.add(seen.at, main.cpu_nanos);
  if (seen.process && seen.process->threads_known)
    others_cpu_.add(seen.at, seen.process->other_threads_cpu_nanos);
  vote(seen);
}

bool BlockedLoop::served_meanwhile(const HangObservation& seen) {
  if (!since_ || !seen.requests) return false;
  const auto& answer = seen.requests->server.last_answer;
  const bool taken = seen.requests->taken && asked_;
  asked_ = true;
  return taken || (answer && seen.at - *answer > *since_ + kTick);
}

bool BlockedLoop::collector_works(const HangObservation& seen) const {
  if (!seen.process || seen.process->heap_limit_bytes == 0) return false;
  if (static_cast<double>(seen.process->resident_bytes) <
      kHeapNearLimit * static_cast<double>(seen.process->heap_limit_bytes))
    return false;
  return others_cpu_.ratio() > kCollectorRatio;
}

void BlockedLoop::vote(const HangObservation& seen) {
  const auto& main = seen.main;
  const auto process = seen.process.value_or(ProcessView{});
  const std::string where = describe_wait(main);
  if (main.state == 't' || process.tracer != 0)
    return votes_.add(HangClass::kPaused, "traced by pid " + std::to_string(process.tracer));
  if (main.state == 'T') return votes_.add(HangClass::kStopped, "its threads are stopped (SIGSTOP)");
  if ((main.state == 'D' && main.waits_in != WaitKind::kChild) || main.wchan == "request_wait_answer")
    return votes_.add(HangClass::kDiskWait, "uninterruptible in " + where);
  if (process.debugger_connected && main.waits_in == WaitKind::kFutex)
    return votes_.add(HangClass::kPaused, "a debugger holds it");

  // While it collects, the thread itself may only wait for its helpers.
  const bool may_collect = main.state == 'R' || main.waits_in == WaitKind::kFutex;
  if (may_collect && collector_works(seen))
    return votes_.add(HangClass::kGc, "its garbage collector works without end, " +
                                          std::to_string(process.resident_bytes >> 20) + " MiB of " +
                                          std::to_string(process.heap_limit_bytes >> 20) + " MiB heap");
  const double ratio = cpu_.ratio(kShortSpan);
  if (main.state == 'R' || (sleeps(main) && ratio >= kWorkingRatio)) {
    const double longer = cpu_.ratio();
    if (wall_ >= kStarvedSpan && longer < kStarvedRatio)
      return votes_.add(HangClass::kStarved, "runnable, but gets " + percent(longer) + " of a CPU");
    return votes_.add(HangClass::kSpin, "uses " + percent(ratio) + " of a CPU and returns to no event loop");
  }
  if (at_rest()) return votes_.add(HangClass::kHandler, "its event loop is idle, but does not accept");
  const bool pipe = main.waits_in == WaitKind::kRead && main.wchan.find("pipe") != std::string::npos;
  const bool nested = main.waits_in == WaitKind::kEpoll || main.waits_in == WaitKind::kPoll || pipe;
  if (main.waits_in == WaitKind::kChild || (nested && process.children > 0))
    return votes_.add(HangClass::kSyncChild, "waits for a child process in " + where);
  if (main.waits_in == WaitKind::kFutex) return votes_.add(HangClass::kFutex, "waits for a lock");
  votes_.add(HangClass::kBlockedSyscall, "blocked in " + where);
}

}  // namespace codex
