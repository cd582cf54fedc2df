#pragma once

#include <bitset>
#include <string>
#include <string_view>
#include <vector>

#include "agent/text/display_text.h"
#include "agent/text/secret.h"
#include "agent/text/url_secrets.h"

namespace codex {

/// Replaces known secrets by `***` and makes hostile text safe to show.
///
/// Fill it while the configuration is loaded; afterwards it is immutable and may be used from any thread.
class Redactor {
 public:
  /// Knows `secret` from now on, in its raw, percent-decoded and percent-encoded forms as JSON writes it,
  /// and line by line.
  /// Texts shorter than 4 bytes are ignored: they would blank out innocent words.
  void add(const Secret& secret);

  /// Knows the password part of a URL such as postgres://user:password@host/db, and the URL's whole
  /// userinfo tail, which libpq echoes in pieces when it misparses it (`password@host`, `assword/rest`).
  void add_url(const Secret& url);

  /// Everything it looks for, and a redactor that looks for just that: to hand the knowledge to a process of
  /// our own, never to anything that is written or shown.
  [[nodiscard]] const std::vector<std::string>& needles() const { return needles_; }
  static Redactor of(const std::vector<std::string>& needles);

  /// `text` with every known secret replaced by `***`. Nothing else is changed. Secrets that overlap are
  /// replaced together. Costs a few ns a byte where nothing matches.
  [[nodiscard]] std::string scrub(std::string_view text) const;

  /// How much of the beginning of a longer text may be scrubbed and shown before the rest is known: no secret
  /// that may still be completed begins before it.
  [[nodiscard]] std::size_t safe_prefix(std::string_view text) const;

  /// scrub(), then escape_for_display(); a longer text is cut to `max_bytes` with a final `...`.
  /// For text that comes from a child, a peer, a database or a file name and goes to a person.
  [[nodiscard]] std::string safe(std::string_view text, std::size_t max_bytes = 256) const;

 private:
  void add_needle(std::string text);

  std::vector<std::string> needles_;  // longest first
  std::bitset<1 << 16> starts_;       // by the first two bytes of the needles
};

}  // namespace codex
