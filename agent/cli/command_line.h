#pragma once

#include <string>
#include <variant>

#include "agent/cli/invocation.h"

namespace codex {

/// A command line that asks for nothing to be done: help, the version, or a mistake.
struct CommandLineAnswer {
  int exit_code = 0;
  std::string text;  ///< for standard output if exit_code is 0, else for standard error
};

/// Parses the command line; knows every verb and option.
std::variant<Invocation, CommandLineAnswer> parse_command_line(int argc, char** argv);

}  // namespace codex
