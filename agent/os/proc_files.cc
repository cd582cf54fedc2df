#include "agent/os/proc_files.h"

#include <algorithm>
#include <charconv>
#include <limits>

namespace codex {

namespace {

/// Consumes a text from the left. After a failure it stays failed and yields zeros.
class Fields {
 public:
  explicit Fields(std::string_view text) : rest_(text) {}

  template <typename Int>
  Int next() {
    skip_blanks();
    Int value{};
    const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value);
    // A number that runs into the end of the text may have been cut off.
    if (error != std::errc() || end == rest_.data() + rest_.size() || !is_blank(*end)) {
      ok_ = false;
      return Int{};
    }
    rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
    return value;
  }

  char next_letter() {
    skip_blanks();
    if (rest_.size() < 2 || !is_blank(rest_[1])) {
      ok_ = false;
      return '?';
    }
    const char letter = rest_.front();
    rest_.remove_prefix(1);
    return letter;
  }

  void skip(int count) {
    for (; count > 0; --count) {
      skip_blanks();
      const auto end = rest_.find_first_of(" \n");
      if (end == std::string_view::npos) ok_ = false;
      rest_.remove_prefix(std::min(end, rest_.size()));
    }
  }

  [[nodiscard]] bool ok() const { return ok_; }

 private:
  static bool is_blank(char c) { return c == ' ' || c == '\n'; }
  void skip_blanks() {
    while (!rest_.empty() && rest_.front() == ' ') rest_.remove_prefix(1);
  }

  std::string_view rest_;
  bool ok_ = true;
};

/// Removes and returns the text up to `separator`, which is dropped; all of it when there is none.
std::string_view cut(std::string_view& text, char separator) {
  const auto end = text.find(separator);
  const auto head = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return head;
}

std::optional<std::uint64_t> leading_number(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return std::nullopt;
  text.remove_prefix(begin);
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc()) return std::nullopt;
  return value;
}

/// The number after "Key:" if `line` begins so.
std::optional<std::uint64_t> number_after(std::string_view line, std::string_view key) {
  if (!line.starts_with(key)) return std::nullopt;
  return leading_number(line.substr(key.size()));
}

std::optional<std::uint64_t> kib_after(std::string_view line, std::string_view key) {
  const auto kib = number_after(line, key);
  if (!kib || *kib > std::numeric_limits<std::uint64_t>::max() / 1024) return std::nullopt;
  return *kib * 1024;
}

}  // namespace

std::optional<ProcStat> parse_proc_stat(std::string_view text) {
  const auto open = text.find(" (");
  const auto close = text.rfind(')');
  if (open == std::string_view::npos || close == std::string_view::npos || close < open + 2)
    return std::nullopt;

  ProcStat stat;
  const char* pid_end = text.data() + open;
  const auto [end, error] = std::from_chars(text.data(), pid_end, stat.pid);
  if (error != std::errc() || end != pid_end || stat.pid <= 0) return std::nullopt;
  stat.comm = text.substr(open + 2, close - open - 2);

  Fields fields(text.substr(close + 1));
  stat.state = fields.next_letter();
  stat.parent = fields.next<pid_t>();
  stat.process_group = fields.next<pid_t>();
  stat.session = fields.next<pid_t>();
  fields.skip(3);  // terminal, its foreground group, flags
  stat.minor_faults = fields.next<std::uint64_t>();
  stat.minor_faults_children = fields.next<std::uint64_t>();
  stat.major_faults = fields.next<std::uint64_t>();
  stat.major_faults_children = fields.next<std::uint64_t>();
  stat.user_ticks = fields.next<std::uint64_t>();
  stat.system_ticks = fields.next<std::uint64_t>();
  stat.user_ticks_children = std::max<std::int64_t>(0, fields.next<std::int64_t>());
  stat.system_ticks_children = std::max<std::int64_t>(0, fields.next<std::int64_t>());
  fields.skip(2);  // priority, nice
  stat.threads = fields.next<std::uint64_t>();
  fields.skip(1);  // itrealvalue
  stat.start_ticks = fields.next<std::uint64_t>();
  stat.virtual_bytes = fields.next<std::uint64_t>();
  stat.resident_pages = fields.next<std::uint64_t>();
  fields.skip(25);  // from its limit to where its arguments end
  const auto environment_start = fields.next<std::uint64_t>();
  const auto environment_end = fields.next<std::uint64_t>();
  if (environment_end != 0 && environment_start <= environment_end)
    stat.environment_bytes = environment_end - environment_start;
  if (!fields.ok()) return std::nullopt;
  return stat;
}

namespace {

/// "Uid:", then the real, the effective and two more ids, each after a tab.
void parse_uids(std::string_view line, ProcStatus& status) {
  cut(line, '\t');
  for (auto* const id : {&status.uid, &status.effective_uid}) {
    const auto number = leading_number(cut(line, '\t'));
    if (number && *number <= std::numeric_limits<uid_t>::max()) *id = static_cast<uid_t>(*number);
  }
}

}  // namespace

ProcStatus parse_proc_status(std::string_view text) {
  ProcStatus status;
  while (!text.empty()) {
    const auto line = cut(text, '\n');
    // The first letter decides nearly always; the file has some sixty lines and is read for every thread.
    switch (line.empty() ? '\0' : line.front()) {
      case 'V':
        if (const auto bytes = kib_after(line, "VmSwap:")) status.swap_bytes = bytes;
        break;
      case 'v':
        if (const auto count = number_after(line, "voluntary_ctxt_switches:"))
          status.voluntary_switches = count;
        break;
      case 'n':
        if (const auto count = number_after(line, "nonvoluntary_ctxt_switches:")) {
          status.involuntary_switches = count;
        }
        break;
      case 'U':
        if (line.starts_with("Uid:")) parse_uids(line, status);
        break;
      default:
        break;
    }
  }
  return status;
}

std::optional<ProcIo> parse_proc_io(std::string_view text) {
  std::optional<std::uint64_t> read_bytes, write_bytes;
  while (!text.empty()) {
    const auto line = cut(text, '\n');
    if (const auto bytes = number_after(line, "read_bytes:")) read_bytes = bytes;
    if (const auto bytes = number_after(line, "write_bytes:")) write_bytes = bytes;
  }
  if (!read_bytes || !write_bytes) return std::nullopt;
  return ProcIo{*read_bytes, *write_bytes};
}

std::optional<std::uint64_t> parse_open_files_limit(std::string_view text) {
  while (!text.empty()) {
    const auto line = cut(text, '\n');
    if (line.starts_with("Max open files")) return number_after(line, "Max open files");
  }
  return std::nullopt;
}

std::optional<std::uint64_t> parse_smaps_rollup_pss(std::string_view text) {
  while (!text.empty()) {
    if (const auto bytes = kib_after(cut(text, '\n'), "Pss:")) return bytes;
  }
  return std::nullopt;
}

std::vector<pid_t> parse_children(std::string_view text) {
  std::vector<pid_t> children;
  while (!text.empty()) {
    const auto word = cut(text, ' ');
    pid_t pid = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), pid);
    const bool whole = end == word.data() + word.size() || *end == '\n';
    if (error == std::errc() && whole && pid > 0) children.push_back(pid);
  }
  return children;
}

std::optional<std::string> find_in_environ(std::string_view environ_text, std::string_view name) {
  if (name.empty()) return std::nullopt;
  while (!environ_text.empty()) {
    const auto entry = cut(environ_text, '\0');
    if (entry.size() > name.size() && entry.starts_with(name) && entry[name.size()] == '=') {
      return std::string(entry.substr(name.size() + 1));
    }
  }
  return std::nullopt;
}

std::string join_cmdline(std::string_view text) {
  text.remove_suffix(text.size() - (text.find_last_not_of('\0') + 1));
  std::string line(text);
  std::replace(line.begin(), line.end(), '\0', ' ');
  return line;
}

}  // namespace codex
