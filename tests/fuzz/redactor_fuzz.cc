#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "agent/text/redactor.h"

/// Input: a secret, a URL and a text, each ended by a newline but the last. No secret may be left in what is
/// shown, at once or in two parts, and what is shown must be as short and as plain as promised.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace codex;
  std::string_view input(reinterpret_cast<const char*>(data), size);
  const auto next_line = [&input] {
    const std::string_view line = input.substr(0, input.find('\n'));
    input.remove_prefix(line.size() < input.size() ? line.size() + 1 : line.size());
    return std::string(line);
  };
  const std::string secret = next_line(), url = next_line();
  const std::string_view text = input;

  Redactor redactor;
  redactor.add(Secret(secret));
  redactor.add_url(Secret(url));
  const auto leaks = [&](const std::string& shown) {
    return secret.size() >= 4 && shown.find(secret) != std::string::npos;
  };

  const std::string clean = redactor.scrub(text);
  if (leaks(clean) || leaks(redactor.scrub(secret + std::string(text) + secret))) std::abort();
  if (redactor.scrub(clean) != clean) std::abort();

  const std::size_t cut = redactor.safe_prefix(text);
  if (cut > text.size()) std::abort();
  // A mask beside text that was shown before can only complete a secret that has asterisks of its own.
  const bool starred = secret.find('*') != std::string::npos || url.find('*') != std::string::npos;
  const std::string first = redactor.scrub(text.substr(0, cut)), second = redactor.scrub(text.substr(cut));
  if (!starred && leaks(first + second)) std::abort();

  for (const std::size_t limit : {std::size_t{0}, std::size_t{7}, std::size_t{256}}) {
    const std::string shown = redactor.safe(text, limit);
    if (shown.size() > limit) std::abort();
    for (const char c : shown) {
      if (static_cast<unsigned char>(c) < ' ' || c == '\x7F') std::abort();
    }
    if (escape_for_display(shown, limit) != shown) std::abort();
  }
  if (url_without_secrets(url).size() > url.size() + 32) std::abort();
  if (percent_decode(url).size() > url.size()) std::abort();
  return 0;
}
