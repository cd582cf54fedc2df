#include "probes/database/postgres_view.h"

#include <poll.h>

#include <algorithm>
#include <cstdlib>
#include <future>
#include <sstream>
#include <thread>
#include <utility>

#include "agent/text/quantity.h"
#include "probes/database/postgres_hosts.h"
#include "probes/database/postgres_session.h"
#include "probes/finding.h"

namespace codex {

namespace {

using std::chrono::milliseconds;

// A role that may not see others' activity gets their rows without state and query.
constexpr const char* kQuery =
    "SELECT pid, coalesce(client_port, 0), coalesce(state, ''),"
    " coalesce(wait_event_type || ': ' || wait_event, ''),"
    " coalesce(extract(epoch FROM clock_timestamp() - state_change), 0),"
    " array_to_string(pg_blocking_pids(pid), ' '), application_name, coalesce(usename, ''),"
    " left(query, 300)"
    " FROM pg_stat_activity"
    " WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
    " ORDER BY 5 DESC LIMIT 100";
constexpr std::size_t kFields = 9;

PostgresClient client_of(const std::vector<std::string>& row) {
  PostgresClient client;
  client.pid = std::atoi(row[0].c_str());
  client.port = static_cast<std::uint16_t>(std::max(0, std::atoi(row[1].c_str())));
  client.state = row[2];
  // An idle session "waits" for its client.
  if (!row[3].starts_with("Client: ")) client.waits_for = row[3];
  client.seconds = std::strtod(row[4].c_str(), nullptr);
  std::istringstream blockers(row[5]);
  for (int pid = 0; blockers >> pid;) client.blockers.push_back(pid);
  client.application = row[6];
  client.user = row[7];
  client.query = row[8];
  return client;
}

std::string silence(Duration limit) {
  return "no answer within " + in_words(limit);
}

PostgresView ask(PostgresSettings settings, Duration limit) {
  const TimePoint deadline = Clock::now() + limit;
  PostgresView view;
  std::vector<Resolution> found;
  for (const auto& host : settings.hosts) found.push_back(resolve_if_needed(host));
  settings.hosts = with_addresses(settings.hosts, found);
  if (settings.hosts.empty()) return {found.front().finding.value_or(Finding{}).text, {}};
  PostgresSession session(std::move(settings), kQuery);
  for (;;) {
    const auto wait = session.advance();
    if (wait == PostgresSession::Wait::kNothing) break;
    const auto left = std::chrono::duration_cast<milliseconds>(deadline - Clock::now());
    pollfd line{session.socket(), static_cast<short>(wait == PostgresSession::Wait::kRead ? POLLIN : POLLOUT),
                0};
    if (left <= milliseconds(0) || ::poll(&line, 1, static_cast<int>(left.count())) == 0)
      return {silence(limit), {}};
  }
  if (session.finding().outcome != Outcome::kSuccess) view.error = session.finding().text;
  for (const auto& row : session.rows()) {
    if (row.size() == kFields) view.clients.push_back(client_of(row));
  }
  return view;
}

}  // namespace

PostgresView look_at_postgres(const PostgresSettings& settings, Duration limit) {
  std::packaged_task<PostgresView()> task([settings, limit] { return ask(settings, limit); });
  auto answer = task.get_future();
  std::thread(std::move(task)).detach();
  if (answer.wait_for(limit) != std::future_status::ready) return {silence(limit), {}};
  try {
    return answer.get();
  } catch (const std::exception& e) {
    return {e.what(), {}};
  }
}

}  // namespace codex
