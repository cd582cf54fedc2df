#include "agent/commands/check_command.h"

#include <cstdio>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "agent/commands/backend_network.h"
#include "agent/os/event_loop.h"
#include "agent/os/process_table.h"
#include "agent/os/worker.h"
#include "agent/text/display_text.h"
#include "probes/http/curl_multi.h"
#include "probes/kinds/make_probe.h"

namespace codex {

namespace {

using Json = nlohmann::ordered_json;

struct Check {
  const BackendConfig* backend = nullptr;
  const ProbeSpec* spec = nullptr;
  std::unique_ptr<Probe> probe;
  ProbeResult result;
};

/// Without an agent there is no tree to belong to: any listener will do, but it is named.
ListenerHolder anybody(const Listener& listener) {
  const auto owner = socket_owner_on_host(listener.inode);
  const auto stat = owner ? read_proc_stat(*owner) : std::nullopt;
  if (!stat) return {true, "a process of uid " + std::to_string(listener.uid)};
  return {true, "pid " + std::to_string(stat->pid) + " (" + escape_for_display(stat->comm, 64) + ")"};
}

void ask_all(std::vector<Check>& checks, const Config& config) {
  EventLoop loop;
  Worker resolver("resolver", 64);
  CurlMulti curl(loop);
  // Before the first question: to find them takes time, which is no probe's.
  std::map<const BackendConfig*, SockDiag> sock_diags;
  for (const auto& check : checks) {
    if (!sock_diags.contains(check.backend))
      sock_diags.emplace(check.backend, sock_diag_for(config, *check.backend));
  }
  std::size_t open = checks.size();
  for (auto& check : checks) {
    check.probe = make_probe(*check.spec, ProbeContext{loop, resolver, sock_diags.at(check.backend),
                                                       config.redactor, curl, anybody});
    check.probe->start(Clock::now() + check.spec->timeout, [&](const ProbeResult& result) {
      check.result = result;
      if (--open == 0) loop.stop(0);
    });
  }
  if (open > 0) loop.run();
  for (auto& check : checks) check.probe.reset();
}

Json to_json(const Check& check) {
  Json json;
  json["name"] = check.spec->name;
  json["kind"] = to_string(check.spec->kind);
  json["role"] = to_string(check.spec->role);
  json["outcome"] = to_string(check.result.outcome);
  json["reason"] = check.result.outcome == Outcome::kSuccess ? Json() : Json(to_string(check.result.reason));
  json["elapsed_seconds"] = to_seconds(check.result.elapsed);
  json["detail"] = check.result.detail;
  return json;
}

void print_line(const Check& check) {
  const bool good = check.result.outcome == Outcome::kSuccess;
  const std::string reason = good ? "" : std::string(to_string(check.result.reason)) + ": ";
  std::printf("  %s %-10s %s%s in %.1f ms\n", good ? "✅" : "❌", check.spec->name.c_str(), reason.c_str(),
              check.result.detail.c_str(), to_seconds(check.result.elapsed) * 1e3);
}

}  // namespace

std::vector<const BackendConfig*> select_backends(const Config& config,
                                                  const std::vector<std::string>& names) {
  std::vector<const BackendConfig*> chosen;
  if (names.empty()) {
    for (const auto& backend : config.backends) chosen.push_back(&backend);
  }
  for (const auto& name : names) {
    const BackendConfig* found = nullptr;
    std::string known;
    for (const auto& backend : config.backends) {
      if (backend.name == name) found = &backend;
      known += (known.empty() ? "" : ", ") + backend.name;
    }
    if (found == nullptr) {
      std::fprintf(stderr, "no backend is named \"%s\"; there are: %s\n",
                   escape_for_display(name, 64).c_str(), known.c_str());
      return {};
    }
    chosen.push_back(found);
  }
  return chosen;
}

int check_command(const Config& config, const std::vector<std::string>& names, bool json) {
  const auto backends = select_backends(config, names);
  if (backends.empty()) return 2;
  std::vector<Check> checks;
  for (const auto* backend : backends) {
    for (const auto& spec : backend->probes) {
      Check& check = checks.emplace_back();
      check.backend = backend;
      check.spec = &spec;
    }
  }
  ask_all(checks, config);

  bool good = true;
  Json document{{"schema", 1}, {"backends", Json::array()}};
  for (const auto* backend : backends) {
    Json probes = Json::array();
    if (!json) std::printf("%s\n", backend->name.c_str());
    for (const auto& check : checks) {
      if (check.backend != backend) continue;
      good = good && check.result.outcome == Outcome::kSuccess;
      json ? probes.push_back(to_json(check)) : print_line(check);
    }
    document["backends"].push_back({{"name", backend->name}, {"probes", probes}});
  }
  if (json) std::printf("%s\n", document.dump(2, ' ', false, Json::error_handler_t::replace).c_str());
  return good ? 0 : 1;
}

int config_check_command(const Config& config, bool json) {
  if (json) {
    const Json document{
        {"schema", 1}, {"valid", true}, {"file", config.file.string()}, {"warnings", config.warnings}};
    std::printf("%s\n", document.dump(2, ' ', false, Json::error_handler_t::replace).c_str());
    return 0;
  }
  for (const auto& warning : config.warnings) std::printf("warning: %s\n", warning.c_str());
  const std::string where =
      config.file.empty() ? "defaults for " + config.project_directory.string() : config.file.string();
  std::printf("ok: %s, %zu backend%s\n", where.c_str(), config.backends.size(),
              config.backends.size() == 1 ? "" : "s");
  return 0;
}

}  // namespace codex
