#include "tests/support/proc_fixture.h"

#include <sys/stat.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "agent/os/check.h"

namespace codex {

namespace {

void write_text(const std::filesystem::path& path, const std::string& text) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream file(path, std::ios::trunc | std::ios::binary);
  file << text;
  if (!file.flush()) throw_errno(path.c_str());
}

std::string status_text(const std::string& name, std::uint64_t swap_kib, std::uint64_t voluntary,
                        std::uint64_t involuntary) {
  std::ostringstream text;
  text << "Name:\t" << name << "\nUmask:\t0022\nState:\tS (sleeping)\nUid:\t1000\t1000\t1000\t1000\n"
       << "VmRSS:\t   51200 kB\nVmSwap:\t" << swap_kib << " kB\nThreads:\t1\nvoluntary_ctxt_switches:\t"
       << voluntary << "\nnonvoluntary_ctxt_switches:\t" << involuntary << "\n";
  return text.str();
}

}  // namespace

std::string stat_text(const FakeProcess& p) {
  std::ostringstream text;
  text << p.pid << " (" << p.comm << ") " << p.state << ' ' << p.parent << " 10 10 0 -1 4194304 "  // 3-9
       << p.minor_faults << ' ' << p.minor_faults_children << ' ' << p.major_faults << ' '
       << p.major_faults_children << ' ' << p.user_ticks << ' ' << p.system_ticks << ' '
       << p.user_ticks_children << ' ' << p.system_ticks_children << " 20 0 " << p.threads.size() + 1 << " 0 "
       << p.start_ticks << ' ' << p.virtual_bytes << ' ' << p.resident_pages;
  for (int field = 25; field <= 52; ++field) text << (field == 25 ? " 18446744073709551615" : " 0");
  text << '\n';
  return text.str();
}

ProcFixture::ProcFixture(std::initializer_list<FakeProcess> processes) {
  auto name = (std::filesystem::temp_directory_path() / "proc_fixture.XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) throw_errno("mkdtemp");
  root_ = name;
  std::filesystem::permissions(root_, std::filesystem::perms(0755));
  for (const auto& process : processes) set(process);
}

ProcFixture::~ProcFixture() {
  std::error_code ignored;
  std::filesystem::remove_all(root_, ignored);
}

void ProcFixture::set(const FakeProcess& p) {
  processes_[p.pid] = p;
  write_text(file(p.pid, "stat"), stat_text(p));
  write_text(file(p.pid, "status"), status_text(p.comm, p.swap_kib, p.voluntary, p.involuntary));
  write_text(file(p.pid, "io"),
             "rchar: 1\nwchar: 2\nsyscr: 3\nsyscw: 4\nread_bytes: " + std::to_string(p.read_bytes) +
                 "\nwrite_bytes: " + std::to_string(p.write_bytes) + "\ncancelled_write_bytes: 5\n");
  write_text(file(p.pid, "limits"),
             "Limit                     Soft Limit           Hard Limit           Units     \n"
             "Max processes             7823                 7823                 processes \n"
             "Max open files            " +
                 p.fd_limit + "                 1048576              files     \n");
  write_text(file(p.pid, "smaps_rollup"),
             "55d0c0a00000-7ffd5a9fe000 ---p 00000000 00:00 0    [rollup]\nRss:  9999 kB\nPss:  " +
                 std::to_string(p.pss_kib) + " kB\nPss_Dirty:  77 kB\n");
  std::filesystem::remove_all(file(p.pid, "fd"));
  for (int fd = 0; fd < p.fds; ++fd) write_text(file(p.pid, "fd/" + std::to_string(fd)), "");
  write_text(file(p.pid, "task/" + std::to_string(p.pid) + "/status"),
             status_text(p.comm, 0, p.voluntary, p.involuntary));
  for (const auto& entry : std::filesystem::directory_iterator(file(p.pid, "task"))) {
    const auto tid = std::stoi(entry.path().filename().string());
    if (tid != p.pid && !p.threads.contains(tid)) std::filesystem::remove_all(entry.path());
  }
  for (const auto& [tid, voluntary] : p.threads) {
    write_text(file(p.pid, "task/" + std::to_string(tid) + "/status"), status_text(p.comm, 0, voluntary, 0));
    write_text(file(p.pid, "task/" + std::to_string(tid) + "/schedstat"),
               p.counts_runs ? "900 80 " + std::to_string(voluntary) + "\n" : "0 0 0\n");
  }
}

void ProcFixture::remove(pid_t pid) {
  processes_.erase(pid);
  std::filesystem::remove_all(root_ / std::to_string(pid));
}

ProcStat ProcFixture::stat(pid_t pid) const {
  return parse_proc_stat(stat_text(processes_.at(pid))).value();
}

std::vector<ProcStat> ProcFixture::members() const {
  std::vector<ProcStat> members;
  for (const auto& [pid, process] : processes_) {
    if (process.state != 'Z') members.push_back(stat(pid));
  }
  return members;
}

std::filesystem::path ProcFixture::file(pid_t pid, const std::string& name) const {
  return root_ / std::to_string(pid) / name;
}

}  // namespace codex
