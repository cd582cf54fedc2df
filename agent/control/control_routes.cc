#include "agent/control/control_routes.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <utility>
#include <variant>

#include "agent/os/process_table.h"
#include "agent/text/display_text.h"
#include "exporters/status/status_document.h"

namespace codex {

namespace {

using Json = nlohmann::ordered_json;

HttpResponse json_response(int status, const Json& json) {
  HttpResponse response;
  response.status = status;
  response.body = json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  return response;
}

HttpResponse error(int status, std::string message) {
  Json json;
  json["error"] = std::move(message);
  return json_response(status, json);
}

/// The next agent can be asked in a moment.
HttpResponse handed_over() {
  return json_response(
      409, {{"error", "another agent is taking over; try again in a moment"}, {"handed_over", true}});
}

std::uint64_t number(const HttpRequest& request, const char* name) {
  const auto found = request.query.find(name);
  std::uint64_t value = 0;
  if (found != request.query.end()) {
    std::from_chars(found->second.data(), found->second.data() + found->second.size(), value);
  }
  return value;
}

/// The backends a request's body names, or the answer that says why it cannot be understood.
std::variant<std::vector<OperationTarget*>, HttpResponse> named_backends(
    const HttpRequest& request, const std::vector<OperationTarget*>& all) {
  if (request.body.empty()) return all;
  const Json body = Json::parse(request.body, nullptr, false);
  if (!body.is_object()) return error(400, "the body is not a JSON object");
  const auto names = body.value("backends", Json::array());
  if (!names.is_array()) return error(400, "`backends` must be an array of names");
  std::vector<OperationTarget*> chosen;
  for (const auto& name : names) {
    if (!name.is_string()) return error(400, "`backends` must be an array of names");
    const auto found = std::find_if(all.begin(), all.end(), [&](const OperationTarget* backend) {
      return backend->name() == name.get<std::string>();
    });
    if (found == all.end()) {
      std::string known;
      for (const auto* backend : all) known += (known.empty() ? "" : ", ") + backend->name();
      return error(404, "no backend is named \"" + escape_for_display(name.get<std::string>(), 64) +
                            "\"; there are: " + known);
    }
    if (std::find(chosen.begin(), chosen.end(), *found) == chosen.end()) chosen.push_back(*found);
  }
  return chosen.empty() ? all : chosen;
}

Json to_json(const Operation& operation, const Snapshot& snapshot) {
  Json json;
  json["operation"] = operation.id;
  json["command"] = to_string(operation.command);
  json["revision"] = operation.revision;
  json["done"] = operation.done();
  if (operation.handed_over) json["handed_over"] = true;
  json["results"] = Json::array();
  for (const auto& result : operation.results) {
    json["results"].push_back({{"backend", result.backend->name()},
                               {"done", result.done},
                               {"code", result.code},
                               {"message", result.message},
                               {"output", result.output}});
  }
  json["status"] = Json::parse(render_status(snapshot));
  return json;
}

HttpResponse operation_response(const HttpRequest& request, const ControlContext& context) {
  const auto* operation = context.operations.find(number(request, "1"));
  if (operation == nullptr) return error(404, "there is no such operation, or it ended long ago");
  const bool news =
      operation->revision > number(request, "seen") || operation->done() || operation->handed_over;
  auto response = json_response(200, to_json(*operation, *context.snapshot()));
  response.park = !news;
  return response;
}

HttpResponse events_response(const HttpRequest& request, const ControlContext& context) {
  const std::uint64_t after = number(request, "after");
  Json json;
  json["events"] = Json::array();
  json["last"] = after;
  for (const auto& event : context.events.after(after)) {
    json["events"].push_back(Json::parse(to_json(event)));
    json["last"] = event.seq;
  }
  auto response = json_response(200, json);
  response.park = number(request, "wait") == 1 && json["events"].empty();
  return response;
}

}  // namespace

void add_control_routes(HttpRoutes& routes, ControlContext context) {
  const auto shared = std::make_shared<ControlContext>(std::move(context));
  for (const Command command : {Command::kStart, Command::kStop, Command::kRestart, Command::kShutdown}) {
    routes.post("/v1/" + std::string(to_string(command)), [shared, command](const HttpRequest& request) {
      if (shared->handing_over()) return handed_over();
      const bool starts = command == Command::kStart || command == Command::kRestart;
      if (starts && shared->shutting_down())
        return error(409, "the agent is shutting down; try again in a moment");
      auto backends = command == Command::kShutdown ? decltype(named_backends(request, {}))(shared->backends)
                                                    : named_backends(request, shared->backends);
      if (auto* refusal = std::get_if<HttpResponse>(&backends)) return *refusal;
      const auto& operation =
          shared->operations.begin(command, std::get<std::vector<OperationTarget*>>(backends));
      if (command == Command::kShutdown) shared->shutdown(operation);
      return json_response(202, Json{{"operation", operation.id}});
    });
  }
  routes.post("/v1/handover", [shared](const HttpRequest& request) {
    if (shared->shutting_down()) return error(409, "the agent is ending already; try again in a moment");
    // A request may have waited for long before we could read it; to end for nobody would leave the backends
    // alone.
    if (!identify_process(static_cast<pid_t>(number(request, "pid"))))
      return error(409, "the agent that asks (pid=N) is gone");
    shared->hand_over();
    return json_response(202, Json::object());
  });
  routes.get(R"(/v1/operations/(\d+))",
             [shared](const HttpRequest& request) { return operation_response(request, *shared); });
  routes.get("/v1/events",
             [shared](const HttpRequest& request) { return events_response(request, *shared); });
  routes.get("/v1/status", [shared](const HttpRequest&) {
    HttpResponse response;
    response.body = render_status(*shared->snapshot());
    return response;
  });
}

}  // namespace codex
