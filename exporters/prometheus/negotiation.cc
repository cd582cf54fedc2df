#include <algorithm>
#include <charconv>
#include <optional>
#include <vector>

#include "agent/text/words.h"
#include "exporters/prometheus/exposition.h"

namespace codex {

namespace {

/// None of the values compared here needs more.
std::string normalise(std::string_view text) {
  return to_lower(trim(text, " \t\""));
}

/// One element of Accept or Accept-Encoding.
struct Choice {
  std::string value, version;
  double q = 1;
};

std::optional<double> parse_q(std::string_view text) {
  double q = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), q);
  if (error != std::errc() || end != text.data() + text.size() || !(q >= 0 && q <= 1)) return std::nullopt;
  return q;
}

/// Elements with a malformed weight are left out.
std::vector<Choice> parse_choices(std::string_view header) {
  std::vector<Choice> choices;
  for (const std::string_view element : split(header, ',')) {
    const auto parts = split(element, ';');
    Choice choice{normalise(parts[0]), {}, 1};
    bool valid = !choice.value.empty();
    for (std::size_t i = 1; i < parts.size(); ++i) {
      const auto equals = parts[i].find('=');
      if (equals == std::string_view::npos) continue;
      const std::string name = normalise(parts[i].substr(0, equals));
      const std::string value = normalise(parts[i].substr(equals + 1));
      if (name == "version") choice.version = value;
      if (name != "q") continue;
      const auto q = parse_q(value);
      valid = valid && q.has_value();
      choice.q = q.value_or(0);
    }
    if (valid) choices.push_back(std::move(choice));
  }
  return choices;
}

bool is_one_of(const std::string& text, std::string_view a, std::string_view b) {
  return text == a || text == b;
}

}  // namespace

ExpositionFormat negotiate_format(std::string_view accept) {
  double best = 0;
  auto format = ExpositionFormat::kText004;
  bool by_wildcard = false;
  for (const Choice& choice : parse_choices(accept)) {
    const bool open_metrics =
        choice.value == "application/openmetrics-text" && is_one_of(choice.version, "", "1.0.0");
    const bool text = choice.value == "text/plain" && is_one_of(choice.version, "", "0.0.4");
    const bool wildcard = is_one_of(choice.value, "*/*", "text/*");
    if (!open_metrics && !text && !wildcard) continue;
    // Of equal weights the more specific wins, then the first (RFC 9110 section 12.5.1).
    if (choice.q > best || (choice.q == best && best > 0 && by_wildcard && !wildcard)) {
      best = choice.q;
      format = open_metrics ? ExpositionFormat::kOpenMetrics100 : ExpositionFormat::kText004;
      by_wildcard = wildcard;
    }
  }
  return format;
}

bool accepts_gzip(std::string_view accept_encoding) {
  std::optional<double> gzip, any;
  for (const Choice& choice : parse_choices(accept_encoding)) {
    if (is_one_of(choice.value, "gzip", "x-gzip")) gzip = std::max(gzip.value_or(0), choice.q);
    if (choice.value == "*") any = choice.q;
  }
  return gzip.value_or(any.value_or(0)) > 0;
}

std::string_view content_type(ExpositionFormat format) {
  switch (format) {
    case ExpositionFormat::kText004:
      return "text/plain; version=0.0.4; charset=utf-8";
    case ExpositionFormat::kOpenMetrics100:
      return "application/openmetrics-text; version=1.0.0; charset=utf-8";
  }
  return {};
}

}  // namespace codex
