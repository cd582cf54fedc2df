#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "probes/hang/hang_class.h"

namespace codex {

/// The newest judgements of which class a hang is; one look may be wrong. Pure.
class VoteWindow {
 public:
  explicit VoteWindow(std::size_t size = 20) : size_(size) {}

  void add(HangClass hang, std::string why);
  void clear() { votes_.clear(); }

  /// The class that at least `quorum` votes name, and at least 70 % of all in the window.
  struct Winner {
    HangClass hang;
    std::string why;  ///< of its newest vote
  };
  [[nodiscard]] std::optional<Winner> winner(int quorum) const;
  [[nodiscard]] std::optional<HangClass> newest() const;
  /// How many votes each class has, those without any left out.
  [[nodiscard]] std::map<HangClass, int> counts() const;
  [[nodiscard]] const std::string& newest_why() const { return votes_.back().second; }

 private:
  std::size_t size_;
  std::deque<std::pair<HangClass, std::string>> votes_;
};

}  // namespace codex
