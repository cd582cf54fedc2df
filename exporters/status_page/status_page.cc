#include "exporters/status_page/status_page.h"

#include <algorithm>
#include <utility>

#include "agent/text/quantity.h"
#include "exporters/status_page/assets.h"
#include "exporters/status_page/backend_html.h"
#include "exporters/status_page/page_text.h"
#include "exporters/status_page/timeline.h"

namespace codex {

namespace {

/// Nothing from anywhere but this port, and nothing that stands in the page itself is ever run.
constexpr const char* kPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

constexpr const char* kPlainText = "text/plain; charset=utf-8";

HttpResponse text_response(std::string type, std::string body) {
  HttpResponse response;
  response.content_type = std::move(type);
  response.headers.emplace_back("Content-Security-Policy", kPolicy);
  response.headers.emplace_back("Referrer-Policy", "no-referrer");
  response.body = std::move(body);
  return response;
}

/// The state that a tab among many should tell of.
std::string_view worst_state(const Snapshot& snapshot) {
  std::string_view worst = "running";
  for (const BackendSnapshot& backend : snapshot.backends) {
    if (badness_of_state(backend.state) > badness_of_state(worst)) worst = backend.state;
  }
  return worst;
}

std::string title(const Snapshot& snapshot) {
  if (snapshot.backends.size() == 1)
    return html(snapshot.backends[0].state) + ": " + html(snapshot.backends[0].name);
  const auto running =
      std::count_if(snapshot.backends.begin(), snapshot.backends.end(),
                    [](const BackendSnapshot& backend) { return backend.state == "running"; });
  return std::to_string(running) + " of " + count_text(snapshot.backends.size(), "backend") + " running";
}

/// In the tab: a shape for each mood, and a colour that is seen on light and on dark.
std::string icon(std::string_view mood) {
  constexpr std::pair<std::string_view, const char*> kShapes[] = {
      {"good", "<circle cx='8' cy='8' r='7' fill='%23238a47'/>"},
      {"calm", "<rect x='2' y='2' width='12' height='12' fill='%235f7285'/>"},
      {"wait", "<path d='M8 1l7 14H1z' fill='%23b97a00'/>"},
      {"bad", "<path d='M3 3l10 10M13 3L3 13' stroke='%23d1343f' stroke-width='4'/>"},
  };
  std::string uri = "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'>";
  for (const auto& [name, shape] : kShapes) {
    if (name == mood) uri += shape;
  }
  return uri + "</svg>";
}

std::string head(const Snapshot& snapshot) {
  return "<!doctype html><html lang=en data-page=" + std::string(page_version()) +
         "><head><meta charset=utf-8><title>" + title(snapshot) +
         " - codex-agent</title>\n<meta name=viewport content=\"width=device-width, initial-scale=1\">"
         "<meta name=color-scheme content=\"light dark\">\n<link rel=icon href=\"" +
         icon(mood_of_state(worst_state(snapshot))) +
         "\"><link rel=stylesheet href=/status.css><script src=/status.js defer></script>"
         "<noscript><meta http-equiv=refresh content=5></noscript></head>\n";
}

std::string render_page(const Snapshot& snapshot, const std::vector<BackendRecent>& recent) {
  const WallTime now = std::chrono::system_clock::now();
  std::string page = head(snapshot) + "<body><p id=unreachable role=alert hidden></p>\n" +
                     timeline_patterns() + "<main><header class=top><h1>codex-agent</h1><p>as of " +
                     time_html(now, now) + " " + html(zone_text(now)) + "</p></header>\n";
  if (!snapshot.agent.log_error.empty())
    page += "<p class=problem>The agent cannot write its log: " + html(snapshot.agent.log_error) + "</p>\n";
  if (snapshot.backends.empty()) page += "<p>No backend is configured.</p>\n";
  for (std::size_t i = 0; i < snapshot.backends.size(); ++i)
    page += backend_html(snapshot.backends[i], i < recent.size() ? recent[i] : BackendRecent{}, now);
  page += "<footer><p>version " + html(snapshot.agent.version) + ", up " +
          span_text(snapshot.agent.uptime_seconds) +
          "<nav><a href=/metrics>metrics</a> <a href=/api/v1/status>status (JSON)</a> "
          "<a href=/api/v1/history>history (JSON)</a> <a href=/docs>documentation</a></nav></footer>\n";
  return page + "</main></body></html>\n";
}

}  // namespace

void add_status_page(HttpRoutes& routes, SnapshotSource source, RecentSource recent) {
  routes.get("/", [source = std::move(source), recent = std::move(recent)](const HttpRequest&) {
    return text_response("text/html; charset=utf-8", render_page(*source(), recent()));
  });
  const auto fixed = [&routes](std::string pattern, const char* type, std::string_view text) {
    routes.get(std::move(pattern),
               [type, text](const HttpRequest&) { return text_response(type, std::string(text)); });
  };
  fixed("/status.css", "text/css; charset=utf-8", page_style());
  fixed("/status.js", "text/javascript; charset=utf-8", page_script());
  for (const PageDocument& document : page_documents()) {
    if (document.path == "README.md") fixed("/docs", kPlainText, document.text);
    fixed("/docs/" + std::string(document.path), kPlainText, document.text);
  }
}

}  // namespace codex
