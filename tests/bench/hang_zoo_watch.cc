// Runs a HangWatch against a program that somebody else started, and prints what it says.
//
//   hang_zoo_watch PID PORT [--start] [--health PATH] [--database PORT] [--record FILE]
//
// One JSON object a line: event, at (CLOCK_MONOTONIC in nanoseconds), and what there is to tell. Ends when
// standard input does; the last line tells what the watch cost.

#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "agent/os/event_loop.h"
#include "agent/os/process_table.h"
#include "agent/os/worker.h"
#include "agent/sockets/sock_diag.h"
#include "agent/supervision/hang_watch.h"
#include "agent/text/redactor.h"
#include "probes/http/curl_multi.h"
#include "probes/kinds/make_probe.h"
#include "tests/support/hang_record.h"

namespace codex {
namespace {

struct Options {
  pid_t root = 0;
  std::uint16_t port = 0;
  bool start = false;
  std::string health;
  std::optional<std::uint16_t> database_port;
  std::string record;
};

Options parse(int argc, char** argv) {
  Options options;
  if (argc < 3) throw std::invalid_argument("usage: hang_zoo_watch PID PORT [options]");
  options.root = static_cast<pid_t>(std::stol(argv[1]));
  options.port = static_cast<std::uint16_t>(std::stoul(argv[2]));
  for (int i = 3; i < argc; ++i) {
    const std::string_view name = argv[i];
    if (name == "--start") {
      options.start = true;
      continue;
    }
    if (i + 1 == argc) throw std::invalid_argument("option without a value");
    const std::string value = argv[++i];
    if (name == "--health") options.health = value;
    if (name == "--database") options.database_port = static_cast<std::uint16_t>(std::stoul(value));
    if (name == "--record") options.record = value;
  }
  return options;
}

/// The watch with the neighbours that it has in an agent: a look for the listener and an HTTP probe.
class Zoo {
 public:
  explicit Zoo(const Options& options)
      : options_(options),
        curl_(loop_),
        watch_(
            loop_, HangPolicy(true), [this] { return descendants_of({options_.root}); }, events()),
        listener_timer_(loop_, "listener", [this] { find_listener(); }),
        http_timer_(loop_, "http", [this] { ask(); }),
        input_(loop_, "input", STDIN_FILENO, EPOLLIN, [this](std::uint32_t) { read_input(); }) {
    if (!options.record.empty()) record_.open(options.record);
    if (!options.health.empty()) {
      ProbeSpec spec;
      spec.name = "http";
      spec.kind = ProbeKind::kHttp;
      spec.url = Secret("http://127.0.0.1:" + std::to_string(options.port) + options.health);
      probe_ = make_probe(spec, ProbeContext{loop_, worker_, sock_diag_, redactor_, curl_, {}});
    }
    if (options.start) watch_.watch_start(options.database_port, Duration{0});
    find_listener();
    ask();
  }

  int run() {
    const int code = loop_.run();
    if (probe_) probe_->cancel();
    tell_cost();
    return code;
  }

 private:
  static constexpr Duration kProbePeriod = std::chrono::seconds(5);

  HangWatch::Events events() {
    return {
        [this](const HangVerdict& verdict) {
          say("suspect", verdict);
          ask();
        },
        {},
        [this](const HangVerdict& verdict) { say("confirm", verdict); },
        [this](const HangVerdict& verdict, const HangPolicy::Decision& decision) {
          say(("act " + std::string(to_string(decision.action))).c_str(), verdict);
        },
        [this](const HangVerdict& last, Duration) { say("over", last); },
        {},
        [this](const HangObservation& seen, const HangVerdict&) {
          ++looks_;
          if (record_.is_open()) record_ << write_observation(seen) << "\n";
        },
    };
  }

  void say(const char* event, const HangVerdict& verdict) {
    nlohmann::json line{{"event", event},
                        {"at", Clock::now().time_since_epoch().count()},
                        {"class", verdict.hang ? std::string(to_string(*verdict.hang)) : ""},
                        {"clock_ms", verdict.clock / std::chrono::milliseconds(1)},
                        {"why", verdict.why}};
    std::cout << line.dump() << std::endl;
  }

  void find_listener() {
    listener_timer_.arm_after(std::chrono::milliseconds(200));
    const auto listeners = sock_diag_.listeners(options_.port);
    if (listeners.empty()) return;
    std::vector<pid_t> pids;
    for (const auto& member : descendants_of({options_.root})) pids.push_back(member.pid);
    const auto owner = socket_owner(listeners.front().inode, pids);
    const auto id = owner ? identify_process(*owner) : std::nullopt;
    if (!id) return;
    watch_.watch(*id, listeners.front().address, options_.port, options_.database_port);
    if (!told_watching_) std::cout << R"({"event": "watching"})" << std::endl;
    told_watching_ = true;
  }

  /// Now, and from then on by period.
  void ask() {
    if (!probe_) return;
    http_timer_.arm_after(kProbePeriod);
    if (asking_) return;
    asking_ = true;
    watch_.probe_began(HangWatch::Asked::kHttp);
    probe_->start(loop_.now() + kProbePeriod, [this](const ProbeResult& result) {
      asking_ = false;
      watch_.probe_ended(HangWatch::Asked::kHttp, result.outcome, result.reason == Reason::kTimeout);
    });
  }

  void read_input() {
    char byte = 0;
    if (::read(STDIN_FILENO, &byte, 1) <= 0) loop_.stop(0);
  }

  void tell_cost() {
    rusage used{};
    ::getrusage(RUSAGE_SELF, &used);
    const auto micros = [](const timeval& t) { return t.tv_sec * 1'000'000L + t.tv_usec; };
    nlohmann::json line{{"event", "cost"},
                        {"looks", looks_},
                        {"looks_cpu_ms", to_seconds(watch_.spent()) * 1e3},
                        {"cpu_ms", static_cast<double>(micros(used.ru_utime) + micros(used.ru_stime)) / 1e3},
                        {"seconds", to_seconds(Clock::now() - began_)}};
    std::cout << line.dump() << std::endl;
  }

  Options options_;
  TimePoint began_ = Clock::now();
  EventLoop loop_;
  Worker worker_{"resolver", 4};
  SockDiag sock_diag_;
  Redactor redactor_;
  CurlMulti curl_;
  std::ofstream record_;
  std::unique_ptr<Probe> probe_;
  bool asking_ = false, told_watching_ = false;
  std::uint64_t looks_ = 0;
  HangWatch watch_;
  Timer listener_timer_, http_timer_;  // keep last
  FdWatch input_;
};

}  // namespace
}  // namespace codex

int main(int argc, char** argv) {
  try {
    return codex::Zoo(codex::parse(argc, argv)).run();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "hang_zoo_watch: %s\n", error.what());
    return 2;
  }
}
