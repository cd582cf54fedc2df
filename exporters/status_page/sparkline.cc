#include "exporters/status_page/sparkline.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <span>

#include "exporters/status_page/page_text.h"

namespace codex {

namespace {

constexpr double kHeight = 40;

std::string number(double value) {
  std::array<char, 32> text;
  const int n = std::snprintf(text.data(), text.size(), "%.4g", value);
  return {text.data(), static_cast<std::size_t>(n)};
}

/// A step for each known value. `closed`: down to the ground at both ends of each run, for the area.
std::string steps(std::span<const float> values, double top, bool closed) {
  std::string path;
  bool drawing = false;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (std::isnan(values[i])) {
      if (drawing && closed) path += "V40z";
      drawing = false;
      continue;
    }
    const std::string height = number(kHeight - values[i] / top * (kHeight - 2));
    if (drawing) {
      path += "V" + height + "h1";
    } else {
      path += "M" + std::to_string(i) + (closed ? " 40V" : " ") + height + "h1";
    }
    drawing = true;
  }
  return drawing && closed ? path + "V40z" : path;
}

std::string marks(std::span<const float> failures) {
  std::string path;
  for (std::size_t i = 0; i < failures.size(); ++i) {
    if (failures[i] > 0) path += "M" + std::to_string(i) + ".5 40v-12";
  }
  return path;
}

std::span<const float> newest(const RecentValues& values, std::size_t slots) {
  return std::span(values).last(std::min(slots, values.size()));
}

}  // namespace

double peak_of(const RecentValues& values) {
  double peak = 0;
  for (const float value : values) peak = std::fmax(peak, value);
  return peak;
}

std::string sparkline_html(const RecentValues& values, const RecentValues& failures, std::size_t slots,
                           double top, std::string_view label) {
  top = std::max(top, peak_of(values));
  std::string svg = "<svg class=spark viewBox=\"0 0 " + std::to_string(slots) +
                    " 40\" preserveAspectRatio=none role=img aria-label=\"" + html(label) + "\"><title>" +
                    html(label) + "</title>";
  if (top > 0) {
    const auto shown = newest(values, slots);
    svg += "<path class=area d=\"" + steps(shown, top, true) + "\"/><path class=line d=\"" +
           steps(shown, top, false) + "\"/>";
  }
  if (const std::string failed = marks(newest(failures, slots)); !failed.empty())
    svg += "<path class=failed d=\"" + failed + "\"/>";
  return svg + "</svg>";
}

}  // namespace codex
