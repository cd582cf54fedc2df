#include <utility>

#include "exporters/status/status_document.h"

namespace codex {

namespace {

HttpResponse plain_text(int status, std::string text) {
  HttpResponse response;
  response.status = status;
  response.content_type = "text/plain; charset=utf-8";
  response.body = std::move(text);
  return response;
}

HttpResponse readiness(const Snapshot& snapshot) {
  std::string missing;
  for (const BackendSnapshot& backend : snapshot.backends) {
    if (backend.desired_running && !backend.ready) missing += backend.name + ": " + backend.state + "\n";
  }
  return missing.empty() ? plain_text(200, "ready\n") : plain_text(503, std::move(missing));
}

}  // namespace

void add_status_routes(HttpRoutes& routes, SnapshotSource source) {
  routes.get("/-/healthy", [](const HttpRequest&) { return plain_text(200, "healthy\n"); });
  routes.get("/-/ready", [source](const HttpRequest&) { return readiness(*source()); });
  routes.get("/api/v1/status", [source = std::move(source)](const HttpRequest&) {
    HttpResponse response;
    response.body = render_status(*source());
    return response;
  });
}

}  // namespace codex
