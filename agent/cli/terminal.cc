#include "agent/cli/terminal.h"

#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "agent/cli/text_format.h"

namespace codex {
namespace {

volatile sig_atomic_t interrupt_seen = 0;
struct sigaction previous_action;

void note_interrupt(int) {
  interrupt_seen = 1;
}

}  // namespace

bool write_text(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written > 0) {
      text.remove_prefix(static_cast<std::size_t>(written));
      continue;
    }
    if (written < 0 && errno == EAGAIN) {
      pollfd entry{fd, POLLOUT, 0};
      ::poll(&entry, 1, -1);
      continue;
    }
    if (written == 0 || errno != EINTR) return false;
  }
  return true;
}

bool print(std::string_view text) {
  return write_text(STDOUT_FILENO, text);
}

void print_error(std::string_view message) {
  write_text(STDERR_FILENO, "codex-agent: " + std::string(message) + "\n");
}

bool stdout_is_terminal() {
  return ::isatty(STDOUT_FILENO) == 1;
}

bool use_colour() {
  const char* no_colour = std::getenv("NO_COLOR");
  const char* term = std::getenv("TERM");
  return stdout_is_terminal() && (no_colour == nullptr || *no_colour == '\0') && term != nullptr &&
         std::string_view(term) != "dumb";
}

std::size_t terminal_columns() {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return size.ws_col;
}

bool stdout_reader_gone() {
  pollfd entry{STDOUT_FILENO, 0, 0};
  return ::poll(&entry, 1, 0) == 1 && (entry.revents & (POLLERR | POLLHUP | POLLNVAL)) != 0;
}

InterruptGuard::InterruptGuard() {
  interrupt_seen = 0;
  struct sigaction action {};
  action.sa_handler = note_interrupt;  // without SA_RESTART, so that a wait ends at once
  ::sigaction(SIGINT, &action, &previous_action);
}

InterruptGuard::~InterruptGuard() {
  ::sigaction(SIGINT, &previous_action, nullptr);
}

bool InterruptGuard::interrupted() {
  return interrupt_seen != 0;
}

void LiveLine::show(const std::string& line) {
  const std::string fitted = fit_columns(line, terminal_columns() - 1);
  if (fitted == shown_) return;
  shown_ = fitted;
  print("\r" + fitted + "\x1b[K");
}

void LiveLine::clear() {
  if (!shown_.empty()) print("\r\x1b[K");
  shown_.clear();
}

}  // namespace codex
