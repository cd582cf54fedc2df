#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include <sstream>

#include "agent/config_files/toml_writer.h"
#include "tests/agent/config/config_fixture.h"

namespace codex {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

using ConfigShow = ConfigTest;

/// Without comments: a masked secret is one, and is gone from what is loaded again.
std::string values_of(const std::string& toml) {
  std::istringstream lines(toml);
  std::string values;
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with('#')) values += line + "\n";
  }
  return values;
}

constexpr const char* kEverything = R"toml(
[agent]
listen = "[::1]:1234"
allowed_hosts = ["grafana.example"]
log_max_size = "1537B"
on_event = ["sh", "-c", "cat >\"$HOME/last event\""]
on_event_timeout = "2m"
[backend.api]
command = ["node", "-e", "console.log(\"\\ttab é \u007f\")"]
port = 3000
collect_pss = true
[backend.api.env]
GREETING = "hello\nworld"
DB_PASSWORD = "hunter2secret"
[backend.api.restart]
factor = 1.7
start_limit = "7 in 90s"
retry_interval = "0s"
[backend.api.probe.port]
enabled = false
[backend.api.probe.http]
status = "200-299,404"
body_regex = "^\\{\"ok\": ?true"
headers = { Accept = "text/html", Authorization = "Bearer hunter2secret" }
[backend.api.probe.archive]
kind = "database"
url = "sqlite:archive.db"
[backend.api.probe.edge]
kind = "http"
url = "https://edge.example/x"
[backend.worker]
command = ["node", "worker.js"]
port = "none"
env_file = ""
)toml";

TEST_F(ConfigShow, TheShownTomlLoadsToTheSameValues) {
  environment_["TIMEOUT_SECONDS"] = "77";
  write(".env", "MAX_ATTEMPTS=9\n");
  const Config first = good(kEverything);
  const std::string shown = render_config_toml(first);
  const Config second = good(shown);
  EXPECT_EQ(values_of(render_config_toml(second)), values_of(shown));
  // Without the variables too: what is shown is what is in effect.
  environment_.erase("TIMEOUT_SECONDS");
  write(".env", "");
  EXPECT_EQ(values_of(render_config_toml(good())), values_of(shown));

  EXPECT_EQ(first.agent.on_event.command, second.agent.on_event.command);
  EXPECT_EQ(first.agent.on_event.timeout, second.agent.on_event.timeout);
  const BackendConfig &a = first.backends[0], &b = second.backends[0];
  EXPECT_EQ(a.command, b.command);
  EXPECT_EQ(b.own_environment.at("GREETING"), "hello\nworld");
  EXPECT_EQ(a.restart.factor, b.restart.factor);
  ASSERT_EQ(a.probes.size(), b.probes.size());
  for (std::size_t i = 0; i < a.probes.size(); ++i) {
    EXPECT_EQ(a.probes[i].name, b.probes[i].name);
    EXPECT_EQ(a.probes[i].kind, b.probes[i].kind);
    EXPECT_EQ(a.probes[i].url, b.probes[i].url);
    EXPECT_EQ(a.probes[i].failure_threshold, b.probes[i].failure_threshold);
    EXPECT_EQ(a.probes[i].http.status, b.probes[i].http.status);
  }
  EXPECT_EQ(second.backends[1].port, std::nullopt);
}

TEST_F(ConfigShow, ZeroConfigurationIsShownAndLoadsAgain) {
  write(".env", "DATABASE_URL=postgres://u:hunter2secret@h/db\n");
  const std::string shown = render_config_toml(good());
  EXPECT_THAT(shown, HasSubstr("url_env = \"DATABASE_URL\""));
  EXPECT_THAT(shown, HasSubstr("path = \"/health\""));
  EXPECT_EQ(values_of(render_config_toml(good(shown))), values_of(shown));
}

TEST_F(ConfigShow, SecretsAreMaskedAndTheTextStaysToml) {
  const Config config = good(kEverything);
  const std::string toml = render_config_toml(config);
  EXPECT_THAT(toml, Not(HasSubstr("hunter2")));
  EXPECT_THAT(toml, HasSubstr("# DB_PASSWORD = \"***\""));
  EXPECT_THAT(toml, HasSubstr("# Authorization = \"***\""));
  EXPECT_THAT(render_config_json(config), Not(HasSubstr("hunter2")));
  const std::string with_url =
      render_config_toml(good("[backend.api.probe.database]\nurl = \"postgres://u:pw@h/db\"\n"));
  EXPECT_THAT(with_url, HasSubstr("url = \"postgres://u@h/db\""));
}

TEST_F(ConfigShow, TheJsonIsOneDocumentWithUnitsInItsNames) {
  const json document = json::parse(render_config_json(good(kEverything)));
  EXPECT_EQ(document["file"], in_project("codex-agent.toml").string());
  EXPECT_EQ(document["state_directory"], in_project(".codex-agent").string());
  EXPECT_EQ(document["log_file"], in_project("logs/process-monitor.log").string());
  EXPECT_EQ(document["agent"]["listen"], "[::1]:1234");
  EXPECT_EQ(document["agent"]["log_max_bytes"], 1537);
  EXPECT_EQ(document["agent"]["on_event"], json::array({"sh", "-c", "cat >\"$HOME/last event\""}));
  EXPECT_EQ(document["agent"]["on_event_timeout_seconds"], 120.0);
  const json& api = document["backends"][0];
  EXPECT_EQ(api["name"], "api");
  EXPECT_EQ(api["output_file"], in_project("logs/api.log").string());
  EXPECT_EQ(api["port"], 3000);
  EXPECT_EQ(api["env"]["DB_PASSWORD"], "***");
  EXPECT_EQ(api["start"]["timeout_seconds"], 60.0);
  EXPECT_EQ(api["stop"]["signal"], "SIGTERM");
  EXPECT_EQ(api["restart"]["start_limit"], 7);
  EXPECT_EQ(api["restart"]["start_limit_interval_seconds"], 90.0);
  EXPECT_EQ(api["probes"][0]["name"], "http");
  EXPECT_EQ(api["probes"][0]["headers"]["Authorization"], "***");
  EXPECT_EQ(api["probes"][0]["headers"]["Accept"], "text/html");
  EXPECT_TRUE(document["backends"][1]["port"].is_null());
}

TEST_F(ConfigShow, ZeroConfigurationHasNoFileInJson) {
  const json document = json::parse(render_config_json(good()));
  EXPECT_TRUE(document["file"].is_null());
  EXPECT_EQ(document["backends"][0]["command"], json::array({"npm", "run", "dev"}));
}

TEST(ConfigTomlWriter, EveryTextBecomesAValidString) {
  const Redactor redactor;
  TomlWriter out(redactor);
  out.text("a b", "\"\\\n\x1f\x7f\xC3\xA9\xFFz");
  out.texts("list", {});
  out.fraction("third", 1.0 / 3);
  EXPECT_EQ(out.document(),
            "\"a b\" = \"\\\"\\\\\\u000A\\u001F\\u007F\xC3\xA9\xEF\xBF\xBDz\"\nlist = []\nthird = "
            "0.3333333333333333\n");
}

}  // namespace
}  // namespace codex
