#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/os/proc_files.h"

namespace codex {

/// Environment variable that marks every process of a tree; its value is AGENT_ID.SECRET/BACKEND/GENERATION/LEADER,
/// the last being the leader's pid. It passes through npm, nodemon and double forks, where descriptors do not.
inline constexpr const char* kTokenVariable = "CODEX_AGENT_TOKEN";

/// How the processes of one tree are told from all others. Who does not know the secret can make no process
/// that passes for one of the tree.
struct TreeIdentity {
  std::string agent_id;  ///< of the project: everybody can work it out
  std::string name;      ///< of the backend, or of what else the tree is
  std::string secret;    ///< "": not known, so that nothing is found
  /// Its processes may be of 0.1.0, whose tokens had no secret. Those are believed of our own user only.
  bool guessable = false;

  [[nodiscard]] TreeIdentity named(std::string other) const {
    return {agent_id, std::move(other), secret, false};
  }
  /// With what the token of every process of this tree begins.
  [[nodiscard]] std::string token_prefix() const { return agent_id + "." + secret + "/" + name + "/"; }
  /// The same in 0.1.0.
  [[nodiscard]] std::string guessable_prefix() const { return agent_id + "/" + name + "/"; }
  /// For everybody to see.
  [[nodiscard]] std::string cgroup_name() const { return "codex-agent." + agent_id + "." + name; }
};

/// Every process on the host that carries the tree's token in `variable`. Walks all of /proc.
std::vector<ProcessId> find_tree(const TreeIdentity& tree, const char* variable = kTokenVariable);

/// What follows the prefix in this live process's token, GENERATION/LEADER; nullopt if it is not of the tree.
std::optional<std::string> token_of(const TreeIdentity& tree, pid_t pid,
                                    const char* variable = kTokenVariable);

/// Tells the processes of one project's agents from another's: the same for every agent that uses this state
/// directory.
std::string agent_id(const std::filesystem::path& state_directory);

/// STATE_DIRECTORY/secrets (0600): a random secret for each backend, so that what serves one and may read its
/// own environment cannot speak for another. It holds for one boot of the machine. Blocks for the disk.
class TreeIdentities {
 public:
  /// Reads what agents of this boot have written; an absent or damaged file is an empty one.
  explicit TreeIdentities(const std::filesystem::path& state_directory);

  /// Finds or makes a secret for each of `backends` that has none, and writes them if there is a new one. One
  /// that was lost with the state directory is found with a process that still holds the backend's output FIFO,
  /// which nobody else can open. A disk that takes nothing keeps nobody from starting: trouble() tells, and a
  /// later agent will not know what we began.
  void complete(const std::vector<std::string>& backends);

  /// Writes the file again: somebody has removed it, or the disk would not take it. trouble() tells.
  void write();

  /// Why the secrets are not on the disk; "" when all is well.
  [[nodiscard]] const std::string& trouble() const { return trouble_; }

  /// Of a backend; without a secret if nobody has made one.
  [[nodiscard]] TreeIdentity of(const std::string& backend) const;
  /// Of commands of our own, which no later agent has to find; each of them is named().
  [[nodiscard]] TreeIdentity of_commands() const;

  /// All that must appear in no output.
  [[nodiscard]] std::vector<std::string> secrets() const;

 private:
  void recover(const std::vector<std::string>& backends);

  std::filesystem::path file_;
  std::string boot_id_;
  std::string agent_id_, command_secret_;
  std::map<std::string, std::string> secrets_;  ///< by backend
  std::string trouble_;
};

}  // namespace codex
