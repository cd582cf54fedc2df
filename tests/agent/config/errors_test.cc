#include <gmock/gmock.h>

#include "agent/config/probes_config.h"
#include "tests/agent/config/config_fixture.h"

namespace codex {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::StartsWith;

using ConfigErrors = ConfigTest;

struct Mistake {
  const char* toml;   ///< what stands in the file
  const char* error;  ///< all of the message, or its start with a trailing "..."
};

class ConfigMistakes : public ConfigTest {
 protected:
  void expect(std::string_view prefix, const std::vector<Mistake>& mistakes) {
    for (const Mistake& mistake : mistakes) {
      const std::vector<std::string> found = errors(std::string(prefix) + mistake.toml + "\n");
      ASSERT_THAT(found, SizeIs(1)) << mistake.toml << testing::PrintToString(found);
      const std::string expected = "codex-agent.toml:" + std::string(mistake.error);
      if (expected.ends_with("...")) {
        EXPECT_THAT(found.front(), StartsWith(expected.substr(0, expected.size() - 3)));
      } else {
        EXPECT_EQ(found.front(), expected);
      }
    }
  }
};

TEST_F(ConfigMistakes, SyntaxErrorsHaveTheirPlaceAndAHint) {
  expect("[agent]\n",
         {{"x = [", "2:7: not TOML: Error while parsing array: encountered end-of-file (is a quote ..."},
          {"log_level = debug",
           "2:13: not TOML: Error while parsing value: could not determine value type "
           "(a text needs quotes: \"...\")"},
          {"log_keep = 010",
           "2:15: not TOML: Error while parsing decimal integer: leading zeroes are "
           "prohibited (write the number without them)"},
          {"log_keep = 1\nlog_keep = 2",
           "3:12: not TOML: Error while parsing key-value pair: cannot "
           "redefine existing integer 'log_keep'"},
          {"[agent]",
           "2:1: not TOML: Error while parsing table header: cannot redefine existing table 'agent'"}});
}

TEST_F(ConfigMistakes, UnknownKeysGetASuggestion) {
  expect("",
         {{"[agnet]", "1:2: unknown key \"agnet\"; did you mean \"agent\"?"},
          {"[agent]\nlisten_address = \"x\"",
           "2:1: unknown key \"listen_address\" in [agent]; known here: allowed_hosts, listen, log_file, "
           "log_keep, "
           "log_level, log_max_size, on_event, on_event_timeout"},
          {"[backend.api]\n  prot = 1", "2:3: unknown key \"prot\" in [backend.api]; did you mean \"port\"?"},
          {"[backend.api.restart]\npolcy = \"never\"",
           "2:1: unknown key \"polcy\" in [backend.api.restart]; did you mean \"policy\"?"},
          {"[backend.api.probe.http]\ntimout = \"1s\"",
           "2:1: unknown key \"timout\" in [backend.api.probe.http]; did you mean \"timeout\"?"},
          {"[backend.api.stop]\n\"a\\nb\" = 1",
           "2:1: unknown key \"a\\x0ab\" in [backend.api.stop]; known here: ..."},
          {"[backend.api.probe.port]\npath = \"/\"",
           "2:1: unknown key \"path\" in [backend.api.probe.port]; ..."}});
}

TEST_F(ConfigMistakes, WrongTypesAreNamed) {
  expect("[backend.api]\n",
         {{"port = \"5000\"", "2:8: port: must be a whole number without quotes (1-65535), or \"none\""},
          {"port = 5000.0", "2:8: port: must be a whole number, not a fraction"},
          {"port = true", "2:8: port: must be a whole number, not true or false"},
          {"port = 2020-01-01", "2:8: port: must be a whole number, not a date or time"},
          {"collect_pss = \"yes\"", "2:15: collect_pss: must be true or false, not a string"},
          {"directory = 5", "2:13: directory: must be a string, not a whole number"},
          {"directory = [\"a\"]", "2:13: directory: must be a string, not an array"},
          {"start = \"60s\"", "2:9: start: must be a table, not a string"},
          {"start.timeout = 60", "2:17: timeout: must be a string, not a whole number"},
          {"env = [\"A=1\"]", "2:7: env: must be a table, not an array"},
          {"env = { A = 1 }", "2:13: A: must be a string, not a whole number"},
          {"restart.factor = \"2\"", "2:18: factor: must be a number, not a string"},
          {"command = [\"node\", 5]", "2:20: every item of command must be a string, not a whole number"}});
  expect("", {{"backend = 5", "1:11: backend: must be a table, not a whole number"},
              {"[backend]\napi = 5", "2:7: api: must be a table, not a whole number"},
              {"[[agent]]", "1:1: agent: must be a table, not an array"}});
}

TEST_F(ConfigMistakes, ACommandLineIsShownAsAnArray) {
  expect("[backend.api]\n",
         {{"command = \"npm run dev\"",
           "2:11: command: must be an array with one string for each argument, because no shell splits it: "
           "[\"npm\", "
           "\"run\", \"dev\"]"},
          {"command = \"TOKEN=hunter2 node .\"",
           "2:11: command: must be an array with one string for each argument, because no shell splits it: "
           "[\"npm\", "
           "\"run\", \"dev\"]"},
          {"command = []", "2:11: command: must begin with a program, ..."},
          {"command = [\"\"]", "2:11: command: must begin with a program, ..."},
          {"command = [\"a\\u0000b\"]", "2:12: every item of command must not contain a NUL character"}});
}

TEST_F(ConfigMistakes, RangesHaveExactBounds) {
  expect("[backend.api]\n",
         {{"port = 0", "2:8: port: must be from 1 to 65535, not 0"},
          {"port = 65536", "2:8: port: must be from 1 to 65535, not 65536"},
          {"port = -1", "2:8: port: must be from 1 to 65535, not -1"},
          {"port = 9847",
           "2:8: port 9847 of backend \"api\" is the agent's own (listen in [agent]); change one of them"},
          {"output_keep = 101", "2:15: output_keep: must be from 0 to 100, not 101"},
          {"output_max_size = \"1023B\"", "2:19: output_max_size: must be from 1KiB to 100GiB, not 1023B"},
          {"output_max_size = \"101GiB\"", "2:19: output_max_size: must be from 1KiB to 100GiB, not 101GiB"},
          {"start.timeout = \"0s\"", "2:17: timeout: must be from 1ms to 24h, not 0s"},
          {"start.timeout = \"-1s\"", "2:17: timeout: \"-1s\" is not a duration; ..."},
          {"start.timeout = \"1441m\"", "2:17: timeout: must be from 1ms to 24h, not 1441m"},
          {"stop.timeout = \"25h\"", "2:16: timeout: must be from 1ms to 24h, not 25h"},
          {"stop.signal = \"SIGUSR2\"", "2:15: signal: \"SIGUSR2\" does not stop a Node backend ..."},
          {"restart.factor = nan", "2:18: factor: must be from 1 to 100"},
          {"restart.factor = inf", "2:18: factor: must be from 1 to 100"},
          {"restart.factor = 0.999", "2:18: factor: must be from 1 to 100"},
          {"restart.factor = 100.001", "2:18: factor: must be from 1 to 100"},
          {"restart.start_limit = \"0 in 60s\"", "2:23: start_limit: \"0 in 60s\" is not a start limit; ..."},
          {"restart.policy = \"sometimes\"",
           "2:18: policy: \"sometimes\" is not one of \"always\", \"on_failure\", \"never\""},
          {"restart.initial_delay = \"31s\"",
           "2:25: initial_delay: initial_delay (31s) must not be above max_delay (30s)"},
          {"hang.action = \"kill\"", "2:15: action: \"kill\" is not one of \"restart\", \"report\""},
          {"hang.spin.action = \"continue\"",
           "2:20: action: \"continue\" is not one of \"restart\", \"report\""},
          {"hang.spin.after = \"soon\"", "2:19: after: \"soon\" is not a duration; ..."},
          {"hang.spni.after = \"1s\"",
           "2:6: unknown key \"spni\" in [backend.api.hang]; did you mean \"spin\"?"},
          {"probe.http.period = \"99ms\"", "2:21: period: must be from 100ms to 24h, not 99ms"},
          {"probe.http.timeout = \"0ms\"", "2:22: timeout: must be from 1ms to 24h, not 0s"},
          {"probe.http.failure_threshold = 0", "2:32: failure_threshold: must be from 1 to 100, not 0"},
          {"probe.http.success_threshold = 101", "2:32: success_threshold: must be from 1 to 100, not 101"},
          {"probe.http.role = \"live\"",
           "2:19: role: \"live\" is not one of \"startup\", \"liveness\", \"readiness\""}});
}

TEST_F(ConfigErrors, TheBoundsThemselvesAreAllowed) {
  for (const char* line :
       {"port = 1", "port = 65535", "output_keep = 0", "output_keep = 100", "output_max_size = \"1KiB\"",
        "output_max_size = \"100GiB\"", "start.timeout = \"1ms\"", "start.timeout = \"24h\"",
        "restart.factor = 1", "restart.factor = 100.0", "restart.start_limit = \"1000 in 24h\"",
        "restart.initial_delay = \"30s\"", "restart.retry_interval = \"0s\"", "probe.http.period = \"100ms\"",
        "probe.http.period = \"24h\"", "probe.http.failure_threshold = 1",
        "probe.http.failure_threshold = 100"}) {
    EXPECT_THAT(errors("[backend.api]\n" + std::string(line) + "\n"), IsEmpty()) << line;
  }
}

TEST_F(ConfigMistakes, TheAgentsSectionIsChecked) {
  expect("[agent]\n",
         {{"listen = \"9847\"", "2:10: listen: \"9847\" is not HOST:PORT ..."},
          {"listen = \"127.0.0.1:65536\"", "2:10: listen: \"127.0.0.1:65536\" is not HOST:PORT ..."},
          {"listen = \"127.0.0.1:5000\"", "2:10: port 5000 of backend \"codex\" is the agent's own ..."},
          {"allowed_hosts = [\"a b\"]", "2:17: allowed_hosts: \"a b\" is not a host name or address, ..."},
          {"log_level = \"trace\"", "2:13: log_level: \"trace\" is not one of ..."},
          {"log_keep = -1", "2:12: log_keep: must be from 0 to 100, not -1"},
          {"log_file = \"\"", "2:12: log_file: must name a file"},
          {"on_event = \"./notify.sh\"", "2:12: on_event: must be an array of strings, ..."},
          {"on_event = [\"\"]", "2:12: on_event: must begin with the name of a program"},
          {"on_event_timeout = \"99ms\"", "2:20: on_event_timeout: must be from 100ms to 5m, not 99ms"},
          {"on_event_timeout = \"301s\"", "2:20: on_event_timeout: must be from 100ms to 5m, not 301s"},
          {"log_max_size = \"10MB\"", "2:16: log_max_size: \"10MB\" is not a size; ..."}});
}

TEST_F(ConfigMistakes, ProbesAreChecked) {
  expect("[backend.api.probe.http]\n",
         {{"path = \"health\"", "2:8: path: must start with / ..."},
          {"path = \"/a b\"", "2:8: path: must start with / ..."},
          {"path = \"/\"\nurl = \"http://a/\"", "2:8: path: path and url exclude each other; keep one"},
          {"url = \"ftp://a/\"", "2:7: url: the URL must be an absolute http:// or https:// URL"},
          {"url = \"http://\"", "2:7: url: the URL has no valid host after ://"},
          {"url = \"http://a:99999/\"", "2:7: url: the URL has no valid port (1-65535) after the host"},
          {"status = \"2xx\"", "2:10: status: \"2xx\" is not a list of status codes; ..."},
          {"body_regex = \"(\"", "2:14: body_regex: is not a POSIX extended regular expression: ..."},
          {"ca_file = \"none.pem\"", "2:11: ca_file: there is no file none.pem"},
          {"headers = { \"X Y\" = \"1\" }", "2:13: \"X Y\" is not a header name (letters, digits and -)"},
          {"headers = { X = \"a\\r\\nEvil: 1\" }", "2:17: X: the value must not contain line ends ..."},
          {"kind = \"port\"", "2:8: kind: the probe \"http\" is always of kind \"http\"; ..."}});
  expect("[backend.api.probe.cache]\n",
         {{"period = \"1s\"", "1:1: probe \"cache\" needs kind = \"http\", \"port\" or \"database\" ..."},
          {"kind = \"tcp\"", "2:8: kind: \"tcp\" is not one of \"port\", \"http\", \"database\""},
          {"kind = \"port\"", "1:1: probe \"cache\" needs port = 1-65535"},
          {"kind = \"port\"\nport = 1\nhost = \"a b\"", "4:8: host: \"a b\" is not a host name ..."},
          {"kind = \"database\"", "1:1: probe \"cache\" needs a URL: ..."},
          {"kind = \"database\"\nurl = \"redis://h\"",
           "3:7: url: the URL is of no kind that can be probed; ..."},
          {"kind = \"database\"\nurl_env = \"NONE\"", "3:11: url_env: there is no variable \"NONE\" ..."},
          {"kind = \"database\"\nurl_env = \"postgres://h\"",
           "3:11: url_env: must be the name of a variable ..."},
          {"kind = \"database\"\nurl = \"sqlite:a\"\nurl_env = \"PATH\"\nenabled = false",
           "4:11: url_env: url and url_env exclude each other; keep one"}});
  expect("[backend.api.probe]\n", {{"\"Bad Name\" = {}", "2:1: \"Bad Name\" is not a probe's name; ..."}});
  expect("[backend.w]\nport = \"none\"\n",
         {{"probe.http.path = \"/x\"", "3:7: probe \"http\" needs a url, because the backend has no port"}});
}

TEST_F(ConfigMistakes, BackendsAreChecked) {
  expect("",
         {{"[backend.\"My API\"]", "1:10: \"My API\" is not a backend's name; ..."},
          {"[backend.a]\ndirectory = \"none\"\ncommand = [\"x\"]",
           "2:13: directory: there is no directory none"},
          {"[backend.a]\nenv_file = \"none.env\"", "2:12: env_file: there is no file none.env"},
          {"[backend.a.env]\nPORT = \"1\"", "2:8: PORT: is set from the backend's port; ..."},
          {"[backend.a.env]\nCODEX_AGENT_TOKEN = \"1\"", "2:21: CODEX_AGENT_TOKEN: belongs to the agent ..."},
          {"[backend.a.env]\n\"A=B\" = \"1\"",
           "2:1: (a name not shown, it may hold a password) is not the name of a variable"},
          {"[backend.a]\nport = 1\n[backend.b]\nport = 1",
           "4:8: port 1 of backend \"b\" is taken by \"a\" too; set another port, or port = \"none\" if it "
           "does not "
           "listen"},
          {"[backend.a]\nport = 1\n[backend.b]\nport = 2\npid_file = \"logs/a.pid\"",
           "3:1: pid_file of backend \"b\" and pid_file of backend \"a\" are the same file, logs/a.pid"}});
}

TEST_F(ConfigErrors, EveryMistakeIsToldAtOnceInTheOrderOfTheFile) {
  environment_["PORT"] = "abc";
  environment_["TIMEOUT_SECONDS"] = "0";
  write(".env", "# comment\nMAX_ATTEMPTS=many\n");
  EXPECT_THAT(errors("[backend.api]\n"
                     "port = 0\n"
                     "comand = [\"npm\"]\n"
                     "[backend.api.start]\n"
                     "timeout = \"60\"\n"
                     "[agent]\n"
                     "log_keep = 5.5\n"),
              ElementsAre(StartsWith(".env:2:1: MAX_ATTEMPTS: \"many\" is not a whole number from 1 to 100"),
                          StartsWith("codex-agent.toml:2:8: port: must be from"),
                          StartsWith("codex-agent.toml:3:1: unknown key \"comand\""),
                          StartsWith("codex-agent.toml:5:11: timeout: \"60\" is not a duration"),
                          StartsWith("codex-agent.toml:7:12: log_keep: must be a whole number"),
                          "PORT: \"abc\" is not a port (1-65535)",
                          "TIMEOUT_SECONDS: \"0\" is not a whole number from 1 to 86400"));
}

TEST_F(ConfigErrors, VariablesAreCheckedLikeKeys) {
  const std::pair<const char*, const char*> rows[] = {{"PORT", "0"},
                                                      {"PORT", "65536"},
                                                      {"PORT", "080"},
                                                      {"PORT", " 80"},
                                                      {"TIMEOUT_SECONDS", "86401"},
                                                      {"TIMEOUT_SECONDS", "60s"},
                                                      {"MAX_ATTEMPTS", "101"},
                                                      {"MAX_ATTEMPTS", "-1"},
                                                      {"CODEX_AGENT_LISTEN", "x"},
                                                      {"CODEX_AGENT_LOG_LEVEL", "loud"}};
  for (const auto& [name, value] : rows) {
    environment_ = {{name, value}};
    EXPECT_THAT(errors(), ElementsAre(StartsWith(std::string(name) + ": \"" + value + "\" is not"))) << name;
  }
}

TEST_F(ConfigErrors, ThereIsRoomFor64BackendsAnd32Probes) {
  const auto backends = [](int count) {
    std::string toml;
    for (int i = 0; i < count; ++i) {
      toml += "[backend.b" + std::to_string(i) + "]\nport = " + std::to_string(1000 + i) + "\n";
    }
    return toml;
  };
  EXPECT_THAT(errors(backends(64)), IsEmpty());
  EXPECT_THAT(errors(backends(65)), ElementsAre("codex-agent.toml:129:10: more than 64 backends"));

  const auto probes = [](int count) {
    std::string toml = "[backend.b]\n";
    for (int i = 0; i < count; ++i)
      toml += "probe.p" + std::to_string(i) + " = { kind = \"port\", port = 1 }\n";
    return toml;
  };
  EXPECT_THAT(errors(probes(29)), IsEmpty());
  EXPECT_THAT(errors(probes(30)), ElementsAre("codex-agent.toml:31:7: more than 32 probes in one backend"));
}

TEST_F(ConfigErrors, ADisabledProbeMayLackItsTarget) {
  EXPECT_THAT(errors("[backend.a.probe.database]\nenabled = false\n"), IsEmpty());
  EXPECT_THAT(errors("[backend.a.probe.x]\nkind = \"database\"\nurl_env = \"NONE\"\nenabled = false\n"),
              IsEmpty());
}

TEST(ConfigRegex, PatternsThatCouldRunAwayAreRefused) {
  for (const char* good : {"ok", "^\"status\": ?\"(ok|up)\"$", "a{1000}", "(a{10}){100}", "[{]", "\\{"}) {
    EXPECT_EQ(regex_problem(good), "") << good;
  }
  EXPECT_THAT(regex_problem("(a)\\1"), HasSubstr("back-references"));
  EXPECT_THAT(regex_problem("a{1001}"), HasSubstr("repeats too much"));
  EXPECT_THAT(regex_problem("((a{1,99}){1,99}){1,99}"), HasSubstr("repeats too much"));
  EXPECT_THAT(regex_problem("[{](a{100}){100}"), HasSubstr("repeats too much"));
  EXPECT_THAT(regex_problem("a{99999999999999999999}"), HasSubstr("repeats too much"));
  EXPECT_THAT(regex_problem(std::string(1025, 'a')), HasSubstr("1024"));
  EXPECT_THAT(regex_problem("a)("),
              AllOf(HasSubstr("not a POSIX"), testing::Not(HasSubstr(std::string(1, '\0')))));
}

}  // namespace
}  // namespace codex
