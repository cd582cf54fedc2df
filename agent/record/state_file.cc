#include "agent/record/state_file.h"

#include <algorithm>
#include <future>
#include <memory>
#include <system_error>
#include <utility>

#include "agent/os/check.h"
#include "agent/os/files.h"
#include "agent/os/random_id.h"

namespace codex {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t kLargest = 4 << 20;
constexpr Duration kPatience = milliseconds(100);
constexpr Duration kDiskHadItsTime = seconds(1);
constexpr Duration kTryAgain = seconds(1);

}  // namespace

std::optional<SavedBackend> read_saved_backend(const std::filesystem::path& state_directory,
                                               const std::string& backend) {
  try {
    std::string damage;
    const auto all =
        parse_state(read_regular_file(state_directory / "state.json", kLargest), boot_id(), damage);
    if (const auto found = all ? all->find(backend) : decltype(all->end()){}; all && found != all->end())
      return found->second;
  } catch (const std::system_error&) {
    // None, or not for us to read.
  }
  return std::nullopt;
}

StateFile::StateFile(EventLoop& loop, Worker& disk, std::filesystem::path file, std::function<void()> changed)
    : loop_(loop),
      disk_(disk),
      file_(std::move(file)),
      boot_id_(boot_id()),
      changed_(std::move(changed)),
      patience_(
          loop, "state file patience", [this] { release(revision_); }, Priority::kUrgent),
      again_(loop, "state file", [this] { write(); }) {
  try {
    const auto found = parse_state(read_regular_file(file_, kLargest), boot_id_, damage_);
    if (found) earlier_ = *found;
    for (const auto& [name, backend] : earlier_) documents_[name] = render_saved_backend(backend);
  } catch (const std::system_error& e) {
    if (is_shortage(e.code().value())) throw;
    if (e.code() != std::errc::no_such_file_or_directory) damage_ = e.what();
  }
}

std::optional<SavedBackend> StateFile::earlier(const std::string& backend) const {
  const auto found = earlier_.find(backend);
  return found == earlier_.end() ? std::nullopt : std::optional(found->second);
}

void StateFile::save(const std::string& backend, SavedBackend state) {
  std::string document = render_saved_backend(state);
  std::string& kept = documents_[backend];
  if (kept == document) return;
  kept = std::move(document);
  if (revision_ == written_) unsaved_since_ = loop_.now();
  ++revision_;
  if (under_way_ == 0) write();
}

void StateFile::rewrite() {
  ++revision_;
  if (under_way_ == 0) write();
}

void StateFile::write() {
  under_way_ = revision_;
  const bool accepted = disk_.submit([file = file_, text = render_state(boot_id_, documents_),
                                      revision = revision_, post = loop_.poster(), this] {
    std::string error;
    try {
      write_file_atomically(file, text);
    } catch (const std::system_error& e) {
      error = e.what();
    }
    post([this, revision, error] { landed(revision, error); });
  });
  if (accepted) return;
  under_way_ = 0;
  again_.arm_after(kTryAgain);
}

void StateFile::landed(std::uint64_t revision, const std::string& error) {
  under_way_ = 0;
  if (!error.empty()) {
    again_.arm_after(kTryAgain);
    return;
  }
  written_ = std::max(written_, revision);
  unsaved_since_ = loop_.now();
  if (written_ < revision_) write();
  release(written_);
  changed_();
}

void StateFile::when_saved(std::function<void()> then) {
  if (written_ >= revision_) return then();
  waiting_.push_back({revision_, std::move(then)});
  patience_.arm_after(kPatience);
}

void StateFile::release(std::uint64_t revision) {
  while (!waiting_.empty() && waiting_.front().revision <= revision) {
    const auto then = std::move(waiting_.front().then);
    waiting_.pop_front();
    then();
  }
  if (waiting_.empty()) patience_.disarm();
}

bool StateFile::settled() const {
  return written_ >= revision_ || loop_.now() - unsaved_since_ >= kDiskHadItsTime;
}

void StateFile::remove() {
  again_.disarm();
  auto removed = std::make_shared<std::promise<void>>();
  const auto done = removed->get_future();
  const bool accepted = disk_.submit([file = file_, removed] {
    std::error_code ignored;
    std::filesystem::remove(file, ignored);
    removed->set_value();
  });
  if (accepted) done.wait_for(kDiskHadItsTime);
}

}  // namespace codex
