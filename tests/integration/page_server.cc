#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdio>
#include <utility>

#include "agent/os/check.h"
#include "exporters/http/http_front.h"
#include "exporters/status/status_document.h"
#include "exporters/status_page/status_page.h"
#include "tests/exporters/sample_snapshot.h"

// The status page of a made-up backend on a port of the kernel's choice, which is printed; until a signal
// ends it. With TEXT as its argument every text that could come from a process, a peer or a configuration is
// TEXT.

namespace {

using namespace codex;

void fill(Snapshot& snapshot, BackendRecent& recent, const std::string& text) {
  BackendSnapshot& backend = snapshot.backends[0];
  snapshot.agent.version = snapshot.agent.log_error = text;
  backend.name = backend.state = backend.health_reason = backend.problem = backend.awaiting = text;
  backend.restarts = {{text, 1}};
  backend.last_exit->signal = backend.last_exit->cause = text;
  backend.startup.waiting_for = text;
  for (ProbeSnapshot& probe : backend.probes)
    probe.name = probe.role = probe.target = probe.reason = probe.detail = text;
  backend.probes[0].outcome = "failure";
  backend.hang = HangSnapshot{text, {}, text, text, text, text, {}, 1, {}};
  for (RecentState& state : recent.states) state.state = state.reason = text;
  for (RecentProbe& probe : recent.probes) probe.name = text;
  for (RecentEvent& event : recent.events) event.from = event.to = event.reason = event.detail = text;
}

std::uint16_t port_of(const UniqueFd& listener) {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  check("getsockname", ::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size));
  return ntohs(address.sin_port);
}

}  // namespace

int main(int argc, char** argv) {
  Snapshot snapshot = testing::sample_snapshot();
  BackendRecent recent = testing::sample_recent();
  if (argc > 1) fill(snapshot, recent, argv[1]);
  const auto now = std::chrono::system_clock::now();
  for (std::size_t i = 0; i < recent.events.size(); ++i)
    recent.events[i].at = now - std::chrono::minutes(9 * i);

  EventLoop loop;
  HttpRoutes routes;
  const RecentSource source = [&recent] { return std::vector<BackendRecent>{recent}; };
  add_history_route(routes, testing::source_of(snapshot), source);
  add_status_page(routes, testing::source_of(snapshot), source);
  UniqueFd listener = listen_tcp("127.0.0.1", 0);
  std::printf("%u\n", unsigned{port_of(listener)});
  std::fflush(stdout);
  const HttpFront front(loop, std::move(listener), routes, HttpLimits{}, {"127.0.0.1"}, std::nullopt);
  return loop.run();
}
