#include "agent/cli/command_line.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <functional>

#include "agent/cli/argument_values.h"
#include "agent/cli/exit_code.h"
#include "agent/text/nearest_word.h"

namespace codex {
namespace {

constexpr const char* kFooter =
    "Exit codes: 0 ok, 1 failed, 2 usage or configuration, 3 not running, 4 no agent, 5 degraded or hung,\n"
    "7 port taken by another, 99 --timeout passed. The same with --json.";

std::string version_line() {
  return "codex-agent " CODEX_VERSION " (" CODEX_REVISION ")";
}

/// The command line as CLI11 sees it, bound to one Invocation.
class Grammar {
 public:
  Grammar() {
    app_.require_subcommand(1)->fallthrough()->footer(kFooter);
    app_.set_help_flag("-h,--help", "Show this help");
    app_.set_version_flag("--version", version_line());
    app_.add_option("-C", parsed_.project, "The project's directory, instead of the current one")
        ->type_name("DIR")
        ->check(CLI::ExistingDirectory);
    app_.add_option("--config", parsed_.config_file, "The configuration, instead of codex-agent.toml")
        ->type_name("FILE");
    add_change_verbs();
    add_view_verbs();
    add_daemon_verbs();
    add_completion();
  }

  CLI::App& app() { return app_; }
  [[nodiscard]] const Invocation& parsed() const { return parsed_; }

  [[nodiscard]] std::vector<std::string> verbs() const {
    std::vector<std::string> names;
    for (const CLI::App* verb : app_.get_subcommands([](const CLI::App*) { return true; }))
      if (!verb->get_group().empty()) names.push_back(verb->get_name());
    return names;
  }

 private:
  CLI::App* add_verb(const std::string& name, const std::string& help, CLI::App* parent = nullptr,
                     const std::string& verb = "") {
    CLI::App* app = (parent == nullptr ? &app_ : parent)->add_subcommand(name, help);
    app->fallthrough();
    app->callback([this, chosen = verb.empty() ? name : verb] { parsed_.verb = chosen; });
    return app;
  }

  void add_json(CLI::App* verb, const char* help = "Print one JSON document") {
    verb->add_flag("--json", parsed_.json, help);
  }

  void add_names(CLI::App* verb, const char* help = "Backends; all of them if none is named") {
    verb->add_option("NAME", parsed_.names, help)->type_name("");
  }

  void add_lines(CLI::App* verb) {
    verb->add_option_function<std::string>("-n,--lines", checked_lines(), "How many of the newest (50)")
        ->type_name("N");
  }

  void add_wait(CLI::App* verb) {
    verb->add_option_function<std::string>(
            "--timeout", checked_time_limit(),
            "Stop waiting after this time: 90, 500ms, 5s, 2m; the work goes on")
        ->type_name("TIME");
  }

  std::function<void(const std::string&)> checked_lines() {
    return [this](const std::string& text) {
      const auto lines = parse_line_count(text);
      if (!lines) throw CLI::ValidationError("-n", "\"" + text + "\" is not a number from 0 to 1000000");
      parsed_.lines = *lines;
    };
  }

  std::function<void(const std::string&)> checked_time_limit() {
    return [this](const std::string& text) {
      parsed_.time_limit = parse_time_limit(text);
      if (!parsed_.time_limit)
        throw CLI::ValidationError("--timeout",
                                   "\"" + text + "\" is not a time such as 90, 500ms, 5s or 2m (up to 24h)");
    };
  }

  void add_change_verbs() {
    CLI::App* start = add_verb("start", "Start backends, and an agent in the background if none runs");
    CLI::App* stop = add_verb("stop", "Stop backends; the agent stays");
    CLI::App* restart = add_verb("restart", "Stop and start backends");
    CLI::App* shutdown = add_verb("shutdown", "Stop all backends and end the agent");
    for (CLI::App* verb : {start, stop, restart}) add_names(verb);
    for (CLI::App* verb : {start, stop, restart, shutdown}) {
      add_json(verb);
      add_wait(verb);
    }
    for (CLI::App* verb : {start, stop, restart})
      verb->add_flag_callback(
          "--no-wait", [this] { parsed_.wait = false; }, "Do not wait for the outcome");
  }

  void add_view_verbs() {
    CLI::App* status = add_verb("status", "How the backends are");
    add_names(status);
    add_json(status);

    CLI::App* logs = add_verb("logs", "The output of a backend");
    add_names(logs, "The backend; needed only if there are several");
    logs->add_flag("-f,--follow", parsed_.follow, "Go on with what is added, across rotation");
    add_lines(logs);

    CLI::App* events = add_verb("events", "What happened to the backends");
    events->add_flag("-f,--follow", parsed_.follow, "Go on with new events");
    add_lines(events);
    add_json(events, "Print one JSON document; with -f one object a line");

    add_verb("__names", "")->group("");
  }

  void add_daemon_verbs() {
    CLI::App* run = add_verb("run", "Run an agent in the foreground and start the backends");
    run->add_flag("--replace", parsed_.replace,
                  "Take over from the agent that runs now, e.g. after an upgrade");
    run->add_flag("--background", parsed_.background, "Return once the agent works");
    CLI::App* check = add_verb("check", "Ask every probe once; needs no agent");
    CLI::App* ports = add_verb("ports", "Who listens on the backends' ports");
    CLI::App* stack = add_verb("stack", "Where the JavaScript of the backends is right now; needs no agent");
    for (CLI::App* verb : {check, ports, stack}) {
      add_names(verb);
      add_json(verb);
    }
    CLI::App* evidence = add_verb("evidence", "What was kept of hangs: all of them, or one; needs no agent");
    evidence->add_option("ID", parsed_.names, "Incident, the beginning of its id, or `latest`")
        ->type_name("")
        ->expected(0, 1);
    add_json(evidence);
    CLI::App* config =
        app_.add_subcommand("config", "Check or show the configuration")->require_subcommand(1);
    config->fallthrough();
    add_json(add_verb("check", "Check it; every mistake at once", config, "config-check"));
    add_json(add_verb("show", "Show what is in effect, without secrets", config, "config-show"));
  }

  void add_completion() {
    CLI::App* completion = add_verb("completion", "Print the completion script of a shell");
    completion->add_option("SHELL", parsed_.shell, "bash, zsh or fish")
        ->required()
        ->type_name("")
        ->check(CLI::IsMember({"bash", "zsh", "fish"}));
  }

  CLI::App app_{"Supervises backends: starts, watches, restarts, explains.", "codex-agent"};
  Invocation parsed_;
};

/// The first argument that should have been a verb.
std::string verb_argument(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "-C" || argument == "--config")
      ++i;
    else if (argument.empty() || argument[0] != '-')
      return argument;
  }
  return "";
}

bool known_config_action(int argc, char** argv) {
  return std::any_of(argv, argv + argc,
                     [](std::string_view word) { return word == "check" || word == "show"; });
}

CommandLineAnswer usage_error(const Grammar& grammar, const CLI::ParseError& error, int argc, char** argv) {
  const std::string argument = verb_argument(argc, argv);
  const std::vector<std::string> verbs = grammar.verbs();
  const bool known = std::find(verbs.begin(), verbs.end(), argument) != verbs.end();
  std::string message = error.what();
  if (!known && !argument.empty()) {
    const std::string nearest = nearest_word(argument, verbs);
    message = "there is no command \"" + argument + "\"" +
              (nearest.empty() ? "" : "; did you mean " + nearest + "?");
  } else if (argument.empty() && error.get_name() == "RequiredError") {
    message = "a command is missing, for example: codex-agent start";
  } else if (argument == "config" && error.get_name() != "ValidationError" &&
             !known_config_action(argc, argv)) {
    message = "config needs one of: check, show";
  }
  while (!message.empty() && message.back() == '\n') message.pop_back();
  return {kExitUsage,
          "codex-agent: " + message + "\nsee: codex-agent " + (known ? argument + " " : "") + "--help\n"};
}

}  // namespace

std::variant<Invocation, CommandLineAnswer> parse_command_line(int argc, char** argv) {
  Grammar grammar;
  try {
    grammar.app().parse(argc, argv);
    return grammar.parsed();
  } catch (const CLI::CallForHelp&) {
    return CommandLineAnswer{kExitOk, grammar.app().help()};
  } catch (const CLI::CallForVersion&) {
    return CommandLineAnswer{kExitOk, version_line() + "\n"};
  } catch (const CLI::ParseError& error) {
    return usage_error(grammar, error, argc, argv);
  }
}

}  // namespace codex
