#include "agent/config/backend_config.h"

#include <algorithm>
#include <sstream>
#include <system_error>

#include "agent/config/addresses.h"
#include "agent/config/limits.h"
#include "agent/config/probes_config.h"
#include "agent/config_files/package_json.h"
#include "agent/config_files/text_file.h"
#include "agent/config_files/values.h"

namespace codex {

namespace {

constexpr std::uint16_t kDefaultPort = 5000;
constexpr std::uint64_t kSmallestMemory = std::uint64_t{1} << 20;
constexpr std::uint64_t kLargestMemory = std::uint64_t{1} << 44;

// `npm run dev` -> ["npm", "run", "dev"], if splitting at blanks is all it takes and it can hold no secret.
std::string array_form(std::string_view line) {
  constexpr std::size_t kLongestLine = 120;
  const auto is_plain = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view(" ./_-").find(c) != std::string_view::npos;
  };
  std::istringstream words{std::string(line)};
  std::string array;
  for (std::string word; words >> word;) array += (array.empty() ? "[\"" : ", \"") + word + "\"";
  const bool simple = line.size() <= kLongestLine && std::all_of(line.begin(), line.end(), is_plain);
  return simple && !array.empty() ? array + "]" : "[\"npm\", \"run\", \"dev\"]";
}

// Reads the parts of one backend in the order in which they need each other.
class BackendReader {
 public:
  BackendReader(const std::string& name, TomlTable table, LoadContext& context)
      : table_(std::move(table)), context_(context) {
    loaded_.config.name = name;
    loaded_.place = table_.place("");
  }

  LoadedBackend read() {
    read_directory();
    read_env_file();
    read_command();
    read_port();
    read_environment();
    read_files();
    read_start_and_stop();
    read_restart();
    read_hang();
    load_probes(table_.table("probe"), read_max_attempts(), config_, context_);
    table_.reject_unknown();
    return std::move(loaded_);
  }

 private:
  // PORT, DATABASE_URL and PID_FILE of the process can mean one backend only.
  [[nodiscard]] std::optional<Setting> setting(std::string_view name, bool of_one_backend) const {
    const Environment none;
    return find_setting(of_one_backend && context_.several ? none : context_.process, loaded_.dotenv, name);
  }

  std::filesystem::path resolve(const std::string& path) const {
    return (config_.directory / path).lexically_normal();
  }

  void read_directory() {
    config_.directory = context_.project_directory;
    const auto given = table_.text("directory");
    if (!given) return;
    config_.directory = (context_.project_directory / *given).lexically_normal();
    std::error_code error;
    if (!std::filesystem::is_directory(config_.directory, error)) {
      table_.error_at("directory",
                      "there is no directory " + escape_for_display(config_.directory.string(), 256));
    }
  }

  void read_env_file() {
    const auto given = table_.text("env_file");
    if (given && given->empty()) return;  // "" switches the default off
    const auto path = resolve(given.value_or(".env"));
    std::error_code ignored;
    const auto type = std::filesystem::status(path, ignored).type();
    const std::string shown_as = display_path(path);
    if (type == std::filesystem::file_type::not_found || type == std::filesystem::file_type::none) {
      if (given) table_.error_at("env_file", "there is no file " + shown_as);
      return;
    }
    if (!given && type == std::filesystem::file_type::directory) return;  // a Python virtual environment
    if (const std::string why = distrust(path); !why.empty()) {
      context_.diagnostics.error(shown_as, {}, why);
      return;
    }
    const auto text = read_text_file(path, shown_as, context_.diagnostics);
    if (!text) return;
    loaded_.dotenv = parse_dotenv(*text, shown_as, context_.diagnostics);
    config_.env_file = path;
  }

  void read_command() {
    if (table_.is_text("command")) {
      table_.error_at("command",
                      "must be an array with one string for each argument, because no shell splits it: " +
                          array_form(table_.text("command").value_or("")));
      return;
    }
    const auto given = table_.texts("command");
    if (given) config_.command = *given;
    if (given && (given->empty() || given->front().empty())) {
      table_.error_at("command", "must begin with a program, such as [\"npm\", \"run\", \"dev\"]");
    }
    if (!table_.has("command")) default_to_npm();
  }

  void default_to_npm() {
    const std::size_t errors_before = context_.diagnostics.errors.size();
    const auto package = read_package_json(config_.directory, context_.diagnostics);
    if (context_.diagnostics.errors.size() > errors_before) return;
    config_.command = default_command(package.value_or(PackageJson{}));
    if (!config_.command.empty()) return;
    const std::string where = escape_for_display((config_.directory / "package.json").string(), 256);
    const std::string why =
        package ? where + " has neither a script \"dev\" nor \"start\"" : "there is no " + where;
    if (table_.present()) {
      table_.error_at("", "backend " + quoted_name(config_.name) + " has no command, and " + why +
                              "; add command = [\"node\", \"server.js\"]");
    } else {
      context_.diagnostics.error(
          "", {},
          "what shall run here? " + why + ". Run codex-agent in the backend's directory, or write " +
              "codex-agent.toml with [backend.app] and command = [\"node\", \"server.js\"]");
    }
  }

  void read_port() {
    loaded_.port_place = table_.place("port");
    if (table_.is_text("port")) {
      const bool none = table_.text("port") == "none";
      if (!none) table_.error_at("port", "must be a whole number without quotes (1-65535), or \"none\"");
      if (none) return;
    } else {
      config_.port = static_cast<std::uint16_t>(table_.whole("port", 1, 65535).value_or(kDefaultPort));
    }
    const auto override_port = setting("PORT", true);
    if (!override_port) return;
    const Parsed<std::uint16_t> port = parse_port(override_port->value);
    if (!port.value)
      override_port->error("PORT", shown(override_port->value) + " " + port.error, context_.diagnostics);
    if (port.value) config_.port = *port.value;
  }

  void read_environment() {
    TomlTable own = table_.table("env");
    for (const std::string& name : own.keys()) {
      if (const auto value = own.text(name)) config_.own_environment.emplace(name, *value);
      if (name == "PORT") {
        own.error_at(name, "is set from the backend's port; write port = 5000 in [" + table_.name() + "]");
      } else if (is_agent_variable(name)) {
        own.error_at(name, "belongs to the agent and is never passed on");
      } else if (name.empty() || name.find_first_of(std::string_view("=\0", 2)) != std::string::npos) {
        own.error_at_key(name, quoted_name(name) + " is not the name of a variable");
      }
    }
    Environment inherited = context_.process;
    if (context_.several) {
      for (const char* name : {"PORT", "DATABASE_URL", "PID_FILE"}) inherited.erase(name);
    }
    config_.environment = compose_environment(inherited, loaded_.dotenv, config_.own_environment);
    if (config_.port) config_.environment["PORT"] = std::to_string(*config_.port);
    register_secrets(config_.environment, context_.redactor);
  }

  void read_files() {
    const std::string stem = context_.several ? config_.name : "server";
    const auto default_file = [&](const char* extension, const char* system_directory) {
      if (context_.system_wide) return std::filesystem::path(system_directory) / (config_.name + extension);
      return resolve("logs/" + stem + extension);
    };
    const auto file = [&](const char* key) -> std::optional<std::filesystem::path> {
      const auto given = table_.text(key);
      if (given && (given->empty() || given->ends_with('/'))) table_.error_at(key, "must name a file");
      return given ? std::optional(resolve(*given)) : std::nullopt;
    };
    config_.output_file = file("output_file").value_or(default_file(".log", "/var/log/codex-agent"));
    config_.pid_file = file("pid_file").value_or(default_file(".pid", "/run/codex-agent"));
    if (const auto given = setting("PID_FILE", true)) config_.pid_file = resolve(given->value);

    config_.output_max_bytes =
        table_.size("output_max_size", kSmallestLog, kLargestLog).value_or(config_.output_max_bytes);
    config_.output_keep =
        static_cast<int>(table_.whole("output_keep", 0, kMostKeptLogs).value_or(config_.output_keep));
    config_.collect_pss = table_.flag("collect_pss").value_or(config_.collect_pss);
    config_.memory_limit_bytes = table_.size("memory_limit", kSmallestMemory, kLargestMemory);
  }

  void read_start_and_stop() {
    TomlTable start = table_.table("start");
    config_.start_timeout =
        start.duration("timeout", kShortestTimeout, kLongest).value_or(config_.start_timeout);
    start.reject_unknown();
    if (const auto seconds = whole_setting("TIMEOUT_SECONDS", 86400)) {
      config_.start_timeout = std::chrono::seconds(*seconds);
    }
    TomlTable stop = table_.table("stop");
    config_.stop_signal = stop.parsed<int>("signal", parse_stop_signal).value_or(config_.stop_signal);
    config_.stop_timeout =
        stop.duration("timeout", kShortestTimeout, kLongest).value_or(config_.stop_timeout);
    stop.reject_unknown();
  }

  void read_restart() {
    TomlTable table = table_.table("restart");
    RestartConfig& restart = config_.restart;
    restart.policy = table.choice<RestartPolicy>("policy", restart_policy_words()).value_or(restart.policy);
    const auto duration = [&](const char* key, Duration otherwise) {
      return table.duration(key, Duration(0), kLongest).value_or(otherwise);
    };
    restart.initial_delay = duration("initial_delay", restart.initial_delay);
    restart.max_delay = duration("max_delay", restart.max_delay);
    restart.stable_after = duration("stable_after", restart.stable_after);
    restart.retry_interval = duration("retry_interval", restart.retry_interval);
    restart.reconnect_timeout = duration("reconnect_timeout", restart.reconnect_timeout);
    restart.on_wrapper_idle = table.choice<WrapperIdleAction>("on_wrapper_idle", wrapper_idle_words())
                                  .value_or(restart.on_wrapper_idle);
    restart.factor = table.number("factor", 1, 100).value_or(restart.factor);
    if (const auto limit = table.parsed<StartLimit>("start_limit", parse_start_limit)) {
      restart.start_limit = limit->count;
      restart.start_limit_interval = limit->interval;
    }
    if (restart.initial_delay > restart.max_delay) {
      table.error_at(table.has("initial_delay") ? "initial_delay" : "max_delay",
                     "initial_delay (" + format_duration(restart.initial_delay) +
                         ") must not be above max_delay (" + format_duration(restart.max_delay) + ")");
    }
    table.reject_unknown();
  }

  void read_hang() {
    TomlTable hang = table_.table("hang");
    config_.hang_action =
        hang.choice<HangReaction>("action", hang_action_words()).value_or(config_.hang_action);
    config_.hang_native_stacks = hang.flag("native_stacks").value_or(false);
    for (const HangClass hang_class : kHangClasses) {
      const std::string name(to_string(hang_class));
      TomlTable table = hang.table(name);
      if (!table.present()) continue;
      HangRule rule;
      rule.action = table.choice<HangReaction>(
          "action", hang_class == HangClass::kStopped ? stopped_action_words() : hang_action_words());
      rule.after = table.duration("after", Duration(0), kLongest);
      table.reject_unknown();
      config_.hang_rules.emplace(hang_class, rule);
    }
    TomlTable worker = hang.table("worker");
    config_.hang_worker.action = worker.choice<HangWorkerAction>("action", hang_worker_action_words())
                                     .value_or(config_.hang_worker.action);
    config_.hang_worker.replaced = worker.flag("replaced").value_or(false);
    worker.reject_unknown();
    hang.reject_unknown();
  }

  std::optional<int> read_max_attempts() { return whole_setting("MAX_ATTEMPTS", kHighestThreshold); }

  std::optional<int> whole_setting(const std::string& name, std::int64_t most) {
    const auto given = setting(name, false);
    if (!given) return std::nullopt;
    const auto number = parse_whole(given->value).value;
    if (number && *number >= 1 && *number <= most) return static_cast<int>(*number);
    given->error(name, shown(given->value) + " is not a whole number from 1 to " + std::to_string(most),
                 context_.diagnostics);
    return std::nullopt;
  }

  LoadedBackend loaded_;
  BackendConfig& config_ = loaded_.config;
  TomlTable table_;
  LoadContext& context_;
};

}  // namespace

const std::vector<std::pair<std::string, RestartPolicy>>& restart_policy_words() {
  static const std::vector<std::pair<std::string, RestartPolicy>> words = {
      {"always", RestartPolicy::kAlways},
      {"on_failure", RestartPolicy::kOnFailure},
      {"never", RestartPolicy::kNever}};
  return words;
}

const std::vector<std::pair<std::string, WrapperIdleAction>>& wrapper_idle_words() {
  static const std::vector<std::pair<std::string, WrapperIdleAction>> words = {
      {"restart", WrapperIdleAction::kRestart}, {"wait", WrapperIdleAction::kWait}};
  return words;
}

const std::vector<std::pair<std::string, HangWorkerAction>>& hang_worker_action_words() {
  static const std::vector<std::pair<std::string, HangWorkerAction>> kWords = {
      {"report", HangWorkerAction::kReport}, {"kill", HangWorkerAction::kKill}};
  return kWords;
}

const std::vector<std::pair<std::string, HangReaction>>& hang_action_words() {
  static const std::vector<std::pair<std::string, HangReaction>> words = {{"restart", HangReaction::kRestart},
                                                                          {"report", HangReaction::kReport}};
  return words;
}

const std::vector<std::pair<std::string, HangReaction>>& stopped_action_words() {
  static const std::vector<std::pair<std::string, HangReaction>> words = {
      {"restart", HangReaction::kRestart},
      {"report", HangReaction::kReport},
      {"continue", HangReaction::kContinue}};
  return words;
}

LoadedBackend load_backend(const std::string& name, TomlTable table, LoadContext& context) {
  return BackendReader(name, std::move(table), context).read();
}

}  // namespace codex
