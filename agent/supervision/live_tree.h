#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/output/child_output.h"
#include "agent/process/port_watch.h"
#include "agent/process/process_end_watch.h"
#include "agent/process/resource_sampler.h"
#include "agent/process/tree_stopper.h"
#include "agent/supervision/backend_services.h"
#include "agent/supervision/backend_tree.h"

namespace codex {

/// A BackendTree of real processes, a real port and real output. Loop thread.
class LiveTree : public BackendTree {
 public:
  /// Everything outlives it. Throws std::system_error, and finds what an earlier agent left: members() has it.
  LiveTree(const BackendConfig& config, const BackendServices& services, StandingTroubles& troubles,
           Events events);

  [[nodiscard]] std::vector<ProcStat> members() override { return tree_.members(); }
  [[nodiscard]] std::optional<pid_t> leader() const override { return tree_.leader(); }
  [[nodiscard]] std::string command(pid_t member) const override;
  [[nodiscard]] std::optional<ProcessTree::Adoptable> adoptable() override { return tree_.adoptable(); }
  bool look_at_port() override;
  [[nodiscard]] const PortSnapshot* port() const override { return port_ ? &port_->last() : nullptr; }
  [[nodiscard]] std::optional<ProcessId> server() const override;
  [[nodiscard]] std::optional<std::string> describe_stranger() override;
  [[nodiscard]] std::string describe_absence() const override {
    return port_ ? port_->describe_absence() : "";
  }
  [[nodiscard]] std::vector<std::string> last_lines(TimePoint since) const override {
    return output_.last_lines(since);
  }
  void drain() override { output_.drain(); }
  void spawn(std::uint64_t generation) override;
  bool adopt(const ProcessTree::Adoptable& leftover) override;
  bool sample() override { return sampler_.sample(tree_); }
  [[nodiscard]] const TreeUsage& usage() const override { return sampler_.last(); }
  [[nodiscard]] std::optional<double> cpu_ratio() const override { return sampler_.cpu_ratio(); }
  void write_pid_file() override;
  void remove_pid_file() override;
  void begin_generation() override;
  void stop() override;
  std::string kill() override;

  /// The reaper's report; true if the process was one of the tree. What it used is booked before its end is
  /// told.
  bool on_reaped(pid_t pid, const ExitStatus& status, const rusage& usage);

  /// The agent ends, and leaves everything to the next one; `settled` as in ChildOutput::hand_over().
  void hand_over(std::function<void()> settled) { output_.hand_over(std::move(settled)); }

  /// Continues the server, should it be stopped (SIGCONT). Throws std::system_error for want of descriptors.
  void resume_server();
  /// To a member of the tree alone.
  void signal(const ProcessId& member, int number);

  [[nodiscard]] const ResourceSampler& sampler() const { return sampler_; }

  [[nodiscard]] const TreeIdentity& identity() const { return tree_.identity(); }
  [[nodiscard]] SockDiag& sock_diag() { return sock_diag_; }
  /// nullptr without a port.
  [[nodiscard]] PortWatch* port_watch() { return port_ ? &*port_ : nullptr; }
  void fill(BackendSnapshot& snapshot) const;

 private:
  const BackendConfig& config_;
  const BackendServices& services_;
  StandingTroubles& troubles_;
  SockDiag sock_diag_;
  ProcessTree tree_;
  TreeStopper stopper_;
  std::optional<PortWatch> port_;
  ProcessEndWatch server_end_;
  RotatingFile output_file_;
  ChildOutput output_;
  ResourceSampler sampler_;
  std::optional<pid_t> pid_written_;  ///< what the pid file says because of us
};

}  // namespace codex
