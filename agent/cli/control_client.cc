#include "agent/cli/control_client.h"

#include <httplib.h>

#include "agent/cli/deadline_socket.h"

namespace codex {
namespace {

class SocketStream : public httplib::Stream {
 public:
  explicit SocketStream(DeadlineSocket& socket) : socket_(socket) {}

  bool is_readable() const override { return true; }
  bool is_writable() const override { return true; }
  ssize_t read(char* data, std::size_t size) override { return socket_.read(data, size); }
  ssize_t write(const char* data, std::size_t size) override { return socket_.write(data, size); }
  void get_remote_ip_and_port(std::string&, int&) const override {}
  void get_local_ip_and_port(std::string&, int&) const override {}
  socket_t socket() const override { return socket_.fd(); }

 private:
  DeadlineSocket& socket_;
};

/// Lets cpp-httplib write the request and parse the answer, on our own stream.
class Exchange : public httplib::ClientImpl {
 public:
  Exchange() : ClientImpl("localhost", 80) {
    set_decompress(false);
    set_keep_alive(false);
  }

  bool run(DeadlineSocket& socket, httplib::Request& request, httplib::Response& response) {
    SocketStream stream(socket);
    httplib::Error error{};
    return process_request(stream, request, response, true, error);
  }
};

ControlClient::Trouble trouble_of(DeadlineSocket::Error error) {
  using Error = DeadlineSocket::Error;
  using Trouble = ControlClient::Trouble;
  switch (error) {
    case Error::kNoListener:
      return Trouble::kNoAgent;
    case Error::kDenied:
      return Trouble::kDenied;
    case Error::kDeadline:
      return Trouble::kNoAnswer;
    case Error::kCancelled:
      return Trouble::kCancelled;
    case Error::kNone:
    case Error::kClosed:
    case Error::kTooLong:
      return Trouble::kBroken;
  }
  return Trouble::kBroken;
}

ControlClient::Reply exchange(const std::filesystem::path& path, httplib::Request request, Duration deadline,
                              const ControlClient::Tick& tick) {
  ControlClient::Reply reply;
  DeadlineSocket socket(Clock::now() + deadline, tick);
  if (!socket.connect(path)) {
    reply.trouble = trouble_of(socket.error());
    return reply;
  }
  httplib::Response response;
  bool complete = false;
  try {
    complete = Exchange().run(socket, request, response);
  } catch (const std::exception&) {
    complete = false;  // an answer that cpp-httplib's parser chokes on
  }
  if (!complete) {
    reply.trouble = trouble_of(socket.error());
    return reply;
  }
  reply.status = response.status;
  reply.body = std::move(response.body);
  return reply;
}

}  // namespace

ControlClient::Reply ControlClient::get(const std::string& path, Duration deadline, const Tick& tick) const {
  httplib::Request request;
  request.method = "GET";
  request.path = path;
  return exchange(socket_, std::move(request), deadline, tick);
}

ControlClient::Reply ControlClient::post(const std::string& path, const std::string& json, Duration deadline,
                                         const Tick& tick) const {
  httplib::Request request;
  request.method = "POST";
  request.path = path;
  request.set_header("Content-Type", "application/json");
  request.body = json;
  return exchange(socket_, std::move(request), deadline, tick);
}

bool ControlClient::agent_listens() const {
  DeadlineSocket socket(Clock::now(), {});
  return socket.connect(socket_) || socket.error() == DeadlineSocket::Error::kDeadline;
}

}  // namespace codex
