#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <exception>

#include "agent/cli/agent_start.h"
#include "agent/cli/change_commands.h"
#include "agent/cli/command_line.h"
#include "agent/cli/completion.h"
#include "agent/cli/daemon_launcher.h"
#include "agent/cli/exit_code.h"
#include "agent/cli/logs_command.h"
#include "agent/cli/terminal.h"
#include "agent/cli/view_commands.h"

namespace codex {
namespace {

[[noreturn]] void become_daemon(const Invocation& invocation) {
  std::vector<std::string> arguments = invocation.location_arguments();
  if (invocation.verb == "run") {
    for (const std::string& argument : invocation.run_arguments()) arguments.push_back(argument);
  } else {
    arguments.push_back(invocation.verb);
  }
  if (invocation.json) arguments.emplace_back("--json");
  arguments.insert(arguments.end(), invocation.names.begin(), invocation.names.end());
  exec_daemon(find_daemon(), arguments);
}

int dispatch(const Invocation& invocation) {
  const std::string& verb = invocation.verb;
  if (verb == "completion") {
    print(completion_script(invocation.shell));
    return kExitOk;
  }
  if (verb == "run" && invocation.background) return start_agent(CommandContext(invocation), std::nullopt);
  if (verb == "run" || verb == "check" || verb == "ports" || verb == "stack" || verb == "evidence" ||
      verb == "config-check" || verb == "config-show")
    become_daemon(invocation);
  const CommandContext context(invocation);
  if (verb == "status") return run_status_command(context);
  if (verb == "events") return run_events_command(context);
  if (verb == "logs") return run_logs_command(context);
  if (verb == "__names") return run_names_command(context);
  return run_change_command(context);
}

// A descriptor that we open must not become the standard output of a child by its number.
void occupy_standard_descriptors() {
  int fd = 0;
  do {
    fd = ::open("/dev/null", O_RDWR);
  } while (fd >= 0 && fd <= STDERR_FILENO);
  if (fd > STDERR_FILENO) ::close(fd);
}

}  // namespace
}  // namespace codex

int main(int argc, char** argv) {
  codex::occupy_standard_descriptors();
  ::signal(SIGPIPE, SIG_IGN);
  try {
    const auto parsed = codex::parse_command_line(argc, argv);
    if (const auto* answer = std::get_if<codex::CommandLineAnswer>(&parsed)) {
      codex::write_text(answer->exit_code == codex::kExitOk ? STDOUT_FILENO : STDERR_FILENO, answer->text);
      return answer->exit_code;
    }
    return codex::dispatch(std::get<codex::Invocation>(parsed));
  } catch (const std::exception& error) {
    codex::print_error(error.what());
    return codex::kExitFailed;
  }
}
