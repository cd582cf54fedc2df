#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/os/clock.h"
#include "agent/os/event_loop.h"
#include "agent/os/redactor.h"
#include "agent/os/rotating_file.h"
#include "agent/os/unique_fd.h"

namespace codex {

/// A backend's stdout and stderr: two FIFOs in the state directory, DIRECTORY/NAME.stdout and NAME.stderr.
///
/// The child holds its FIFO open for reading and writing (fifo(7)). So the agent's death neither gives it
/// EPIPE nor loses what it writes meanwhile, up to the pipe's size; the next agent opens the same FIFO and
/// reads on. Lines go to a RotatingFile as they are, but with secrets masked. Reading never waits for the
/// disk: it always drains, and the file drops and counts. Loop thread.
class ChildOutput {
 public:
  static constexpr std::size_t kStreams = 2;  ///< 0 is stdout, 1 is stderr

  struct StreamStats {
    std::uint64_t lines = 0;
    std::uint64_t bytes = 0;
  };

  /// Makes the FIFOs (mode 0600), or takes up those of an earlier agent; whatever else has their names is
  /// replaced. The directory must exist and be private. Throws std::system_error.
  ChildOutput(EventLoop& loop, const Redactor& redactor, RotatingFile& file,
              std::filesystem::path fifo_directory, std::string backend_name);
  ~ChildOutput();
  ChildOutput(const ChildOutput&) = delete;
  ChildOutput& operator=(const ChildOutput&) = delete;

  /// A blocking descriptor, O_RDWR and close-on-exec, to become fd 1 or 2 of the child. If the FIFO was
  /// removed meanwhile it is made anew, for the next agent to find. Throws std::system_error.
  UniqueFd open_for_child(std::size_t stream);

  /// Reads what is there now and ends unfinished lines; after the child's exit, before its last lines are
  /// shown.
  void drain();

  [[nodiscard]] const StreamStats& stats(std::size_t stream) const;

  /// When the child last wrote something; nullopt before the first time.
  [[nodiscard]] std::optional<WallTime> last_output() const { return last_output_; }

  /// The newest lines of both streams, 50 at most, oldest first, each safe to show and at most 1 KiB.
  [[nodiscard]] std::vector<std::string> last_lines() const;

  /// A new generation: what the last one wrote says nothing about this one.
  void forget_last_lines() { last_lines_.clear(); }

 private:
  class Stream;

  void remember(std::string line);

  EventLoop& loop_;
  const Redactor& redactor_;
  RotatingFile& file_;
  std::string buffer_;
  std::optional<WallTime> last_output_;
  std::deque<std::string> last_lines_;  // with secrets masked, otherwise raw
  std::array<std::unique_ptr<Stream>, kStreams> streams_;
};

}  // namespace codex
