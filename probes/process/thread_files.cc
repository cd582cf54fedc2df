#include "probes/process/thread_files.h"

#include <array>
#include <charconv>
#include <string>

#include "agent/os/check.h"
#include "probes/process/syscall_names.h"

namespace codex {

namespace {

template <typename Int>
bool leading_number(std::string_view text, Int& value, int base = 10) {
  Int parsed{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), parsed, base);
  if (error != std::errc()) return false;
  value = parsed;
  return true;
}

std::uint64_t number_behind(std::string_view text, std::string_view key) {
  std::uint64_t value = 0;
  const auto at = text.find(key);
  if (at != std::string_view::npos) leading_number(text.substr(at + key.size()), value);
  return value;
}

}  // namespace

void parse_thread_stat(std::string_view text, ThreadView& view) {
  // The name before it may hold anything, ")" too.
  const auto close = text.rfind(") ");
  if (close != std::string_view::npos && close + 2 < text.size()) view.state = text[close + 2];
}

void parse_thread_syscall(std::string_view text, ThreadView& view) {
  // "281 0xd 0x7ffe... sp pc", "-1 sp pc" outside of a call, or "running".
  view.syscall = -1;
  view.argument = 0;
  int number = -1;
  if (leading_number(text, number) && number >= 0) {
    view.syscall = number;
    const auto space = text.find(" 0x");
    if (space != std::string_view::npos) leading_number(text.substr(space + 3), view.argument, 16);
  }
  view.waits_in = wait_kind_of(view.syscall);
}

void parse_thread_wchan(std::string_view text, ThreadView& view) {
  while (!text.empty() && text.back() == '\n') text.remove_suffix(1);
  view.wchan = text == "0" ? std::string_view() : text.substr(0, 64);
}

void parse_thread_schedstat(std::string_view text, ThreadView& view) {
  leading_number(text, view.cpu_nanos);
}

void parse_thread_io(std::string_view text, ThreadView& view) {
  view.read_calls = number_behind(text, "syscr: ");
  view.write_calls = number_behind(text, "syscw: ");
}

ThreadFiles::ThreadFiles(const ProcessDirectory& process, pid_t tid) {
  const auto open = [&process, directory = "task/" + std::to_string(tid) + "/"](const char* name) {
    auto file = process.open((directory + name).c_str());
    if (!file) throw_if_short("open /proc/PID/task/TID");
    return file;
  };
  stat_ = open("stat");
  syscall_ = open("syscall");
  wchan_ = open("wchan");
  schedstat_ = open("schedstat");
  io_ = open("io");
}

bool ThreadFiles::look(ThreadView& view) {
  std::array<char, 1024> buffer;
  const auto read = [&buffer](const UniqueFd& file) -> std::string_view {
    const auto length = file ? ::pread(file.get(), buffer.data(), buffer.size(), 0) : -1;
    return {buffer.data(), length < 0 ? 0 : static_cast<std::size_t>(length)};
  };
  const auto stat = read(stat_);
  if (stat.empty()) return false;
  parse_thread_stat(stat, view);
  parse_thread_syscall(read(syscall_), view);
  parse_thread_wchan(read(wchan_), view);
  parse_thread_schedstat(read(schedstat_), view);
  parse_thread_io(read(io_), view);
  return view.state != 'Z' && view.state != 'X';
}

}  // namespace codex
