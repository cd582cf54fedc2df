#include <utility>

#include "agent/process/debugger_hold.h"
#include "agent/supervision/backend.h"
#include "agent/supervision/describe.h"

/// Who is told what has been seen of a Backend.

namespace codex {

void Backend::probe_answered(std::size_t index) {
  const ProbeTracker& probe = prober_.trackers()[index];
  const bool late = probe.last_outcome() == Outcome::kFailure && probe.last_reason() == Reason::kTimeout;
  if (const auto asked = HangWatch::asked_of(probe.spec(), context_.config.port))
    hangs_.watch().probe_ended(*asked, probe.last_outcome(), late && !probe.flows());
  if (late && probe.spec().own_listener) {
    if (probe.flows()) {
      prober_.forgive(index, {"slow", "answers, but not within the probe's timeout"});
    } else if (auto overload = hangs_.watch().overload()) {
      prober_.forgive(index, {"overloaded", std::move(*overload)});
    }
  }
  story_.note_answer(index, probe);
  startup_.follow();
  follow_health();
  awaited_.follow();
}

void Backend::capture(EvidenceRequest request, EvidenceRecorder::Done done) {
  const auto& identity = tree_.identity();
  request.backend = name();
  request.generation = process_.generation();
  request.token_prefix = identity.guessable ? identity.guessable_prefix() : identity.token_prefix();
  if (!request.server) request.server = tree_.server();
  request.port = context_.config.port;
  request.database_ports = HangWatch::database_ports(own_database_port(context_.config));
  request.native_stacks = context_.config.hang_native_stacks;
  request.output_file = context_.config.output_file;
  if (const auto* database = own_database(context_.config)) request.database_url = database->url;
  context_.services.evidence.capture(std::move(request), std::move(done));
}

/// The process that has the port now is the one whose progress counts.
void Backend::follow_server() {
  const auto server = tree_.server();
  if (!server) return;
  const PortWatch& port = *tree_.port_watch();
  context_.troubles.look("hang watch", context_.services.schedule.now(), [&] {
    hangs_.watch().watch(*server, port.server_address(), *context_.config.port,
                         own_database_port(context_.config), port.server_network());
  });
}

void Backend::look_at_application() {
  // Also should the hang watch have failed when the server began to listen.
  const bool seen = tree_.look_at_port();
  const bool wanted = lifecycle().state() == State::kRunning || lifecycle().state() == State::kStarting;
  if (!seen || !wanted) return;
  follow_server();
  context_.troubles.look("application", context_.services.schedule.now(), [this] { application_.look(); });
}

/// Whether one keeps the start from getting on, which is told while it does.
bool Backend::look_for_debugger() {
  std::string hold;
  context_.troubles.look("debugger", context_.services.schedule.now(),
                         [&] { hold = describe_debugger(tree_.members()); });
  if (!hold.empty())
    hold = "A debugger holds the start, whose time limit waits for it: " +
           context_.services.redactor.safe(hold) + ".";
  if (hold != held_start_) story_.tell_problem(hold);
  held_start_ = std::move(hold);
  // It is stuck for a reason, and how long it takes is not usual.
  if (!held_start_.empty()) hangs_.watch().start_is_over();
  return !held_start_.empty();
}

void Backend::follow_health() {
  if (lifecycle().state() != State::kRunning) return;
  HealthFacts facts{prober_.trackers(), application_.idle(), application_.undecided(), hangs_.hang()};
  facts.stuck_workers = hangs_.workers().sentence();
  facts.stuck_detail = hangs_.workers().detail();
  if (tree_.port() != nullptr && !tree_.port()->ours) facts.silent_port = context_.config.port;
  const auto restart = health_.follow(facts, context_.services.schedule.now());
  const HealthVerdict& verdict = health_.verdict();
  verdict.health == Health::kHealthy ? story_.well() : story_.ill();
  publish(verdict.reason.empty() ? "recovered" : verdict.reason, verdict.detail);
  if (!application_.idle().empty() && verdict.detail == application_.idle())
    story_.explain(verdict.reason, verdict.detail);
  if (restart) report(*restart);
  context_.changed();
}

}  // namespace codex
