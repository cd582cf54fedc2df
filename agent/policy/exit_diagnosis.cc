#include "agent/policy/exit_diagnosis.h"

#include <algorithm>
#include <csignal>
#include <optional>
#include <string_view>

namespace codex {

namespace {

using Lines = std::vector<std::string>;
using Found = std::optional<ExitDiagnosis>;

constexpr int kShellNotFound = 127;  // sh(1): command not found
constexpr std::size_t kLoadingStack = 12;

bool contains(std::string_view line, std::string_view part) {
  return line.find(part) != std::string_view::npos;
}

bool contains_any(std::string_view line, std::initializer_list<std::string_view> parts) {
  return std::any_of(parts.begin(), parts.end(), [&](std::string_view part) { return contains(line, part); });
}

/// What runs several programs puts a label before each of their lines: "[api] ", "api:dev: ", "api | ".
std::string_view without_label(std::string_view line) {
  constexpr std::size_t kLongestLabel = 64;
  const std::size_t space = line.find(' ');
  if (space == 0 || space == std::string_view::npos || space > kLongestLabel) return line;
  const std::string_view label = line.substr(0, space), rest = line.substr(space + 1);
  if (label.front() == '[' && label.back() == ']') return rest;
  if (label.back() == ':' && label.find(':') != label.size() - 1) return rest;
  return rest.starts_with("| ") ? rest.substr(2) : line;
}

/// The newest line for which `tells` holds.
template <typename Tells>
Found newest(const Lines& lines, Cause cause, Tells tells) {
  const auto found = std::find_if(lines.rbegin(), lines.rend(), tells);
  if (found == lines.rend()) return std::nullopt;
  return ExitDiagnosis{cause, *found};
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
    return contains_any(line, {"EADDRINUSE", "Address already in use", "address already in use"});
  });
}

Found module_not_found(const Lines& lines, const ExitStatus& status) {
  // require() and import say it in different words; python3 and npm in theirs.
  auto found = newest(lines, Cause::kModuleNotFound, [](std::string_view whole) {
    const std::string_view line = without_label(whole);
    return line.starts_with("Error: Cannot find module '") ||
           line.starts_with("Error [ERR_MODULE_NOT_FOUND]: ") || line.starts_with("ModuleNotFoundError: ") ||
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

Found syntax_error(const Lines& lines) {
  for (std::size_t i = lines.size(); i-- > 0;) {
    const std::string_view line = without_label(lines[i]);
    if (is_typescript_error(line)) return ExitDiagnosis{Cause::kSyntaxError, lines[i]};
    if (!line.starts_with("SyntaxError: ") && !line.starts_with("IndentationError: ")) continue;
    const std::size_t end = std::min(lines.size(), i + 1 + kLoadingStack);
    const bool loading = std::any_of(lines.begin() + static_cast<std::ptrdiff_t>(i),
                                     lines.begin() + static_cast<std::ptrdiff_t>(end), is_loader_frame);
    // Python shows the source and a caret above it, and nothing below.
    const bool python = i >= 1 && contains(lines[i - 1], "^") && i + 1 == lines.size();
    if (loading || python) return ExitDiagnosis{Cause::kSyntaxError, lines[i]};
  }
  return std::nullopt;
}

Found database_refused(const ExitFacts& facts) {
  return newest(facts.last_lines, Cause::kDatabaseRefused, [&](std::string_view line) {
    if (contains_any(line,
                     {"the database system is starting up", "the database system is shutting down",
                      "the database system is not yet accepting connections", "'57P03'", "\"57P03\""})) {
      return true;
    }
    const bool refused = contains(line, "ECONNREFUSED") || contains(line, "Connection refused");
    return refused && std::any_of(facts.database_ports.begin(), facts.database_ports.end(), [&](auto port) {
             const std::string number = std::to_string(port);
             return contains(line, ":" + number) || contains(line, "port " + number);
           });
  });
}

}  // namespace

ExitDiagnosis diagnose_exit(const ExitFacts& facts) {
  const ExitStatus& status = facts.status;
  if (status.known && status.signal == 0 && status.code == 0) return {Cause::kExit, {}};
  const int signal = signal_of(status);
  const bool unknown = !status.known;
  if (signal == SIGABRT || unknown) {
    if (auto found = heap_oom(facts.last_lines)) return *found;
  }
  switch (signal) {
    case 0:
      break;
    case SIGKILL:
      return {facts.oom_kills ? Cause::kOomKill : Cause::kCrash, {}};
    case SIGSEGV:
    case SIGBUS:
    case SIGILL:
    case SIGFPE:
      return {Cause::kSegfault, {}};
    case SIGABRT:
      return {Cause::kAbort, {}};
    default:
      return {Cause::kCrash, {}};
  }
  if (auto found = port_taken(facts.last_lines)) return *found;
  if (auto found = module_not_found(facts.last_lines, status)) return *found;
  if (auto found = syntax_error(facts.last_lines)) return *found;
  if (auto found = database_refused(facts)) return *found;
  return {Cause::kCrash, {}};
}

}  // namespace codex
