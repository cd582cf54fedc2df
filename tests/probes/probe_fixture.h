#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "agent/os/event_loop.h"
#include "agent/os/worker.h"
#include "agent/sockets/sock_diag.h"
#include "agent/text/redactor.h"
#include "probes/http/curl_multi.h"
#include "probes/kinds/make_probe.h"

namespace codex::test {

using namespace std::chrono_literals;

/// What a probe promises beyond its deadline.
inline constexpr Duration kSlack = 100ms;
/// A deadline that hostile peers are given.
inline constexpr Duration kShort = 300ms;
/// A deadline that a friendly peer never needs.
inline constexpr Duration kAmple = 10s;

/// A loop and all that probes share, real.
class ProbeFixture : public testing::Test {
 protected:
  /// Asks once and runs the loop until the answer; checks what every probe promises.
  ProbeResult ask(Probe& probe, Duration timeout);
  ProbeResult ask(const ProbeSpec& spec, Duration timeout = kAmple);

  /// Asks a listener that never accepts. The first connections still fit into its queue; others make them before.
  ProbeResult ask_in_full_backlog(const ProbeSpec& spec);

  /// Runs the loop until `condition` holds; fails after ten seconds.
  void run_until(const std::function<bool()>& condition);

  EventLoop loop;
  Worker resolver{"resolver", 16};
  SockDiag sock_diag;
  Redactor redactor;
  CurlMulti curl{loop};
  ProbeContext context{loop, resolver, sock_diag, redactor, curl, nullptr};
};

/// What reading hostile input may add to resident_bytes(). AddressSanitizer keeps freed memory for a while.
#ifdef __SANITIZE_ADDRESS__
inline constexpr std::size_t kMemorySlack = std::size_t{300} << 20;
#else
inline constexpr std::size_t kMemorySlack = std::size_t{24} << 20;
#endif

std::size_t open_descriptors();
std::size_t resident_bytes();

/// Occupies a worker until it is destroyed.
class BusyWorker {
 public:
  explicit BusyWorker(Worker& worker);
  ~BusyWorker();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace codex::test
