#include "agent/supervision/live_tree.h"

#include <csignal>
#include <utility>

#include "agent/os/process_table.h"
#include "agent/process/pid_file.h"

namespace codex {

namespace {

/// What lives may be of an agent of 0.1.0, or taken over from one.
TreeIdentity identity_of(const BackendConfig& config, const BackendServices& services) {
  TreeIdentity identity = services.identities.of(config.name);
  const auto earlier = services.state.earlier(config.name);
  identity.guessable = earlier && earlier->guessable;
  return identity;
}

}  // namespace

LiveTree::LiveTree(const BackendConfig& config, const BackendServices& services, StandingTroubles& troubles,
                   Events events)
    : config_(config),
      services_(services),
      troubles_(troubles),
      tree_(services.loop, identity_of(config, services), services.use_cgroup,
            {std::move(events.executed), std::move(events.spawn_failed), std::move(events.leader_exited)}),
      stopper_(services.loop, tree_, sock_diag_, config.port,
               {std::move(events.empty), std::move(events.signalled)}),
      server_end_(services.loop, std::move(events.server_ended)),
      output_file_(services.disk, config.output_file, config.output_max_bytes, config.output_keep),
      output_(services.loop, services.redactor, output_file_, services.state_directory, config.name),
      sampler_(config.collect_pss, config.memory_limit_bytes) {
  if (config_.port) port_.emplace(*config_.port, sock_diag_, tree_, services_.redactor);
  tree_.find_leftovers();
}

std::string LiveTree::command(pid_t member) const {
  const auto process = describe_process(member);
  return process ? process->command : "";
}

bool LiveTree::look_at_port() {
  const TimePoint now = services_.schedule.now();
  if (!port_ || !troubles_.look("port", now, [this] { port_->look(); })) return false;
  troubles_.look("server's end", now, [this] { server_end_.follow(port_->server()); });
  return true;
}

std::optional<ProcessId> LiveTree::server() const {
  return port_ ? port_->server() : std::nullopt;
}

std::optional<std::string> LiveTree::describe_stranger() {
  return port_ ? port_->describe_stranger() : std::nullopt;
}

void LiveTree::spawn(std::uint64_t generation) {
  const UniqueFd out = output_.open_for_child(0), err = output_.open_for_child(1);
  tree_.spawn({config_.command, config_.directory, config_.environment, out.get(), err.get(), -1,
               services_.inherited_open_files},
              generation);
}

bool LiveTree::adopt(const ProcessTree::Adoptable& leftover) {
  output_.adopt(leftover.leader.pid);
  return tree_.adopt(leftover);
}

void LiveTree::write_pid_file() {
  pid_written_ = tree_.leader();
  if (pid_written_) codex::write_pid_file(services_.disk, config_.pid_file, *pid_written_);
}

void LiveTree::remove_pid_file() {
  if (pid_written_) codex::remove_pid_file(services_.disk, config_.pid_file, *pid_written_);
  pid_written_.reset();
}

void LiveTree::begin_generation() {
  output_.forget_last_lines();
  server_end_.follow(std::nullopt);
}

void LiveTree::stop() {
  look_at_port();  // The stopper asks in the network namespace where the tree listens.
  stopper_.stop(config_.stop_signal);
}

std::string LiveTree::kill() {
  std::string obstacle = stopper_.killing() ? stopper_.obstacle() : "";
  stopper_.kill();
  return obstacle;
}

bool LiveTree::on_reaped(pid_t pid, const ExitStatus& status, const rusage& usage) {
  if (!tree_.knows(pid)) return false;
  sampler_.add_reaped(usage);
  tree_.on_reaped(pid, status);
  stopper_.member_gone();
  return true;
}

void LiveTree::resume_server() {
  if (const auto process = server()) tree_.signal(*process, SIGCONT);
}

void LiveTree::signal(const ProcessId& member, int number) {
  tree_.signal(member, number);
}

void LiveTree::fill(BackendSnapshot& snapshot) const {
  snapshot.pid = tree_.leader();
  if (port_) snapshot.port = port_->last();
  snapshot.totals = sampler_.snapshot();
  if (snapshot.totals.processes > 0) snapshot.resources = snapshot.totals;
  for (std::size_t i = 0; i < ChildOutput::kStreams; ++i) {
    snapshot.output.lines[std::string(kStreams[i])] = output_.stats(i).lines;
    snapshot.output.bytes[std::string(kStreams[i])] = output_.stats(i).bytes;
  }
  snapshot.output.last_output = output_.last_output();
  snapshot.output.dropped_bytes = output_file_.stats().bytes_dropped;
}

}  // namespace codex
