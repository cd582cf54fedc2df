#include "agent/cli/reply_reader.h"

#include <algorithm>
#include <charconv>

namespace codex {

namespace {

constexpr std::size_t kHeadLimit = 16 * 1024;
constexpr std::size_t kBodyLimit = 16 * 1024 * 1024;
constexpr std::string_view kVersion = "HTTP/1.";
constexpr std::string_view kHeadEnd = "\r\n\r\n";

/// A number of digits and nothing else.
std::optional<std::size_t> number(std::string_view text) {
  std::size_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

/// Of "HTTP/1.1 200 OK"; the words may be missing.
std::optional<std::size_t> status_of_line(std::string_view line) {
  if (line.size() < 12 || line[8] != ' ' || (line.size() > 12 && line[12] != ' ')) return std::nullopt;
  const auto status = number(line.substr(9, 3));
  return status && *status >= 100 ? status : std::nullopt;
}

bool is_content_length(std::string_view name) {
  constexpr std::string_view kName = "content-length";
  return std::equal(name.begin(), name.end(), kName.begin(), kName.end(),
                    [](char a, char b) { return a == b || (a >= 'A' && a <= 'Z' && a - 'A' + 'a' == b); });
}

}  // namespace

ReplyReader::State ReplyReader::feed(std::string_view bytes) {
  if (state_ != State::kReading) return state_;
  if (!length_) {
    const std::size_t before = head_.size();
    head_.append(bytes.substr(0, kHeadLimit - before));
    if (!head_.starts_with(kVersion.substr(0, head_.size()))) return state_ = State::kBroken;
    const auto end = head_.find(kHeadEnd, before - std::min(before, kHeadEnd.size() - 1));
    if (end == std::string::npos) {
      return state_ = head_.size() < kHeadLimit ? State::kReading : State::kBroken;
    }
    if (read_head(end) == State::kBroken) return state_;
    bytes.remove_prefix(end + kHeadEnd.size() - before);
  }
  body_.append(bytes.substr(0, *length_ - body_.size()));
  if (body_.size() == *length_) state_ = State::kComplete;
  return state_;
}

ReplyReader::State ReplyReader::read_head(std::size_t size) {
  std::string_view text = std::string_view(head_).substr(0, size);
  const auto status = status_of_line(text.substr(0, text.find("\r\n")));
  if (!status) return state_ = State::kBroken;
  status_ = static_cast<int>(*status);
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find("\r\n"));
    text.remove_prefix(std::min(text.size(), line.size() + 2));
    const std::string_view name = line.substr(0, line.find(':'));
    if (!is_content_length(name)) continue;
    const std::string_view value = line.substr(std::min(line.size(), name.size() + 1));
    const auto length = number(value.substr(std::min(value.size(), value.find_first_not_of(" \t"))));
    if (length_ || !length || *length > kBodyLimit) return state_ = State::kBroken;
    length_ = length;
  }
  return length_ ? state_ : state_ = State::kBroken;
}

}  // namespace codex
