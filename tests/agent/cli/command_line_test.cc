#include "agent/cli/command_line.h"

#include <gtest/gtest.h>

#include "agent/cli/exit_code.h"

namespace codex {
namespace {

std::variant<Invocation, CommandLineAnswer> parse(std::vector<std::string> words) {
  words.insert(words.begin(), "codex-agent");
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  return parse_command_line(static_cast<int>(words.size()), argv.data());
}

Invocation parsed(const std::vector<std::string>& words) {
  const auto result = parse(words);
  if (const auto* answer = std::get_if<CommandLineAnswer>(&result)) ADD_FAILURE() << answer->text;
  return std::get<Invocation>(result);
}

/// The first line that goes to standard error.
std::string mistake(const std::vector<std::string>& words) {
  const auto result = parse(words);
  const auto* answer = std::get_if<CommandLineAnswer>(&result);
  if (answer == nullptr) return "(accepted)";
  EXPECT_EQ(answer->exit_code, kExitUsage);
  return answer->text.substr(0, answer->text.find('\n'));
}

TEST(CommandLine, EveryVerbIsKnown) {
  for (const char* verb : {"run", "start", "stop", "restart", "status", "check", "logs", "events", "ports",
                           "shutdown", "__names"})
    EXPECT_EQ(parsed({verb}).verb, verb);
  EXPECT_EQ(parsed({"config", "check"}).verb, "config-check");
  EXPECT_EQ(parsed({"config", "show", "--json"}).verb, "config-show");
  EXPECT_EQ(parsed({"completion", "fish"}).shell, "fish");
}

TEST(CommandLine, OptionsOfAllCommandsMayStandBeforeOrAfterTheVerb) {
  for (const auto& words : {std::vector<std::string>{"-C", "/tmp", "--config", "a.toml", "status"},
                            std::vector<std::string>{"status", "-C", "/tmp", "--config", "a.toml"}}) {
    const Invocation invocation = parsed(words);
    EXPECT_EQ(invocation.location_arguments(),
              (std::vector<std::string>{"-C", "/tmp", "--config", "a.toml"}));
  }
  EXPECT_TRUE(parsed({"status"}).location_arguments().empty());
}

TEST(CommandLine, StartTakesNamesAndHowToWait) {
  const Invocation plain = parsed({"start"});
  EXPECT_TRUE(plain.wait);
  EXPECT_FALSE(plain.json);
  EXPECT_EQ(plain.time_limit, std::nullopt);
  const Invocation full = parsed({"start", "api", "web", "--no-wait", "--timeout", "500ms", "--json"});
  EXPECT_EQ(full.names, (std::vector<std::string>{"api", "web"}));
  EXPECT_FALSE(full.wait);
  EXPECT_TRUE(full.json);
  EXPECT_EQ(full.time_limit, std::chrono::milliseconds(500));
}

TEST(CommandLine, LogsTakeLinesAndFollow) {
  EXPECT_EQ(parsed({"logs"}).lines, 50U);
  const Invocation invocation = parsed({"logs", "-f", "-n", "0", "api"});
  EXPECT_TRUE(invocation.follow);
  EXPECT_EQ(invocation.lines, 0U);
  EXPECT_EQ(invocation.names, std::vector<std::string>{"api"});
}

TEST(CommandLine, ABackendMayBeNamedLikeAVerb) {
  EXPECT_EQ(parsed({"status", "logs"}).names, std::vector<std::string>{"logs"});
  EXPECT_EQ(parsed({"status", "logs"}).verb, "status");
}

TEST(CommandLine, AMistypedVerbIsAnsweredWithTheNearest) {
  EXPECT_EQ(mistake({"statsu"}), "codex-agent: there is no command \"statsu\"; did you mean status?");
  EXPECT_EQ(mistake({"-C", "/tmp", "strat"}),
            "codex-agent: there is no command \"strat\"; did you mean start?");
  EXPECT_EQ(mistake({"deploy"}), "codex-agent: there is no command \"deploy\"");
}

TEST(CommandLine, MistakesSayWhatIsWrong) {
  EXPECT_EQ(mistake({}), "codex-agent: a command is missing, for example: codex-agent start");
  EXPECT_EQ(mistake({"start", "--timeout", "5x"}),
            "codex-agent: --timeout: \"5x\" is not a time such as 90, 500ms, 5s or 2m (up to 24h)");
  EXPECT_EQ(mistake({"logs", "-n", "010"}), "codex-agent: -n: \"010\" is not a number from 0 to 1000000");
  EXPECT_EQ(mistake({"config"}), "codex-agent: config needs one of: check, show");
  EXPECT_EQ(mistake({"config", "shw"}), "codex-agent: config needs one of: check, show");
  EXPECT_NE(mistake({"status", "--jsn"}).find("--jsn"), std::string::npos);
  EXPECT_NE(mistake({"-C", "/nonexistent", "status"}).find("/nonexistent"), std::string::npos);
  EXPECT_NE(mistake({"completion", "tcsh"}).find("tcsh"), std::string::npos);
  EXPECT_NE(mistake({"completion"}), "(accepted)");
  EXPECT_NE(mistake({"shutdown", "api"}), "(accepted)");
}

TEST(CommandLine, HelpAndVersionAreAnswersNotMistakes) {
  const auto help = std::get<CommandLineAnswer>(parse({"--help"}));
  EXPECT_EQ(help.exit_code, kExitOk);
  EXPECT_NE(help.text.find("shutdown"), std::string::npos);
  EXPECT_EQ(help.text.find("__names"), std::string::npos);
  const auto of_start = std::get<CommandLineAnswer>(parse({"start", "--help"}));
  EXPECT_EQ(of_start.exit_code, kExitOk);
  EXPECT_NE(of_start.text.find("--no-wait"), std::string::npos);
  const auto version = std::get<CommandLineAnswer>(parse({"--version"}));
  EXPECT_EQ(version.exit_code, kExitOk);
  EXPECT_EQ(version.text.find("codex-agent "), 0U);
}

}  // namespace
}  // namespace codex
