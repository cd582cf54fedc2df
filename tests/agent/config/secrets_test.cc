#include <sys/stat.h>

#include <gmock/gmock.h>

#include "agent/config/backend_environment.h"
#include "agent/config_files/toml_syntax.h"
#include "tests/agent/config/config_fixture.h"

namespace codex {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr const char* kCanary = "c4n4ryS3cr3t";

class ConfigSecrets : public ConfigTest {
 protected:
  /// Everything that a load of this may show, as one text.
  std::string everything() {
    const LoadResult result = load();
    std::string text = lines_of(result);
    if (result.config) {
      for (const std::string& warning : result.config->warnings) text += warning + "\n";
      for (const BackendConfig& backend : result.config->backends) {
        for (const ProbeSpec& probe : backend.probes) text += probe.target + "\n";
      }
      text += render_config_toml(*result.config) + render_config_json(*result.config);
    }
    return text;
  }
};

TEST_F(ConfigSecrets, NoMessageOrViewRepeatsASecret) {
  const std::string canary = kCanary;
  const std::string url = "postgres://app:" + canary + "@db/codex";
  const std::string toml_files[] = {
      "",
      "[backend.api.probe.database]\nurl = \"" + url + "\"\n",
      "[backend.api.probe.database]\nurl = \"postgres://app:" + canary + " @db\"\n",
      "[backend.api.probe.database]\nurl = \"mysql://app:" + canary + "@db\"\n",
      "[backend.api.probe.database]\nurl = " + url + "\n",
      "[backend.api.probe.database]\nurl_env = \"" + url + "\"\n",
      "[backend.api.probe.x]\nkind = \"database\"\nurl = \"postgres://u@h/db?password=" + canary + "\"\n",
      "[backend.api.probe.http]\nurl = \"http://me:" + canary + "@api/health\"\n",
      "[backend.api.probe.http]\nurl = \"ftp://me:" + canary + "@api/health\"\n",
      "[backend.api.probe.http]\npath = \"http://me:" + canary + "@api/health\"\n",
      "[backend.api.probe.http.headers]\nAuthorization = \"Bearer " + canary + "\"\n",
      "[backend.api.probe.http.headers]\nCookie = \"session=" + canary + "\\r\\n\"\n",
      "[backend.api.probe.http]\nstatus = \"" + url + "\"\n",
      "[backend.api]\ncommand = \"DB_PASSWORD=" + canary + " node .\"\n",
      "[backend.api]\ncommand = [\"node\", \"" + canary + "\"]\n[backend.api.env]\nDB_PASSWORD = \"" +
          canary + "\"\n",
      "[backend.api.env]\nDB_PASSWORD = \"" + canary + "\"\nPORT = \"1\"\n",
      "[backend.api.env]\nAPP_DSN = \"" + url + "\"\n",
      "[backend.api.env]\nDB_PASSWORD = " + canary + "\n",
      "[backend.api.env]\nDB_PASSWORD = \"" + canary + "\n",
      "[backend.api.env]\nDB_PASSWORD = '" + canary + "' x\n",
      "[backend.api]\nport = \"" + url + "\"\n",
      "\"" + url + "\" = 1\n[backend.\"" + url + "\"]\n[agent.\"" + url + "\"]\n",
      "[backend.api.env]\n\"" + url + "\" = 1\n\"CODEX_AGENT_" + url + "\" = \"\"\n",
      "[backend.api.probe.\"" + url + "\"]\n[backend.api.probe.http.headers]\n\"" + url + "\" = \"\\n\"\n",
      "[backend.api]\nstart.timeout = \"" + url + "\"\n",
      "[agent]\nlisten = \"" + url + "\"\nallowed_hosts = [\"" + url + "\"]\nlog_level = \"" + url + "\"\n",
  };
  const std::map<std::string, std::string> environments[] = {
      {},
      {{"DATABASE_URL", url}},
      {{"DATABASE_URL", "postgres://app:" + canary + "#x@db"}},
      {{"DATABASE_URL", "mysql://app:" + canary + "@db"}},
      {{"DATABASE_URL", "postgres:/app:" + canary + "@db"}},
      {{"PGPASSWORD", canary}, {"DATABASE_URL", "postgres://db"}},
      {{"PORT", url}, {"TIMEOUT_SECONDS", url}, {"MAX_ATTEMPTS", "PASSWORD=" + canary}},
      {{"STRIPE_API_KEY", canary}, {"PORT", canary}},
      {{"CODEX_AGENT_LISTEN", url}, {"CODEX_AGENT_LOG_LEVEL", url}},
  };
  const std::string dotenvs[] = {"",
                                 "DATABASE_URL=" + url + "\n",
                                 "DATABASE_URL=postgres://app:x#" + canary + "@db\n",
                                 "PORT=" + url + "\n",
                                 "SECRET=\"" + canary + "\n",
                                 canary + "\n",
                                 "JWT_SECRET_KEY='" + canary + "'\nMAX_ATTEMPTS=" + canary + "\n"};
  const auto expect_hidden = [&](const std::string& toml, const auto& environment,
                                 const std::string& dotenv) {
    write("codex-agent.toml", toml);
    write(".env", dotenv);
    environment_ = environment;
    EXPECT_THAT(everything(), Not(HasSubstr(canary)))
        << toml << dotenv << testing::PrintToString(environment);
  };
  for (const auto& environment : environments) {
    for (const std::string& toml : toml_files) expect_hidden(toml, environment, "");
    for (const std::string& dotenv : dotenvs) expect_hidden("", environment, dotenv);
  }
  for (const std::string& toml : toml_files) {
    for (const std::string& dotenv : dotenvs) expect_hidden(toml, environments[0], dotenv);
  }
}

TEST_F(ConfigSecrets, TheRedactorKnowsEverySecretOfTheConfiguration) {
  environment_ = {{"PGPASSWORD", "from-pgpassword"},
                  {"REDIS_URL", "redis://:from-redis-url@cache:6379"},
                  {"CODEX_AGENT_TOKEN", "not-passed-on"}};
  write(".env", "JWT_SECRET=from-dotenv\nSESSION_PRIVATE_KEY=\"line1key\nline2key\"\n");
  const Config config = good(R"(
[backend.api.env]
STRIPE_API_KEY = "from-env-table"
[backend.api.probe.database]
url = "postgres://u:from-toml-url@h/db"
[backend.api.probe.http]
headers = { Authorization = "Bearer from-header" }
)");
  for (const char* secret : {"from-pgpassword", "from-redis-url", "from-dotenv", "line1key\nline2key",
                             "from-env-table", "from-toml-url", "Bearer from-header"}) {
    EXPECT_EQ(config.redactor.scrub(std::string("<") + secret + ">"), "<***>") << secret;
  }
}

TEST_F(ConfigSecrets, InnocentValuesAreNotTakenForSecrets) {
  Redactor redactor;
  register_secrets({{"TOKEN_REFRESH_ENABLED", "true"},
                    {"ACCESS_TOKEN_TTL", "3600"},
                    {"NODE_ENV", "production"},
                    {"HOMEPAGE", "https://example.org/a"},
                    {"EDITOR", "nano"}},
                   redactor);
  const std::string text = "true 3600 production https://example.org/a nano";
  EXPECT_EQ(redactor.scrub(text), text);
  register_secrets({{"DB_PASSWORD", "production"}}, redactor);
  EXPECT_EQ(redactor.scrub("production"), "***");
}

TEST_F(ConfigSecrets, NamesOfSecretsAreRecognised) {
  for (const char* name : {"PASSWORD", "DB_PASSWORD", "PGPASSWORD", "db_passwd", "JWT_SECRET",
                           "SECRET_KEY_BASE", "GITHUB_TOKEN", "STRIPE_API_KEY", "apiKey", "X-Api-Key",
                           "SSH_PRIVATE_KEY", "AWS_SECRET_ACCESS_KEY", "Authorization", "Cookie"}) {
    EXPECT_TRUE(names_secret(name)) << name;
  }
  for (const char* name :
       {"PORT", "PATH", "NODE_ENV", "PASS_THROUGH", "KEYBOARD", "COOKIE_DOMAIN", "Accept"}) {
    EXPECT_FALSE(names_secret(name)) << name;
  }
}

TEST_F(ConfigSecrets, APasswordInAFileThatOthersReadIsWarnedOf) {
  const char* with_password[] = {
      "[backend.api.probe.database]\nurl = \"postgres://u:hunter2@h/db\"\n",
      "[backend.api.env]\nDB_PASSWORD = \"hunter2\"\n",
      "[backend.api.probe.http.headers]\nAuthorization = \"Basic aHVudGVyMg==\"\n"};
  for (const char* toml : with_password) {
    EXPECT_THAT(good(toml).warnings, IsEmpty()) << toml;
    for (const mode_t mode : {0640, 0604}) {
      ASSERT_EQ(chmod(in_project("codex-agent.toml").c_str(), mode), 0);
      EXPECT_THAT(good().warnings, ElementsAre(HasSubstr("chmod 600"))) << toml;
    }
  }
  write("codex-agent.toml", "[backend.api]\nport = 1\n");
  write(".env", "DATABASE_URL=postgres://u:hunter2@h/db\n");
  ASSERT_EQ(chmod(in_project("codex-agent.toml").c_str(), 0644), 0);
  EXPECT_THAT(good().warnings, IsEmpty()) << render_config_toml(good());
}

TEST(ConfigSyntax, WordsOfTheFileAreNotQuoted) {
  EXPECT_EQ(explain_syntax_error("'99887766554433221100' is not representable in 64 bits"),
            "not TOML: this is not representable in 64 bits");
  EXPECT_EQ(explain_syntax_error("expected '=', saw ':'"), "not TOML: expected '=', saw ':'");
  EXPECT_EQ(explain_syntax_error("cannot redefine existing table 'backend'"),
            "not TOML: cannot redefine existing table 'backend'");
}

}  // namespace
}  // namespace codex
