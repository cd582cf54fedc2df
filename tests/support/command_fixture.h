#pragma once

#include <csignal>
#include <cstdlib>
#include <string>

#include "agent/record/logger.h"
#include "agent/text/redactor.h"
#include "tests/support/loop_fixture.h"
#include "tests/support/temporary_directory.h"

namespace codex {

/// What runs commands, and the log of what came of them. "hunter2secret" is a secret.
class CommandFixture : public LoopFixture {
 protected:
  CommandFixture() { redactor_.add(Secret("hunter2secret")); }

  /// What a command wrote there.
  [[nodiscard]] std::string written(const std::string& name = "out") const {
    return contents_of(directory_ / name);
  }
  /// The pid that a command wrote there; 0: none yet.
  [[nodiscard]] int pid_in(const std::string& name) const { return std::atoi(written(name).c_str()); }
  /// Whether the process whose pid a command wrote there has ended, and was reaped here.
  [[nodiscard]] bool ended(const std::string& name) const {
    return pid_in(name) > 0 && ::kill(pid_in(name), 0) != 0 && errno == ESRCH;
  }

  [[nodiscard]] std::string log() const { return written("log"); }
  bool logged(const std::string& text) {
    return turn_until([&] { return log().find(text) != std::string::npos; });
  }

  TemporaryDirectory directory_;
  Worker disk_{"disk", 100};
  RotatingFile log_file_{disk_, directory_ / "log", 1 << 20, 1};
  Redactor redactor_;
  Logger log_{redactor_, &log_file_};
  int changes_ = 0;
};

}  // namespace codex
