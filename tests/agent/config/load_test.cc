#include <gmock/gmock.h>

#include <csignal>

#include "agent/config/cross_checks.h"
#include "tests/agent/config/config_fixture.h"

namespace codex {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::Pair;

using ConfigLoad = ConfigTest;

TEST_F(ConfigLoad, WithoutAnyFileTheDefaultsOfTheBashScriptHold) {
  const Config config = good();
  EXPECT_TRUE(config.file.empty());
  EXPECT_EQ(config.project_directory, directory_.path());
  EXPECT_EQ(config.state_directory, in_project(".codex-agent"));
  EXPECT_EQ(config.agent.listen_host, "127.0.0.1");
  EXPECT_EQ(config.agent.listen_port, 9847);
  EXPECT_EQ(config.agent.log_file, in_project("logs/process-monitor.log"));
  EXPECT_EQ(config.agent.log_level, "info");
  ASSERT_EQ(config.backends.size(), 1U);

  const BackendConfig& backend = config.backends.front();
  EXPECT_EQ(backend.name, "codex");
  EXPECT_THAT(backend.command, ElementsAre("npm", "run", "dev"));
  EXPECT_EQ(backend.directory, directory_.path());
  EXPECT_EQ(backend.port, 5000);
  EXPECT_EQ(backend.start_timeout, Duration(seconds(60)));
  EXPECT_EQ(backend.stop_signal, SIGTERM);
  EXPECT_EQ(backend.stop_timeout, Duration(seconds(2)));
  EXPECT_EQ(backend.output_file, in_project("logs/server.log"));
  EXPECT_EQ(backend.pid_file, in_project("logs/server.pid"));
  EXPECT_THAT(backend.environment, Contains(Pair("PORT", "5000")));
  EXPECT_THAT(config.warnings, IsEmpty());

  ASSERT_EQ(backend.probes.size(), 2U);
  const ProbeSpec& port = backend.probes[0];
  EXPECT_EQ(port.name, "port");
  EXPECT_EQ(port.role, ProbeRole::kLiveness);
  EXPECT_EQ(port.period, Duration(seconds(5)));
  EXPECT_EQ(port.port, 5000);
  EXPECT_TRUE(port.own_listener);
  EXPECT_EQ(port.target, "127.0.0.1:5000");
  const ProbeSpec& http = backend.probes[1];
  EXPECT_EQ(http.name, "http");
  EXPECT_EQ(http.role, ProbeRole::kLiveness);
  EXPECT_EQ(http.timeout, Duration(seconds(5)));
  EXPECT_EQ(http.failure_threshold, 3);
  EXPECT_EQ(http.url.reveal(), "http://127.0.0.1:5000/health");
  EXPECT_EQ(http.target, "http://127.0.0.1:5000/health");
  EXPECT_TRUE(http.own_listener);
  EXPECT_EQ(http.port, 5000);
}

TEST_F(ConfigLoad, AFileWithoutBackendsIsLikeNoFileForTheBackend) {
  const Config config = good("[agent]\nlisten = \"[::1]:0\"\n");
  EXPECT_EQ(config.agent.listen_host, "::1");
  EXPECT_EQ(config.agent.listen_port, 0);
  EXPECT_EQ(config.file, in_project("codex-agent.toml"));
  ASSERT_EQ(config.backends.size(), 1U);
  EXPECT_EQ(config.backends.front().name, "codex");
}

TEST_F(ConfigLoad, TheBackendIsNamedAfterItsPackageOrDirectory) {
  const std::pair<const char*, const char*> names[] = {{"codex", "codex"},
                                                       {"@acme/Web-API", "web-api"},
                                                       {"my.app v2", "my-app-v2"},
                                                       {"__x", "x"},
                                                       {"@acme/", "backend"}};
  for (const auto& [package, expected] : names) {
    write("backend/package.json", R"({"name": ")" + std::string(package) + R"(", "scripts": {"dev": "x"}})");
    LoadOptions options;
    options.project_directory = in_project("backend");
    const LoadResult result = load_config(options);
    ASSERT_TRUE(result.config) << lines_of(result);
    EXPECT_EQ(result.config->backends.front().name, expected) << package;
  }
}

TEST_F(ConfigLoad, WithoutADevScriptTheStartScriptRuns) {
  write("package.json", R"({"scripts": {"start": "node ."}})");
  EXPECT_THAT(good().backends.front().command, ElementsAre("npm", "start"));
}

TEST_F(ConfigLoad, WithoutAScriptTheErrorTellsWhatToWrite) {
  write("package.json", R"({"scripts": {"build": "tsc"}})");
  EXPECT_THAT(errors(), ElementsAre(AllOf(HasSubstr("neither a script \"dev\" nor \"start\""),
                                          HasSubstr("codex-agent.toml"), HasSubstr("command = ["))));
  std::filesystem::remove(in_project("package.json"));
  EXPECT_THAT(errors(), ElementsAre(HasSubstr("there is no package.json")));
  EXPECT_THAT(errors("\n[backend.api]\nport = 1\n"),
              ElementsAre(AllOf(HasSubstr("codex-agent.toml:2:1: "), HasSubstr("has no command"))));
}

TEST_F(ConfigLoad, TheEventHookGetsTheAgentsEnvironmentAndNothingOfTheBackend) {
  environment_ = {{"PATH", "/bin"},
                  {"HOOK_TOKEN", "hunter2secret"},
                  {"NOTIFY_SOCKET", "/run/x"},
                  {"CODEX_AGENT_TOKEN", "x/y/1"},
                  {"CODEX_AGENT_LISTEN", "127.0.0.1:0"}};
  write(".env", "DATABASE_URL=postgres://u:pw@h/db\n");
  const Config config = good("[agent]\non_event = [\"notify\"]\n[backend.api.env]\nA = \"1\"\n");
  EXPECT_EQ(config.agent.on_event.environment,
            (std::map<std::string, std::string>{{"PATH", "/bin"}, {"HOOK_TOKEN", "hunter2secret"}}));
  EXPECT_EQ(config.redactor.scrub("hunter2secret"), "***");
  EXPECT_EQ(config.agent.on_event.timeout, std::chrono::seconds(10));
  EXPECT_TRUE(good("").agent.on_event.command.empty());
}

TEST_F(ConfigLoad, AnEventHookThatCannotBeExecutedIsAWarning) {
  const char* toml = "[agent]\non_event = [\"./notify.sh\"]\n";
  EXPECT_THAT(good(toml).warnings, Contains(HasSubstr("notify.sh cannot be executed: No such file")));
  write("notify.sh", "#!/bin/sh\n");
  EXPECT_THAT(good(toml).warnings, Contains(HasSubstr("notify.sh cannot be executed: Permission denied")));
  ASSERT_EQ(chmod(in_project("notify.sh").c_str(), 0700), 0);
  EXPECT_THAT(good(toml).warnings, Not(Contains(HasSubstr("notify.sh"))));
}

TEST_F(ConfigLoad, EveryKeyIsRead) {
  write("ca.pem", "");
  std::filesystem::create_directories(in_project("api"));
  write("api/prod.env", "FROM_FILE=1\n");
  const Config config = good(R"(
[agent]
listen = "127.0.0.1:1234"
allowed_hosts = ["grafana.example", "10.0.0.1:9847"]
log_file = "a.log"
log_max_size = "1MiB"
log_keep = 2
log_level = "debug"
on_event = ["./notify.sh", "a b"]
on_event_timeout = "1500ms"
[backend.api]
command = ["node", "server.js", "--flag=x y"]
directory = "api"
env_file = "prod.env"
port = 3000
output_file = "out.log"
output_max_size = "2KiB"
output_keep = 0
pid_file = "/run/api.pid"
collect_pss = true
[backend.api.env]
NODE_ENV = "production"
[backend.api.start]
timeout = "90s"
[backend.api.stop]
signal = "SIGINT"
timeout = "1500ms"
[backend.api.restart]
policy = "on_failure"
initial_delay = "100ms"
max_delay = "1m"
factor = 1.5
start_limit = "7 in 2m"
stable_after = "30s"
retry_interval = "0s"
[backend.api.hang]
action = "report"
native_stacks = true
[backend.api.hang.spin]
action = "restart"
after = "20s"
[backend.api.hang.stopped]
action = "continue"
[backend.api.probe.port]
enabled = false
[backend.api.probe.http]
role = "readiness"
path = "/ready?x=1"
period = "100ms"
timeout = "250ms"
initial_delay = "1s"
failure_threshold = 100
success_threshold = 2
status = "200,204"
body_contains = "ok"
body_regex = "^o[k]$"
follow_redirects = true
tls_verify = false
ca_file = "../ca.pem"
headers = { X-Probe = "codex agent" }
[backend.api.probe.metrics]
kind = "port"
host = "::1"
port = 9100
[backend.api.probe.archive]
kind = "database"
url = "sqlite:archive.db"
)");
  EXPECT_EQ(config.agent.listen_port, 1234);
  EXPECT_THAT(config.agent.allowed_hosts, ElementsAre("grafana.example", "10.0.0.1:9847"));
  EXPECT_EQ(config.agent.log_file, in_project("a.log"));
  EXPECT_EQ(config.agent.log_max_bytes, 1U << 20);
  EXPECT_EQ(config.agent.log_keep, 2);
  EXPECT_EQ(config.agent.log_level, "debug");
  EXPECT_THAT(config.agent.on_event.command, ElementsAre("./notify.sh", "a b"));
  EXPECT_EQ(config.agent.on_event.timeout, std::chrono::milliseconds(1500));
  EXPECT_EQ(config.agent.on_event.directory, config.project_directory);

  const BackendConfig& api = config.backends.front();
  EXPECT_THAT(api.command, ElementsAre("node", "server.js", "--flag=x y"));
  EXPECT_EQ(api.directory, in_project("api"));
  EXPECT_EQ(api.env_file, in_project("api/prod.env"));
  EXPECT_EQ(api.output_file, in_project("api/out.log"));
  EXPECT_EQ(api.output_max_bytes, 2048U);
  EXPECT_EQ(api.output_keep, 0);
  EXPECT_EQ(api.pid_file, "/run/api.pid");
  EXPECT_TRUE(api.collect_pss);
  EXPECT_THAT(api.environment, AllOf(Contains(Pair("NODE_ENV", "production")), Contains(Pair("PORT", "3000")),
                                     Contains(Pair("FROM_FILE", "1"))));
  EXPECT_EQ(api.start_timeout, Duration(seconds(90)));
  EXPECT_EQ(api.stop_signal, SIGINT);
  EXPECT_EQ(api.stop_timeout, Duration(milliseconds(1500)));
  EXPECT_EQ(api.restart.policy, RestartPolicy::kOnFailure);
  EXPECT_EQ(api.restart.initial_delay, Duration(milliseconds(100)));
  EXPECT_EQ(api.restart.max_delay, Duration(minutes(1)));
  EXPECT_DOUBLE_EQ(api.restart.factor, 1.5);
  EXPECT_EQ(api.restart.start_limit, 7);
  EXPECT_EQ(api.restart.start_limit_interval, Duration(minutes(2)));
  EXPECT_EQ(api.restart.stable_after, Duration(seconds(30)));
  EXPECT_EQ(api.restart.retry_interval, Duration(0));
  EXPECT_EQ(api.hang_action, HangReaction::kReport);
  EXPECT_TRUE(api.hang_native_stacks);
  ASSERT_EQ(api.hang_rules.size(), 2U);
  EXPECT_EQ(api.hang_rules.at(HangClass::kSpin).action, HangReaction::kRestart);
  EXPECT_EQ(api.hang_rules.at(HangClass::kSpin).after, Duration(seconds(20)));
  EXPECT_EQ(api.hang_rules.at(HangClass::kStopped).action, HangReaction::kContinue);
  EXPECT_EQ(api.hang_rules.at(HangClass::kStopped).after, std::nullopt);

  EXPECT_EQ(probe(api, "port"), nullptr);
  const ProbeSpec* http = probe(api, "http");
  ASSERT_NE(http, nullptr);
  EXPECT_EQ(http->role, ProbeRole::kReadiness);
  EXPECT_EQ(http->url.reveal(), "http://127.0.0.1:3000/ready?x=1");
  EXPECT_EQ(http->period, Duration(milliseconds(100)));
  EXPECT_EQ(http->timeout, Duration(milliseconds(250)));
  EXPECT_EQ(http->initial_delay, Duration(seconds(1)));
  EXPECT_EQ(http->failure_threshold, 100);
  EXPECT_EQ(http->success_threshold, 2);
  EXPECT_THAT(http->http.status, ElementsAre(Pair(200, 200), Pair(204, 204)));
  EXPECT_EQ(http->http.body_contains, "ok");
  EXPECT_EQ(http->http.body_regex, "^o[k]$");
  EXPECT_TRUE(http->http.follow_redirects);
  EXPECT_FALSE(http->http.tls_verify);
  EXPECT_EQ(http->http.ca_file, in_project("ca.pem").string());
  EXPECT_THAT(http->http.headers, ElementsAre(Pair("X-Probe", "codex agent")));
  const ProbeSpec* metrics = probe(api, "metrics");
  ASSERT_NE(metrics, nullptr);
  EXPECT_EQ(metrics->kind, ProbeKind::kPort);
  EXPECT_FALSE(metrics->own_listener);
  EXPECT_EQ(metrics->target, "[::1]:9100");
  const ProbeSpec* archive = probe(api, "archive");
  ASSERT_NE(archive, nullptr);
  EXPECT_EQ(archive->role, ProbeRole::kReadiness);
  EXPECT_EQ(archive->timeout, Duration(seconds(3)));
  EXPECT_EQ(archive->url.reveal(), "sqlite://" + in_project("api/archive.db").string());
}

TEST_F(ConfigLoad, TheEnvironmentWinsOverDotenvOverTomlOverDefaults) {
  struct Row {
    const char *variable, *toml, *from_toml, *from_dotenv, *from_environment;
    std::function<std::string(const Config&)> read;
    std::string otherwise;
  };
  const auto backend = [](const Config& config) -> const BackendConfig& { return config.backends.front(); };
  const Row rows[] = {
      {"PORT", "port = 1111", "1111", "2222", "3333",
       [&](const Config& c) { return std::to_string(*backend(c).port); }, "5000"},
      {"TIMEOUT_SECONDS", "start.timeout = \"11s\"", "11", "22", "33",
       [&](const Config& c) { return std::to_string(backend(c).start_timeout / seconds(1)); }, "60"},
      {"MAX_ATTEMPTS", "probe.http.failure_threshold = 11", "11", "22", "33",
       [&](const Config& c) { return std::to_string(probe(backend(c), "http")->failure_threshold); }, "3"},
      {"PID_FILE", "pid_file = \"/t.pid\"", "/t.pid", "/d.pid", "/e.pid",
       [&](const Config& c) { return backend(c).pid_file.string(); }, in_project("logs/server.pid").string()},
      {"DATABASE_URL", "probe.database.url = \"postgres://toml\"", "postgres://toml", "postgres://dotenv",
       "postgres://environment",
       [&](const Config& c) {
         const ProbeSpec* database = probe(backend(c), "database");
         return database == nullptr ? "none" : database->url.reveal();
       },
       "none"},
      {"LOG_FILE", "", "", "/d.log", "/e.log", [](const Config& c) { return c.agent.log_file.string(); },
       in_project("logs/process-monitor.log").string()},
      {"CODEX_AGENT_LOG_LEVEL", "", "", "warning", "error", [](const Config& c) { return c.agent.log_level; },
       "info"},
      {"CODEX_AGENT_LISTEN", "", "", "127.0.0.1:2222", "127.0.0.1:3333",
       [](const Config& c) { return std::to_string(c.agent.listen_port); }, "9847"},
  };
  for (const Row& row : rows) {
    const std::string variable = row.variable;
    const auto number_or_all = [&](const char* text) {
      return variable == "CODEX_AGENT_LISTEN" ? std::string(text).substr(10) : std::string(text);
    };
    write(".env", "");
    EXPECT_EQ(row.read(good("[backend.codex]\n")), row.otherwise) << variable;
    const std::string toml = "[backend.codex]\n" + std::string(row.toml) + "\n";
    if (*row.toml != '\0') {
      EXPECT_EQ(row.read(good(toml)), row.from_toml) << variable;
    }
    write(".env", variable + "=" + row.from_dotenv + "\n");
    EXPECT_EQ(row.read(good(toml)), number_or_all(row.from_dotenv)) << variable;
    environment_[variable] = row.from_environment;
    EXPECT_EQ(row.read(good(toml)), number_or_all(row.from_environment)) << variable;
    environment_[variable] = "";
    // The backend's own dotenv would leave an empty DATABASE_URL empty, so the probe must not know better.
    if (variable != "DATABASE_URL") {
      EXPECT_EQ(row.read(good(toml)), number_or_all(row.from_dotenv)) << variable << ": empty is not set";
    }
    environment_.erase(variable);
  }
}

TEST_F(ConfigLoad, TomlSetsTheAgentsOwnFile) {
  EXPECT_EQ(good("[agent]\nlog_file = \"x/y.log\"\n").agent.log_file, in_project("x/y.log"));
  environment_["LOG_FILE"] = "z.log";
  EXPECT_EQ(good().agent.log_file, in_project("z.log"));
}

TEST_F(ConfigLoad, TheChildGetsItsEnvironmentWithoutTheAgentsOwnVariables) {
  environment_ = {{"PATH", "/bin"},
                  {"NODE_ENV", "test"},
                  {"CODEX_AGENT_LISTEN", "127.0.0.1:1"},
                  {"NOTIFY_SOCKET", "/run/n"},
                  {"LISTEN_FDS", "1"},
                  {"LISTEN_PID", "1"},
                  {"LISTEN_FDNAMES", "x"},
                  {"WATCHDOG_USEC", "1"},
                  {"WATCHDOG_PID", "1"},
                  {"SHADOWED", "process"},
                  {"REPLACED", "process"}};
  write(".env", "SHADOWED=dotenv\nADDED=dotenv\nREPLACED=dotenv\nCODEX_AGENT_LOG_LEVEL=debug\n");
  const BackendConfig codex = backend("[backend.codex]\n[backend.codex.env]\nREPLACED = \"toml\"\n");
  const std::map<std::string, std::string> expected = {{"PATH", "/bin"},        {"NODE_ENV", "test"},
                                                       {"SHADOWED", "process"}, {"ADDED", "dotenv"},
                                                       {"REPLACED", "toml"},    {"PORT", "5000"}};
  EXPECT_EQ(codex.environment, expected);
}

TEST_F(ConfigLoad, AppAndProbesAgreeOnThePort) {
  write(".env", "PORT=4321\n");
  const BackendConfig codex = backend("[backend.codex]\nport = 1234\n");
  EXPECT_EQ(codex.environment.at("PORT"), "4321");
  EXPECT_EQ(probe(codex, "port")->target, "127.0.0.1:4321");
  EXPECT_EQ(probe(codex, "http")->target, "http://127.0.0.1:4321/health");
}

TEST_F(ConfigLoad, AppAndProbesAgreeOnTheDatabase) {
  environment_["DATABASE_URL"] = "postgres://process/db";
  const BackendConfig codex =
      backend("[backend.codex]\n[backend.codex.env]\nDATABASE_URL = \"postgres://toml/db\"\n");
  EXPECT_EQ(codex.environment.at("DATABASE_URL"), "postgres://toml/db");
  EXPECT_EQ(probe(codex, "database")->url.reveal(), "postgres://toml/db");
  EXPECT_THAT(codex.url_env, ElementsAre(Pair("database", "DATABASE_URL")));
}

TEST_F(ConfigLoad, ADatabaseUrlMakesTheDefaultDatabaseProbe) {
  environment_["DATABASE_URL"] = "postgresql://app:hunter2secret@db.example:5433/codex?sslmode=require";
  const Config config = good();
  const ProbeSpec* database = probe(config.backends.front(), "database");
  ASSERT_NE(database, nullptr);
  EXPECT_EQ(database->role, ProbeRole::kReadiness);
  EXPECT_EQ(database->timeout, Duration(seconds(3)));
  EXPECT_EQ(database->period, Duration(seconds(5)));
  EXPECT_THAT(database->target, AllOf(HasSubstr("db.example:5433/codex"), Not(HasSubstr("hunter2"))));
  EXPECT_EQ(config.redactor.scrub("say hunter2secret"), "say ***");
}

TEST_F(ConfigLoad, AnUnknownKindOfDatabaseIsLeftOutWithAWarning) {
  environment_["DATABASE_URL"] = "mysql://app:hunter2secret@db/codex";
  const Config config = good();
  EXPECT_EQ(probe(config.backends.front(), "database"), nullptr);
  EXPECT_THAT(config.warnings, ElementsAre(AllOf(HasSubstr("postgres:"), Not(HasSubstr("hunter2")))));
  EXPECT_THAT(errors("[backend.codex]\n[backend.codex.probe.database]\nperiod = \"1s\"\n"),
              ElementsAre(HasSubstr("codex-agent.toml:2:1: ")));
}

TEST_F(ConfigLoad, SqlitePathsStartAtTheBackendsDirectory) {
  std::filesystem::create_directories(in_project("api"));
  write("api/.env", "DATABASE_URL=sqlite:./dev.db\n");
  const BackendConfig api = backend("[backend.api]\ncommand = [\"node\"]\ndirectory = \"api\"\n");
  EXPECT_EQ(probe(api, "database")->url.reveal(), "sqlite://" + in_project("api/dev.db").string());
  EXPECT_EQ(probe(api, "database")->target, "sqlite://" + in_project("api/dev.db").string());
}

TEST_F(ConfigLoad, UrlEnvNamesAnyVariable) {
  write(".env", "REPLICA_URL=postgres://replica/db\nDATABASE_URL=postgres://main/db\n");
  const BackendConfig codex =
      backend("[backend.codex.probe.replica]\nkind = \"database\"\nurl_env = \"REPLICA_URL\"\n");
  EXPECT_EQ(probe(codex, "replica")->url.reveal(), "postgres://replica/db");
  EXPECT_EQ(probe(codex, "database")->url.reveal(), "postgres://main/db");
}

TEST_F(ConfigLoad, AUrlThatDatabaseUrlOverridesIsWarnedOf) {
  environment_["DATABASE_URL"] = "postgres://process/db";
  const Config config = good("[backend.codex.probe.database]\nurl = \"postgres://toml/db\"\n");
  EXPECT_THAT(config.warnings, ElementsAre(HasSubstr("DATABASE_URL is set and wins")));
  const BackendConfig other =
      backend("[backend.codex.probe.monitor]\nkind = \"database\"\nurl = \"postgres://toml/db\"\n");
  EXPECT_EQ(probe(other, "monitor")->url.reveal(), "postgres://toml/db");
}

TEST_F(ConfigLoad, SeveralBackendsHaveTheirOwnFilesAndVariables) {
  environment_ = {{"PATH", "/bin"},
                  {"PORT", "7000"},
                  {"DATABASE_URL", "postgres://process/db"},
                  {"PID_FILE", "/x.pid"},
                  {"TIMEOUT_SECONDS", "7"}};
  write("api/.env", "PORT=4001\nDATABASE_URL=postgres://api/db\nLOG_FILE=/api.log\n");
  write("web/package.json", R"({"scripts": {"start": "x"}})");
  const Config config = good(
      "[backend.web]\ndirectory = \"web\"\nport = 4000\n[backend.api]\ncommand = [\"node\"]\ndirectory = "
      "\"api\"\n");
  ASSERT_EQ(config.backends.size(), 2U);
  const BackendConfig &web = config.backends[0], &api = config.backends[1];
  EXPECT_EQ(web.name, "web");
  EXPECT_EQ(web.port, 4000);
  EXPECT_EQ(web.environment.count("DATABASE_URL"), 0U);
  EXPECT_EQ(web.pid_file, in_project("web/logs/web.pid"));
  EXPECT_EQ(web.output_file, in_project("web/logs/web.log"));
  EXPECT_EQ(web.start_timeout, Duration(seconds(7)));
  EXPECT_EQ(probe(web, "database"), nullptr);
  EXPECT_EQ(api.port, 4001);
  EXPECT_EQ(api.environment.at("PORT"), "4001");
  EXPECT_EQ(probe(api, "database")->url.reveal(), "postgres://api/db");
  EXPECT_EQ(api.pid_file, in_project("api/logs/api.pid"));
  EXPECT_EQ(config.agent.log_file, in_project("logs/process-monitor.log"));
  EXPECT_THAT(config.warnings, ElementsAre(HasSubstr("PORT of the environment is ignored"),
                                           HasSubstr("DATABASE_URL of the environment is ignored"),
                                           HasSubstr("PID_FILE of the environment is ignored")));
}

TEST_F(ConfigLoad, ABackendWithoutAPortHasNoPortProbes) {
  environment_["PORT"] = "7000";
  const BackendConfig worker =
      backend("[backend.worker]\ncommand = [\"node\", \"worker.js\"]\nport = \"none\"\n");
  EXPECT_EQ(worker.port, std::nullopt);
  EXPECT_THAT(worker.probes, IsEmpty());
}

TEST_F(ConfigLoad, AnEmptyEnvFileSwitchesTheDefaultOff) {
  write(".env", "PORT=4001\n");
  const BackendConfig codex = backend("[backend.codex]\nenv_file = \"\"\n");
  EXPECT_EQ(codex.port, 5000);
  EXPECT_TRUE(codex.env_file.empty());
}

TEST_F(ConfigLoad, ADirectoryNamedDotenvIsNotOurs) {
  std::filesystem::create_directories(in_project(".env"));
  EXPECT_TRUE(good().backends.front().env_file.empty());
}

TEST_F(ConfigLoad, AnotherConfigFileMovesTheProject) {
  write("deploy/agent.toml", "[backend.x]\ncommand = [\"node\"]\n");
  LoadOptions options;
  options.project_directory = directory_.path();
  options.config_file = in_project("deploy/agent.toml");
  const LoadResult result = load_config(options);
  ASSERT_TRUE(result.config) << lines_of(result);
  EXPECT_EQ(result.config->project_directory, in_project("deploy"));
  EXPECT_EQ(result.config->backends.front().directory, in_project("deploy"));
  options.config_file = in_project("deploy/none.toml");
  EXPECT_THAT(lines_of(load_config(options)), HasSubstr("none.toml: there is no such file"));
}

TEST_F(ConfigLoad, PortsThatTheKernelGivesToClientsAreWarnedOf) {
  const auto [lowest, highest] = ephemeral_ports();
  if (highest == 0) GTEST_SKIP() << "no ip_local_port_range here";
  EXPECT_THAT(good("[backend.x]\nport = " + std::to_string(highest) + "\n").warnings,
              ElementsAre(HasSubstr("the range " + std::to_string(lowest))));
  EXPECT_THAT(good("[backend.x]\nport = " + std::to_string(lowest - 1) + "\n").warnings, IsEmpty());
}

TEST_F(ConfigLoad, AListenAddressThatOthersReachIsWarnedOf) {
  EXPECT_THAT(good("[agent]\nlisten = \"0.0.0.0:9847\"\n").warnings, ElementsAre(HasSubstr("public")));
}

}  // namespace
}  // namespace codex
