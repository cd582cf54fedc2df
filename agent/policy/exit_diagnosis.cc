#include "agent/policy/exit_diagnosis.h"

#include <algorithm>
#include <csignal>
#include <optional>
#include <string_view>
#include <utility>

#include "agent/policy/output_lines.h"
#include "agent/policy/speakers.h"

namespace codex {

namespace {

/// A cause, and the line that told.
struct Told {
  Cause cause = Cause::kCrash;
  std::size_t line = 0;
};
using Found = std::optional<Told>;

constexpr int kShellNotFound = 127;  // sh(1): command not found
constexpr std::size_t kLoadingStack = 12;

/// The newest line for which `tells` holds.
template <typename Tells>
Found newest(const Lines& lines, Cause cause, Tells tells) {
  const auto found = std::find_if(lines.rbegin(), lines.rend(), tells);
  if (found == lines.rend()) return std::nullopt;
  return Told{cause, static_cast<std::size_t>(lines.rend() - found) - 1};
}

/// The signal that ended the program, seen through a shell's or npm's exit code.
int signal_of(const ExitStatus& status) {
  if (status.signal != 0) return status.signal;
  return status.code > 128 && status.code < 128 + NSIG ? status.code - 128 : 0;
}

Found heap_oom(const Lines& lines) {
  return newest(lines, Cause::kHeapOom, [](std::string_view line) {
    return contains(line, "FATAL ERROR: ") &&
           contains_any(line, {"heap out of memory", "Reached heap limit", "Allocation failed"});
  });
}

Found port_taken(const Lines& lines) {
  return newest(lines, Cause::kPortTaken, [](std::string_view line) {
    if (contains_any(line, {"EADDRINUSE", "Address already in use", "address already in use"})) return true;
    return contains_any(line, {"Port ", "port "}) &&
           contains_any(line, {"already in use", "in use by another"});
  });
}

Found module_not_found(const Lines& lines, const ExitStatus& status) {
  // require() and import say it in different words; python3 and npm in theirs.
  auto found = newest(lines, Cause::kModuleNotFound, [](std::string_view line) {
    return line.starts_with("Error: Cannot find module '") ||
           line.starts_with("Error [ERR_MODULE_NOT_FOUND]: ") || line.starts_with("ModuleNotFoundError: ") ||
           (contains(line, "python") && contains(line, ": No module named ")) ||
           line.starts_with("npm ERR! Missing script: ") || line.starts_with("npm error Missing script: ");
  });
  if (found || status.code != kShellNotFound) return found;
  return newest(lines, Cause::kModuleNotFound,
                [](std::string_view line) { return line.ends_with(": not found"); });
}

/// In the stack below a SyntaxError: it was thrown while a file was compiled, not while the program ran.
bool is_loader_frame(std::string_view line) {
  return contains_any(line, {"at wrapSafe (", "at compileSourceTextModule ", "at compileFunctionForCJSLoader",
                             "at ModuleLoader.moduleStrategy", "at Module._compile (", "at ModuleJob."});
}

/// "src/app.ts(3,7): error TS1005: ...", "src/app.ts:3:7 - error TS1005: ...": the place, then nothing but
/// that.
bool is_typescript_error(std::string_view line) {
  for (const std::string_view mark : {"): error TS", " - error TS"}) {
    const std::size_t at = line.find(mark);
    if (at != std::string_view::npos && line.substr(0, at).find_first_of(" \"") == std::string_view::npos)
      return true;
  }
  return false;
}

/// Its type checker's word counts where nothing else tells: that may run beside it, and find this and that.
Found typescript_error(const Lines& lines, const std::optional<LastWords>& words) {
  if (!words || words->line >= lines.size()) return std::nullopt;
  const std::size_t below = words->line + 1;
  const bool told =
      is_typescript_error(lines[words->line]) ||
      (below < lines.size() && lines[words->line].ends_with(':') && is_typescript_error(lines[below]));
  return told ? Found(Told{Cause::kSyntaxError, words->line}) : std::nullopt;
}

Found syntax_error(const Lines& lines, const std::optional<LastWords>& words) {
  for (std::size_t i = lines.size(); i-- > 0;) {
    const std::string_view line = lines[i];
    if (!line.starts_with("SyntaxError: ") && !line.starts_with("IndentationError: ")) continue;
    const std::size_t end = std::min(lines.size(), i + 1 + kLoadingStack);
    const bool loading = std::any_of(lines.begin() + static_cast<std::ptrdiff_t>(i),
                                     lines.begin() + static_cast<std::ptrdiff_t>(end), is_loader_frame);
    // Python shows the source and a caret above it, and nothing below.
    const bool python = i >= 1 && contains(lines[i - 1], "^") && words && words->line == i;
    if (loading || python) return Told{Cause::kSyntaxError, i};
  }
  return typescript_error(lines, words);
}

Found database_refused(const Lines& lines, const ExitFacts& facts) {
  return newest(lines, Cause::kDatabaseRefused, [&](std::string_view line) {
    if (contains_any(line,
                     {"the database system is starting up", "the database system is shutting down",
                      "the database system is not yet accepting connections", "'57P03'", "\"57P03\""})) {
      return true;
    }
    const bool refused = contains(line, "ECONNREFUSED") || contains(line, "Connection refused") ||
                         contains(line, "Can't reach database server");
    return refused && std::any_of(facts.database_ports.begin(), facts.database_ports.end(), [&](auto port) {
             const std::string number = std::to_string(port);
             return contains(line, ":" + number) || contains(line, "port " + number);
           });
  });
}

/// What the exit status and the kernel say; nullopt for a plain exit code, which leaves it to the output.
std::optional<Cause> cause_of(const ExitFacts& facts) {
  const ExitStatus& status = facts.status;
  if (status.known && status.signal == 0 && status.code == 0) return Cause::kExit;
  switch (signal_of(status)) {
    case 0:
      return std::nullopt;
    case SIGKILL:
      return facts.oom_kills ? Cause::kOomKill : Cause::kCrash;
    case SIGSEGV:
    case SIGBUS:
    case SIGILL:
    case SIGFPE:
      return Cause::kSegfault;
    case SIGABRT:
      return Cause::kAbort;
    default:
      return Cause::kCrash;
  }
}

/// How much has to be said to be quoted. Who was killed had no time to say why.
std::optional<Telling> quoted(const ExitFacts& facts) {
  switch (signal_of(facts.status)) {
    case 0:
      return facts.status.known && facts.status.code != 0 ? Telling::kLast : Telling::kError;
    case SIGSEGV:
    case SIGBUS:
    case SIGILL:
    case SIGFPE:
    case SIGABRT:
      return Telling::kError;
    default:
      return std::nullopt;
  }
}

ExitDiagnosis diagnose(const ExitFacts& facts, const Lines& lines) {
  ExitDiagnosis diagnosis;
  diagnosis.words = last_words(lines);
  const auto by_status = cause_of(facts);
  Found found;
  if (!facts.status.known || by_status == Cause::kAbort) found = heap_oom(lines);
  if (!by_status && !found) found = port_taken(lines);
  if (!by_status && !found) found = module_not_found(lines, facts.status);
  if (!by_status && !found) found = syntax_error(lines, diagnosis.words);
  if (!by_status && !found) found = database_refused(lines, facts);
  if (found) {
    diagnosis.cause = found->cause;
    diagnosis.words = words_at(lines, found->line);
    return diagnosis;
  }
  diagnosis.cause = by_status.value_or(Cause::kCrash);
  const auto least = quoted(facts);
  if (!least || (diagnosis.words && diagnosis.words->telling < *least)) diagnosis.words.reset();
  return diagnosis;
}

/// How much a diagnosis says.
int weight(const ExitDiagnosis& diagnosis) {
  const bool named = diagnosis.cause != Cause::kCrash;
  return (diagnosis.words ? 1 + static_cast<int>(diagnosis.words->telling) : 0) +
         (named && diagnosis.words ? 3 : 0);
}

}  // namespace

ExitDiagnosis diagnose_exit(const ExitFacts& facts) {
  const std::vector<Speaker> all = speakers(facts.last_lines);
  const bool told =
      std::any_of(all.begin(), all.end(), [](const Speaker& speaker) { return speaker.failed; });
  ExitDiagnosis best = diagnose(facts, {});
  for (const Speaker& speaker : all) {
    if (told && !speaker.failed) continue;
    ExitDiagnosis one = diagnose(facts, speaker.lines);
    if (weight(one) < weight(best)) continue;
    best = std::move(one);
    best.label = speaker.label;
  }
  return best;
}

}  // namespace codex
