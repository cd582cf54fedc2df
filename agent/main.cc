#include <fcntl.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <string>
#include <vector>

#include "agent/agent.h"
#include "agent/commands/check_command.h"
#include "agent/commands/evidence_command.h"
#include "agent/commands/ports_command.h"
#include "agent/commands/stack_command.h"
#include "agent/config/config.h"
#include "agent/evidence/capture.h"
#include "probes/database/postgres_settings.h"

extern char** environ;

namespace {

constexpr int kUsageError = 2;

std::map<std::string, std::string> environment() {
  std::map<std::string, std::string> variables;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    if (const auto equals = text.find('='); equals != std::string::npos) {
      variables.emplace(text.substr(0, equals), text.substr(equals + 1));
    }
  }
  return variables;
}

int print_errors(const codex::LoadResult& loaded) {
  for (const auto& error : loaded.errors) std::fprintf(stderr, "%s\n", to_string(error).c_str());
  return kUsageError;
}

int run_agent(codex::Config config, const codex::AgentOptions& options) {
  // A peer that hangs up is an error code of write(2), not the end of the agent. Children get defaults again.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGHUP, SIG_IGN);
  return codex::Agent(std::move(config), options).run();
}

/// So that no file or socket of ours becomes a standard descriptor, into which something prints.
void occupy_standard_descriptors() {
  for (int fd = 0; fd <= 2; ++fd) {
    if (::fcntl(fd, F_GETFD) < 0) [[maybe_unused]]
      const int same = ::open("/dev/null", O_RDWR);
  }
}

}  // namespace

/// The daemon behind the CLI: `codex-agentd [-C DIR] [--config FILE]
/// run|check|ports|stack|evidence|capture|config-check|config-show`.
int main(int argc, char** argv) {
  occupy_standard_descriptors();
  CLI::App app("The daemon of codex-agent; people use `codex-agent`.");
  std::string directory = ".", config_file;
  app.add_option("-C", directory, "project directory");
  app.add_option("--config", config_file, "configuration file");
  app.require_subcommand(1);

  codex::AgentOptions options;
  bool json = false;
  std::vector<std::string> names;
  auto* run = app.add_subcommand("run", "supervise until SIGTERM");
  run->add_flag("--start", options.start_backends, "start every backend that was not stopped by an operator");
  run->add_flag("--adopt-only", options.adopt_only,
                "start nothing, but take over what an earlier agent left");
  run->add_option("--adopt-only-of", options.adopt_only_of, "the same for this backend");
  run->add_flag("--replace", options.replace, "take over from the agent that runs now");
  run->add_option("--ready-fd", options.ready_fd, "descriptor that gets a byte when the agent is ready");
  auto* check = app.add_subcommand("check", "ask every probe once");
  auto* ports = app.add_subcommand("ports", "who listens on the backends' ports");
  auto* stack = app.add_subcommand("stack", "the JavaScript stacks of the backends");
  auto* evidence = app.add_subcommand("evidence", "what was kept of hangs");
  std::string incident;
  evidence->add_option("id", incident, "one incident");
  auto* capture = app.add_subcommand("capture", "take evidence as asked on stdin; for the agent itself");
  auto* config_check = app.add_subcommand("config-check", "validate the configuration");
  auto* config_show = app.add_subcommand("config-show", "print the effective configuration");
  for (auto* command : {check, ports, stack, evidence, config_check, config_show})
    command->add_flag("--json", json, "print JSON");
  for (auto* command : {check, ports, stack}) command->add_option("names", names, "backends");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : kUsageError;
  }

  if (*capture) {
    codex::forget_postgres_environment();
    return codex::capture_command();
  }

  codex::LoadOptions load;
  load.project_directory = directory;
  if (!config_file.empty()) load.config_file = config_file;
  load.environment = environment();
  auto loaded = codex::load_config(load);
  if (!loaded.config) return print_errors(loaded);
  codex::forget_postgres_environment();

  try {
    if (*run) return run_agent(*loaded.config, options);
    if (*check) return codex::check_command(*loaded.config, names, json);
    if (*ports) return codex::ports_command(*loaded.config, names, json);
    if (*stack) return codex::stack_command(*loaded.config, names, json);
    if (*evidence) return codex::evidence_command(*loaded.config, incident, json);
    if (*config_show) {
      const auto& config = *loaded.config;
      std::fputs((json ? render_config_json(config) : render_config_toml(config)).c_str(), stdout);
      return 0;
    }
    if (*config_check) return codex::config_check_command(*loaded.config, json);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "codex-agent: %s\n", loaded.config->redactor.safe(e.what(), 1024).c_str());
    return 1;
  }
  return kUsageError;
}
