#include "tests/support/hang_record.h"

#include <charconv>
#include <type_traits>

namespace codex {

namespace {

/// Calls `io` with every field of a part, in the order of the text. One list serves writing and reading.
template <typename Io>
void fields(Io& io, ThreadView& x) {
  io(x.state), io(x.waits_in), io(x.syscall), io(x.argument), io(x.wchan), io(x.cpu_nanos);
  io(x.read_calls), io(x.write_calls);
}
template <typename Io>
void fields(Io& io, AcceptProbeView& x) {
  io(x.state), io(x.age);
}
template <typename Io>
void fields(Io& io, ProcessView& x) {
  io(x.tracer), io(x.debugger_connected), io(x.children), io(x.open_fds), io(x.fd_limit),
      io(x.resident_bytes);
  io(x.heap_limit_bytes), io(x.threads_known), io(x.other_threads_cpu_nanos), io(x.stuck_workers),
      io(x.workers_stuck_for);
  io(x.pool_size);
}
template <typename Io>
void fields(Io& io, WaitingSockets& x) {
  io(x.connections), io(x.waiting), io(x.oldest), io(x.last_answer);
}
template <typename Io>
void fields(Io& io, RequestView& x) {
  fields(io, x.server), io(x.answered_after), io(x.outgoing_known), fields(io, x.database);
  fields(io, x.upstream), io(x.upstream_address), io(x.database_address);
  io(x.cost);
}
template <typename Io>
void fields(Io& io, ProbeFact& x) {
  io(x.known), io(x.failures), io(x.in_flight_for), io(x.success_began);
}
template <typename Io>
void fields(Io& io, StartupView& x) {
  io(x.since_start), io(x.cpu_ticks), io(x.io_calls), io(x.output_bytes), io(x.waits_for);
}

class Writer {
 public:
  template <typename T>
  void operator()(const T& value) {
    if (!text_.empty()) text_ += ',';
    if constexpr (std::is_same_v<T, std::string>) {
      text_ += value.empty() ? "-" : value;
    } else if constexpr (std::is_same_v<T, char>) {
      text_ += value;
    } else if constexpr (std::is_enum_v<T> || std::is_same_v<T, bool>) {
      text_ += std::to_string(static_cast<int>(value));
    } else if constexpr (std::is_same_v<T, Duration>) {
      text_ += std::to_string(value.count());
    } else if constexpr (std::is_same_v<T, std::optional<Duration>>) {
      text_ += value ? std::to_string(value->count()) : "-";
    } else {
      text_ += std::to_string(value);
    }
  }
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::string text_;
};

class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  template <typename T>
  void operator()(T& value) {
    const auto field = next();
    if constexpr (std::is_same_v<T, std::string>) {
      value = field == "-" ? "" : field;
    } else if constexpr (std::is_same_v<T, char>) {
      ok_ = ok_ && field.size() == 1;
      if (ok_) value = field.front();
    } else if constexpr (std::is_enum_v<T> || std::is_same_v<T, bool>) {
      value = static_cast<T>(number<int>(field));
    } else if constexpr (std::is_same_v<T, Duration>) {
      value = Duration(number<Duration::rep>(field));
    } else if constexpr (std::is_same_v<T, std::optional<Duration>>) {
      value = field == "-" ? std::nullopt : std::optional(Duration(number<Duration::rep>(field)));
    } else {
      value = number<T>(field);
    }
  }
  [[nodiscard]] bool complete() const { return ok_ && at_end_; }

 private:
  std::string_view next() {
    if (at_end_) ok_ = false;
    const auto end = rest_.find(',');
    at_end_ = end == std::string_view::npos;
    const auto field = rest_.substr(0, end);
    rest_.remove_prefix(at_end_ ? rest_.size() : end + 1);
    return field;
  }
  template <typename Int>
  Int number(std::string_view field) {
    Int value{};
    const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), value);
    if (error != std::errc() || end != field.data() + field.size()) ok_ = false;
    return value;
  }

  std::string_view rest_;
  bool ok_ = true, at_end_ = false;
};

template <typename Part>
void write_part(std::string& line, const char* name, Part part) {
  Writer writer;
  fields(writer, part);
  line += std::string(" ") + name + "=" + writer.text();
}

template <typename Part>
bool read_part(std::string_view text, Part& part) {
  Reader reader(text);
  fields(reader, part);
  return reader.complete();
}

template <typename T>
bool read_value(std::string_view text, T& value) {
  Reader reader(text);
  reader(value);
  return reader.complete();
}

bool read_named(std::string_view name, std::string_view text, HangObservation& seen) {
  if (name == "at") {
    Duration at{};
    const bool good = read_value(text, at);
    seen.at = TimePoint(at);
    return good;
  }
  if (name == "resumed") return read_value(text, seen.resumed);
  if (name == "observable") return read_value(text, seen.observable);
  if (name == "listening") return read_value(text, seen.listening);
  if (name == "accept_queue") return read_value(text, seen.accept_queue.emplace());
  if (name == "main") return read_part(text, seen.main);
  if (name == "accept_probe") return read_part(text, seen.accept_probe);
  if (name == "process") return read_part(text, seen.process.emplace());
  if (name == "requests") return read_part(text, seen.requests.emplace());
  if (name == "startup") return read_part(text, seen.startup.emplace());
  if (name == "http") return read_part(text, seen.http);
  if (name == "database") return read_part(text, seen.database);
  return false;
}

}  // namespace

std::string write_observation(const HangObservation& seen) {
  std::string line = "at=" + std::to_string(seen.at.time_since_epoch().count());
  if (seen.resumed) line += " resumed=1";
  if (!seen.observable) line += " observable=0";
  if (!seen.listening) line += " listening=0";
  if (seen.accept_queue) line += " accept_queue=" + std::to_string(*seen.accept_queue);
  write_part(line, "main", seen.main);
  write_part(line, "accept_probe", seen.accept_probe);
  if (seen.process) write_part(line, "process", *seen.process);
  if (seen.requests) write_part(line, "requests", *seen.requests);
  if (seen.startup) write_part(line, "startup", *seen.startup);
  write_part(line, "http", seen.http);
  write_part(line, "database", seen.database);
  return line;
}

std::optional<HangObservation> read_observation(std::string_view line) {
  HangObservation seen;
  while (!line.empty()) {
    const auto end = line.find(' ');
    const auto token = line.substr(0, end);
    line.remove_prefix(end == std::string_view::npos ? line.size() : end + 1);
    const auto equals = token.find('=');
    if (equals == std::string_view::npos) return std::nullopt;
    if (!read_named(token.substr(0, equals), token.substr(equals + 1), seen)) return std::nullopt;
  }
  if (seen.at == TimePoint{}) return std::nullopt;
  return seen;
}

}  // namespace codex
