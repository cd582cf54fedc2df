#include "exporters/prometheus/serializer.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <string_view>

#include "agent/text/display_text.h"
#include "exporters/prometheus/catalogue.h"

namespace codex {

namespace {

using Labels = std::vector<prometheus::ClientMetric::Label>;

constexpr std::size_t kLabelBytes = 128;
constexpr std::string_view kTotal = "_total";
constexpr std::string_view kInfo = "_info";

std::string without_suffix(const std::string& name, std::string_view suffix) {
  if (!name.ends_with(suffix)) return name;
  return name.substr(0, name.size() - suffix.size());
}

/// Escapes as both formats ask for label values; HELP of text 0.0.4 keeps its double quotes.
std::string escape(std::string_view text, bool quotes) {
  std::string escaped;
  escaped.reserve(text.size());
  for (const char c : text) {
    if (c == '\\') {
      escaped += "\\\\";
    } else if (c == '\n') {
      escaped += "\\n";
    } else if (c == '"' && quotes) {
      escaped += "\\\"";
    } else {
      escaped += c;
    }
  }
  return escaped;
}

std::string_view type_word(const prometheus::MetricFamily& family, bool info) {
  if (info) return "info";
  switch (family.type) {
    case prometheus::MetricType::Counter:
      return "counter";
    case prometheus::MetricType::Gauge:
      return "gauge";
    case prometheus::MetricType::Histogram:
      return "histogram";
    case prometheus::MetricType::Summary:
      return "summary";
    default:
      return "untyped";
  }
}

class Writer {
 public:
  explicit Writer(ExpositionFormat format) : open_metrics_(format == ExpositionFormat::kOpenMetrics100) {}

  void family(const prometheus::MetricFamily& family) {
    const MetricDefinition* definition = find_metric(family.name);
    const bool info = open_metrics_ && definition != nullptr && definition->type == MetricType::kInfo;
    std::string name = family.name;
    if (open_metrics_ && family.type == prometheus::MetricType::Counter) name = without_suffix(name, kTotal);
    if (info) name = without_suffix(name, kInfo);

    const std::string help = escape(family.help, open_metrics_);
    const std::string_view type = type_word(family, info);
    header("HELP", name, help);
    header("TYPE", name, open_metrics_ && type == "untyped" ? "unknown" : type);
    if (open_metrics_ && definition != nullptr && !definition->unit.empty())
      header("UNIT", name, definition->unit);
    for (const prometheus::ClientMetric& metric : family.metric) samples(family, metric);
  }

  std::string finish() {
    if (open_metrics_) text_ += "# EOF\n";
    return std::move(text_);
  }

 private:
  void header(std::string_view keyword, std::string_view name, std::string_view value) {
    text_.append("# ").append(keyword).append(" ").append(name).append(" ").append(value).append("\n");
  }

  void samples(const prometheus::MetricFamily& family, const prometheus::ClientMetric& metric) {
    switch (family.type) {
      case prometheus::MetricType::Counter:
        return line(family.name, metric.label, metric.counter.value);
      case prometheus::MetricType::Gauge:
        return line(family.name, metric.label, metric.gauge.value);
      case prometheus::MetricType::Untyped:
        return line(family.name, metric.label, metric.untyped.value);
      case prometheus::MetricType::Histogram:
        return histogram(family.name, metric);
      default:
        return;  // the catalogue has no summary: quantiles do not aggregate
    }
  }

  void histogram(const std::string& name, const prometheus::ClientMetric& metric) {
    for (const auto& bucket : metric.histogram.bucket) {
      Labels labels = metric.label;
      std::string bound = format_number(bucket.upper_bound);
      // OpenMetrics wants the canonical float, so that `le` does not depend on who wrote it.
      if (open_metrics_ && bound.find_first_not_of("0123456789") == std::string::npos) bound += ".0";
      labels.push_back({"le", bound});
      line(name + "_bucket", labels, static_cast<double>(bucket.cumulative_count));
    }
    line(name + "_sum", metric.label, metric.histogram.sample_sum);
    line(name + "_count", metric.label, static_cast<double>(metric.histogram.sample_count));
  }

  void line(const std::string& name, const Labels& labels, double value) {
    text_ += name;
    char separator = '{';
    for (const auto& label : labels) {
      text_.append(1, separator)
          .append(label.name)
          .append("=\"")
          .append(escape(label.value, true))
          .append("\"");
      separator = ',';
    }
    if (!labels.empty()) text_ += '}';
    text_.append(" ").append(format_number(value)).append("\n");
  }

  bool open_metrics_;
  std::string text_;
};

void sanitise_and_sort(prometheus::MetricFamily& family) {
  for (prometheus::ClientMetric& metric : family.metric) {
    for (auto& label : metric.label) label.value = escape_for_display(label.value, kLabelBytes);
  }
  const auto less = [](const auto& a, const auto& b) { return a.label < b.label; };
  const auto same = [](const auto& a, const auto& b) { return a.label == b.label; };
  std::stable_sort(family.metric.begin(), family.metric.end(), less);
  family.metric.erase(std::unique(family.metric.begin(), family.metric.end(), same), family.metric.end());
}

}  // namespace

std::string format_number(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  std::array<char, 32> buffer{};
  // The shortest text of 100000 is "1e+05"; counts are easier to read in full.
  constexpr double kExactIntegers = 9007199254740992.0;  // 2^53
  const bool whole = std::abs(value) <= kExactIntegers && value == std::trunc(value);
  const auto end = whole ? std::to_chars(buffer.begin(), buffer.end(), static_cast<long long>(value))
                         : std::to_chars(buffer.begin(), buffer.end(), value);
  return {buffer.begin(), end.ptr};
}

std::string serialize(std::vector<prometheus::MetricFamily> families, ExpositionFormat format) {
  Writer writer(format);
  for (prometheus::MetricFamily& family : families) {
    sanitise_and_sort(family);
    writer.family(family);
  }
  return writer.finish();
}

}  // namespace codex
