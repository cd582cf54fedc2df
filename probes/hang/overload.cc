#include "probes/hang/overload.h"

namespace codex {

namespace {

using std::chrono::milliseconds;

constexpr Duration kEnough = milliseconds(2500);
constexpr double kBusyRatio = 0.8;      // of a CPU
constexpr double kRunnableRatio = 0.9;  // of the looks: others take the CPU from it
constexpr int kSignsOfLife = 2;         // in the span, so that answers that take a second count

}  // namespace

void Overload::reset() {
  cpu_.clear();
  samples_.clear();
  runnable_ = alive_ = 0;
}

void Overload::observe(const HangObservation& seen) {
  const auto& main = seen.main;
  const bool alive =
      !samples_.empty() && main.read_calls != reads_before_ && main.write_calls != writes_before_;
  reads_before_ = main.read_calls;
  writes_before_ = main.write_calls;
  const Sample sample{seen.at, main.state == 'R', alive};
  cpu_.add(seen.at, main.cpu_nanos);
  samples_.push_back(sample);
  runnable_ += sample.runnable ? 1 : 0;
  alive_ += sample.alive ? 1 : 0;
  while (seen.at - samples_.front().at > kSpan) {
    runnable_ -= samples_.front().runnable ? 1 : 0;
    alive_ -= samples_.front().alive ? 1 : 0;
    samples_.pop_front();
  }
}

bool Overload::gets_on() const {
  return alive_ >= kSignsOfLife;
}

bool Overload::overloaded() const {
  if (cpu_.span() < kEnough || !gets_on()) return false;
  return cpu_.ratio() >= kBusyRatio || runnable_ >= kRunnableRatio * static_cast<double>(samples_.size());
}

std::string Overload::why() const {
  if (cpu_.span() == Duration{0}) return {};
  return "uses " + std::to_string(static_cast<int>(cpu_.ratio() * 100 + 0.5)) +
         " % of a CPU and goes on reading and writing";
}

}  // namespace codex
