#pragma once

#include <sys/types.h>

#include <array>
#include <chrono>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/os/clock.h"
#include "agent/os/event_loop.h"
#include "agent/os/rotating_file.h"
#include "agent/os/unique_fd.h"
#include "agent/output/output_stream.h"
#include "agent/text/redactor.h"

namespace codex {

/// A backend's stdout and stderr: two FIFOs in the state directory, DIRECTORY/NAME.stdout and NAME.stderr.
///
/// The child holds its FIFO open for reading and writing (fifo(7)). So the agent's death neither gives it
/// EPIPE nor loses what it writes meanwhile, up to the pipe's size; the next agent opens the same FIFO and
/// reads on. Lines go to a RotatingFile as they are, but with secrets masked.
///
/// They leave the FIFO when they are in the file. So no line is lost when the agent is killed, at whatever
/// moment. Those being written just then, one batch of each stream (64 KiB and an unfinished line; after
/// drain(), what one pipe holds), may come twice: from the first byte of the batch's write(2) to the
/// splice(2) that follows it in the same thread. A line cut in two by the kill stays as it is, is ended, and
/// then comes whole. An unfinished line that was stored is continued; DIRECTORY/NAME.unfinished says where it
/// ends.
///
/// The child waits for the disk for a quarter of a second at most. When the disk has not taken a batch by
/// then (frozen), the streams are drained as they come until it does, and what waits in memory dies with the
/// agent; what the disk refuses (full) is given up at once. The file drops and counts. Loop thread.
class ChildOutput {
 public:
  static constexpr std::size_t kStreams = 2;  ///< 0 is stdout, 1 is stderr
  static constexpr Duration kPatience = std::chrono::milliseconds(250);

  using StreamStats = OutputStream::Stats;

  /// Makes the FIFOs (mode 0600), or takes up those of an earlier agent, which must have ended; whatever else
  /// has their names is replaced. The directory must exist and be private. `patience`: for a disk that does
  /// not answer. Throws std::system_error.
  ChildOutput(EventLoop& loop, const Redactor& redactor, RotatingFile& file,
              const std::filesystem::path& fifo_directory, const std::string& backend_name,
              Duration patience = kPatience);

  /// What was read is the file's then. Anything else stays in the FIFOs.
  ~ChildOutput();
  ChildOutput(const ChildOutput&) = delete;
  ChildOutput& operator=(const ChildOutput&) = delete;

  /// A blocking descriptor, O_RDWR and close-on-exec, to become fd 1 or 2 of the child. If the FIFO was
  /// removed meanwhile it is made anew, for the next agent to find. Throws std::system_error.
  UniqueFd open_for_child(std::size_t stream);

  /// Reads on from the FIFOs that the running `leader` writes to, should they have lost their names: the
  /// directory was wiped, so those of the constructor are new ones. Leaves everything as it is if its fds 1
  /// and 2 are something else. Throws std::system_error.
  void adopt(pid_t leader);

  /// Reads what is there now and ends unfinished lines; after the child's exit, before its last lines are
  /// shown. last_lines() then has them, written or not.
  void drain();

  /// The last thing before this process ends and leaves the child to another agent: stops reading at once.
  /// When `settled` is called, on the loop within about a second, what was taken from the FIFOs is written
  /// and everything else is in them, unfinished lines too. Of a disk that does not answer by then, what it
  /// was given last may come twice, and what an impatient drain took is lost. Only ask for stats after this.
  void hand_over(std::function<void()> settled);

  [[nodiscard]] const StreamStats& stats(std::size_t stream) const;

  /// When the child last wrote something; nullopt before the first time.
  [[nodiscard]] std::optional<WallTime> last_output() const;

  /// The newest lines of both streams that came after `since`, 100 at most, oldest first, each as a
  /// terminal would have left it (plain_text()), safe to show and at most 1 KiB. An unfinished line counts as new.
  [[nodiscard]] std::vector<std::string> last_lines(TimePoint since = TimePoint::min()) const;

  /// A new generation: what the last one wrote says nothing about this one.
  void forget_last_lines() { last_lines_.clear(); }

 private:
  void remember(std::string line);
  void stream_settled();
  void finish_hand_over();

  struct Line {
    TimePoint at;      ///< when we read it
    std::string text;  ///< with secrets masked, otherwise raw
  };
  const Redactor& redactor_;
  std::deque<Line> last_lines_;
  std::function<void()> handed_over_;
  std::array<std::unique_ptr<OutputStream>, kStreams> streams_;
  Timer hand_over_timer_;  // keep last
};

}  // namespace codex
