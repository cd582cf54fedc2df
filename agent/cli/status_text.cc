#include "agent/cli/status_text.h"

#include <algorithm>
#include <string_view>

#include "agent/cli/exit_code.h"
#include "agent/cli/text_format.h"
#include "agent/text/quantity.h"

namespace codex {
namespace {

constexpr std::size_t kFactsColumn = 38;
constexpr std::string_view kGap = "   ";

enum class Mark { kGood, kBad, kNone };

bool is_running(const BackendStatus& backend) {
  return backend.state == "running" || backend.state == "degraded" || backend.state == "hung";
}

// A probe's last answer says nothing about a backend that has ended since.
bool is_probed(const BackendStatus& backend) {
  return is_running(backend) || backend.state == "starting";
}

std::string check_line(Mark mark, const std::string& label, const std::string& facts) {
  std::string line = "  ";
  line += mark == Mark::kGood ? "✅ " : mark == Mark::kBad ? "❌ " : "–  ";
  line += label;
  if (!facts.empty()) {
    const std::size_t width = std::min(display_width(label), kFactsColumn);
    line += std::string(std::max(kFactsColumn - width, kGap.size()), ' ') + facts;
  }
  return line + "\n";
}

std::string joined(std::initializer_list<std::string> parts, std::string_view separator) {
  std::string text;
  for (const auto& part : parts) {
    if (part.empty()) continue;
    if (!text.empty()) text += separator;
    text += part;
  }
  return text;
}

const ProbeStatus* standard_probe(const BackendStatus& backend, std::string_view name) {
  const auto found = std::find_if(backend.probes.begin(), backend.probes.end(),
                                  [&](const ProbeStatus& probe) { return probe.name == name; });
  return found == backend.probes.end() ? nullptr : &*found;
}

std::string failures(const ProbeStatus& probe) {
  if (probe.consecutive_failures <= 0) return "";
  if (probe.failure_threshold <= 0) return count_text(probe.consecutive_failures, "failure");
  if (probe.consecutive_failures <= probe.failure_threshold)
    return std::to_string(probe.consecutive_failures) + "/" + std::to_string(probe.failure_threshold) +
           " failures";
  return count_text(probe.consecutive_failures, "failure") + ", limit " +
         std::to_string(probe.failure_threshold);
}

/// It was said before the hang began, and says nothing of it.
bool precedes_hang(const BackendStatus& backend, const ProbeStatus& probe) {
  return backend.hang_seconds && probe.age_seconds && *probe.age_seconds > *backend.hang_seconds;
}

/// How old an answer is, once that is more than is usual.
std::string age_words(const BackendStatus& backend, const ProbeStatus& probe) {
  if (!probe.age_seconds) return "";
  const bool before = precedes_hang(backend, probe);
  if (!before && *probe.age_seconds < probe.period_seconds + 1) return "";
  return format_uptime(*probe.age_seconds) + " ago" + (before ? ", before the hang" : "");
}

std::string success_facts(const ProbeStatus& probe) {
  return joined({probe.detail, probe.elapsed_seconds ? "in " + latency_text(*probe.elapsed_seconds) : ""},
                " ");
}

std::string failure_facts(const ProbeStatus& probe, bool with_reason) {
  const std::string reason = with_reason || probe.detail.empty() ? probe.reason : "";
  return joined({joined({reason, probe.detail}, ": "), failures(probe)}, ", ");
}

std::string port_facts(const PortStatus& port) {
  const std::string owner = port.owner_pid
                                ? joined({port.owner_command, std::to_string(*port.owner_pid)}, " ")
                                : "somebody else's process";
  return joined({owner, port.accept_queue ? "accept queue " + std::to_string(*port.accept_queue) : ""}, ", ");
}

std::string port_line(const BackendStatus& backend) {
  if (!backend.port || !backend.port->number)
    return check_line(Mark::kNone, "Server port not configured", "");
  const PortStatus& port = *backend.port;
  const std::string where = "on port " + std::to_string(*port.number);
  const ProbeStatus* probe = standard_probe(backend, "port");
  const bool probe_failed = probe != nullptr && is_probed(backend) && probe->outcome == "failure";
  if (!port.listening) return check_line(Mark::kBad, "Server is not listening " + where, "");
  if (port.ours == false)
    return check_line(Mark::kBad, "Server is not listening " + where,
                      "held by " + port_facts(port) + ", not started by codex-agent");
  if (probe_failed)
    return check_line(Mark::kBad, "Server does not accept connections " + where, failure_facts(*probe, true));
  return check_line(Mark::kGood, "Server is listening " + where, port_facts(port));
}

struct Wording {
  const char* name;
  const char* subject;
  const char* good;
  const char* bad;
  bool with_reason;
};
constexpr Wording kHealth{"http", "Health endpoint", "responding", "not responding", false};
constexpr Wording kDatabase{"database", "Database", "connected", "not connected", true};

std::string probe_line(const BackendStatus& backend, const ProbeStatus* probe, const Wording& words) {
  const std::string subject = std::string(words.subject) + " ";
  if (probe == nullptr) return check_line(Mark::kNone, subject + "not configured", "");
  if (!is_probed(backend)) return check_line(Mark::kNone, subject + "not checked", "not running");
  const std::string age = age_words(backend, *probe);
  if (probe->outcome == "success")
    return check_line(precedes_hang(backend, *probe) ? Mark::kNone : Mark::kGood, subject + words.good,
                      joined({success_facts(*probe), age}, ", "));
  if (probe->outcome == "failure")
    return check_line(Mark::kBad, subject + words.bad,
                      joined({failure_facts(*probe, words.with_reason), age}, ", "));
  if (probe->outcome.empty()) return check_line(Mark::kNone, subject + "not checked yet", "");
  return check_line(Mark::kNone, subject + "unknown", failure_facts(*probe, true));
}

std::string extra_probe_lines(const BackendStatus& backend) {
  std::string lines;
  for (const ProbeStatus& probe : backend.probes) {
    if (probe.name == "port" || probe.name == kHealth.name || probe.name == kDatabase.name) continue;
    const std::string subject = "Probe " + probe.name;
    lines += probe_line(backend, &probe, {"", subject.c_str(), "ok", "failing", true});
  }
  return lines;
}

std::string paint(std::string_view text, const BackendStatus& backend, bool colour) {
  if (!colour) return std::string(text);
  const char* code = "33";
  if (backend.state == "running") code = "32";
  if (backend.state == "failed" || backend.state == "hung") code = "31";
  if (backend.state == "stopped") code = "2";
  return "\x1b[" + std::string(code) + "m" + std::string(text) + "\x1b[0m";
}

/// What has to come before the next automatic start, and how many of them are left.
std::string outlook(const BackendStatus& backend) {
  if (backend.state != "backoff" && backend.state != "failed") return "";
  std::string wait;
  if (backend.awaiting == "file_change") wait = "waits for a file to change";
  if (backend.awaiting == "database") wait = "waits for the database";
  if (backend.awaiting == "port") wait = "waits for the port";
  std::string next;
  if (!backend.next_attempt_at.empty())
    next = (wait.empty() ? "next attempt " : "at the latest ") + format_local_time(backend.next_attempt_at);
  std::string left;
  if (backend.state == "backoff" && backend.restarts_left && backend.restart_limit)
    left = std::to_string(*backend.restarts_left) + " of " + std::to_string(*backend.restart_limit) +
           " restarts left";
  return joined({wait, next, left}, ", ");
}

std::string state_words(const BackendStatus& backend) {
  std::string words = backend.state.empty() ? "unknown" : backend.state;
  if (backend.state == "running" && !backend.health.empty() && backend.health != "unknown")
    words += ", " + (backend.health_reason.empty() ? backend.health : backend.health_reason);
  const std::string why = !backend.hang_class.empty()                              ? backend.hang_class
                          : backend.state == "degraded" || backend.state == "hung" ? backend.health_reason
                                                                                   : "";
  if (!why.empty()) words += " (" + why + ")";
  return joined({words, outlook(backend)}, ", ");
}

std::string restart_words(const BackendStatus& backend) {
  std::string reasons;
  for (const auto& [reason, count] : backend.restarts_by_reason) {
    if (!reasons.empty()) reasons += ", ";
    reasons += (backend.restarts_by_reason.size() > 1 ? std::to_string(count) + " " : "") + reason;
  }
  return "restarts " + std::to_string(backend.restarts) + (reasons.empty() ? "" : " (" + reasons + ")");
}

std::string headline(const BackendStatus& backend, bool colour) {
  const bool running = is_running(backend);
  return joined({backend.name, paint(state_words(backend), backend, colour),
                 backend.pid ? "pid " + std::to_string(*backend.pid) : "",
                 running && backend.uptime_seconds ? "up " + format_uptime(*backend.uptime_seconds) : "",
                 restart_words(backend),
                 !running && !backend.last_exit.empty() ? "last exit: " + backend.last_exit : "",
                 backend.desired.empty() ? "" : "wanted: " + backend.desired},
                kGap) +
         "\n";
}

/// Why it was restarted, once that is no problem any more.
std::string last_end_line(const BackendStatus& backend) {
  if (backend.last_end.empty() || !backend.problem.empty() || !is_running(backend)) return "";
  const std::string at = backend.last_end_at.empty() ? "" : format_local_time(backend.last_end_at);
  return "  last end: " + joined({at, backend.last_end}, kGap) + "\n";
}

std::string startup_line(const BackendStatus& backend) {
  std::string phases;
  for (const auto& [name, seconds] : backend.startup_phases) {
    phases += (phases.empty() ? "" : ", ") + name + " " + decimal_text(seconds, 2);
  }
  if (backend.state == "starting") {
    const std::string waiting = backend.waiting_for.empty() ? "" : "waiting for " + backend.waiting_for;
    const std::string facts = joined({phases, waiting}, ", ");
    return facts.empty() ? "" : "  starting: " + facts + "\n";
  }
  if (!backend.startup_seconds || !is_running(backend)) return "";
  return "  started in " + decimal_text(*backend.startup_seconds, 2) + " s" +
         (phases.empty() ? "" : ": " + phases) + "\n";
}

/// What it uses now, and what it has used in all.
std::string cpu_words(const ResourceStatus& used) {
  const std::string total = used.cpu_seconds ? decimal_text(*used.cpu_seconds, 1) + " s in all" : "";
  if (!used.cpu_ratio) return total.empty() ? "" : "CPU " + total;
  const std::string now = "CPU " + decimal_text(*used.cpu_ratio * 100, 1) + " %";
  return total.empty() ? now : now + " (" + total + ")";
}

/// What is compared with the limit.
std::string memory_words(const ResourceStatus& used) {
  if (!used.memory_bytes) return "";
  const bool shared_once = used.memory_source == "proportional";
  return "memory " + format_bytes(*used.memory_bytes) +
         (shared_once                      ? " (shared pages once)"
          : used.memory_source == "cgroup" ? " (of its cgroup)"
                                           : "");
}

std::string resource_line(const BackendStatus& backend) {
  if (!backend.resources || backend.state == "stopped" || backend.state == "failed") return "";
  const ResourceStatus& used = *backend.resources;
  std::string memory = memory_words(used);
  if (used.processes) {
    const std::string processes =
        std::to_string(*used.processes) + (*used.processes == 1 ? " process" : " processes");
    memory = memory.empty() ? processes : memory + " in " + processes;
  }
  if (backend.memory_limit_bytes) memory += ", limit " + format_bytes(*backend.memory_limit_bytes);
  const std::string line =
      joined({memory, cpu_words(used), used.open_fds ? "fds " + std::to_string(*used.open_fds) : "",
              used.threads ? "threads " + std::to_string(*used.threads) : ""},
             kGap);
  return line.empty() ? "" : "  " + line + "\n";
}

std::string hang_line(const BackendStatus& backend) {
  if (backend.hang_class.empty()) return "";
  const std::string lasted = backend.hang_seconds ? " for " + latency_text(*backend.hang_seconds)
                             : !backend.hang_since.empty()
                                 ? ", since " + format_local_time(backend.hang_since)
                                 : "";
  const std::string where = backend.hang_where.empty() ? "" : "in " + backend.hang_where;
  std::string next;
  if (!backend.hang_action.empty() && backend.hang_due_in_seconds)
    next =
        backend.hang_action +
        (*backend.hang_due_in_seconds > 0 ? " in " + latency_text(*backend.hang_due_in_seconds) : " is due");
  if (backend.hang_action == "report") next = "a restart would not help, or is not wanted";
  std::string line =
      "  ❌ Hang: " +
      joined({joined({backend.hang_class + lasted, where, backend.hang_detail}, ", "), next}, "; ") + "\n";
  if (!backend.hang_evidence.empty()) line += "     codex-agent evidence " + backend.hang_evidence + "\n";
  return line;
}

int exit_code_of(const BackendStatus& backend) {
  if (backend.state == "running") return kExitOk;
  return is_running(backend) ? kExitUnhealthy : kExitNotRunning;
}

int badness(int code) {
  return code == kExitNotRunning ? 2 : code == kExitUnhealthy ? 1 : 0;
}

}  // namespace

std::string render_backend(const BackendStatus& backend, bool colour) {
  std::string text = headline(backend, colour) + port_line(backend) +
                     probe_line(backend, standard_probe(backend, kHealth.name), kHealth) +
                     probe_line(backend, standard_probe(backend, kDatabase.name), kDatabase) +
                     extra_probe_lines(backend) + hang_line(backend) + startup_line(backend) +
                     resource_line(backend) + last_end_line(backend);
  if (!backend.problem.empty()) text += "  ❌ " + backend.problem + "\n";
  return text;
}

std::string render_status_text(const StatusDocument& status, bool colour) {
  std::string text;
  for (const BackendStatus& backend : status.backends) text += render_backend(backend, colour);
  return text;
}

int status_exit_code(const StatusDocument& status) {
  int worst = kExitOk;
  for (const BackendStatus& backend : status.backends)
    if (badness(exit_code_of(backend)) > badness(worst)) worst = exit_code_of(backend);
  return worst;
}

}  // namespace codex
