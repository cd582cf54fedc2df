#include <array>
#include <cmath>
#include <cstdio>
#include <utility>

#include "agent/os/display_text.h"
#include "exporters/status_document.h"

namespace codex {

namespace {

constexpr std::string_view kStyle = R"(
:root { color-scheme: light dark; --line: #8884; --good: #1a7f37; --bad: #cf222e; --wait: #9a6700; }
@media (prefers-color-scheme: dark) { :root { --good: #3fb950; --bad: #ff7b72; --wait: #d29922; } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.3rem; margin: 0 0 1rem; }
section { border: 1px solid var(--line); border-radius: .5rem; padding: .75rem 1rem; margin: 0 0 1rem; }
h2 { font-size: 1.1rem; margin: 0; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0; }
th, td { text-align: left; padding: .25rem .5rem .25rem 0; border-top: 1px solid var(--line);
         vertical-align: top; overflow-wrap: anywhere; }
p { margin: .25rem 0; overflow-wrap: anywhere; }
.good { color: var(--good); } .bad { color: var(--bad); } .wait { color: var(--wait); }
)";

/// Text of any origin inside an element or a quoted attribute.
std::string html(std::string_view text) {
  std::string escaped;
  for (const char c : escape_for_display(text, 512)) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      case '\'':
        escaped += "&#39;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

std::string milliseconds(double seconds) {
  std::array<char, 64> text;
  const int n = std::snprintf(text.data(), text.size(), seconds < 1 ? "%.1f ms" : "%.2f s",
                              seconds < 1 ? seconds * 1000 : seconds);
  return {text.data(), static_cast<std::size_t>(n)};
}

/// "2 h 13 min"; the two largest units.
std::string span(double seconds) {
  constexpr std::pair<long long, const char*> kUnits[] = {
      {86400, " d"}, {3600, " h"}, {60, " min"}, {1, " s"}};
  auto left = seconds > 0 ? std::llround(std::min(seconds, 1e12)) : 0;
  std::string text;
  int shown = 0;
  for (const auto& [size, name] : kUnits) {
    const long long count = left / size;
    left %= size;
    if ((count == 0 && !(size == 1 && shown == 0)) || shown == 2) continue;
    text += (shown++ == 0 ? "" : " ") + std::to_string(count) + name;
  }
  return text;
}

std::string mebibytes(std::uint64_t bytes) {
  return std::to_string(bytes >> 20) + " MiB";
}

std::string_view mood_of_state(std::string_view state) {
  if (state == "running") return "good";
  if (state == "starting" || state == "stopping" || state == "stopped") return "wait";
  return "bad";
}

/// Colour and word, so that nobody needs to see colours.
std::pair<std::string_view, std::string_view> verdict(const ProbeSnapshot& probe) {
  if (!probe.outcome) return {"wait", "not asked yet"};
  if (*probe.outcome == "success") return {"good", "ok"};
  if (*probe.outcome == "failure") return {"bad", "failed"};
  return {"wait", "unknown"};
}

std::string probe_row(const ProbeSnapshot& probe) {
  const auto [mood, word] = verdict(probe);
  std::string row = "<tr><td>" + html(probe.name) + "<td class=";
  row.append(mood).append(">").append(word);
  if (!probe.reason.empty()) row += ": " + html(probe.reason);
  row += "<td>" + (probe.elapsed_seconds ? milliseconds(*probe.elapsed_seconds) : std::string());
  return row + "<td>" + html(probe.detail) + "</tr>\n";
}

std::string facts(const BackendSnapshot& backend) {
  std::string line = std::string("wanted: ") + (backend.desired_running ? "running" : "stopped");
  if (backend.pid) line += " &middot; pid " + std::to_string(*backend.pid);
  if (backend.uptime_seconds) line += " &middot; up " + span(*backend.uptime_seconds);
  std::uint64_t restarts = 0;
  for (const auto& [reason, count] : backend.restarts) restarts += count;
  line += " &middot; restarts " + std::to_string(restarts);
  if (backend.port) {
    line += " &middot; port " + std::to_string(backend.port->number) +
            (backend.port->listening ? " listening" : " not listening");
  }
  if (backend.resources) {
    line += " &middot; " + mebibytes(backend.resources->resident_bytes) + " in " +
            std::to_string(backend.resources->processes) + " processes";
  }
  return "<p>" + line + "</p>\n";
}

std::string backend_section(const BackendSnapshot& backend) {
  std::string section = "<section><h2>" + html(backend.name) + " <span class=";
  section.append(mood_of_state(backend.state))
      .append(">")
      .append(html(backend.state))
      .append("</span></h2>\n");
  if (!backend.health_reason.empty()) section += "<p>" + html(backend.health_reason) + "</p>\n";
  if (!backend.problem.empty()) section += "<p class=bad>" + html(backend.problem) + "</p>\n";
  section += facts(backend) + "<table><tr><th>check<th>result<th>took<th>detail</tr>\n";
  for (const ProbeSnapshot& probe : backend.probes) section += probe_row(probe);
  return section + "</table></section>\n";
}

std::string render_page(const Snapshot& snapshot) {
  std::string page =
      "<!doctype html><html lang=en><head><meta charset=utf-8><title>codex-agent</title>\n"
      "<meta name=viewport content=\"width=device-width, initial-scale=1\"><meta http-equiv=refresh "
      "content=5>\n"
      "<style>";
  page.append(kStyle).append("</style></head><body><h1>codex-agent ").append(html(snapshot.agent.version));
  page += "</h1>\n";
  if (snapshot.backends.empty()) page += "<p>No backend is configured.</p>\n";
  for (const BackendSnapshot& backend : snapshot.backends) page += backend_section(backend);
  if (!snapshot.agent.log_error.empty())
    page += "<p class=bad>Log: " + html(snapshot.agent.log_error) + "</p>\n";
  page += "<p>agent up " + span(snapshot.agent.uptime_seconds) +
          " &middot; <a href=/metrics>metrics</a> &middot; <a href=/api/v1/status>status as JSON</a></p>\n";
  return page + "</body></html>\n";
}

}  // namespace

void add_status_page(HttpRoutes& routes, SnapshotSource source) {
  routes.get("/", [source = std::move(source)](const HttpRequest&) {
    HttpResponse response;
    response.content_type = "text/html; charset=utf-8";
    response.headers.emplace_back("Content-Security-Policy",
                                  "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; "
                                  "form-action 'none'; frame-ancestors 'none'");
    response.headers.emplace_back("Referrer-Policy", "no-referrer");
    response.body = render_page(*source());
    return response;
  });
}

}  // namespace codex
