#include "agent/os/cgroup.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <sstream>

#include "agent/os/files.h"

namespace codex {

namespace {

std::optional<std::uint64_t> number_of(const std::string& text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() ? std::optional(number) : std::nullopt;
}

/// Value of `key` in flat-keyed text such as cpu.stat.
std::optional<std::uint64_t> number_behind(const std::string& text, std::string_view key) {
  std::istringstream lines(text);
  for (std::string name, value; lines >> name >> value;) {
    if (name == key) return number_of(value);
  }
  return std::nullopt;
}

}  // namespace

std::filesystem::path find_cgroup2_mount(const std::string& mountinfo) {
  // proc_pid_mountinfo(5): ID parent major:minor root MOUNT_POINT options ... - TYPE source super-options
  std::istringstream lines(mountinfo);
  for (std::string line; std::getline(lines, line);) {
    const auto separator = line.find(" - ");
    if (separator == std::string::npos || line.compare(separator + 3, 8, "cgroup2 ") != 0) continue;
    std::istringstream fields(line);
    std::string skipped, mount_point;
    fields >> skipped >> skipped >> skipped >> skipped >> mount_point;
    return mount_point;
  }
  return {};
}

std::string find_cgroup2_path(const std::string& cgroup_file) {
  std::istringstream lines(cgroup_file);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("0::")) return line.substr(3);
  }
  return {};
}

std::optional<std::uint64_t> cgroup_memory_of(const std::string& current, const std::string& stat) {
  const auto all = number_of(current), cache = number_behind(stat, "inactive_file");
  if (!all || !cache) return std::nullopt;
  return *all - std::min(*all, *cache);  // They are read one after the other.
}

std::optional<Cgroup> Cgroup::create(const std::string& name) {
  const UniqueFd self(::open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC));
  const auto mounts = read_proc_file(self.get(), "mountinfo", 1 << 20);
  const auto own = read_proc_file(self.get(), "cgroup");
  if (!mounts || !own) return std::nullopt;
  const auto mount = find_cgroup2_mount(*mounts);
  const auto path = find_cgroup2_path(*own);
  if (mount.empty() || path.empty()) return std::nullopt;
  const auto directory = mount / path.substr(1) / name;
  // Start afresh, see unspent(), unless processes of an earlier agent live in it.
  ::rmdir(directory.c_str());
  const bool made = ::mkdir(directory.c_str(), 0755) == 0;
  if (!made && errno != EEXIST) return std::nullopt;
  UniqueFd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  // Without cgroup.kill (Linux < 5.14) or the right to write it, the group would only look like help.
  const bool usable = fd && ::faccessat(fd.get(), "cgroup.kill", W_OK, AT_EACCESS) == 0 &&
                      ::faccessat(fd.get(), "cgroup.procs", W_OK, AT_EACCESS) == 0;
  if (!usable) return std::nullopt;
  return Cgroup(directory, std::move(fd), made);
}

Cgroup::Cgroup(std::filesystem::path path, UniqueFd directory, bool unspent)
    : path_(std::move(path)), directory_(std::move(directory)), unspent_(unspent) {}

Cgroup::~Cgroup() {
  if (directory_) ::rmdir(path_.c_str());
}

std::vector<pid_t> Cgroup::pids() const {
  std::vector<pid_t> pids;
  const auto text = read_proc_file(directory_.get(), "cgroup.procs", 1 << 20);
  if (!text) return pids;
  std::istringstream lines(*text);
  for (pid_t pid = 0; lines >> pid;) {
    if (pid > 0) pids.push_back(pid);  // 0 stands for a process of another pid namespace
  }
  return pids;
}

bool Cgroup::is_empty() const {
  const auto text = read_proc_file(directory_.get(), "cgroup.events");
  if (!text) return errno == ENOENT || errno == ENODEV;  // removed, which only an empty one can be
  return text->find("populated 0") != std::string::npos;
}

std::optional<Cgroup::Cpu> Cgroup::cpu() const {
  const auto text = read_proc_file(directory_.get(), "cpu.stat");
  if (!text) return std::nullopt;
  const auto user = number_behind(*text, "user_usec"), system = number_behind(*text, "system_usec");
  if (!user || !system) return std::nullopt;
  return Cpu{static_cast<double>(*user) / 1e6, static_cast<double>(*system) / 1e6};
}

std::optional<std::uint64_t> Cgroup::memory() const {
  const auto current = read_proc_file(directory_.get(), "memory.current");
  if (!current) return std::nullopt;
  const auto stat = read_proc_file(directory_.get(), "memory.stat", 1 << 16);
  return stat ? cgroup_memory_of(*current, *stat) : std::nullopt;
}

void Cgroup::kill() {
  unspent_ = false;
  const UniqueFd file(::openat(directory_.get(), "cgroup.kill", O_WRONLY | O_CLOEXEC));
  if (file) {
    // ENODEV means the group is gone, which is what was asked for.
    [[maybe_unused]] const auto n = ::write(file.get(), "1", 1);
  }
}

}  // namespace codex
