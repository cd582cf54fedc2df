#include "agent/commands/stack_command.h"

#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "agent/commands/backend_network.h"
#include "agent/commands/check_command.h"
#include "agent/evidence/js_stack_document.h"
#include "agent/os/process_table.h"
#include "probes/js_stack/js_frames.h"

namespace codex {

namespace {

using Json = nlohmann::ordered_json;

/// The process of ours that has the backend's port, or why there is none.
struct Server {
  std::optional<pid_t> pid;
  std::string trouble;
};

Server server_of(const Config& config, const BackendConfig& backend) {
  Server server{{}, "no process of it listens"};
  if (!backend.port) return server;
  const auto tree = tree_identity_of(config, backend);
  for (const auto& listener : sock_diag_for(config, backend).listeners(*backend.port)) {
    const auto owner = socket_owner_on_host(listener.inode);
    if (owner && token_of(tree, *owner)) return {owner, ""};
    if (!owner)
      server.trouble = "what listens on port " + std::to_string(*backend.port) +
                       " has ended, or is another user's, whose processes /proc hides from this user";
  }
  return server;
}

void print(const BackendConfig& backend, pid_t server, const JsStack& stack) {
  std::printf("%s   pid %d%s%s\n", backend.name.c_str(), server, stack.v8_version.empty() ? "" : ", V8 ",
              stack.v8_version.c_str());
  if (stack.frames.empty()) std::printf("  no JavaScript runs at this moment\n");
  for (const auto& frame : stack.frames) std::printf("  at %s\n", describe_frame(frame).c_str());
}

}  // namespace

int stack_command(const Config& config, const std::vector<std::string>& names, bool json) {
  const auto backends = select_backends(config, names);
  if (backends.empty()) return 2;
  Json document{{"schema", 1}, {"stacks", Json::array()}};
  int code = 0;
  for (const auto* backend : backends) {
    const auto server = server_of(config, *backend);
    const JsStack stack = server.pid ? read_js_stack(*server.pid) : JsStack{};
    const std::string trouble = config.redactor.safe(server.pid ? trouble_of(stack) : server.trouble);
    if (!trouble.empty()) code = 1;
    if (json) {
      Json entry{{"backend", backend->name}, {"pid", server.pid ? Json(*server.pid) : Json(nullptr)}};
      entry.update(to_json(stack));
      if (!trouble.empty()) entry["error"] = trouble;
      document["stacks"].push_back(std::move(entry));
    } else if (!trouble.empty()) {
      std::fprintf(stderr, "codex-agent: %s: no JavaScript stack: %s\n", backend->name.c_str(),
                   trouble.c_str());
    } else {
      print(*backend, *server.pid, stack);
    }
  }
  if (json) std::printf("%s\n", document.dump(2, ' ', false, Json::error_handler_t::replace).c_str());
  return code;
}

}  // namespace codex
