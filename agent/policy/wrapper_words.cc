#include "agent/policy/wrapper_words.h"

#include <algorithm>

#include "agent/policy/speakers.h"
#include "agent/text/words.h"

namespace codex {

namespace {

/// A line begins with the one, and has the other.
struct Phrase {
  std::string_view begins, has = {};
};

struct Wrapper {
  std::string_view name;
  std::string_view signs;  ///< what it says once, where its other words might be anybody's
  bool holds_port;
  std::vector<Phrase> waits, starts;
};

const std::vector<Wrapper>& wrappers() {
  static const std::vector<Wrapper> kWrappers = {
      {"nodemon",
       "",
       false,
       {{"[nodemon] app crashed - waiting for file changes"}, {"[nodemon] clean exit - waiting for changes"}},
       {{"[nodemon] starting `"}, {"[nodemon] restarting "}}},
      {"node --watch", "", false, {{"Failed running '"}, {"Completed running '"}}, {{"Restarting '"}}},
      {"tsc --watch",
       "",
       false,
       {{"Found ", " Watching for file changes."}},
       {{"Found 0 errors."}, {"File change detected. Starting"}, {"Starting compilation in watch mode"}}},
      {"ts-node-dev",
       "ts-node-dev ver. ",
       false,
       {{"[ERROR] ", "Unable to compile TypeScript:"}},
       {{"[INFO] ", "Restarting: "}}},
      {"tsx watch", "", false, {}, {{"[tsx] "}}},
      {"uvicorn --reload",
       "Started reloader process [",
       true,
       {{"Process SpawnProcess-"}},
       {{"", "Started server process ["}, {"", " Reloading..."}}},
      {"Django's autoreload",
       "Watching for file changes with ",
       false,
       {{"Exception in thread django-main-thread:"}},
       {{"Watching for file changes with "}, {"", " changed, reloading."}}},
      {"air",
       "",
       false,
       {{"Process Exit with Code"}, {"failed to build, error:"}, {"failed to run, error:"}},
       {{"building..."}, {"running..."}, {"", " has changed"}}},
  };
  return kWrappers;
}

bool matches(const Phrase& phrase, std::string_view line) {
  return line.starts_with(phrase.begins) && line.find(phrase.has) != std::string_view::npos;
}

bool matches_any(const std::vector<Phrase>& phrases, std::string_view line) {
  return std::any_of(phrases.begin(), phrases.end(),
                     [&](const Phrase& phrase) { return matches(phrase, line); });
}

bool waits(const Wrapper& wrapper, const std::vector<std::string>& lines) {
  const auto newest = std::find_if(lines.rbegin(), lines.rend(), [&](const std::string& line) {
    return matches_any(wrapper.starts, line) || matches_any(wrapper.waits, line);
  });
  if (newest == lines.rend() || matches_any(wrapper.starts, *newest)) return false;
  return std::any_of(lines.begin(), lines.end(),
                     [&](const std::string& line) { return line.find(wrapper.signs) != std::string::npos; });
}

}  // namespace

std::optional<WrapperWord> wrapper_says(const std::vector<std::string>& lines) {
  for (const Speaker& speaker : speakers(lines)) {
    for (const Wrapper& wrapper : wrappers())
      if (waits(wrapper, speaker.lines)) return WrapperWord{wrapper.name, speaker.label, wrapper.holds_port};
  }
  return std::nullopt;
}

bool is_wrapper(std::string_view command) {
  constexpr std::string_view kNames[] = {
      "sh",        "bash",         "dash",     "ash",         "zsh",       "busybox",     "npm",
      "npx",       "pnpm",         "pnpx",     "yarn",        "yarnpkg",   "bunx",        "corepack",
      "nodemon",   "concurrently", "conc",     "npm-run-all", "run-p",     "run-s",       "npm-cli",
      "npx-cli",   "turbo",        "nx",       "lerna",       "tsx",       "ts-node-dev", "tsnd",
      "tsc-watch", "tsc",          "make",     "env",         "dotenv",    "cross-env",   "foreman",
      "honcho",    "overmind",     "hivemind", "air",         "watchexec", "entr",        "uvicorn",
      "manage.py", "poetry",       "pipenv",   "pdm",         "hatch",     "uv",          "timeout",
      "nice",      "setsid",       "sudo",     "su",          "gosu",      "tini",        "dumb-init",
      "direnv",    "doppler",      "mise",     "watchfiles"};
  constexpr std::size_t kTelling = 4;  // "python3 -m uvicorn", "node --no-warnings node_modules/.bin/nodemon"
  if (command.find(" --watch") != std::string_view::npos ||
      command.find("multiprocessing.resource_tracker") != std::string_view::npos)
    return true;
  const auto words = split(command, ' ');
  for (std::size_t i = 0; i < std::min(words.size(), kTelling); ++i) {
    std::string_view name = words[i].substr(words[i].rfind('/') + 1);
    for (const std::string_view ending : {".js", ".cjs", ".mjs"})
      if (name.ends_with(ending)) name.remove_suffix(ending.size());
    if (std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames)) return true;
    if (i == 0) continue;
    if (!words[i].starts_with('-')) return false;  // The program that an interpreter runs.
  }
  return false;
}

bool tells_start(const std::vector<std::string>& lines) {
  return std::any_of(lines.begin(), lines.end(), [](const std::string& line) {
    const std::string_view text = unlabelled(line);
    return std::any_of(wrappers().begin(), wrappers().end(),
                       [&](const Wrapper& wrapper) { return matches_any(wrapper.starts, text); });
  });
}

}  // namespace codex
