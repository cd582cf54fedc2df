#include "agent/commands/evidence_command.h"

#include <cstdio>
#include <nlohmann/json.hpp>
#include <system_error>

#include "agent/evidence/incident_store.h"
#include "agent/evidence/report_text.h"
#include "agent/os/files.h"
#include "agent/text/display_text.h"

namespace codex {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kMostReport = 16 << 20;

/// An object without members for a report that is missing or damaged.
Json report_of(const IncidentStore& store, const std::string& id) {
  try {
    Json report = Json::parse(read_regular_file(store.path(id) / "report.json", kMostReport), nullptr, false);
    if (report.is_object()) return report;
  } catch (const std::system_error&) {
  }
  return Json::object();
}

std::string text(const Json& json, const char* name) {
  return json.contains(name) && json[name].is_string() ? json[name].get<std::string>() : "";
}

void print_line(const std::string& id, const Json& report) {
  const std::string where = text(report, "where"), why = text(report, "why");
  std::printf("%-40s  %-16s %s\n", id.c_str(), text(report, "class").c_str(),
              (where.empty() ? why : "in " + where).c_str());
}

int list(const IncidentStore& store, bool json) {
  Json document{{"schema", 1}, {"incidents", Json::array()}};
  for (const auto& id : store.list()) {
    const Json report = report_of(store, id);
    if (!json) print_line(escape_for_display(id, 128), report);
    Json entry{{"id", id}, {"directory", store.path(id).string()}};
    for (const char* name : {"backend", "generation", "class", "why", "where", "since", "captured_at"})
      entry[name] = report.contains(name) ? report[name] : Json(nullptr);
    document["incidents"].push_back(std::move(entry));
  }
  if (json) std::printf("%s\n", document.dump(2, ' ', false, Json::error_handler_t::replace).c_str());
  if (!json && document["incidents"].empty()) std::printf("no hang has been seen\n");
  return 0;
}

}  // namespace

int evidence_command(const Config& config, const std::string& id, bool json) {
  const IncidentStore store(evidence_directory(config.state_directory));
  if (id.empty()) return list(store, json);
  const auto found = store.find(id);
  if (!found) {
    std::fprintf(stderr,
                 "codex-agent: there is no evidence %s, or more than one that begins so; `codex-agent "
                 "evidence` lists it\n",
                 escape_for_display(id, 128).c_str());
    return 1;
  }
  const Json report = report_of(store, *found);
  if (report.empty()) {
    std::fprintf(stderr, "codex-agent: %s cannot be read\n", (store.path(*found) / "report.json").c_str());
    return 1;
  }
  const std::string shown = json ? report.dump(2, ' ', false, Json::error_handler_t::replace) + "\n"
                                 : report_text(report) + "\nfiles: " + store.path(*found).string() + "\n";
  std::fputs(shown.c_str(), stdout);
  return 0;
}

}  // namespace codex
