#include "agent/cli/completion.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <sstream>

#include "tests/support/project_directory.h"

namespace codex {
namespace {

std::string output_of(const std::string& command) {
  std::string text;
  FILE* pipe = ::popen(command.c_str(), "r");
  std::array<char, 4096> buffer{};
  while (const std::size_t got = std::fread(buffer.data(), 1, buffer.size(), pipe))
    text.append(buffer.data(), got);
  EXPECT_EQ(::pclose(pipe), 0) << command;
  return text;
}

/// What bash offers for the words, the last of which is being typed. Backends are api and web.
std::string completed(const std::string& words) {
  ProjectDirectory directory;
  const auto script = directory.write("completion", std::string(completion_script("bash")));
  const auto program = directory.write(
      "codex-agent",
      "#!/bin/sh\n[ \"$*\" = \"-C / __names\" ] || [ \"$*\" = __names ] || exit 1\necho api; echo web\n");
  std::filesystem::permissions(program, std::filesystem::perms::owner_all);
  const auto driver = directory.write("driver", "set -u\nPATH=" + directory.path().string() + ":$PATH\n. " +
                                                    script.string() + "\nCOMP_WORDS=(" + words +
                                                    ")\nCOMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n"
                                                    "_codex_agent\necho \"${COMPREPLY[*]:-}\"\n");
  std::string text = output_of("bash --norc " + driver.string() + " 2>&1");
  if (!text.empty()) text.pop_back();
  return text;
}

TEST(Completion, TheScriptsAreTheFilesThatAreInstalled) {
  for (const char* shell : {"bash", "zsh", "fish"}) {
    std::stringstream content;
    content << std::ifstream(std::string(CODEX_SOURCE_DIR "/agent/packaging/completions/codex-agent.") +
                             shell)
                   .rdbuf();
    EXPECT_EQ(completion_script(shell), content.str()) << shell;
    EXPECT_GT(content.str().size(), 500U) << shell;
  }
  EXPECT_EQ(completion_script("tcsh"), "");
}

TEST(Completion, BashCompletesVerbs) {
  EXPECT_EQ(completed("codex-agent sta"), "start status stack");
  EXPECT_EQ(completed("codex-agent -C / sh"), "shutdown");
}

TEST(Completion, BashCompletesBackendNamesOfTheGivenProject) {
  EXPECT_EQ(completed("codex-agent stop ''"), "api web");
  EXPECT_EQ(completed("codex-agent -C / logs w"), "web");
}

TEST(Completion, BashCompletesOptionsOfTheVerb) {
  EXPECT_EQ(completed("codex-agent start --"), "--no-wait --timeout --json --help");
  EXPECT_EQ(completed("codex-agent run --"), "--replace --background --help");
  EXPECT_EQ(completed("codex-agent logs --f"), "--follow");
  EXPECT_EQ(completed("codex-agent logs --j"), "");
}

TEST(Completion, BashCompletesWordsOfTheVerb) {
  EXPECT_EQ(completed("codex-agent config ''"), "check show");
  EXPECT_EQ(completed("codex-agent completion z"), "zsh");
  EXPECT_EQ(completed("codex-agent start --timeout ''"), "");
}

}  // namespace
}  // namespace codex
