#include "agent/record/logger.h"

#include <poll.h>
#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <mutex>

#include "agent/os/worker.h"

namespace codex {

namespace {

constexpr std::size_t kMaxMessage = 4096;
constexpr std::size_t kMaxStderrJobs = 1024;
constexpr std::array kLevels = {spdlog::level::debug, spdlog::level::info, spdlog::level::warn,
                                spdlog::level::err};
constexpr std::array<std::string_view, kLevels.size()> kLevelNames = {"debug", "info", "warning", "error"};

std::size_t index_of(LogLevel level) {
  return static_cast<std::size_t>(level);
}

/// Blocks until all is written. The descriptor is shared with whoever started us, so O_NONBLOCK may be set on
/// it, but is not ours to set.
void write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(n));
    } else if (n < 0 && errno == EAGAIN) {
      pollfd writable{fd, POLLOUT, 0};
      ::poll(&writable, 1, -1);
    } else if (n == 0 || errno != EINTR) {
      return;
    }
  }
}

class ScrubbingSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  ScrubbingSink(const Redactor& redactor, RotatingFile* file, int stderr_fd)
      : redactor_(redactor), file_(file), stderr_fd_(stderr_fd) {}

  void set_stderr(bool on) {
    const std::lock_guard lock(mutex_);
    if (on && !stderr_worker_) stderr_worker_ = std::make_unique<Worker>("log-stderr", kMaxStderrJobs);
    to_stderr_ = on;
  }

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    const std::string_view payload(message.payload.data(), message.payload.size());
    const std::string shown = redactor_.safe(payload, kMaxMessage);
    spdlog::details::log_msg clean = message;
    clean.payload = shown;
    spdlog::memory_buf_t formatted;
    formatter_->format(clean, formatted);
    std::string line(formatted.data(), formatted.size());
    if (to_stderr_) {
      // Refused when nobody reads standard error: the line is in the file, or nobody wants it.
      [[maybe_unused]] const bool taken =
          stderr_worker_->submit([fd = stderr_fd_, line] { write_all(fd, line); });
    }
    if (file_ != nullptr) file_->append(std::move(line));
  }

  void flush_() override {}

  const Redactor& redactor_;
  RotatingFile* file_;
  int stderr_fd_;
  bool to_stderr_ = false;
  std::unique_ptr<Worker> stderr_worker_;
};

}  // namespace

struct Logger::State {
  std::shared_ptr<ScrubbingSink> sink;
  spdlog::logger logger;
  std::array<std::atomic<std::uint64_t>, kLevels.size()> counts{};

  explicit State(std::shared_ptr<ScrubbingSink> to) : sink(std::move(to)), logger("codex-agent", sink) {}

  void log(LogLevel level, std::string_view message) {
    const auto spdlog_level = kLevels[index_of(level)];
    if (!logger.should_log(spdlog_level)) return;
    counts[index_of(level)].fetch_add(1, std::memory_order_relaxed);
    logger.log(spdlog_level, spdlog::string_view_t(message.data(), message.size()));
  }
};

Logger::Logger(const Redactor& redactor, RotatingFile* file, LogLevel level, int stderr_fd)
    : state_(std::make_unique<State>(std::make_shared<ScrubbingSink>(redactor, file, stderr_fd))) {
  state_->logger.set_formatter(std::make_unique<spdlog::pattern_formatter>(
      "%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc, "\n"));
  // The default one prints the failed message to standard error, unscrubbed.
  state_->logger.set_error_handler([](const std::string&) {});
  set_level(level);
}

Logger::~Logger() = default;

void Logger::debug(std::string_view message) {
  state_->log(LogLevel::kDebug, message);
}
void Logger::info(std::string_view message) {
  state_->log(LogLevel::kInfo, message);
}
void Logger::warning(std::string_view message) {
  state_->log(LogLevel::kWarning, message);
}
void Logger::error(std::string_view message) {
  state_->log(LogLevel::kError, message);
}

void Logger::set_level(LogLevel level) {
  state_->logger.set_level(kLevels[index_of(level)]);
}

void Logger::set_stderr(bool on) {
  state_->sink->set_stderr(on);
}

std::map<std::string, std::uint64_t, std::less<>> Logger::counts() const {
  std::map<std::string, std::uint64_t, std::less<>> by_level;
  for (std::size_t i = 0; i < kLevelNames.size(); ++i) {
    by_level.emplace(kLevelNames[i], state_->counts[i].load(std::memory_order_relaxed));
  }
  return by_level;
}

}  // namespace codex
