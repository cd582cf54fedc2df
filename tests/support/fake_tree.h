#pragma once

#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/supervision/backend_tree.h"

namespace codex::testing {

/// A BackendTree of words: what is seen stands in its members, what is done in `done`. Nothing runs. What the
/// kernel's would not take fails the test.
class FakeTree : public BackendTree {
 public:
  std::vector<ProcStat> members_seen;
  std::optional<pid_t> leader_seen;
  std::map<pid_t, std::string> commands;  ///< `npm run dev` of those that are not there
  std::optional<ProcessTree::Adoptable> leftover;
  std::optional<PortSnapshot> port_seen;  ///< nullopt: a backend without a port
  bool port_can_be_asked = true;
  std::optional<ProcessId> server_seen;
  std::optional<std::string> stranger;
  std::string absence = "nothing listens on port 3000";
  TreeUsage usage_seen;
  bool alive = true;
  std::optional<double> cpu_seen;
  std::vector<std::pair<TimePoint, std::string>> lines;
  std::optional<SpawnError> spawn_error;           ///< of the next spawn()
  std::optional<std::system_error> error;          ///< of whatever may throw one
  std::optional<std::system_error> members_error;  ///< of members() alone
  int port_looks = 0, stranger_looks = 0, samples = 0;
  bool adopts = true;    ///< false: the leftover has just ended
  std::string obstacle;  ///< what stands in the way of kill()
  std::vector<std::string> done;

  [[nodiscard]] std::vector<ProcStat> members() override {
    fail();
    if (members_error) throw *members_error;
    return members_seen;
  }
  [[nodiscard]] std::optional<pid_t> leader() const override { return leader_seen; }
  [[nodiscard]] std::string command(pid_t member) const override {
    const auto found = commands.find(member);
    return found == commands.end() ? "npm run dev" : found->second;
  }
  [[nodiscard]] std::optional<ProcessTree::Adoptable> adoptable() override {
    fail();
    return leftover;
  }
  bool look_at_port() override {
    ++port_looks;
    return port_seen && port_can_be_asked;
  }
  [[nodiscard]] const PortSnapshot* port() const override { return port_seen ? &*port_seen : nullptr; }
  [[nodiscard]] std::optional<ProcessId> server() const override { return server_seen; }
  [[nodiscard]] std::optional<std::string> describe_stranger() override {
    ++stranger_looks;
    return stranger;
  }
  [[nodiscard]] std::string describe_absence() const override { return absence; }
  bool sample() override {
    ++samples;
    fail();
    return alive;
  }
  [[nodiscard]] const TreeUsage& usage() const override { return usage_seen; }
  [[nodiscard]] std::optional<double> cpu_ratio() const override { return cpu_seen; }
  [[nodiscard]] std::vector<std::string> last_lines(TimePoint since) const override {
    std::vector<std::string> newest;
    for (const auto& [at, line] : lines) {
      if (at >= since) newest.push_back(line);
    }
    return newest;
  }
  void drain() override { done.emplace_back("drain"); }
  void spawn(std::uint64_t generation) override {
    EXPECT_TRUE(members_seen.empty()) << "spawn " << generation << " although something lives";
    EXPECT_GT(generation, newest_) << "a generation that has been";
    newest_ = generation;
    fail();
    if (spawn_error) throw *std::exchange(spawn_error, std::nullopt);
    done.push_back("spawn " + std::to_string(generation));
    leader_seen = 100 + static_cast<pid_t>(generation);
  }
  bool adopt(const ProcessTree::Adoptable& taken) override {
    fail();
    EXPECT_TRUE(leftover && leftover->leader == taken.leader) << "adopts what is not left over";
    if (!adopts) return false;
    newest_ = taken.generation;
    done.push_back("adopt " + std::to_string(taken.leader.pid));
    leader_seen = taken.leader.pid;
    return true;
  }
  void write_pid_file() override { done.emplace_back("write pid file"); }
  void remove_pid_file() override { done.emplace_back("remove pid file"); }
  void begin_generation() override { done.emplace_back("begin generation"); }
  void stop() override { done.emplace_back("stop"); }
  std::string kill() override {
    done.emplace_back("kill");
    return obstacle;
  }

 private:
  void fail() const {
    if (error) throw *error;
  }
  std::uint64_t newest_ = 0;
};

}  // namespace codex::testing
