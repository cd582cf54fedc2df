#include "agent/cli/logs_command.h"

#include <algorithm>
#include <cstring>
#include <variant>

#include "agent/cli/daemon_launcher.h"
#include "agent/cli/documents.h"
#include "agent/cli/exit_code.h"
#include "agent/cli/log_tail.h"
#include "agent/cli/terminal.h"
#include "agent/cli/terminal_filter.h"

namespace codex {
namespace {

// inotify tells at once; this bounds what a directory that is not there yet, or a gone reader, costs.
constexpr Duration kLookAgain = std::chrono::milliseconds(500);

using NamedFiles = std::vector<std::pair<std::string, std::string>>;

NamedFiles files_of_agent(const CommandContext& context) {
  NamedFiles files;
  const auto reply = context.client.get("/v1/status");
  if (const auto status = reply.status == 200 ? parse_status(reply.body) : std::nullopt)
    for (const BackendStatus& backend : status->backends) files.emplace_back(backend.name, backend.log_file);
  return files;
}

/// The chosen file, or an exit code after saying why there is none.
std::variant<std::string, int> choose_file(const CommandContext& context) {
  NamedFiles files = files_of_agent(context);
  if (files.empty()) {
    auto arguments = context.invocation.location_arguments();
    arguments.insert(arguments.end(), {"config-show", "--json"});
    const DaemonOutput output = run_daemon(find_daemon(), arguments, true);
    if (output.exit_code != kExitOk) return output.exit_code;
    files = parse_configured_backends(output.text);
  }
  std::string all;
  for (const auto& [name, file] : files) all += (all.empty() ? "" : ", ") + name;
  const auto& names = context.invocation.names;
  if (names.size() > 1 || (names.empty() && files.size() > 1)) {
    print_error("logs shows one backend; name it: " + all);
    return kExitUsage;
  }
  const auto chosen = std::find_if(files.begin(), files.end(), [&](const auto& named) {
    return names.empty() || named.first == names.front();
  });
  if (chosen != files.end() && !chosen->second.empty()) return chosen->second;
  print_error(names.empty() ? "no backend is configured"
                            : "no backend is named \"" + names.front() + "\"; there are: " + all);
  return kExitNoAgent;
}

}  // namespace

int run_logs_command(const CommandContext& context) {
  const auto choice = choose_file(context);
  if (const int* code = std::get_if<int>(&choice)) return *code;
  const std::filesystem::path path = std::get<std::string>(choice);
  const bool filtered = stdout_is_terminal();
  TerminalFilter filter;
  const auto show = [&](std::string_view piece) {
    return print(filtered ? filter.feed(piece) : std::string(piece));
  };

  LogTail tail(path);
  if (!tail.open_at_last_lines(context.invocation.lines)) {
    const std::string why = std::strerror(errno);
    if (errno != ENOENT || !context.invocation.follow) {
      print_error(path.string() + ": " + why);
      return kExitFailed;
    }
    print_error(path.string() + " does not exist yet; waiting for it");
  }
  bool reading = tail.read_new(show);
  while (reading && context.invocation.follow && !stdout_reader_gone()) {
    tail.wait(kLookAgain);
    reading = tail.read_new(show);
  }
  if (filtered) print(filter.finish());
  return kExitOk;
}

}  // namespace codex
