#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "agent/os/clock.h"
#include "agent/record/logger.h"
#include "agent/text/redactor.h"

namespace codex {

/// Looks at a backend that are made again and again, and may fail for a while, for want of descriptors most
/// of all. What one of them cannot find out keeps no other from being made. The log tells when one begins to
/// fail, and when it has worked for kOver; not each time. Loop thread.
class StandingTroubles {
 public:
  static constexpr Duration kOver = std::chrono::seconds(10);

  /// `log` and `redactor` outlive it.
  StandingTroubles(Logger& log, const Redactor& redactor, std::string backend)
      : log_(log), redactor_(redactor), backend_(std::move(backend)) {}

  /// Makes a look, known as `what`. False if it threw std::system_error: what it was to find out is unknown.
  bool look(std::string_view what, TimePoint now, const std::function<void()>& step);

 private:
  void failed(std::string_view what, TimePoint now, std::string_view error);

  Logger& log_;
  const Redactor& redactor_;
  std::string backend_;
  std::map<std::string, TimePoint, std::less<>> failed_;  ///< when last, of those that are told to fail
};

}  // namespace codex
