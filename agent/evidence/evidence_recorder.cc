#include "agent/evidence/evidence_recorder.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>

#include "agent/record/log_line.h"

namespace codex {

namespace {

constexpr Duration kRetry = std::chrono::milliseconds(100);

}  // namespace

std::vector<std::string> EvidenceRecorder::own_command() {
  const std::string link = "/proc/self/exe";
  std::error_code error;
  const auto program = std::filesystem::read_symlink(link, error);
  // An upgrade has replaced the file; what runs is still there behind the link.
  return {error || !std::filesystem::exists(program, error) ? link : program.string(), "capture"};
}

EvidenceRecorder::EvidenceRecorder(EventLoop& loop, std::filesystem::path directory,
                                   const TreeIdentity& commands, const Redactor& redactor, Logger& log,
                                   std::function<void()> changed, std::vector<std::string> command)
    : loop_(loop),
      directory_(std::move(directory)),
      commands_(commands),
      redactor_(redactor),
      log_(log),
      changed_(std::move(changed)),
      command_(std::move(command)),
      timer_(loop, "evidence", [this] { step(); }) {
  for (const auto result : kEvidenceResults) counts_[std::string(result)] = 0;
}

EvidenceRecorder::~EvidenceRecorder() {
  if (!run_) return;
  try {
    run_->kill(loop_.now());
  } catch (const std::exception&) {  // Without descriptors nobody can be found to be killed.
  }
}

void EvidenceRecorder::capture(EvidenceRequest request, Done done) {
  if (jobs_.size() >= kMostWaiting) {
    ++counts_["failure"];
    done(std::nullopt);
    return;
  }
  request.directory = directory_;
  request.secrets = redactor_.needles();
  jobs_.push_back({std::move(request), std::move(done)});
  timer_.arm_after(Duration{0});
}

bool EvidenceRecorder::busy(const std::string& backend) const {
  return std::any_of(jobs_.begin(), jobs_.end(),
                     [&](const Job& job) { return job.request.backend == backend; });
}

void EvidenceRecorder::on_reaped(pid_t pid, const ExitStatus& status) {
  if (run_ && run_->on_reaped(pid, status)) timer_.arm_after(Duration{0});
}

/// The only place where runs begin and end. One that cannot be killed keeps the next from starting: it would
/// meet the same trouble.
void EvidenceRecorder::step() {
  timer_.arm_after(kRetry);  // First: whatever fails below is tried again.
  if (run_) {
    run_->follow(loop_.now());
    if (run_->result() && !settled_) settle(*run_->result());
    if (settled_ && run_->gone()) run_.reset();
  }
  if (!run_ && !jobs_.empty()) start_next();
  if (!run_ && jobs_.empty()) timer_.disarm();
}

void EvidenceRecorder::start_next() {
  SpawnRequest request;
  request.command = command_;
  request.directory = "/";
  request.environment = {{"PATH", "/usr/bin:/bin"}};
  request.setting = "evidence";
  answer_ = UniqueFd(::memfd_create("codex-agent-evidence", MFD_CLOEXEC));
  // To wait for a descriptor would keep a hung backend from its restart.
  if (!answer_) return settle({CommandRun::Result::Outcome::kFailure, std::strerror(errno), {}});
  request.stdout_fd = answer_.get();
  settled_ = false;
  run_ = std::make_unique<CommandRun>(loop_, redactor_, std::move(request), encode(jobs_.front().request),
                                      commands_.named("evidence-" + std::to_string(++number_)), kTimeLimit);
}

std::optional<EvidenceRecorder::Answer> EvidenceRecorder::answer() const {
  std::array<char, 4096> buffer;
  const ssize_t n = ::pread(answer_.get(), buffer.data(), buffer.size(), 0);
  if (n <= 0) return std::nullopt;
  const auto json = nlohmann::json::parse(buffer.data(), buffer.data() + n, nullptr, false);
  if (!json.is_object()) return std::nullopt;
  return Answer{json.value("id", ""), redactor_.safe(json.value("where", ""))};
}

void EvidenceRecorder::settle(const CommandRun::Result& result) {
  settled_ = true;
  const Job job = std::move(jobs_.front());
  jobs_.pop_front();
  ++counts_[std::string(to_string(result.outcome))];
  const auto told = answer();
  if (result.outcome != CommandRun::Result::Outcome::kSuccess) {
    log_.warning(LogLine("evidence_failed")
                     .kv("backend", job.request.backend)
                     .kv("id", job.request.id)
                     .kv("why", result.why + (result.output.empty() ? "" : ": " + result.output))
                     .str());
  }
  answer_.reset();
  job.done(told);
  changed_();
}

}  // namespace codex
