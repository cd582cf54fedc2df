#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "agent/os/clock.h"
#include "agent/os/proc_files.h"
#include "agent/text/secret.h"

namespace codex {

/// What the agent knows of a hang, and what a process that looks closer needs to know. It holds secrets: it
/// goes through a file in memory (memfd_create(2)) and is never written to disk.
struct EvidenceRequest {
  enum class Moment {
    kSuspected,  ///< half way to certainty: only what is gone soonest, to be compared with later
    kConfirmed,  ///< everything
  };
  Moment moment = Moment::kConfirmed;
  std::filesystem::path directory;  ///< of all incidents
  std::string id;                   ///< of this one: incident_id()
  std::string backend;
  std::uint64_t generation = 0;
  std::string token_prefix;         ///< of the tree's processes: TreeIdentity
  std::optional<ProcessId> server;  ///< who listens; nullopt while nobody does
  std::optional<std::uint16_t> port;
  std::set<std::uint16_t> database_ports;

  std::string hang_class, why;  ///< as in HangVerdict; safe to show
  std::vector<std::pair<std::string, int>> votes;
  WallTime since{};  ///< when progress ended
  std::string next;  ///< "restart when it has lasted 5.0 s"

  bool native_stacks = false;  ///< the threads' native stacks, too

  std::filesystem::path output_file;  ///< the backend's; written without secrets
  Secret database_url;                ///< "" if no PostgreSQL probe is configured
  std::vector<std::string> secrets;   ///< Redactor::needles()
};

/// For the process that looks; binary.
std::string encode(const EvidenceRequest& request);

/// The inverse. Throws std::exception for anything else.
EvidenceRequest decode_evidence_request(const std::string& text);

}  // namespace codex
