#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace codex {

/// What runs several programs puts a label before each of their lines, and others put a time there:
///
///     [api] TypeError: x          concurrently, npm-run-all --print-label
///     api:dev: TypeError: x       turbo
///     api  | TypeError: x         docker compose, foreman, pm2
///     packages/api dev: x         pnpm -r
///     12:03:04 web.1 | [0] x      all of it together
///
/// Pure.

/// One of those who wrote, and its lines without their labels and times.
struct Speaker {
  std::string label;  ///< all of its labels, outermost first; "" without one
  std::vector<std::string> lines;
  bool failed = false;  ///< its end, with an exit code of its own, was told by what runs it
};

/// Those who wrote `lines`, the one that spoke last at the end.
std::vector<Speaker> speakers(const std::vector<std::string>& lines);

/// `line` without its labels and times. A tool's own name, "[nodemon] ", is none, nor is "[ERROR] ".
std::string_view unlabelled(std::string_view line);

}  // namespace codex
