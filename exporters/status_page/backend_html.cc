#include "exporters/status_page/backend_html.h"

#include <algorithm>

#include "agent/text/quantity.h"
#include "exporters/status_page/page_text.h"
#include "exporters/status_page/sparkline.h"
#include "exporters/status_page/timeline.h"

namespace codex {

namespace {

/// Half a percent of a core is noise, and so is a MiB: a curve must not make mountains of them.
constexpr double kLeastCpu = 0.05;
constexpr double kLeastMemory = 16 << 20;
constexpr double kLeastLatency = 0.002;

std::string fact(std::string_view name, const std::string& value) {
  return value.empty() ? "" : "<div><dt>" + std::string(name) + "<dd>" + value + "</div>";
}

std::string restarts_text(const Counts& restarts) {
  std::uint64_t total = 0;
  std::string reasons;
  for (const auto& [reason, count] : restarts) {
    total += count;
    if (count > 0) reasons += (reasons.empty() ? "" : ", ") + std::to_string(count) + " " + html(reason);
  }
  return std::to_string(total) + (reasons.empty() ? "" : " <small>" + reasons + "</small>");
}

std::string exit_text(const LastExit& exit, WallTime now) {
  std::string text = exit.signal ? html(*exit.signal) : "exit code " + std::to_string(exit.code);
  if (!exit.cause.empty()) text += " <small>" + html(exit.cause) + "</small>";
  if (!exit.why.empty()) text += ": " + html(exit.why);
  return text + " at " + time_html(exit.at, now);
}

std::string facts(const BackendSnapshot& backend, WallTime now) {
  std::string list = "<dl class=facts>";
  if (backend.uptime_seconds) list += fact("up", span_text(*backend.uptime_seconds));
  list += fact("wanted", backend.desired_running ? "running" : "stopped");
  list += fact("restarts", restarts_text(backend.restarts));
  if (backend.pid) list += fact("pid", std::to_string(*backend.pid));
  if (backend.port) {
    list += fact("port", std::to_string(backend.port->number) + (backend.port->listening
                                                                     ? " <small>listening</small>"
                                                                     : " <small>not listening</small>"));
  }
  if (backend.startup.waiting_for)
    list += fact("start", "waits for: " + html(*backend.startup.waiting_for));
  else if (backend.startup.duration_seconds)
    list += fact("started in", latency_text(*backend.startup.duration_seconds));
  if (backend.last_exit) list += fact("last end", exit_text(*backend.last_exit, now));
  return list + "</dl>\n";
}

/// What has to come before the next automatic start, and how many of them are left.
std::string outlook(const BackendSnapshot& backend, WallTime now) {
  if (backend.awaiting.empty() && !backend.next_attempt) return "";
  std::string text;
  if (backend.awaiting == "file_change") text = "It waits for a file to change";
  if (backend.awaiting == "database") text = "It waits for the database";
  if (backend.awaiting == "port") text = "It waits for the port to be free";
  if (backend.next_attempt) {
    text += (text.empty() ? "The next attempt is at " : "; the next attempt is at the latest at ") +
            time_html(*backend.next_attempt, now);
  }
  return "<p class=next>" + text + ". " + std::to_string(std::max(backend.restart_budget, 0)) + " of " +
         std::to_string(backend.restart_limit) + " automatic restarts are left in " +
         span_text(backend.restart_interval_seconds) + ".</p>\n";
}

std::string next_step(const HangSnapshot& hang) {
  const std::string in = hang.due_in_seconds && *hang.due_in_seconds > 0
                             ? " in " + moment_text(*hang.due_in_seconds)
                             : " is due";
  if (hang.action == "restart") return "Restart" + in + ".";
  if (hang.action == "continue") return "SIGCONT" + in + ".";
  return "It is told, and nothing else is done: a restart would not help, or is not wanted.";
}

std::string where_and_evidence(const HangSnapshot& hang) {
  std::string text;
  if (!hang.where.empty()) text += ", in <code>" + html(hang.where) + "</code>";
  if (!hang.evidence.empty())
    text += ". Evidence: <code>codex-agent evidence " + html(hang.evidence) + "</code>";
  return text + ".";
}

std::string hangs(const BackendSnapshot& backend, WallTime now) {
  if (backend.hang) {
    const HangSnapshot& hang = *backend.hang;
    return "<div class=hang><p><strong>Hang: " + html(hang.hang_class) + "</strong> for " +
           moment_text(hang.lasted_seconds) + ", since " + time_html(hang.since, now) +
           where_and_evidence(hang) + " <strong>" + next_step(hang) + "</strong><p>" + html(hang.detail) +
           "</div>\n";
  }
  if (!backend.last_hang) return "";
  const HangSnapshot& hang = *backend.last_hang;
  return "<p class=last-hang>Last hang: <strong>" + html(hang.hang_class) + "</strong> at " +
         time_html(hang.since, now) + " for " + moment_text(hang.lasted_seconds) + where_and_evidence(hang) +
         "</p>\n";
}

/// What a check said before all came to rest is no longer true.
bool is_asked(const BackendSnapshot& backend, const ProbeSnapshot& probe) {
  const std::string& state = backend.state;
  const bool rests = state == "stopped" || state == "stopping" || state == "backoff" || state == "failed";
  return !rests || (backend.awaiting == "database" && probe.kind == "database");
}

/// It was said before the hang began, and says nothing of it.
bool precedes_hang(const BackendSnapshot& backend, const ProbeSnapshot& probe) {
  return backend.hang && probe.age_seconds && *probe.age_seconds > backend.hang->lasted_seconds;
}

/// How old an answer is, once that is more than is usual.
std::string age(const BackendSnapshot& backend, const ProbeSnapshot& probe) {
  if (!probe.age_seconds) return "";
  const bool before = precedes_hang(backend, probe);
  if (!before && !is_old(*probe.age_seconds, probe.period_seconds)) return "";
  return " <small>" + span_text(*probe.age_seconds) + " ago" + (before ? ", before the hang" : "") +
         "</small>";
}

/// Colour, sign and word, so that nobody needs to see colours.
std::string verdict(const BackendSnapshot& backend, const ProbeSnapshot& probe) {
  if (!probe.outcome) return "<td class=calm>&#8943; not asked yet";
  if (*probe.outcome == "success")
    return (precedes_hang(backend, probe) ? "<td class=calm>&#8943; ok" : "<td class=good>&#10003; ok") +
           age(backend, probe);
  const bool failed = *probe.outcome == "failure";
  std::string cell = failed ? "<td class=bad>&#10007; failed" : "<td class=wait>? unknown";
  if (!probe.reason.empty()) cell += ": " + html(probe.reason);
  if (failed && probe.consecutive_failures > 0 && probe.failure_threshold > 0) {
    cell += " <small>" + std::to_string(probe.consecutive_failures) + " of " +
            std::to_string(probe.failure_threshold) + "</small>";
  }
  return cell + age(backend, probe);
}

std::size_t slots_of(const TimeScale& scale) {
  return static_cast<std::size_t>(scale.seconds / to_seconds(kRecentStep));
}

std::string latency_cell(const RecentProbe* recent, const TimeScale& scale) {
  if (recent == nullptr) return "<td class=curve>";
  const auto failed = static_cast<std::uint64_t>(
      std::count_if(recent->failures.begin(), recent->failures.end(), [](float value) { return value > 0; }));
  const double peak = peak_of(recent->seconds);
  std::string label = peak > 0 ? "at most " + latency_text(peak) : "no answer";
  if (failed > 0)
    label += ", failing for " + span_text(static_cast<double>(failed) * to_seconds(kRecentStep));
  return "<td class=curve>" +
         sparkline_html(recent->seconds, recent->failures, slots_of(scale), kLeastLatency,
                        "Latency: " + label) +
         "<small>" + label + "</small>";
}

std::string checks(const BackendSnapshot& backend, const BackendRecent& recent, const TimeScale& scale) {
  std::string table = "<table class=checks><thead><tr><th>check<th>result<th>took<th>" +
                      std::string(scale.name) + "<th>detail<tbody>\n";
  for (std::size_t i = 0; i < backend.probes.size(); ++i) {
    const ProbeSnapshot& probe = backend.probes[i];
    const bool asked = is_asked(backend, probe);
    table += "<tr><th scope=row title=\"" + html(probe.role + " " + probe.target) + "\">" + html(probe.name) +
             (asked ? verdict(backend, probe) : "<td class=calm>&#8943; not asked now") + "<td>" +
             (asked && probe.elapsed_seconds ? latency_text(*probe.elapsed_seconds) : "") +
             latency_cell(i < recent.probes.size() ? &recent.probes[i] : nullptr, scale) +
             "<td class=detail>" + (asked ? html(probe.detail) : "") + "\n";
  }
  return table + "</table>\n";
}

std::string figure(const std::string& name, const std::string& now, const std::string& more,
                   const std::string& curve) {
  return "<figure><figcaption>" + name + " <b>" + now + "</b> <small>" + more + "</small></figcaption>" +
         curve + "</figure>";
}

std::string resources(const BackendSnapshot& backend, const BackendRecent& recent, const TimeScale& scale) {
  const auto& used = backend.resources;
  std::string more = "at most " + memory_text(peak_of(recent.used_memory_bytes));
  if (used)
    more = "in " + std::to_string(used->processes) + (used->processes == 1 ? " process, " : " processes, ") +
           more;
  if (backend.memory_limit_bytes)
    more += ", limit " + memory_text(static_cast<double>(*backend.memory_limit_bytes));
  const std::string memory =
      figure("memory", used ? memory_text(static_cast<double>(used->used_memory_bytes)) : "none", more,
             sparkline_html(recent.used_memory_bytes, {}, slots_of(scale), kLeastMemory, "Memory: " + more));
  std::string cpu = used ? "not known yet" : "none";
  if (used && used->cpu_ratio) cpu = cpu_text(*used->cpu_ratio);
  const std::string most = "at most " + cpu_text(peak_of(recent.cpu_ratio)) + " of a core";
  return "<div class=figures>" + memory +
         figure("CPU", cpu, most,
                sparkline_html(recent.cpu_ratio, {}, slots_of(scale), kLeastCpu, "CPU: " + most)) +
         "</div>\n";
}

std::string events(const std::vector<RecentEvent>& events, WallTime now) {
  if (events.empty()) return "<p class=none>Nothing has happened yet.</p>\n";
  std::string table = "<table class=events><thead><tr><th>time<th>change<th>cause<th>detail<tbody>\n";
  for (const RecentEvent& event : events) {
    table += "<tr><td>" + time_html(event.at, now) + "<td>" + html(event.from) + " &rarr; <span class=";
    table.append(mood_of_state(event.to)).append(">").append(html(event.to));
    table += "</span><td>" + html(event.reason) + "<td class=detail>" + html(event.detail) + "\n";
  }
  return table + "</table>\n";
}

}  // namespace

std::string backend_html(const BackendSnapshot& backend, const BackendRecent& recent, WallTime now) {
  std::string part = "<article><header><h2>" + html(backend.name) + "</h2><p class=\"state ";
  part.append(mood_of_state(backend.state)).append("\"><span aria-hidden=true>");
  part.append(sign_of_state(backend.state)).append("</span> ").append(html(backend.state)) += "</p>";
  if (!backend.health_reason.empty() && !backend.hang)
    part += "<p class=why>" + html(backend.health_reason) + "</p>";
  part += "</header>\n";
  if (!backend.problem.empty()) part += "<p class=problem>" + html(backend.problem) + "</p>\n";
  part += outlook(backend, now) + hangs(backend, now) + facts(backend, now);
  const TimeScale& scale = scale_of(recent.states);
  part += "<section><h3>" + std::string(scale.name) + "</h3>\n" + timeline_html(recent.states, scale) +
          "</section>\n";
  part += "<section><h3>checks</h3>\n" + checks(backend, recent, scale) + "</section>\n";
  part += "<section><h3>resources</h3>\n" + resources(backend, recent, scale) + "</section>\n";
  return part + "<section><h3>events</h3>\n" + events(recent.events, now) + "</section></article>\n";
}

}  // namespace codex
