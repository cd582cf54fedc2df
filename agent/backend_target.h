#pragma once

#include <string>

#include "agent/control/operation_target.h"
#include "agent/supervision/backend.h"

namespace codex {

/// Commands reach a Backend, which outlives this, through it. Loop thread.
class BackendTarget final : public OperationTarget {
 public:
  explicit BackendTarget(Backend& backend) : backend_(backend) {}

  void start() override { backend_.start(); }
  void stop() override { backend_.stop(); }
  void restart() override { backend_.restart(); }

  [[nodiscard]] const std::string& name() const override { return backend_.name(); }
  [[nodiscard]] LifecycleConfig limits() const override {
    const auto& config = backend_.config();
    return {config.start_timeout, config.stop_timeout, config.restart};
  }
  [[nodiscard]] State state() const override { return backend_.lifecycle().state(); }
  [[nodiscard]] Cause cause() const override { return backend_.lifecycle().cause(); }
  [[nodiscard]] bool desired_running() const override { return backend_.lifecycle().desired_running(); }
  [[nodiscard]] std::string summary() const override { return backend_.summary(); }
  [[nodiscard]] std::vector<std::string> last_output() const override { return backend_.last_output(); }
  [[nodiscard]] std::string progress() const override { return backend_.progress(); }
  [[nodiscard]] bool saved() const override { return backend_.saved(); }

 private:
  Backend& backend_;
};

}  // namespace codex
