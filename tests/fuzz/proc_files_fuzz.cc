#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "agent/os/proc_files.h"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

void parse_stat(std::string_view text) {
  const auto stat = codex::parse_proc_stat(text);
  if (!stat) return;
  require(stat->pid > 0);
  require(stat->user_ticks_children >= 0 && stat->system_ticks_children >= 0);
  require(text.find(" (" + stat->comm + ")") != std::string_view::npos);
}

void parse_children(std::string_view text) {
  const auto children = codex::parse_children(text);
  require(children.size() <= text.size());
  for (const auto pid : children) require(pid > 0);
}

/// The name is the text's first line, the block the rest.
void search_environ(std::string_view text) {
  const auto end = text.find('\n');
  const auto name = text.substr(0, end);
  const auto block = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  const auto value = codex::find_in_environ(block, name);
  if (value) require(value->size() + name.size() < block.size() && value->find('\0') == std::string::npos);
}

void join_cmdline(std::string_view text) {
  const auto line = codex::join_cmdline(text);
  require(line.size() <= text.size() && line.find('\0') == std::string::npos);
}

}  // namespace

/// The first byte selects the parser, the rest is its file.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0]) {
    case 's':
      parse_stat(text);
      break;
    case 'u':
      codex::parse_proc_status(text);
      break;
    case 'i':
      codex::parse_proc_io(text);
      break;
    case 'l':
      codex::parse_open_files_limit(text);
      break;
    case 'p':
      codex::parse_smaps_rollup_pss(text);
      break;
    case 'c':
      parse_children(text);
      break;
    case 'e':
      search_environ(text);
      break;
    case 'm':
      join_cmdline(text);
      break;
    default:
      break;
  }
  return 0;
}
