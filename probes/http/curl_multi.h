#pragma once

#include <functional>
#include <memory>

#include "agent/os/event_loop.h"

namespace codex {

/// libcurl's multi interface on our loop (libcurl-multi(3), curl_multi_socket_action(3)). Keeps no connection
/// for later. Initialises libcurl once for the process. Loop thread.
class CurlMulti {
 public:
  explicit CurlMulti(EventLoop& loop);  ///< throws std::runtime_error if libcurl cannot be set up
  ~CurlMulti();
  CurlMulti(const CurlMulti&) = delete;
  CurlMulti& operator=(const CurlMulti&) = delete;

  /// Gets the transfer's CURLcode, from the loop.
  using Finished = std::function<void(int code)>;

  /// Starts the transfer of an easy handle (CURL*). `finished` is called at most once, never from inside
  /// add(), when the handle has left the multi again. Throws std::runtime_error if libcurl refuses.
  void add(void* easy, Finished finished);

  /// Gives a transfer up and closes its connection; `finished` is not called. Does nothing for other handles.
  void remove(void* easy);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace codex
