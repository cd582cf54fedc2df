#include "agent/supervision/describe.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>

#include "agent/text/quantity.h"

namespace codex {

namespace {

/// What the probes that are not yet content said last.
std::string complaints(const std::vector<ProbeTracker>& probes, bool database) {
  std::string text;
  for (const auto& probe : probes) {
    if ((probe.spec().kind == ProbeKind::kDatabase) != database || probe.succeeding()) continue;
    if (!text.empty()) text += "; ";
    text += probe.spec().name + ": " + (probe.last_detail().empty() ? "no answer yet" : probe.last_detail());
  }
  return text;
}

std::string_view of_what(MemorySource source) {
  switch (source) {
    case MemorySource::kResident:
      return " (shared pages once a process)";
    case MemorySource::kProportional:
      return " (shared pages once)";
    case MemorySource::kCgroup:
      return " (of its cgroup)";
  }
  return "";
}

}  // namespace

std::string describe_startup(const StartupSnapshot& startup) {
  std::string text = "started in " + decimal_text(startup.duration_seconds.value_or(0), 2) + " s";
  const char* separator = ": ";
  for (const auto& [phase, seconds] : startup.phases) {
    text += separator + phase + " " + decimal_text(seconds, 2);
    separator = ", ";
  }
  return text;
}

std::string describe_start_timeout(const BackendConfig& config, std::optional<StartupPhase> waiting_for,
                                   const std::vector<ProbeTracker>& probes, const std::string& absence,
                                   const std::string& hang) {
  const double limit = to_seconds(config.start_timeout);
  std::string text =
      "Server startup timeout after " + decimal_text(limit, limit < 10 && limit != int(limit) ? 1 : 0) + " s";
  if (!waiting_for) return text;
  text += ": it hung in phase " + std::string(to_string(*waiting_for)) + " (";
  switch (*waiting_for) {
    case StartupPhase::kSpawn:
      text += "the command was not executed in time";
      break;
    case StartupPhase::kListen:
      text += absence;
      break;
    case StartupPhase::kDatabase:
      text += complaints(probes, true);
      break;
    case StartupPhase::kRespond:
      text += complaints(probes, false);
      break;
  }
  text += ")";
  if (!hang.empty()) text += "; it " + hang;
  return text + ". Its processes were stopped.";
}

std::string describe_doubts(const std::vector<ProbeSnapshot>& probes) {
  std::string text;
  for (const ProbeSnapshot& probe : probes) {
    if (probe.outcome != "failure" || probe.role == to_string(ProbeRole::kStartup)) continue;
    text += (text.empty() ? "" : ", ") + probe.name + " failing " +
            std::to_string(probe.consecutive_failures) + " of " + std::to_string(probe.failure_threshold);
  }
  return text;
}

std::uint16_t database_port(const ProbeSpec& probe) {
  constexpr std::uint16_t kPostgres = 5432;
  const std::string& target = probe.target;  // holds no secret: "postgresql://127.0.0.1:5433/app"
  const auto colon = target.rfind(':');
  std::uint16_t port = 0;
  if (colon != std::string::npos)
    std::from_chars(target.data() + colon + 1, target.data() + target.size(), port);
  return port != 0 ? port : kPostgres;
}

const ProbeSpec* own_database(const BackendConfig& config) {
  for (const auto& probe : config.probes) {
    if (probe.kind == ProbeKind::kDatabase && !probe.target.starts_with("sqlite")) return &probe;
  }
  return nullptr;
}

std::optional<std::uint16_t> own_database_port(const BackendConfig& config) {
  const auto* database = own_database(config);
  return database != nullptr ? std::optional(database_port(*database)) : std::nullopt;
}

std::string describe_memory(std::uint64_t limit, const UsedMemory& used, std::vector<ProcStat> members,
                            const Redactor& redactor) {
  constexpr std::size_t kNamed = 3;
  const auto mebibytes = [](std::uint64_t bytes) { return std::to_string(bytes >> 20) + " MiB"; };
  const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  std::string text = "Memory limit: the tree uses " + mebibytes(used.bytes) +
                     std::string(of_what(used.source)) + ", the limit is " + mebibytes(limit);
  std::sort(members.begin(), members.end(),
            [](const ProcStat& a, const ProcStat& b) { return a.resident_pages > b.resident_pages; });
  if (members.size() > kNamed) members.resize(kNamed);
  const char* separator = "; most is resident in: ";
  for (const auto& member : members) {
    const auto process = describe_process(member.pid);
    text += separator + ("pid " + std::to_string(member.pid)) + " (" +
            redactor.safe(process ? process->command : member.comm, 80) + ") " +
            mebibytes(member.resident_pages * page);
    separator = ", ";
  }
  return text + ".";
}

}  // namespace codex
