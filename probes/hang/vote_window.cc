#include "probes/hang/vote_window.h"

#include <map>

namespace codex {

namespace {
constexpr int kMajorityPercent = 70;
}  // namespace

void VoteWindow::add(HangClass hang, std::string why) {
  votes_.emplace_back(hang, std::move(why));
  if (votes_.size() > size_) votes_.pop_front();
}

std::optional<VoteWindow::Winner> VoteWindow::winner(int quorum) const {
  std::map<HangClass, int> counts;
  for (const auto& [hang, why] : votes_) ++counts[hang];
  for (const auto& [hang, count] : counts) {
    if (count < quorum || count * 100 < kMajorityPercent * static_cast<int>(votes_.size())) continue;
    for (auto vote = votes_.rbegin(); vote != votes_.rend(); ++vote) {
      if (vote->first == hang) return Winner{hang, vote->second};
    }
  }
  return std::nullopt;
}

std::optional<HangClass> VoteWindow::newest() const {
  if (votes_.empty()) return std::nullopt;
  return votes_.back().first;
}

std::map<HangClass, int> VoteWindow::counts() const {
  std::map<HangClass, int> counts;
  for (const auto& [hang, why] : votes_) ++counts[hang];
  return counts;
}

}  // namespace codex
