#include "agent/cli/command_context.h"

#include "agent/cli/daemon_launcher.h"
#include "agent/cli/documents.h"
#include "agent/cli/exit_code.h"
#include "agent/cli/terminal.h"

namespace codex {
namespace {

std::string agent_with_pid(const CommandContext& context) {
  const auto pid = recorded_agent_pid(context.locations.state_directory);
  return pid ? "the agent (pid " + std::to_string(*pid) + ")" : "the agent";
}

}  // namespace

std::string suggest(const CommandContext& context, const std::string& verb) {
  std::string line = "codex-agent";
  for (const std::string& argument : context.invocation.location_arguments()) line += " " + argument;
  return line + " " + verb;
}

int report_trouble(const CommandContext& context, ControlClient::Trouble trouble) {
  using Trouble = ControlClient::Trouble;
  switch (trouble) {
    case Trouble::kNone:
      return kExitOk;
    case Trouble::kCancelled:
      return kExitInterrupted;
    case Trouble::kNoAgent:
      print_error("no agent runs for " + context.locations.project_directory.string() +
                  "; start one: " + suggest(context, "start"));
      return kExitNoAgent;
    case Trouble::kDenied:
      print_error("the agent's socket in " + context.locations.state_directory.string() +
                  " belongs to another user; run this as that user or as root");
      return kExitNoAgent;
    case Trouble::kNoAnswer:
      print_error(agent_with_pid(context) + " does not answer; is it stopped, or the machine out of memory?");
      return kExitNoAgent;
    case Trouble::kBroken:
      print_error(agent_with_pid(context) + " ended the connection without an answer; try again");
      return kExitNoAgent;
  }
  return kExitNoAgent;
}

std::string describe_refusal(const ControlClient::Reply& reply) {
  const std::string error = parse_error(reply.body);
  if (!error.empty()) return error;
  const std::string status = "HTTP status " + std::to_string(reply.status);
  return reply.status == 500
             ? "the agent itself failed at this (" + status +
                   "), perhaps for lack of descriptors or memory; callback_failed in its log "
                   "says why"
             : "the agent answers in an unknown way (" + status + "); is it of another version?";
}

int report_refusal(const ControlClient::Reply& reply) {
  print_error(describe_refusal(reply));
  if (reply.status == 400) return kExitUsage;
  if (reply.status == 500) return kExitFailed;
  return reply.status == 404 || parse_error(reply.body).empty() ? kExitNoAgent : kExitFailed;
}

void print_document(std::string document) {
  while (!document.empty() && document.back() == '\n') document.pop_back();
  print(document + "\n");
}

}  // namespace codex
