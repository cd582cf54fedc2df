#include "exporters/http/http_head.h"

#include <algorithm>
#include <charconv>

#include "agent/text/words.h"

namespace codex {

namespace {

constexpr std::size_t kTargetBytes = 2048;

bool is_token(std::string_view text) {
  const auto token_char = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  };
  return !text.empty() && std::all_of(text.begin(), text.end(), token_char);
}

bool is_control(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

bool is_field_value(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) { return is_control(c) && c != '\t'; });
}

ParsedHead refuse(int status) {
  return {std::nullopt, status};
}

/// 0, or the status to refuse the request line with.
int parse_request_line(std::string_view line, HttpHead& head) {
  const auto first = line.find(' ');
  const auto last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) return 400;
  const std::string_view method = line.substr(0, first);
  const std::string_view target = line.substr(first + 1, last - first - 1);
  const std::string_view version = line.substr(last + 1);
  const auto bad = [](char c) { return c == ' ' || is_control(c); };
  if (!is_token(method) || target.empty() || std::any_of(target.begin(), target.end(), bad)) return 400;
  if (!version.starts_with("HTTP/") || version.size() != 8) return 400;
  if (version != "HTTP/1.1" && version != "HTTP/1.0") return 505;
  if (target.size() > kTargetBytes) return 414;
  head.method = method;
  head.target = target;
  head.http_1_0 = version == "HTTP/1.0";
  return 0;
}

bool parse_field(std::string_view line, HttpHead& head) {
  const auto colon = line.find(':');
  if (colon == std::string_view::npos || !is_token(line.substr(0, colon))) return false;
  const std::string_view value = trim(line.substr(colon + 1), " \t");
  if (!is_field_value(value)) return false;
  head.fields.emplace_back(to_lower(line.substr(0, colon)), value);
  return true;
}

std::optional<std::uint64_t> parse_length(std::string_view text) {
  std::uint64_t length = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), length);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return length;
}

/// The rules over all fields: who is asked, and where the request ends. 0 or the status to refuse with.
int check_fields(HttpHead& head) {
  std::size_t lengths = 0, hosts = 0, codings = 0;
  for (const auto& [name, value] : head.fields) {
    if (name == "host") ++hosts;
    if (name == "transfer-encoding") ++codings;
    if (name != "content-length") continue;
    const auto length = parse_length(value);
    if (!length || ++lengths > 1) return 400;
    head.content_length = *length;
  }
  if (hosts > 1 || (hosts == 0 && !head.http_1_0)) return 400;
  if (codings > 0) return lengths > 0 || head.http_1_0 ? 400 : 501;
  return 0;
}

}  // namespace

std::string HttpHead::field(std::string_view name) const {
  const std::string wanted = to_lower(name);
  std::string joined;
  for (const auto& [field_name, value] : fields) {
    if (field_name != wanted) continue;
    if (!joined.empty()) joined += ", ";
    joined += value;
  }
  return joined;
}

std::string_view HttpHead::path() const {
  return std::string_view(target).substr(0, target.find('?'));
}

std::string_view HttpHead::query() const {
  return std::string_view(target).substr(std::min(target.size(), path().size() + 1));
}

ParsedHead parse_http_head(std::string_view text) {
  if (!text.ends_with("\r\n\r\n")) return refuse(400);
  text.remove_suffix(2);
  ParsedHead parsed;
  HttpHead& head = parsed.head.emplace();
  for (bool first = true; !text.empty(); first = false) {
    const auto end = text.find("\r\n");
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end + 2);
    if (first) {
      if (const int status = parse_request_line(line, head); status != 0) return refuse(status);
    } else if (!parse_field(line, head)) {
      return refuse(400);
    }
  }
  if (const int status = check_fields(head); status != 0) return refuse(status);
  return parsed;
}

HeadEnd find_head_end(std::string_view bytes, std::size_t from) {
  for (std::size_t i = from; i < bytes.size(); ++i) {
    if (bytes[i] == '\0') return {true, std::nullopt};
    if (bytes[i] != '\n') continue;
    if (i == 0 || bytes[i - 1] != '\r') return {true, std::nullopt};
    if (i >= 3 && bytes[i - 2] == '\n') return {false, i + 1};
  }
  return {};
}

}  // namespace codex
