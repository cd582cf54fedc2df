#include "tests/probes/probe_fixture.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <future>
#include <iterator>
#include <optional>

namespace codex::test {

ProbeResult ProbeFixture::ask(Probe& probe, Duration timeout) {
  std::optional<ProbeResult> result;
  int answers = 0;
  const auto errors_before = loop.stats().callback_errors;
  bool inside_start = true;
  const auto began = Clock::now();
  probe.start(began + timeout, [&](const ProbeResult& answer) {
    EXPECT_FALSE(inside_start);
    ++answers;
    result = answer;
  });
  inside_start = false;
  while (!result && Clock::now() < began + timeout + 5s) loop.run_once(100ms);
  EXPECT_TRUE(result.has_value()) << "no answer at all";
  if (!result) return {};
  EXPECT_LE(Clock::now() - began, timeout + kSlack) << result->detail;
  EXPECT_LE(result->elapsed, timeout + kSlack);
  EXPECT_EQ(loop.stats().callback_errors, errors_before);
  Duration sum{0};
  for (const auto& phase : result->phases) {
    EXPECT_GE(phase.elapsed, Duration{0}) << to_string(phase.phase);
    sum += phase.elapsed;
  }
  EXPECT_LE(sum, result->elapsed + 1ms) << "phases overlap";
  for (int i = 0; i < 3; ++i) loop.run_once(0ms);
  EXPECT_EQ(answers, 1);
  return *result;
}

ProbeResult ProbeFixture::ask(const ProbeSpec& spec, Duration timeout) {
  const auto probe = make_probe(spec, context);
  return ask(*probe, timeout);
}

ProbeResult ProbeFixture::ask_in_full_backlog(const ProbeSpec& spec) {
  std::vector<std::unique_ptr<Probe>> fillers;
  for (int i = 0; i < 4; ++i) {
    fillers.push_back(make_probe(spec, context));
    fillers.back()->start(Clock::now() + kAmple, [](const ProbeResult&) { ADD_FAILURE(); });
  }
  for (int i = 0; i < 20; ++i) loop.run_once(5ms);
  return ask(spec, kShort);
}

void ProbeFixture::run_until(const std::function<bool()>& condition) {
  const auto end = Clock::now() + 10s;
  while (!condition() && Clock::now() < end) loop.run_once(10ms);
  EXPECT_TRUE(condition());
}

std::size_t open_descriptors() {
  const std::filesystem::directory_iterator entries("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(entries), end(entries)));
}

std::size_t resident_bytes() {
  std::size_t size = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> size >> resident;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

struct BusyWorker::State {
  std::promise<void> begun, released;
};

BusyWorker::BusyWorker(Worker& worker) : state_(std::make_shared<State>()) {
  const bool sent = worker.submit([state = state_] {
    state->begun.set_value();
    state->released.get_future().wait();
  });
  EXPECT_TRUE(sent);
  state_->begun.get_future().wait();
}

BusyWorker::~BusyWorker() {
  state_->released.set_value();
}

}  // namespace codex::test
