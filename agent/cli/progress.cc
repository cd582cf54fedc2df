#include "agent/cli/progress.h"

#include <algorithm>

#include "agent/text/quantity.h"

namespace codex {
namespace {

const BackendStatus* find_backend(const OperationDocument& operation, const std::string& name) {
  const auto& backends = operation.status.backends;
  const auto found = std::find_if(backends.begin(), backends.end(),
                                  [&](const BackendStatus& backend) { return backend.name == name; });
  return found == backends.end() ? nullptr : &*found;
}

// The agent rounds and we poll: what is left for the phase under way may come out slightly negative.
std::string phases(const BackendStatus& backend, const double* elapsed) {
  std::string text;
  double reached = 0;
  for (const auto& [name, seconds] : backend.startup_phases) {
    text += (text.empty() ? "" : "  ") + name + " " + decimal_text(seconds, 2) + " ✓";
    reached += seconds;
  }
  if (!backend.waiting_for.empty()) {
    text += (text.empty() ? "" : "  ") + backend.waiting_for;
    if (elapsed != nullptr) text += " " + decimal_text(std::max(*elapsed - reached, 0.0), 2);
    text += " …";
  }
  return text;
}

std::string describe(const BackendStatus& backend, const double* elapsed) {
  std::string text = backend.name + "   " + backend.state;
  if (elapsed != nullptr && backend.state != "running") text += " " + decimal_text(*elapsed, 1) + " s";
  if (backend.state == "running" && !backend.health.empty() && backend.health != "unknown")
    text += ", " + backend.health;
  if (backend.state == "starting")
    if (const std::string reached = phases(backend, elapsed); !reached.empty()) text += "   " + reached;
  if (backend.state == "backoff" && !backend.last_exit.empty()) text += "   " + exit_words(backend);
  return text;
}

}  // namespace

std::string Progress::live_line(const OperationDocument& operation, Duration elapsed) {
  const double seconds = to_seconds(elapsed);
  std::string line;
  for (const BackendResult& result : operation.results) {
    const BackendStatus* backend = find_backend(operation, result.backend);
    if (backend == nullptr) continue;
    line += (line.empty() ? "" : " | ") + describe(*backend, result.done ? nullptr : &seconds);
  }
  return line;
}

std::vector<std::string> Progress::new_lines(const OperationDocument& operation) {
  std::vector<std::string> lines;
  for (const BackendResult& result : operation.results) {
    const BackendStatus* backend = find_backend(operation, result.backend);
    if (backend == nullptr) continue;
    std::string line = describe(*backend, nullptr);
    std::string& shown = shown_[result.backend];
    if (line == shown) continue;
    shown = line;
    lines.push_back(std::move(line));
  }
  return lines;
}

}  // namespace codex
