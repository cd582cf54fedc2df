#include "probes/database/postgres_probe.h"

#include <fcntl.h>
#include <sys/socket.h>

#include "agent/text/quantity.h"
#include "probes/database/postgres_hosts.h"

namespace codex {

namespace {

/// How long one read of libpq may go on unwatched.
constexpr auto kFloodCheck = std::chrono::milliseconds(5);

std::string unfinished_words(Phase phase) {
  switch (phase) {
    case Phase::kResolve:
      return "name not resolved";
    case Phase::kTls:
      return "connected, TLS handshake unfinished";
    case Phase::kAuth:
      return "connected, not logged in";
    case Phase::kQuery:
      return "logged in, SELECT 1 not answered";
    case Phase::kConnect:
    case Phase::kProcessing:
    case Phase::kTransfer:
      return "not connected";
  }
  return "";
}

}  // namespace

PostgresProbe::PostgresProbe(const ProbeSpec& spec, const ProbeContext& context)
    : context_(context),
      flood_timer_(context.loop, "postgres flood", [this] { watch_for_flood(); }),
      attempt_(context.loop, "postgres probe",
               {[this] { ask(); }, [this] { expire(); }, [this] { release(); }}) {
  auto parsed = parse_postgres_url(spec.url.reveal());
  if (auto* error = std::get_if<std::string>(&parsed)) {
    unusable_ = std::move(*error);
  } else {
    settings_ = std::get<PostgresSettings>(std::move(parsed));
  }
}

void PostgresProbe::ask() {
  if (!settings_) return attempt_.give_up(unusable_);
  phase_ = Phase::kResolve;
  attempt_.enter(phase_);
  stepping_ = true;
  const bool sent = call_.send(
      context_.loop, context_.resolver,
      [hosts = settings_->hosts] {
        std::vector<Resolution> found;
        for (const auto& host : hosts) found.push_back(resolve_if_needed(host));
        return found;
      },
      attempt_.guard([this](std::future<std::vector<Resolution>> future) { open(future.get()); }));
  if (!sent) attempt_.give_up("the agent's worker is busy");
}

void PostgresProbe::open(const std::vector<Resolution>& found) {
  auto settings = *settings_;
  settings.hosts = with_addresses(settings_->hosts, found);
  if (settings.hosts.empty()) return end(found.front().finding.value_or(Finding{}));
  session_ = std::make_shared<PostgresSession>(std::move(settings));
  phase_ = Phase::kConnect;
  attempt_.enter(phase_);
  step();
}

void PostgresProbe::step() {
  stepping_ = true;
  if (const int socket = session_->socket(); socket >= 0) {
    line_ = UniqueFd(::fcntl(socket, F_DUPFD_CLOEXEC, 0));
    flood_timer_.arm_after(kFloodCheck);
  }
  const bool sent = call_.send(
      context_.loop, context_.resolver, [session = session_] { return session->advance(); },
      attempt_.guard([this](std::future<PostgresSession::Wait> future) { stepped(future.get()); }));
  if (!sent) attempt_.give_up("the agent's worker is busy");
}

void PostgresProbe::stepped(PostgresSession::Wait wait) {
  stepping_ = false;
  flood_timer_.disarm();
  line_.reset();
  if (flooded_) return end({Outcome::kFailure, Reason::kProtocol, kFloodWords});
  const Phase now = session_->phase();
  // The server declined TLS: asking for it was part of connecting.
  if (phase_ == Phase::kTls && now != Phase::kTls && !session_->encrypted())
    attempt_.rename_phase(Phase::kConnect);
  phase_ = now;
  attempt_.enter(phase_);
  if (wait == PostgresSession::Wait::kNothing) return end(session_->finding());
  const std::uint32_t events = wait == PostgresSession::Wait::kRead ? EPOLLIN : EPOLLOUT;
  watch_ = FdWatch(context_.loop, "postgres probe", session_->socket(), events,
                   attempt_.guard([this](std::uint32_t) {
                     watch_.reset();  // The step may close the socket.
                     step();
                   }));
}

void PostgresProbe::expire() {
  if (stepping_ && call_.starved()) return attempt_.give_up("the agent's worker is busy");
  end({Outcome::kFailure, Reason::kTimeout,
       "no answer within " + in_words(attempt_.allowed()) + " (" + unfinished_words(phase_) + ")"});
}

void PostgresProbe::watch_for_flood() {
  if (!stepping_ || !line_) return;
  flooded_ = is_flooded(line_.get());
  if (flooded_) {
    ::shutdown(line_.get(), SHUT_RDWR);  // Ends the step.
  } else {
    flood_timer_.arm_after(kFloodCheck);
  }
}

void PostgresProbe::release() {
  watch_.reset();
  flood_timer_.disarm();
  // libpq goes on reading as long as a fast server keeps sending; the worker is needed for others.
  if (stepping_ && line_) ::shutdown(line_.get(), SHUT_RDWR);
  line_.reset();
  flooded_ = false;
  session_.reset();
  stepping_ = false;
}

void PostgresProbe::end(const Finding& finding) {
  const bool success = finding.outcome == Outcome::kSuccess;
  attempt_.finish(finding.outcome, finding.reason,
                  context_.redactor.safe(success ? finding.text : settings_->target + ": " + finding.text));
}

}  // namespace codex
