#include "agent/os/worker.h"

#include <sched.h>
#include <sys/prctl.h>

#include <chrono>
#include <csignal>
#include <deque>
#include <mutex>
#include <system_error>
#include <utility>

namespace codex {

namespace {

constexpr auto kPatience = std::chrono::seconds(1);

/// Blocks signals in this thread, and so in the threads it creates, while it lives.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    // A fault raised by the thread's own instruction would kill us unheard if it were blocked.
    for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS}) sigdelset(&all, fault);
    if (const int error = pthread_sigmask(SIG_BLOCK, &all, &before_); error != 0) {
      throw std::system_error(error, std::system_category(), "pthread_sigmask");
    }
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_;
};

}  // namespace

struct Worker::State {
  std::string name;
  std::size_t max_jobs = 0;
  std::mutex mutex;
  std::condition_variable work;
  std::condition_variable ended;
  std::deque<std::function<void()>> jobs;
  bool stopping = false;
  bool finished = false;

  bool submit(std::function<void()> job) {
    {
      const std::lock_guard lock(mutex);
      if (stopping || jobs.size() >= max_jobs) return false;
      jobs.push_back(std::move(job));
    }
    work.notify_one();
    return true;
  }

  void run() {
    prctl(PR_SET_NAME, name.c_str());  // The kernel cuts it at 15 bytes.
    // A job must not push the loop, which has just posted it and goes on, off its processor (sched(7)).
    const sched_param none{};
    ::sched_setscheduler(0, SCHED_BATCH, &none);
    for (;;) {
      std::function<void()> job;
      {
        std::unique_lock lock(mutex);
        work.wait(lock, [this] { return stopping || !jobs.empty(); });
        if (jobs.empty()) break;
        job = std::move(jobs.front());
        jobs.pop_front();
      }
      try {
        job();
      } catch (...) {  // A job reports its own trouble; whatever it forgot must not end the process.
      }
    }
    const std::lock_guard lock(mutex);
    finished = true;
    ended.notify_all();
  }
};

Worker::Worker(std::string name, std::size_t max_jobs) : state_(std::make_shared<State>()) {
  state_->name = std::move(name);
  state_->max_jobs = max_jobs;
  const SignalsBlocked blocked;
  thread_ = std::thread([state = state_] { state->run(); });
}

Worker::~Worker() {
  std::deque<std::function<void()>> abandoned;
  std::unique_lock lock(state_->mutex);
  state_->stopping = true;
  state_->work.notify_all();
  const bool finished = state_->ended.wait_for(lock, kPatience, [this] { return state_->finished; });
  // Should the thread come unstuck later, it must not run jobs whose world is gone.
  abandoned.swap(state_->jobs);
  lock.unlock();
  if (finished) {
    thread_.join();
  } else {
    thread_.detach();
  }
}

bool Worker::submit(std::function<void()> job) {
  return state_->submit(std::move(job));
}

std::function<bool(std::function<void()>)> Worker::submitter() const {
  return [state = state_](std::function<void()> job) { return state->submit(std::move(job)); };
}

}  // namespace codex
