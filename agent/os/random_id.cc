#include "agent/os/random_id.h"

#include <fcntl.h>
#include <sys/random.h>

#include <array>

#include "agent/os/check.h"
#include "agent/os/files.h"

namespace codex {

std::string boot_id() {
  const auto text = read_proc_file(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 64);
  if (!text) throw_if_short("open /proc/sys/kernel/random/boot_id");
  std::string id = text.value_or("");
  std::erase(id, '\n');
  return id;
}

std::string random_id() {
  // So few bytes come at once or, early in a boot, after a wait that a signal may end.
  std::array<unsigned char, 16> bytes{};
  while (::getrandom(bytes.data(), bytes.size(), 0) < 0) {
    if (errno != EINTR) throw_errno("getrandom");
  }
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const unsigned char byte : bytes) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

}  // namespace codex
