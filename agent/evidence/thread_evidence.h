#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/evidence/descriptor_evidence.h"

namespace codex {

/// The system call a thread is in: /proc/PID/task/TID/syscall, proc_pid_syscall(5).
struct PendingCall {
  int number = -1;
  std::vector<std::uint64_t> arguments;  ///< six
};

/// nullopt for "running", for a thread outside of any call and for malformed text. Pure.
std::optional<PendingCall> parse_pending_call(std::string_view text);

/// What a call's arguments refer to.
struct CallContext {
  std::function<std::string(int fd)> descriptor;           ///< "127.0.0.1:1 -> 127.0.0.1:2"; "" if unknown
  std::function<std::string(std::uint64_t address)> path;  ///< text in the process's memory; "" if unreadable
  std::function<std::string(pid_t)> process;               ///< "sleep 100"; "" if gone
};

/// "openat(\"/tmp/fifo\")", "read(17: 127.0.0.1:1 -> 127.0.0.1:2)", "wait4(812: sleep 100)", "futex". Pure.
std::string describe_call(const PendingCall& call, const CallContext& context);

/// [{"id","name","state","call","kernel_function","cpu_seconds","kernel_stack":[...]}], the main thread
/// first; at most 256 threads. What may not be read is null.
nlohmann::ordered_json threads_of(pid_t pid, const Descriptors& descriptors, const SocketEvidence& sockets,
                                  const Redactor& redactor);

}  // namespace codex
