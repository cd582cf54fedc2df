#include "agent/supervision/child_output.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "agent/os/check.h"
#include "agent/supervision/line_splitter.h"

namespace codex {

namespace {

constexpr std::size_t kReadBudget = 64 << 10;
constexpr int kPipeSize = 1 << 20;  // What an unprivileged process may ask for (pipe(7)).
constexpr std::size_t kMaxDrain = kPipeSize;
constexpr auto kPartialLineDelay = std::chrono::milliseconds(200);
constexpr std::size_t kMaxLastLines = 50;
constexpr std::size_t kMaxShownLine = 1024;
constexpr std::size_t kMaxHeldBack = 64 << 10;
constexpr std::size_t kTellingBytes = 4;  // As short as a secret may be.
constexpr std::array<const char*, ChildOutput::kStreams> kSuffixes = {".stdout", ".stderr"};

bool is_our_fifo(const struct stat& info) {
  return S_ISFIFO(info.st_mode) && info.st_uid == ::geteuid();
}

/// Opens the FIFO for reading. Also for writing, so that it never is at its end when no child has it open.
UniqueFd open_fifo(const std::filesystem::path& path) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) == 0 && !is_our_fifo(info)) check("unlink", ::unlink(path.c_str()));
  if (::mkfifo(path.c_str(), 0600) != 0 && errno != EEXIST) throw_errno("mkfifo");
  UniqueFd fd(check("open FIFO", ::open(path.c_str(), O_RDWR | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC)));
  check("fstat", ::fstat(fd.get(), &info));
  if (!is_our_fifo(info)) throw std::system_error(EEXIST, std::system_category(), "FIFO " + path.string());
  check("fchmod", ::fchmod(fd.get(), 0600));
  // Refused when the user's pipe memory is used up, or while it holds more: then the smaller size must do.
  [[maybe_unused]] const int size = ::fcntl(fd.get(), F_SETPIPE_SZ, kPipeSize);
  return fd;
}

}  // namespace

class ChildOutput::Stream {
 public:
  Stream(ChildOutput& owner, std::filesystem::path path)
      : owner_(owner),
        path_(std::move(path)),
        fd_(open_fifo(path_)),
        partial_timer_(
            owner.loop_, "partial output line", [this] { flush_partial(); }, Priority::kLow,
            std::chrono::milliseconds(20)) {
    start_watching();
  }

  UniqueFd open_for_child() {
    struct stat named {
    }, ours{};
    check("fstat", ::fstat(fd_.get(), &ours));
    if (::lstat(path_.c_str(), &named) != 0 || named.st_ino != ours.st_ino || named.st_dev != ours.st_dev) {
      drain();
      watch_.reset();
      fd_ = open_fifo(path_);
      start_watching();
    }
    return UniqueFd(check("open FIFO", ::open(path_.c_str(), O_RDWR | O_NOFOLLOW | O_CLOEXEC)));
  }

  void drain() {
    // A child that still writes must not keep us here: one pipe's content is what was there when we came.
    for (std::size_t taken = 0; taken < kMaxDrain;) {
      const std::size_t n = read_some();
      if (n == 0) break;
      taken += n;
    }
    flush_partial();
    if (!held_back_.empty() || !unfinished_line_.empty()) end_line();
  }

  [[nodiscard]] const StreamStats& stats() const { return stats_; }
  [[nodiscard]] const std::string& unfinished_line() const { return unfinished_line_; }

 private:
  void start_watching() {
    watch_ = FdWatch(
        owner_.loop_, "backend output", fd_.get(), EPOLLIN, [this](std::uint32_t) { read_some(); },
        Priority::kLow);
  }

  /// Bytes read; 0 if there are none now.
  std::size_t read_some() {
    const ssize_t n = ::read(fd_.get(), owner_.buffer_.data(), owner_.buffer_.size());
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return 0;
    if (n <= 0) {
      watch_.reset();  // Else the loop would spin on it.
      throw_errno("read FIFO");
    }
    owner_.last_output_ = std::chrono::system_clock::now();
    stats_.bytes += static_cast<std::size_t>(n);
    const std::string_view bytes(owner_.buffer_.data(), static_cast<std::size_t>(n));
    splitter_.feed(bytes, [this](std::string_view piece, bool complete) { take(piece, complete); });
    hand_over();
    if (splitter_.has_partial() || !held_back_.empty()) {
      partial_timer_.arm_after(kPartialLineDelay);
    } else {
      partial_timer_.disarm();
    }
    return static_cast<std::size_t>(n);
  }

  void take(std::string_view piece, bool complete) {
    if (complete && held_back_.empty()) {
      write(owner_.redactor_.scrub(piece), true);
      return;
    }
    held_back_ += piece;
    // Of an unfinished line, what may be the beginning of a secret waits for the rest of it.
    std::size_t ready = complete ? held_back_.size() : owner_.redactor_.safe_prefix(held_back_);
    if (held_back_.size() > kMaxHeldBack) ready = held_back_.size();
    const std::string text = owner_.redactor_.scrub(std::string_view(held_back_).substr(0, ready));
    held_back_.erase(0, ready);
    write(text, complete);
  }

  void write(std::string_view text, bool complete) {
    outgoing_.append(text);
    // More than is shown, so that last_lines() can tell that there was more.
    if (unfinished_line_.size() <= kMaxShownLine) unfinished_line_.append(text.substr(0, kMaxShownLine + 1));
    if (!complete) return;
    outgoing_ += '\n';
    ++stats_.lines;
    owner_.remember(std::exchange(unfinished_line_, {}));
  }

  void flush_partial() {
    const std::string partial = splitter_.take_partial();
    if (!partial.empty()) take(partial, false);
    hand_over();
  }

  /// Nothing more of this line will come, so the beginning of a secret is all there is of it.
  void end_line() {
    const bool recognisable = held_back_.size() >= kTellingBytes;
    write(recognisable ? std::string_view("***") : std::string_view(held_back_), true);
    held_back_.clear();
    hand_over();
  }

  void hand_over() {
    if (!outgoing_.empty()) owner_.file_.append(std::exchange(outgoing_, {}));
  }

  ChildOutput& owner_;
  std::filesystem::path path_;
  UniqueFd fd_;
  LineSplitter splitter_;
  StreamStats stats_;
  std::string held_back_;        // of an unfinished line: may become a secret
  std::string outgoing_;         // for the file, of one turn
  std::string unfinished_line_;  // what last_lines() shows of it
  Timer partial_timer_;
  FdWatch watch_;
};

ChildOutput::ChildOutput(EventLoop& loop, const Redactor& redactor, RotatingFile& file,
                         std::filesystem::path fifo_directory, std::string backend_name)
    : loop_(loop), redactor_(redactor), file_(file), buffer_(kReadBudget, '\0') {
  for (std::size_t i = 0; i < kStreams; ++i) {
    streams_[i] = std::make_unique<Stream>(*this, fifo_directory / (backend_name + kSuffixes[i]));
  }
}

ChildOutput::~ChildOutput() = default;

UniqueFd ChildOutput::open_for_child(std::size_t stream) {
  return streams_.at(stream)->open_for_child();
}

void ChildOutput::drain() {
  for (const auto& stream : streams_) stream->drain();
}

const ChildOutput::StreamStats& ChildOutput::stats(std::size_t stream) const {
  return streams_.at(stream)->stats();
}

void ChildOutput::remember(std::string line) {
  last_lines_.push_back(std::move(line));
  if (last_lines_.size() > kMaxLastLines) last_lines_.pop_front();
}

std::vector<std::string> ChildOutput::last_lines() const {
  std::vector<std::string> lines;
  for (const std::string& line : last_lines_) lines.push_back(redactor_.safe(line, kMaxShownLine));
  for (const auto& stream : streams_) {
    if (!stream->unfinished_line().empty()) {
      lines.push_back(redactor_.safe(stream->unfinished_line(), kMaxShownLine));
    }
  }
  if (lines.size() > kMaxLastLines) {
    lines.erase(lines.begin(), lines.end() - static_cast<std::ptrdiff_t>(kMaxLastLines));
  }
  return lines;
}

}  // namespace codex
