#include "probes/http/curl_multi.h"

#include <curl/curl.h>

#include <map>
#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace codex {

namespace {

void initialise_libcurl_once() {
  static std::once_flag once;
  std::call_once(once, [] {
    // Never undone: curl_global_cleanup(3) must not run while another thread may still use libcurl or
    // OpenSSL.
    if (const auto code = curl_global_init(CURL_GLOBAL_DEFAULT); code != CURLE_OK) {
      throw std::runtime_error(std::string("curl_global_init: ") + curl_easy_strerror(code));
    }
  });
}

int to_curl(std::uint32_t events) {
  int mask = 0;
  if (events & (EPOLLIN | EPOLLHUP)) mask |= CURL_CSELECT_IN;
  if (events & EPOLLOUT) mask |= CURL_CSELECT_OUT;
  if (events & EPOLLERR) mask |= CURL_CSELECT_ERR;
  return mask;
}

std::uint32_t to_epoll(int what) {
  switch (what) {
    case CURL_POLL_IN:
      return EPOLLIN;
    case CURL_POLL_OUT:
      return EPOLLOUT;
    case CURL_POLL_INOUT:
      return EPOLLIN | EPOLLOUT;
    default:
      return 0;
  }
}

}  // namespace

struct CurlMulti::State {
  EventLoop& loop;
  CURLM* multi;
  std::map<void*, Finished> transfers;
  std::map<curl_socket_t, FdWatch> sockets;
  std::vector<void*> broken;  // transfers that could not be watched
  Timer timer;

  explicit State(EventLoop& l)
      : loop(l), multi(curl_multi_init()), timer(l, "curl", [this] { drive(CURL_SOCKET_TIMEOUT, 0); }) {
    if (multi == nullptr) throw std::runtime_error("curl_multi_init failed");
    curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, &State::on_socket);
    curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, this);
    curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, &State::on_timer);
    curl_multi_setopt(multi, CURLMOPT_TIMERDATA, this);
  }

  ~State() {
    for (const auto& [easy, finished] : transfers) curl_multi_remove_handle(multi, easy);
    curl_multi_cleanup(multi);
  }

  void drive(curl_socket_t socket, int events) {
    int running = 0;
    curl_multi_socket_action(multi, socket, events, &running);
    for (void* easy : std::exchange(broken, {})) finish(easy, CURLE_ABORTED_BY_CALLBACK);
    deliver();
  }

  void deliver() {
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi, &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      CURL* easy = message->easy_handle;
      const int code = message->data.result;  // `message` dies with the removal.
      finish(easy, code);
    }
  }

  void finish(CURL* easy, int code) {
    const auto found = transfers.find(easy);
    if (found == transfers.end()) return;
    const auto finished = std::move(found->second);
    transfers.erase(found);
    curl_multi_remove_handle(multi, easy);
    try {
      finished(code);
    } catch (...) {
      // The other finished transfers must not wait for the next event.
      timer.arm_at(Clock::now());
      throw;
    }
  }

  /// An answer of -1 would end every transfer of this multi for ever, so trouble ends only its own transfer.
  static int on_socket(CURL* easy, curl_socket_t socket, int what, void* data, void*) noexcept {
    auto& self = *static_cast<State*>(data);
    try {
      self.watch(socket, what);
    } catch (const std::exception&) {
      self.broken.push_back(easy);
    }
    return 0;
  }

  static int on_timer(CURLM*, long milliseconds, void* data) noexcept {
    auto& self = *static_cast<State*>(data);
    if (milliseconds < 0) {
      self.timer.disarm();
    } else {
      self.timer.arm_at(Clock::now() + std::chrono::milliseconds(milliseconds));
    }
    return 0;
  }

  void watch(curl_socket_t socket, int what) {
    if (what == CURL_POLL_REMOVE) {
      sockets.erase(socket);
      return;
    }
    auto& known = sockets[socket];
    if (known) {
      known.set_events(to_epoll(what));
    } else {
      known = FdWatch(loop, "curl", socket, to_epoll(what),
                      [this, socket](std::uint32_t events) { drive(socket, to_curl(events)); });
    }
  }
};

CurlMulti::CurlMulti(EventLoop& loop) {
  initialise_libcurl_once();
  state_ = std::make_unique<State>(loop);
}

CurlMulti::~CurlMulti() = default;

void CurlMulti::add(void* easy, Finished finished) {
  state_->transfers[easy] = std::move(finished);
  if (const auto code = curl_multi_add_handle(state_->multi, easy); code != CURLM_OK) {
    state_->transfers.erase(easy);
    throw std::runtime_error(std::string("curl_multi_add_handle: ") + curl_multi_strerror(code));
  }
}

void CurlMulti::remove(void* easy) {
  if (state_->transfers.erase(easy) > 0) curl_multi_remove_handle(state_->multi, easy);
}

}  // namespace codex
