#include "agent/os/kernel_counters.h"

#include <fcntl.h>

#include <charconv>

#include "agent/os/files.h"
#include "agent/os/unique_fd.h"

namespace codex {

std::uint64_t parse_vmstat(std::string_view text, std::string_view name) {
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (!line.starts_with(name) || line.size() <= name.size() || line[name.size()] != ' ') continue;
    std::uint64_t value = 0;
    std::from_chars(line.data() + name.size() + 1, line.data() + line.size(), value);
    return value;
  }
  return 0;
}

std::uint64_t kernel_oom_kills() {
  const UniqueFd proc(::open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC));
  const auto text = proc ? read_proc_file(proc.get(), "vmstat") : std::nullopt;
  return text ? parse_vmstat(*text, "oom_kill") : 0;
}

}  // namespace codex
