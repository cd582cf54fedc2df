#pragma once

#include <sys/resource.h>

#include <filesystem>
#include <functional>
#include <optional>

#include "agent/config/config.h"
#include "agent/evidence/evidence_recorder.h"
#include "agent/os/event_loop.h"
#include "agent/os/schedule.h"
#include "agent/os/worker.h"
#include "agent/process/tree_identity.h"
#include "agent/record/event_history.h"
#include "agent/record/logger.h"
#include "agent/record/standing_troubles.h"
#include "agent/record/state_file.h"

namespace codex {

class CurlMulti;

/// What all backends of one agent share; everything outlives them.
struct BackendServices {
  EventLoop& loop;
  Schedule& schedule;
  Worker& disk;
  Worker& resolver;
  Worker& walker;  ///< for walks through a project's directories, which may take long
  CurlMulti& curl;
  const Redactor& redactor;
  Logger& log;
  EventHistory& events;
  StateFile& state;
  EvidenceRecorder& evidence;
  std::filesystem::path state_directory;
  std::filesystem::path log_file;    ///< the agent's own
  const TreeIdentities& identities;  ///< tell this agent's processes from all others, also the next agent
  bool use_cgroup = true;
  std::optional<rlimit> inherited_open_files;  ///< RLIMIT_NOFILE that children get back
};

}  // namespace codex
