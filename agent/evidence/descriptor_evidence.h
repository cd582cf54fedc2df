#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "agent/evidence/socket_evidence.h"
#include "agent/text/redactor.h"

namespace codex {

/// The open descriptors of one process: number -> what it is, "socket:[123]", "/app/data.db"; raw.
using Descriptors = std::map<int, std::string>;
Descriptors descriptors_of(pid_t pid);

/// The inode of "socket:[123]"; nullopt for anything else.
std::optional<std::uint64_t> socket_inode(const std::string& target);

/// One descriptor for a person: a socket by its two ends where they are known.
std::string describe_descriptor(const std::string& target, const SocketEvidence& sockets,
                                const Redactor& redactor);

/// {"open":n,"limit":n|null,"kinds":{"socket":n,...},"shown":[{"fd","target"}]}; at most 200 are shown.
nlohmann::ordered_json to_json(const Descriptors& descriptors, std::optional<std::uint64_t> limit,
                               const SocketEvidence& sockets, const Redactor& redactor);

}  // namespace codex
