#pragma once

#include <filesystem>

#include "agent/os/worker.h"

namespace codex {

/// Remembers beyond the agent's death that a backend was on its way down: a file that exists from the first
/// stop signal until nothing lives. What bears the mark is not taken over, because it has been told to end.
///
/// The file is written by the Worker: a disk that does not answer delays no stop. Loop thread.
class StopMark {
 public:
  /// `file`: in the state directory. Looks whether an earlier agent left it.
  StopMark(Worker& disk, std::filesystem::path file);

  void set();
  void clear();

  /// An earlier agent died while it was stopping the backend, and nothing has been started since.
  [[nodiscard]] bool inherited() const { return inherited_; }

 private:
  Worker& disk_;
  std::filesystem::path file_;
  bool inherited_;
};

}  // namespace codex
