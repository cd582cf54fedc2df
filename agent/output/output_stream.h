#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "agent/os/clock.h"
#include "agent/os/event_loop.h"
#include "agent/os/peeked_fifo.h"
#include "agent/os/rotating_file.h"
#include "agent/output/line_masker.h"
#include "agent/text/redactor.h"

namespace codex {

/// One of a backend's output streams: from its FIFO, as lines without secrets, into the file.
///
/// What is read stays in the FIFO until the file's Worker has written it. Meanwhile nothing more is read.
/// When the disk has not answered for `patience` and the child goes on writing, what was read is taken out,
/// and until the disk answers the stream is drained at once; the file then drops and counts. Loop thread.
class OutputStream {
 public:
  struct Stats {
    std::uint64_t lines = 0;
    std::uint64_t bytes = 0;
  };

  struct Listener {
    std::function<void(std::string)> line;  ///< as LineMasker gives it
    std::function<void()> settled;          ///< after hand_over(), not from within
  };

  /// Throws std::system_error.
  OutputStream(EventLoop& loop, const Redactor& redactor, RotatingFile& file, std::filesystem::path path,
               Duration patience, Listener listener);
  ~OutputStream();
  OutputStream(const OutputStream&) = delete;
  OutputStream& operator=(const OutputStream&) = delete;

  // As in ChildOutput.
  UniqueFd open_for_child();
  void adopt(pid_t process, int number);
  void drain();

  /// Stops reading. `settled` follows when what left the FIFO is written.
  void hand_over();
  [[nodiscard]] bool has_settled() const { return !fifo_->has_claims(); }

  /// After hand_over(): what has not been written by now stays in the FIFO.
  void give_up_waiting() { fifo_->forsake(); }

  [[nodiscard]] const Stats& stats() const { return stats_; }
  [[nodiscard]] std::optional<WallTime> last_output() const { return last_output_; }
  [[nodiscard]] const std::string& unfinished_line() const { return masker_.unfinished_line(); }

 private:
  void use(UniqueFd fifo);
  void read();
  std::size_t take_in(std::size_t budget);
  bool store();
  void make_room();
  void read_on_later();
  void lose_patience();
  void settled();

  EventLoop& loop_;
  RotatingFile& file_;
  std::filesystem::path path_;
  Duration patience_;
  Listener listener_;
  LineMasker masker_;
  Stats stats_;
  std::optional<WallTime> last_output_;
  TimePoint claimed_at_;
  bool disk_is_behind_ = false;
  bool handed_over_ = false;
  std::unique_ptr<PeekedFifo> fifo_;
  Timer partial_timer_, patience_timer_;
  FdWatch watch_;
  std::shared_ptr<OutputStream*> self_;  // keep last: what other threads post asks for it
};

}  // namespace codex
