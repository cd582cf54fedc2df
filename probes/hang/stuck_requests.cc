#include "probes/hang/stuck_requests.h"

#include <algorithm>
#include <string>
#include <tuple>
#include <vector>

namespace codex {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Duration kLeastPatience = seconds(1);
constexpr Duration kMostPatience = seconds(30);
constexpr std::size_t kRemembered = 64;
constexpr std::size_t kEnoughToLearn = 8;
constexpr int kFewest = 2;              // waiting requests; one alone may just be slow
constexpr int kFewestAgainstProbe = 5;  // the same while the HTTP probe is answered: only some routes hang
constexpr Duration kNoticeable = milliseconds(700);
constexpr Duration kWorthHurry = seconds(4);
constexpr Duration kProbeLate = milliseconds(900);

std::string in_seconds(Duration duration) {
  const auto tenths = duration / milliseconds(100);
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " s";
}

std::string count(int number, const char* noun) {
  return std::to_string(number) + " " + noun + (number == 1 ? "" : "s");
}

/// The active probe had an answer to a question younger than the oldest request.
bool probe_disagrees(const ProbeFact& http, Duration oldest) {
  return http.success_began && *http.success_began < oldest;
}

bool is_late(const ProbeFact& http) {
  return http.in_flight_for.value_or(Duration{0}) >= kProbeLate;
}

bool probe_agrees(const ProbeFact& http) {
  return http.known && (http.failures > 0 || is_late(http));
}

}  // namespace

std::optional<int> unanswered_probes(const ProbeFact& http) {
  if (!http.known) return std::nullopt;
  return http.failures + (is_late(http) ? 1 : 0);
}

Duration StuckRequests::patience() const {
  if (answered_after_.size() < kEnoughToLearn) return kLeastPatience;
  std::vector<Duration> sorted(answered_after_.begin(), answered_after_.end());
  const auto rank = sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() * 9 / 10);
  std::nth_element(sorted.begin(), rank, sorted.end());
  return std::clamp(*rank * 4, kLeastPatience, kMostPatience);
}

void StuckRequests::clear() {
  clock_ = Duration{0};
  since_.reset();
  votes_.clear();
  agreed_ = false;
}

bool StuckRequests::urgent(TimePoint now) const {
  return noticed_ && (since_ || now - *noticed_ < kWorthHurry);
}

void StuckRequests::reset() {
  clear();
  anybody_waits_ = somebody_waits_ = false;
  taken_at_.reset();
  noticed_.reset();
}

void StuckRequests::learn(const RequestView& requests) {
  if (requests.answered_after && votes_.newest() == std::nullopt) {
    answered_after_.push_back(*requests.answered_after);
    if (answered_after_.size() > kRemembered) answered_after_.pop_front();
  }
  if (requests.outgoing_known && requests.server.waiting == 0) {
    const auto lasting = [](const WaitingSockets& sockets) {
      return sockets.oldest >= kLeastPatience ? sockets.waiting : 0;
    };
    usual_database_waits_ = lasting(requests.database);
    usual_upstream_waits_ = lasting(requests.upstream);
  }
}

void StuckRequests::observe(const HangObservation& seen) {
  if (!seen.requests) return;
  learn(*seen.requests);
  const auto& server = seen.requests->server;
  if (seen.requests->taken) taken_at_ = seen.at;
  const auto waits = unanswered(seen);
  anybody_waits_ = waits.all() > 0;
  only_we_wait_ = waits.clients == 0;
  somebody_waits_ = waits.oldest >= kNoticeable;
  if (!somebody_waits_) noticed_.reset();
  if (somebody_waits_ && !noticed_) noticed_ = seen.at;
  const bool only_greets = seen.http.encrypted && (seen.http.unanswered_for || is_late(seen.http));
  const bool answers = server.last_answer && *server.last_answer < patience() && !only_greets;
  if (waits.oldest < patience() || answers) return clear();
  const auto suspicion = judge(seen);
  if (!suspicion) return clear();
  clock_ = waits.oldest;
  if (!since_) since_ = seen.at - waits.oldest;
  // What was only a suspicion so far has no say against evidence.
  if (suspicion->agreed && !agreed_) votes_.clear();
  agreed_ = suspicion->agreed;
  votes_.add(suspicion->hang, suspicion->why);
}

StuckRequests::Unanswered StuckRequests::unanswered(const HangObservation& seen) const {
  const auto& [server, queued] = std::tie(seen.requests->server, seen.requests->queued);
  // However long a queue is: it moves while anybody is taken from it.
  const auto unmoved = taken_at_ ? std::min(queued.oldest, seen.at - *taken_at_) : queued.oldest;
  Unanswered waits{server.waiting + queued.waiting, 0, std::max(server.oldest, unmoved)};
  const auto& http = seen.http;
  if (http.unanswered_for) waits.probes = std::max(http.failures, 1);
  const auto in_flight = http.in_flight_for.value_or(Duration{0});
  if (http.in_flight_for && (http.unanswered_for || in_flight >= kNoticeable)) ++waits.probes;
  if (waits.probes > 0) waits.oldest = std::max(waits.oldest, http.unanswered_for.value_or(in_flight));
  return waits;
}

std::optional<StuckRequests::Suspicion> StuckRequests::judge(const HangObservation& seen) const {
  const auto waits = unanswered(seen);
  const bool disagrees = probe_disagrees(seen.http, waits.oldest);
  if (waits.all() < (disagrees ? kFewestAgainstProbe : kFewest)) return std::nullopt;
  if (auto cause = outside_cause(seen, waits)) return cause;
  if (disagrees) return std::nullopt;
  const std::string who = waits.clients > 0 ? count(waits.clients, "request") : "the HTTP probe";
  // The backend may ask it in a way that does not show; a restart would not bring it back.
  if (seen.database.failures > 0 || is_late(seen.database))
    return Suspicion{HangClass::kDbWait, who + " without an answer, the oldest for " +
                                             in_seconds(waits.oldest) +
                                             ", and the database answers us no more either"};
  // Without a probe to ask, requests that nobody even accepts are enough.
  const bool agreed =
      probe_agrees(seen.http) || (!seen.http.known && seen.requests->queued.waiting >= kFewest);
  return Suspicion{HangClass::kHandler,
                   who + " without an answer, the oldest for " + in_seconds(waits.oldest) +
                       ", and nothing outside to wait for",
                   agreed};
}

std::optional<StuckRequests::Suspicion> StuckRequests::outside_cause(const HangObservation& seen,
                                                                     const Unanswered& unanswered) const {
  const auto& requests = *seen.requests;
  if (seen.process && seen.process->pool_size > 0 && seen.process->threads_known &&
      seen.process->stuck_workers >= seen.process->pool_size &&
      seen.process->workers_stuck_for >= kLeastPatience / 2)
    return Suspicion{HangClass::kThreadpool, "all " + count(seen.process->pool_size, "thread") +
                                                 " of the pool sit in one system call each"};
  if (!requests.outgoing_known) return std::nullopt;
  const auto silent = [&](const WaitingSockets& sockets) {
    return !sockets.last_answer || *sockets.last_answer >= kLeastPatience;
  };
  const auto waits = count(unanswered.all(), "request");
  const auto& database = requests.database;
  if (database.waiting > usual_database_waits_ && database.oldest >= kLeastPatience && silent(database))
    return Suspicion{HangClass::kDbWait, waits + " and " + count(database.waiting, "query") + " at " +
                                             requests.database_address + " wait, the oldest query for " +
                                             in_seconds(database.oldest)};
  const auto& upstream = requests.upstream;
  if (upstream.waiting > usual_upstream_waits_ && upstream.oldest >= kLeastPatience && silent(upstream))
    return Suspicion{HangClass::kUpstream,
                     waits + " wait, and so do " + count(upstream.waiting, "connection") + " to " +
                         requests.upstream_address + ", the oldest for " + in_seconds(upstream.oldest)};
  // The pool's connections fell silent when requests began to wait, and there are more requests than those.
  if (database.connections > 0 && database.waiting == 0 && unanswered.clients > database.connections &&
      database.last_answer && *database.last_answer + kLeastPatience >= unanswered.oldest &&
      *database.last_answer <= unanswered.oldest + kLeastPatience)
    return Suspicion{
        HangClass::kPoolExhausted,
        waits + " wait, and all " + count(database.connections, "database connection") + " are silent since"};
  return std::nullopt;
}

}  // namespace codex
