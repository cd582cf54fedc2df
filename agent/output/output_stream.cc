#include "agent/output/output_stream.h"

#include <fcntl.h>

#include <algorithm>
#include <utility>

#include "agent/os/check.h"
#include "agent/output/output_fifo.h"

namespace codex {

namespace {

constexpr std::size_t kReadBudget = 64 << 10;
constexpr std::size_t kMaxDrain = kPipeSize;
constexpr auto kPartialLineDelay = std::chrono::milliseconds(200);
constexpr auto kAccuracy = std::chrono::milliseconds(20);
// What is not written yet stays in the FIFO, so it is readable all the time: only what is new may wake us.
constexpr std::uint32_t kNewOutput = EPOLLIN | EPOLLET;

}  // namespace

OutputStream::OutputStream(EventLoop& loop, const Redactor& redactor, RotatingFile& file,
                           std::filesystem::path path, Duration patience, Listener listener)
    : loop_(loop),
      file_(file),
      path_(std::move(path)),
      patience_(patience),
      listener_(std::move(listener)),
      masker_(redactor,
              [this](std::string line) {
                ++stats_.lines;
                listener_.line(std::move(line));
              }),
      partial_timer_(
          loop, "partial output line",
          [this] {
            masker_.flush();
            store();
          },
          Priority::kLow, kAccuracy),
      patience_timer_(
          loop, "output patience", [this] { lose_patience(); }, Priority::kLow, kAccuracy),
      self_(std::make_shared<OutputStream*>(this)) {
  use(open_output_fifo(path_));
}

OutputStream::~OutputStream() {
  // The file has it and the next to read this FIFO may be in this process, before the disk takes it.
  if (!handed_over_) fifo_->consume_claimed();
}

/// Goes on with the one before if it throws.
void OutputStream::use(UniqueFd fifo) {
  const auto settled = [self = std::weak_ptr<OutputStream*>(self_)] {
    if (const auto stream = self.lock()) (*stream)->settled();
  };
  auto next =
      std::make_unique<PeekedFifo>(std::move(fifo), [post = loop_.poster(), settled] { post(settled); });
  FdWatch watch(
      loop_, "backend output", next->fd(), kNewOutput, [this](std::uint32_t) { read(); }, Priority::kLow);
  watch_ = std::move(watch);
  fifo_ = std::move(next);
}

UniqueFd OutputStream::open_for_child() {
  if (!is_named(fifo_->fd(), path_)) {
    drain();
    use(open_output_fifo(path_));
  }
  return UniqueFd(check("open FIFO", ::open(path_.c_str(), O_RDWR | O_NOFOLLOW | O_CLOEXEC)));
}

void OutputStream::adopt(pid_t process, int number) {
  UniqueFd theirs = open_output_fifo_of(process, number, path_.filename().string());
  if (!theirs || is_same_fifo(theirs.get(), fifo_->fd())) return;
  drain();
  use(std::move(theirs));
}

void OutputStream::read() {
  const bool waiting = fifo_->has_claims();
  if (waiting && !disk_is_behind_) return read_on_later();
  disk_is_behind_ = waiting;
  if (take_in(kReadBudget) == 0) return;
  if (!store() && (fifo_->hides_more() || fifo_->is_full())) make_room();
  if (fifo_->hides_more()) read_on_later();
}

/// Bytes read; 0 if there are none now.
std::size_t OutputStream::take_in(std::size_t budget) {
  const std::size_t n = fifo_->peek(budget, [this](std::string_view bytes) { masker_.feed(bytes); });
  if (n == 0) return 0;
  last_output_ = std::chrono::system_clock::now();
  stats_.bytes += n;
  if (masker_.held_bytes() > 0) {
    partial_timer_.arm_after(kPartialLineDelay);
  } else {
    partial_timer_.disarm();
  }
  return n;
}

/// Hands the file what is ready for it. False if nothing is.
bool OutputStream::store() {
  std::string text = masker_.take();
  if (text.empty()) return false;
  const std::size_t bytes = fifo_->shown() - std::min(fifo_->shown(), masker_.held_bytes());
  if (disk_is_behind_) {
    file_.append(std::move(text));
    fifo_->consume(bytes);
  } else {
    claimed_at_ = loop_.now();
    file_.append(std::move(text), fifo_->claim(bytes));
  }
  return true;
}

/// The FIFO is full, or all that we can see of it, of an unfinished line.
void OutputStream::make_room() {
  masker_.flush();
  // Even the beginning of a secret may fill it, if the kernel gave us a small one.
  if (!store()) fifo_->consume(fifo_->shown());
}

/// When the disk has answered, or else now; but after the other callbacks of the loop.
void OutputStream::read_on_later() {
  if (!disk_is_behind_ && fifo_->await_settled()) {
    if (!patience_timer_.armed()) patience_timer_.arm_at(claimed_at_ + patience_);
  } else {
    watch_.set_events(kNewOutput);
  }
}

void OutputStream::lose_patience() {
  disk_is_behind_ = true;
  fifo_->consume_claimed();
  watch_.set_events(kNewOutput);
}

void OutputStream::settled() {
  patience_timer_.disarm();
  if (handed_over_) {
    listener_.settled();
  } else {
    watch_.set_events(kNewOutput);
  }
}

void OutputStream::drain() {
  if (handed_over_) return;
  // A child that still writes must not keep us here: one pipe's content is what was there when we came.
  for (std::size_t taken = 0; taken < kMaxDrain;) {
    const std::size_t n = take_in(kMaxDrain - taken);
    if (n == 0 && !fifo_->hides_more()) break;
    if (n == 0) fifo_->consume(fifo_->shown());
    taken += n;
    store();
  }
  masker_.end_line();
  store();
}

void OutputStream::hand_over() {
  if (std::exchange(handed_over_, true)) return;
  watch_.reset();
  partial_timer_.disarm();
  patience_timer_.disarm();
  masker_.keep_of_held(masker_.held_bytes() - std::min(fifo_->shown(), masker_.held_bytes()));
  // Fulfilled after everything else, also after what a drain took without a claim.
  const PeekedFifo::Claim last = fifo_->claim(0);
  fifo_->await_settled();
  file_.append(masker_.take(), last);
}

}  // namespace codex
