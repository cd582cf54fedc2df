#include "agent/text/redactor.h"

#include <algorithm>
#include <limits>
#include <optional>

namespace codex {

namespace {

constexpr std::size_t kShortestNeedle = 4;
constexpr std::string_view kMask = "***";

/// Percent-encoding of all but letters, digits and the bytes in `kept`.
std::string percent_encode(std::string_view text, std::string_view kept, std::string_view digits) {
  std::string encoded;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (plain || kept.find(c) != std::string_view::npos) {
      encoded += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      encoded += '%';
      encoded += digits[byte >> 4];
      encoded += digits[byte & 15];
    }
  }
  return encoded;
}

/// As inside a JSON string (RFC 8259 section 7): programs print their environment that way.
std::string json_escape(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '"' || c == '\\') escaped += '\\';
    escaped += c;
  }
  return escaped;
}

std::size_t start_of(std::string_view two_bytes) {
  return static_cast<std::size_t>(static_cast<unsigned char>(two_bytes[0])) << 8 |
         static_cast<unsigned char>(two_bytes[1]);
}

/// The longest needle that `text` begins with, or nullptr.
const std::string* find_at_front(std::string_view text, const std::vector<std::string>& needles) {
  const auto found = std::find_if(needles.begin(), needles.end(),
                                  [&](const std::string& needle) { return text.starts_with(needle); });
  return found == needles.end() ? nullptr : &*found;
}

/// nullopt if no needle occurs in `text`.
std::optional<std::string> replace_once(std::string_view text, const std::vector<std::string>& needles,
                                        const std::bitset<1 << 16>& starts) {
  std::string clean;
  std::size_t copied = 0;          // What is before this is in `clean`.
  std::size_t begin = 0, end = 0;  // The stretch to mask; needles that touch make one.
  for (std::size_t i = 0; i + kShortestNeedle <= text.size(); ++i) {
    const std::string_view rest = text.substr(i);
    if (!starts[start_of(rest)]) continue;
    const std::string* needle = find_at_front(rest, needles);
    if (needle == nullptr) continue;
    if (end == 0 || i > end) {
      if (end > 0) clean.append(text, copied, begin - copied).append(kMask);
      copied = end;
      begin = i;
    }
    end = std::max(end, i + needle->size());
  }
  if (end == 0) return std::nullopt;
  clean.append(text, copied, begin - copied).append(kMask).append(text, end);
  return clean;
}

/// True if `secret` also stands in a part of `url` that is shown.
bool is_public_word_of(std::string_view url, const std::string& secret) {
  const std::string as_password = ":" + secret + "@";
  const std::size_t at = url.find(as_password);
  if (secret.empty() || at == std::string_view::npos) return false;
  const std::size_t begin = url.find("://") + 3;
  const std::string_view user = url.substr(begin, at - begin), rest = url.substr(at + as_password.size());
  return user == secret || rest.find(secret) != std::string_view::npos;
}

}  // namespace

Redactor Redactor::of(const std::vector<std::string>& needles) {
  Redactor redactor;
  for (const auto& needle : needles) redactor.add_needle(needle);
  return redactor;
}

void Redactor::add_needle(std::string text) {
  if (text.size() < kShortestNeedle) return;
  const auto before = [](const std::string& a, const std::string& b) {
    return a.size() != b.size() ? a.size() > b.size() : a < b;
  };
  const auto place = std::lower_bound(needles_.begin(), needles_.end(), text, before);
  if (place != needles_.end() && *place == text) return;
  starts_.set(start_of(text));
  needles_.insert(place, std::move(text));
}

void Redactor::add(const Secret& secret) {
  const std::string& raw = secret.reveal();
  // A key of several lines is printed line by line.
  for (std::size_t begin = 0, end = raw.find('\n'); end != std::string::npos; end = raw.find('\n', begin)) {
    add(Secret(raw.substr(begin, end - begin)));
    begin = end + 1;
    if (raw.find('\n', begin) == std::string::npos) add(Secret(raw.substr(begin)));
  }
  for (const std::string& text : {raw, percent_decode(raw)}) {
    if (text.size() < kShortestNeedle) continue;
    add_needle(text);
    add_needle(json_escape(text));
    add_needle(percent_encode(text, "-._~", "0123456789ABCDEF"));  // RFC 3986
    add_needle(percent_encode(text, "-._~", "0123456789abcdef"));
    add_needle(percent_encode(text, "-._~!'()*", "0123456789ABCDEF"));       // encodeURIComponent()
    add_needle(percent_encode(text, "-._~!'()*$&+,%", "0123456789ABCDEF"));  // userinfo of the WHATWG URL
  }
}

void Redactor::add_url(const Secret& url) {
  for (std::string& secret : find_url_secrets(url.reveal())) {
    if (!is_public_word_of(url.reveal(), secret)) {
      add(Secret(std::move(secret)));
      continue;
    }
    // The user, host or database has the same name, so the word alone tells nothing and is shown everywhere.
    add_needle(":" + secret + "@");
    add_needle("password=" + secret);
  }
}

std::string Redactor::scrub(std::string_view text) const {
  constexpr int kMaxPasses = 8;
  std::string clean;
  // A mask can complete a secret that has asterisks of its own, so look again until nothing is found.
  for (int pass = 0; pass < kMaxPasses; ++pass) {
    auto replaced = replace_once(pass == 0 ? text : std::string_view(clean), needles_, starts_);
    if (!replaced) return pass == 0 ? std::string(text) : clean;
    clean = std::move(*replaced);
  }
  return std::string(kMask);
}

std::size_t Redactor::safe_prefix(std::string_view text) const {
  if (needles_.empty()) return text.size();
  const std::size_t longest = needles_.front().size();
  std::size_t cut = text.size() < longest ? 0 : text.size() - longest + 1;
  const auto may_grow = [&](std::string_view tail) {
    return std::any_of(needles_.begin(), needles_.end(), [&](const std::string& needle) {
      return needle.size() > tail.size() && needle.starts_with(tail);
    });
  };
  while (cut < text.size() && !may_grow(text.substr(cut))) ++cut;
  // A secret that is complete but lies across the cut, or joins one that does, stays whole.
  for (std::size_t i = cut; i > 0 && i + longest > cut; --i) {
    const std::string* needle = find_at_front(text.substr(i - 1), needles_);
    if (needle != nullptr && i - 1 + needle->size() > cut) cut = i - 1;
  }
  return cut;
}

std::string Redactor::safe(std::string_view text, std::size_t max_bytes) const {
  constexpr std::string_view kMore = "...";
  constexpr std::size_t kLongestUnit = 16;  // A character takes 12 bytes at most once escaped.
  const std::string clean = scrub(text);
  const std::size_t limit = std::min(max_bytes, std::numeric_limits<std::size_t>::max() - kLongestUnit);
  std::string shown = escape_for_display(clean, limit + kLongestUnit);
  if (shown.size() <= limit) return shown;
  if (limit < kMore.size()) return escape_for_display(clean, limit);
  return escape_for_display(clean, limit - kMore.size()).append(kMore);
}

}  // namespace codex
