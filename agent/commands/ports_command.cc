#include "agent/commands/ports_command.h"

#include <cstdio>
#include <nlohmann/json.hpp>

#include "agent/commands/backend_network.h"
#include "agent/commands/check_command.h"
#include "agent/os/process_table.h"
#include "agent/text/display_text.h"

namespace codex {

namespace {

using Json = nlohmann::ordered_json;

Json describe(const Listener& listener, const TreeIdentity& tree) {
  Json json;
  json["address"] = listener.address;
  json["accept_queue"] = listener.accept_queue;
  json["backlog"] = listener.backlog;
  json["pid"] = nullptr;
  json["command"] = nullptr;
  json["user"] = nullptr;
  json["ours"] = false;
  const auto owner = socket_owner_on_host(listener.inode);
  const auto process = owner ? describe_process(*owner) : std::nullopt;
  if (!process) return json;
  json["pid"] = process->pid;
  json["command"] = escape_for_display(process->command, 120);
  json["user"] = escape_for_display(process->user, 32);
  json["ours"] = token_of(tree, process->pid).has_value();
  return json;
}

void print_line(const BackendConfig& backend, const Json& listener) {
  const std::string who = listener["pid"].is_null()
                              ? "a process that may not be looked at from here"
                              : "pid " + std::to_string(listener["pid"].get<int>()) + "  " +
                                    listener["command"].get<std::string>() + "  (user " +
                                    listener["user"].get<std::string>() + ")";
  std::printf("%-16s %5u  %-15s queue %d/%d  %s  %s\n", backend.name.c_str(),
              static_cast<unsigned>(*backend.port), listener["address"].get<std::string>().c_str(),
              listener["accept_queue"].get<int>(), listener["backlog"].get<int>(),
              listener["ours"].get<bool>() ? "ours    " : "stranger", who.c_str());
}

}  // namespace

int ports_command(const Config& config, const std::vector<std::string>& names, bool json) {
  const auto backends = select_backends(config, names);
  if (backends.empty()) return 2;
  Json document{{"schema", 1}, {"ports", Json::array()}};
  for (const auto* backend : backends) {
    if (!backend->port) continue;
    Json entry{{"backend", backend->name}, {"port", *backend->port}, {"listeners", Json::array()}};
    const auto tree = tree_identity_of(config, *backend);
    for (const auto& listener : sock_diag_for(config, *backend).listeners(*backend->port)) {
      entry["listeners"].push_back(describe(listener, tree));
      if (!json) print_line(*backend, entry["listeners"].back());
    }
    if (!json && entry["listeners"].empty()) {
      std::printf("%-16s %5u  nothing listens\n", backend->name.c_str(),
                  static_cast<unsigned>(*backend->port));
    }
    document["ports"].push_back(entry);
  }
  if (json) std::printf("%s\n", document.dump(2, ' ', false, Json::error_handler_t::replace).c_str());
  return 0;
}

}  // namespace codex
