#include "agent/record/repeated_errors.h"

#include <utility>

namespace codex {

std::optional<std::uint64_t> RepeatedErrors::note(const std::string& error, TimePoint now) {
  const auto found = known_.find(error);
  if (found != known_.end() && now - found->second.told < kPeriod) {
    ++found->second.times;
    return std::nullopt;
  }
  if (found != known_.end()) {
    found->second.told = now;
    return std::exchange(found->second.times, 0) + 1;
  }
  if (known_.size() >= kMostKnown) known_.clear();
  known_.emplace(error, Known{now, 0});
  return 1;
}

}  // namespace codex
