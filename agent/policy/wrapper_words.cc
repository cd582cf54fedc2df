#include "agent/policy/wrapper_words.h"

#include <algorithm>

#include "agent/policy/speakers.h"

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
  std::vector<Phrase> waits, starts, edited;
};

const std::vector<Wrapper>& wrappers() {
  static const std::vector<Wrapper> kWrappers = {
      {"nodemon",
       "",
       false,
       {{"[nodemon] app crashed - waiting for file changes"}, {"[nodemon] clean exit - waiting for changes"}},
       {{"[nodemon] starting `"}, {"[nodemon] restarting "}},
       {{"[nodemon] restarting due to changes"}}},
      {"node --watch",
       "",
       false,
       {{"Failed running '"}, {"Completed running '"}},
       {{"Restarting '"}},
       {{"Restarting '"}}},
      {"tsc --watch",
       "",
       false,
       {{"Found ", " Watching for file changes."}},
       {{"Found 0 errors."}, {"File change detected. Starting"}, {"Starting compilation in watch mode"}},
       {{"File change detected. Starting"}}},
      {"ts-node-dev",
       "ts-node-dev ver. ",
       false,
       {{"[ERROR] ", "Unable to compile TypeScript:"}},
       {{"[INFO] ", "Restarting: "}},
       {{"[INFO] ", "Restarting: "}}},
      {"tsx watch", "", false, {}, {}, {{"[tsx] "}}},
      {"uvicorn --reload",
       "Started reloader process [",
       true,
       {{"Process SpawnProcess-"}},
       {{"", "Started server process ["}, {"", " Reloading..."}},
       {{"", " Reloading..."}}},
      {"Django's autoreload",
       "Watching for file changes with ",
       false,
       {{"Exception in thread django-main-thread:"}},
       {{"Watching for file changes with "}, {"", " changed, reloading."}},
       {{"", " changed, reloading."}}},
      {"air",
       "",
       false,
       {{"Process Exit with Code"}, {"failed to build, error:"}, {"failed to run, error:"}},
       {{"building..."}, {"running..."}},
       {{"", " has changed"}}},
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

bool tells_edit(const std::vector<std::string>& lines) {
  return std::any_of(lines.begin(), lines.end(), [](const std::string& line) {
    const std::string_view text = unlabelled(line);
    return std::any_of(wrappers().begin(), wrappers().end(),
                       [&](const Wrapper& wrapper) { return matches_any(wrapper.edited, text); });
  });
}

}  // namespace codex
