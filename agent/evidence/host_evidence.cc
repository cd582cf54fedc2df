#include "agent/evidence/host_evidence.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <sstream>

#include "agent/os/files.h"
#include "agent/os/process_table.h"
#include "agent/os/unique_fd.h"
#include "agent/process/process_tree.h"
#include "agent/text/rfc3339.h"

namespace codex {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kLongestTail = 64 << 10, kLongestLine = 1024;
constexpr double kTicksPerSecond = 100;  // USER_HZ, the same on every Linux

std::string trimmed(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

Json first_line(const char* file) {
  const auto text = read_proc_file(AT_FDCWD, file);
  return text ? Json(text->substr(0, text->find('\n'))) : Json(nullptr);
}

Json available_memory() {
  constexpr std::string_view kName = "MemAvailable:";
  constexpr std::uint64_t kKibibyte = 1024;
  const auto text = read_proc_file(AT_FDCWD, "/proc/meminfo");
  const auto at = text ? text->find(kName) : std::string::npos;
  if (at == std::string::npos) return nullptr;
  return std::strtoull(text->c_str() + at + kName.size(), nullptr, 10) * kKibibyte;
}

}  // namespace

std::vector<ProcStat> tree_of(const std::string& token_prefix) {
  std::vector<pid_t> roots;
  for (const auto& process : find_processes_by_environment(kTokenVariable, token_prefix))
    roots.push_back(process.pid);
  // A parent may have the higher pid.
  std::vector<ProcStat> tree = descendants_of(roots);
  std::stable_sort(tree.begin(), tree.end(),
                   [](const ProcStat& a, const ProcStat& b) { return a.start_ticks < b.start_ticks; });
  return tree;
}

Json to_json(const std::vector<ProcStat>& tree, const Redactor& redactor) {
  const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  Json json = Json::array();
  for (const auto& process : tree) {
    const auto described = describe_process(process.pid);
    json.push_back(
        {{"pid", process.pid},
         {"parent", process.parent},
         {"state", std::string(1, process.state)},
         {"command", redactor.safe(described ? described->command : process.comm)},
         {"threads", process.threads},
         {"resident_bytes", process.resident_pages * page},
         {"cpu_seconds", static_cast<double>(process.user_ticks + process.system_ticks) / kTicksPerSecond},
         {"started_at", format_rfc3339(wall_time_of(process.start_ticks))}});
  }
  return json;
}

Json host_facts(const std::filesystem::path& directory) {
  struct statvfs disk {};
  const bool known = ::statvfs(directory.c_str(), &disk) == 0;
  return {{"load", first_line("/proc/loadavg")},
          {"memory_available_bytes", available_memory()},
          {"pressure",
           {{"cpu", first_line("/proc/pressure/cpu")},
            {"memory", first_line("/proc/pressure/memory")},
            {"io", first_line("/proc/pressure/io")}}},
          {"disk_free_bytes", known ? Json(disk.f_bavail * disk.f_frsize) : Json(nullptr)}};
}

std::vector<std::string> last_lines(const std::filesystem::path& file, std::size_t count,
                                    const Redactor& redactor) {
  const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC));
  struct stat info {};
  if (!fd || ::fstat(fd.get(), &info) != 0 || !S_ISREG(info.st_mode)) return {};
  const auto begin = std::max<off_t>(0, info.st_size - static_cast<off_t>(kLongestTail));
  std::string text(static_cast<std::size_t>(info.st_size - begin), '\0');
  const ssize_t n = ::pread(fd.get(), text.data(), text.size(), begin);
  text.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
  // A line of which only the end is there may begin with half a secret.
  if (begin > 0) text.erase(0, std::min(text.find('\n'), text.size() - 1) + 1);
  std::vector<std::string> lines;
  std::istringstream stream(trimmed(redactor.scrub(text)));
  for (std::string line; std::getline(stream, line);) lines.push_back(redactor.safe(line, kLongestLine));
  if (lines.size() > count) lines.erase(lines.begin(), lines.end() - static_cast<std::ptrdiff_t>(count));
  return lines;
}

}  // namespace codex
