#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "agent/evidence/evidence_request.h"
#include "agent/process/command_run.h"
#include "agent/record/logger.h"
#include "exporters/snapshot.h"

namespace codex {

/// Has the evidence of hangs taken: by this very program as a process of its own (capture_command), because
/// looking closely blocks, traces and may fall over what it finds. One at a time, in the order of the
/// requests. Loop thread.
class EvidenceRecorder {
 public:
  static constexpr std::size_t kMostWaiting = 16;
  /// A process that has not finished by then is killed; what it has answered by then counts.
  static constexpr Duration kTimeLimit = std::chrono::seconds(3);

  struct Answer {
    std::string id;     ///< of what can be shown from now on; "" after a look at a suspicion
    std::string where;  ///< "slowQuery (server.js:12)" or ""; safe to show
  };
  /// Called from the loop; nullopt if nothing came of it.
  using Done = std::function<void(const std::optional<Answer>&)>;

  /// `directory`: of all incidents. `redactor` and `log` must outlive it; `changed` is called when counts()
  /// has changed. `command`: what takes a request on stdin and answers on stdout, this program's own by
  /// default.
  EvidenceRecorder(EventLoop& loop, std::filesystem::path directory, const TreeIdentity& commands,
                   const Redactor& redactor, Logger& log, std::function<void()> changed,
                   std::vector<std::string> command = own_command());

  /// Kills what still runs, and forgets whom to tell.
  ~EvidenceRecorder();
  EvidenceRecorder(const EvidenceRecorder&) = delete;
  EvidenceRecorder& operator=(const EvidenceRecorder&) = delete;

  /// `request` without directory and secrets, which are known here.
  void capture(EvidenceRequest request, Done done);

  /// A request of this backend is not finished.
  [[nodiscard]] bool busy(const std::string& backend) const;

  /// The reaper's report of a process that belongs to nobody else.
  void on_reaped(pid_t pid, const ExitStatus& status);

  /// Requests so far by result; all of kEvidenceResults are present.
  [[nodiscard]] const Counts& counts() const { return counts_; }

  static std::vector<std::string> own_command();

 private:
  struct Job {
    EvidenceRequest request;
    Done done;
  };
  void step();
  void start_next();
  void settle(const CommandRun::Result& result);
  std::optional<Answer> answer() const;

  EventLoop& loop_;
  std::filesystem::path directory_;
  TreeIdentity commands_;
  const Redactor& redactor_;
  Logger& log_;
  std::function<void()> changed_;
  std::vector<std::string> command_;
  Counts counts_;
  std::deque<Job> jobs_;  ///< the first is under way while there is a run
  std::unique_ptr<CommandRun> run_;
  UniqueFd answer_;  ///< its stdout, a file in memory
  bool settled_ = false;
  std::uint64_t number_ = 0;
  Timer timer_;  // keep last
};

}  // namespace codex
