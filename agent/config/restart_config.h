#pragma once

#include "agent/os/clock.h"

namespace codex {

enum class RestartPolicy { kAlways, kOnFailure, kNever };  ///< systemd.service(5), Restart=
/// The application ended, nodemon lives: who starts it again.
enum class WrapperIdleAction { kRestart, kWait };

/// `[backend.NAME.restart]`: when and how often it is started again by itself.
struct RestartConfig {
  RestartPolicy policy = RestartPolicy::kAlways;
  Duration initial_delay{0};  ///< before the first restart after stable uptime
  Duration max_delay = std::chrono::seconds(30);
  double factor = 2;    ///< from the second restart on: 1 s, then times factor
  int start_limit = 5;  ///< automatic starts ...
  Duration start_limit_interval = std::chrono::seconds(60);  ///< ... in this time; one more is `failed`
  Duration stable_after = std::chrono::seconds(10);          ///< uptime that forgets earlier failures
  Duration retry_interval = std::chrono::minutes(5);         ///< slow retry out of `failed`; 0 = never
  WrapperIdleAction on_wrapper_idle = WrapperIdleAction::kRestart;
  /// After a database outage: time to become healthy, then one restart; 0 = off.
  Duration reconnect_timeout{0};
};

}  // namespace codex
