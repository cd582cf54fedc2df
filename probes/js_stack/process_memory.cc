#include "probes/js_stack/process_memory.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <limits>

namespace codex {

namespace {

std::size_t read_at(int fd, std::uint64_t address, std::span<std::byte> out) {
  if (address > static_cast<std::uint64_t>(std::numeric_limits<off_t>::max())) return 0;
  std::size_t got = 0;
  while (got < out.size()) {
    const auto n = ::pread(fd, out.data() + got, out.size() - got, static_cast<off_t>(address + got));
    if (n <= 0) break;
    got += static_cast<std::size_t>(n);
  }
  return got;
}

}  // namespace

ProcessMemory::ProcessMemory(int process_fd, const MemoryMaps& maps, std::uint64_t program_inode)
    : fd_(::openat(process_fd, "mem", O_RDONLY | O_CLOEXEC)), maps_(maps), program_inode_(program_inode) {}

std::size_t ProcessMemory::read(std::uint64_t address, std::span<std::byte> out) {
  const auto* mapping = maps_.find(address);
  if (!mapping || !mapping->readable) return 0;
  if (mapping->inode != 0 && mapping->inode != program_inode_) return 0;
  return read_at(fd_.get(), address, out.first(std::min(out.size(), mapping->end - address)));
}

std::size_t FileReader::read(std::uint64_t address, std::span<std::byte> out) {
  return read_at(fd_, address, out);
}

}  // namespace codex
