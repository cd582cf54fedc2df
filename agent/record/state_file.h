#pragma once

#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "agent/os/event_loop.h"
#include "agent/os/worker.h"
#include "agent/policy/restart_budget.h"
#include "agent/record/backend_record.h"

namespace codex {

/// What one agent leaves to the next about a backend.
struct SavedBackend {
  bool desired_running = false;  ///< what the operators want
  bool stopping = false;         ///< its processes have been told to end: they are not to be taken over
  std::optional<bool> ready;     ///< the generation had completed its start; nullopt: nobody wrote that down
  bool guessable = false;        ///< its processes are of 0.1.0: TreeIdentity::guessable
  std::uint64_t generation = 0;
  std::optional<WallTime> started_at;      ///< the generation, as it was told
  std::optional<TimePoint> running_since;  ///< it was ready
  RestartBudget::History budget;
  BackendHistory history;
};

/// STATE_DIRECTORY/state.json: what must outlive an agent that is killed, so that the next one ends up in the
/// wanted state, with the history. Written by the Worker after every change; an orderly shutdown removes it.
///
/// It holds for one boot of the machine (its monotonic times, its processes), so a file of another boot
/// counts as none; so does a damaged one. A disk that does not answer delays callers by a bounded time only.
/// Loop thread.
class StateFile {
 public:
  /// Reads what an earlier agent left; blocks for that. `changed` is called when a write has landed. Throws
  /// std::system_error if that cannot be read for want of descriptors: it would be lost.
  StateFile(EventLoop& loop, Worker& disk, std::filesystem::path file, std::function<void()> changed);

  /// nullopt: no earlier agent of this boot ended without a shutdown, or it did not know this backend.
  [[nodiscard]] std::optional<SavedBackend> earlier(const std::string& backend) const;

  /// Why the file that was found does not count; "" if it does or there was none.
  [[nodiscard]] const std::string& damage() const { return damage_; }

  void save(const std::string& backend, SavedBackend state);

  /// Calls `then` once all that was saved so far is in the file, but at the latest after 100 ms.
  void when_saved(std::function<void()> then);

  /// All is in the file, or the disk has had a second.
  [[nodiscard]] bool settled() const;

  /// Writes the file again although nothing has changed: somebody has removed it.
  void rewrite();

  /// An orderly end: nothing is left to a successor. Blocks for at most a second.
  void remove();

 private:
  struct Waiting {
    std::uint64_t revision;
    std::function<void()> then;
  };
  void write();
  void landed(std::uint64_t revision, const std::string& error);
  void release(std::uint64_t revision);

  EventLoop& loop_;
  Worker& disk_;
  std::filesystem::path file_;
  std::string boot_id_;
  std::function<void()> changed_;
  std::string damage_;
  std::map<std::string, SavedBackend> earlier_;
  std::map<std::string, std::string> documents_;  ///< by backend, as JSON
  std::uint64_t revision_ = 0, written_ = 0, under_way_ = 0;
  TimePoint unsaved_since_{};
  std::deque<Waiting> waiting_;
  Timer patience_, again_;  // keep last
};

/// The file's text for `backends` and its inverse; nullopt, with the reason in `damage`, if it is none of
/// ours, of another boot or cut off.
std::string render_state(const std::string& boot_id, const std::map<std::string, std::string>& backends);
std::optional<std::map<std::string, SavedBackend>> parse_state(const std::string& text,
                                                               const std::string& boot_id,
                                                               std::string& damage);
std::string render_saved_backend(const SavedBackend& backend);

/// What an agent of this boot has written of a backend in STATE_DIRECTORY/state.json; nullopt if nothing that
/// can be read. Blocks for the disk; for commands without an agent.
std::optional<SavedBackend> read_saved_backend(const std::filesystem::path& state_directory,
                                               const std::string& backend);

}  // namespace codex
