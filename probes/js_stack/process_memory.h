#pragma once

#include <cstdint>

#include "agent/os/unique_fd.h"
#include "probes/js_stack/memory_maps.h"
#include "probes/js_stack/memory_reader.h"

namespace codex {

/// Reads a live process's memory through /proc/PID/mem (proc_pid_mem(5)); needs the right to ptrace(2) it.
/// The descriptor belongs to the address space it was opened on: after exit or exec reads give nothing, never
/// another program's memory. Any thread, one at a time; a page that is swapped out is waited for.
class ProcessMemory final : public MemoryReader {
 public:
  /// `process_fd`: the open /proc/PID. False afterwards, with errno, if it may not be read.
  /// `program_inode`: the one file whose mappings may be read; others may lie on a file system that hangs.
  ProcessMemory(int process_fd, const MemoryMaps& maps, std::uint64_t program_inode);
  explicit operator bool() const { return static_cast<bool>(fd_); }

  /// Reads within one mapping only.
  std::size_t read(std::uint64_t address, std::span<std::byte> out) override;

 private:
  UniqueFd fd_;
  const MemoryMaps& maps_;
  std::uint64_t program_inode_;
};

/// A regular file as memory: address is offset.
class FileReader final : public MemoryReader {
 public:
  explicit FileReader(int fd) : fd_(fd) {}
  std::size_t read(std::uint64_t address, std::span<std::byte> out) override;

 private:
  int fd_;
};

}  // namespace codex
