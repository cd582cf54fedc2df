#include "agent/cli/view_commands.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "agent/cli/daemon_launcher.h"
#include "agent/cli/documents.h"
#include "agent/cli/event_text.h"
#include "agent/cli/exit_code.h"
#include "agent/cli/log_tail.h"
#include "agent/cli/status_text.h"
#include "agent/cli/terminal.h"

namespace codex {
namespace {

using Trouble = ControlClient::Trouble;

int report_unknown_backend(const StatusDocument& status, const std::vector<std::string>& names) {
  const auto known = [&](const std::string& name) {
    return std::any_of(status.backends.begin(), status.backends.end(),
                       [&](const BackendStatus& backend) { return backend.name == name; });
  };
  const auto unknown = std::find_if_not(names.begin(), names.end(), known);
  if (unknown == names.end()) return kExitOk;
  std::string all;
  for (const BackendStatus& backend : status.backends) all += (all.empty() ? "" : ", ") + backend.name;
  print_error("no backend is named \"" + *unknown + "\"; there are: " + all);
  return kExitNoAgent;
}

std::string read_last_lines(const std::filesystem::path& path, std::size_t lines) {
  LogTail tail(path);
  std::string text;
  if (tail.open_at_last_lines(lines))
    tail.read_new([&](std::string_view piece) {
      text += piece;
      return true;
    });
  return text;
}

std::string render_events(const EventList& list) {
  std::string text;
  for (const EventDocument& event : list.events) text += render_event(event);
  return text;
}

int show_recorded_events(const CommandContext& context) {
  const Invocation& invocation = context.invocation;
  const std::filesystem::path file = context.locations.state_directory / "events.jsonl";
  const std::string document = lines_as_events(read_last_lines(file, invocation.lines));
  if (invocation.follow) {
    print(invocation.json ? events_as_lines(document) : render_events(*parse_events(document)));
    return report_trouble(context, Trouble::kNoAgent);
  }
  if (invocation.json) {
    print_document(document);
    return kExitOk;
  }
  const EventList list = *parse_events(document);
  if (list.events.empty()) return report_trouble(context, Trouble::kNoAgent);
  print(render_events(list));
  return kExitOk;
}

int follow_events(const CommandContext& context, std::uint64_t after) {
  const auto reader_there = [] { return !stdout_reader_gone(); };
  for (;;) {
    const auto reply = context.client.get("/v1/events?wait=1&after=" + std::to_string(after),
                                          ControlClient::kLongPollDeadline, reader_there);
    if (reply.trouble == Trouble::kCancelled) return kExitOk;
    if (reply.trouble != Trouble::kNone) return report_trouble(context, reply.trouble);
    const auto news = reply.status == 200 ? parse_events(reply.body) : std::nullopt;
    if (!news) return report_refusal(reply);
    after = std::max(after, news->last);
    if (!print(context.invocation.json ? events_as_lines(reply.body) : render_events(*news))) return kExitOk;
  }
}

void print_names(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += name + "\n";
  print(text);
}

}  // namespace

int run_status_command(const CommandContext& context) {
  const Invocation& invocation = context.invocation;
  const auto reply = context.client.get("/v1/status");
  if (reply.trouble == Trouble::kNoAgent && invocation.json)
    print_document(R"({"schema":1,"agent":null,"backends":[]})");
  if (reply.trouble != Trouble::kNone) return report_trouble(context, reply.trouble);
  const std::string body =
      invocation.names.empty() ? reply.body : select_backends(reply.body, invocation.names);
  const auto all = reply.status == 200 ? parse_status(reply.body) : std::nullopt;
  const auto status = parse_status(body);
  if (!all || !status) return report_refusal(reply);
  if (const int code = report_unknown_backend(*all, invocation.names); code != kExitOk) return code;
  if (invocation.json)
    print_document(body);
  else
    print(render_status_text(*status, use_colour()));
  return status_exit_code(*status);
}

int run_events_command(const CommandContext& context) {
  const Invocation& invocation = context.invocation;
  const auto reply = context.client.get("/v1/events?after=0");
  if (reply.trouble == Trouble::kNoAgent) return show_recorded_events(context);
  if (reply.trouble != Trouble::kNone) return report_trouble(context, reply.trouble);
  const std::string newest = select_newest_events(reply.body, invocation.lines);
  const auto list = reply.status == 200 ? parse_events(newest) : std::nullopt;
  if (!list) return report_refusal(reply);
  if (invocation.follow) {
    if (!print(invocation.json ? events_as_lines(newest) : render_events(*list))) return kExitOk;
    return follow_events(context, list->last);
  }
  if (invocation.json)
    print_document(newest);
  else
    print(render_events(*list));
  return kExitOk;
}

int run_names_command(const CommandContext& context) {
  std::vector<std::string> names;
  const auto reply = context.client.get("/v1/status", std::chrono::milliseconds(500));
  if (const auto status = parse_status(reply.body)) {
    for (const BackendStatus& backend : status->backends) names.push_back(backend.name);
  } else {
    auto arguments = context.invocation.location_arguments();
    arguments.insert(arguments.end(), {"config-show", "--json"});
    for (const auto& [name, file] :
         parse_configured_backends(run_daemon(find_daemon(), arguments, false).text))
      names.push_back(name);
  }
  print_names(names);
  return kExitOk;
}

}  // namespace codex
