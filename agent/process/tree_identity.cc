#include "agent/process/tree_identity.h"

#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <system_error>

#include "agent/os/files.h"
#include "agent/os/process_table.h"
#include "agent/os/random_id.h"
#include "agent/output/output_fifo.h"

namespace codex {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kLargest = 1 << 20;
constexpr std::size_t kSecretDigits = 32;

bool is_secret(const std::string& text) {
  return text.size() == kSecretDigits && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

}  // namespace

std::vector<ProcessId> find_tree(const TreeIdentity& tree, const char* variable) {
  std::vector<ProcessId> found;
  if (!tree.secret.empty()) found = find_processes_by_environment(variable, tree.token_prefix());
  if (!tree.guessable) return found;
  for (const auto& process : find_processes_by_environment(variable, tree.guessable_prefix())) {
    if (runs_as(process.pid, ::geteuid())) found.push_back(process);
  }
  return found;
}

std::optional<std::string> token_of(const TreeIdentity& tree, pid_t pid, const char* variable) {
  const auto token = environment_of(pid, variable);
  if (!token) return std::nullopt;
  if (const auto prefix = tree.token_prefix(); !tree.secret.empty() && token->starts_with(prefix))
    return token->substr(prefix.size());
  if (const auto prefix = tree.guessable_prefix();
      tree.guessable && token->starts_with(prefix) && runs_as(pid, ::geteuid()))
    return token->substr(prefix.size());
  return std::nullopt;
}

std::string agent_id(const std::filesystem::path& state_directory) {
  std::uint64_t hash = 14695981039346656037U;  // FNV-1a
  for (const unsigned char c : state_directory.string()) hash = (hash ^ c) * 1099511628211U;
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(hash));
  return text;
}

TreeIdentities::TreeIdentities(const std::filesystem::path& state_directory)
    : file_(state_directory / "secrets"),
      boot_id_(boot_id()),
      agent_id_(agent_id(state_directory)),
      command_secret_(random_id()) {
  try {
    const Json json = Json::parse(read_regular_file(file_, kLargest));
    if (json.at("boot_id").get<std::string>() != boot_id_) return;
    for (const auto& [backend, secret] : json.at("secrets").items()) {
      if (is_secret(secret.get<std::string>())) secrets_[backend] = secret.get<std::string>();
    }
  } catch (const std::system_error&) {
    // None yet, or not for us to read.
  } catch (const Json::exception&) {
    secrets_.clear();
  }
}

void TreeIdentities::recover(const std::vector<std::string>& backends) {
  for (const auto& process : find_processes_by_environment(kTokenVariable, agent_id_ + ".")) {
    const std::string token = environment_of(process.pid, kTokenVariable).value_or("");
    const std::string secret = token.substr(std::min(token.size(), agent_id_.size() + 1), kSecretDigits);
    for (const auto& backend : backends) {
      const TreeIdentity tree{agent_id_, backend, secret, false};
      if (!is_secret(secret) || secrets_.contains(backend) || !token.starts_with(tree.token_prefix()))
        continue;
      if (open_output_fifo_of(process.pid, 1, backend + ".stdout") ||
          open_output_fifo_of(process.pid, 2, backend + ".stderr"))
        secrets_[backend] = secret;
    }
  }
}

void TreeIdentities::complete(const std::vector<std::string>& backends) {
  const auto before = secrets_.size();
  const bool all_known = std::all_of(backends.begin(), backends.end(),
                                     [&](const auto& backend) { return secrets_.contains(backend); });
  if (!all_known) recover(backends);
  for (const auto& backend : backends) {
    if (auto& secret = secrets_[backend]; secret.empty()) secret = random_id();
  }
  if (secrets_.size() > before) write();
}

void TreeIdentities::write() {
  const Json json = {{"boot_id", boot_id_}, {"secrets", secrets_}};
  try {
    write_file_atomically(file_, json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
    trouble_.clear();
  } catch (const std::system_error& e) {
    trouble_ = e.what();
  }
}

TreeIdentity TreeIdentities::of(const std::string& backend) const {
  const auto found = secrets_.find(backend);
  return {agent_id_, backend, found == secrets_.end() ? "" : found->second, false};
}

TreeIdentity TreeIdentities::of_commands() const {
  return {agent_id_, {}, command_secret_, false};
}

std::vector<std::string> TreeIdentities::secrets() const {
  std::vector<std::string> all{command_secret_};
  for (const auto& [backend, secret] : secrets_) all.push_back(secret);
  return all;
}

}  // namespace codex
