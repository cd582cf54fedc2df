#pragma once

#include <filesystem>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "agent/os/unique_fd.h"

namespace codex {

/// Answers on a Unix socket as an agent would, or as no agent should. One thread; the socket accepts from the
/// end of the constructor on.
class FakeAgent {
 public:
  struct Answer {
    enum class Then {
      kClose,
      kHold,  ///< sends what it has and stays silent on the open connection
      kDie,   ///< sends what it has, then the agent is gone: no connection, nobody listening
      kDrip,  ///< sends one byte after the other for as long as the client stays
      kGone,  ///< as kDie, and the socket's file is removed, as after an orderly end
    };
    std::string bytes;
    Then then = Then::kClose;
  };
  /// `head`: the request's first line and headers; `body`: what followed. Runs on the fake's thread.
  using Handler = std::function<Answer(const std::string& head, const std::string& body)>;

  FakeAgent(const std::filesystem::path& socket, Handler handler);
  ~FakeAgent();
  FakeAgent(const FakeAgent&) = delete;
  FakeAgent& operator=(const FakeAgent&) = delete;

  static Answer json(int status, const std::string& body);

  /// "POST /v1/start {...}" of every request so far.
  [[nodiscard]] std::vector<std::string> requests() const;

 private:
  void serve();
  void serve_one(UniqueFd connection);
  void drip(const UniqueFd& connection, const std::string& bytes);

  std::filesystem::path socket_;
  Handler handler_;
  UniqueFd listener_, stop_;
  std::vector<UniqueFd> held_;
  mutable std::mutex mutex_;
  std::vector<std::string> requests_;  // under mutex_
  std::thread thread_;
};

/// A socket that is bound and listens while nobody ever accepts: a stopped process.
UniqueFd listen_without_accepting(const std::filesystem::path& socket, int backlog);

}  // namespace codex
