#pragma once

#include <string>

#include "agent/cli/control_client.h"
#include "agent/cli/invocation.h"
#include "agent/config/locations.h"

namespace codex {

/// What every command works with.
struct CommandContext {
  explicit CommandContext(Invocation parsed)
      : invocation(std::move(parsed)),
        locations(locate(invocation.project, invocation.config_file)),
        client(locations.state_directory / "control.sock") {}

  Invocation invocation;
  Locations locations;
  ControlClient client;
};

/// A command line to type next, with this invocation's -C and --config: `codex-agent -C api status`.
std::string suggest(const CommandContext& context, const std::string& verb);

/// Says on standard error why the agent could not be asked; returns the exit code.
int report_trouble(const CommandContext& context, ControlClient::Trouble trouble);

/// What the agent answered instead of doing it: its own words, or what its status means.
std::string describe_refusal(const ControlClient::Reply& reply);

/// Says on standard error what the agent answered instead of doing it; returns the exit code.
int report_refusal(const ControlClient::Reply& reply);

/// Prints one JSON document and a line end. A reader that has gone does not change the exit code.
void print_document(std::string document);

}  // namespace codex
