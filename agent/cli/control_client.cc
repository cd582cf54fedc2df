#include "agent/cli/control_client.h"

#include "agent/cli/deadline_socket.h"
#include "agent/cli/reply_reader.h"

namespace codex {
namespace {

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
      return Trouble::kBroken;
  }
  return Trouble::kBroken;
}

ControlClient::Reply exchange(const std::filesystem::path& path, const std::string& request,
                              Duration deadline, const ControlClient::Tick& tick) {
  ControlClient::Reply reply;
  DeadlineSocket socket(Clock::now() + deadline, tick);
  ReplyReader reader;
  if (socket.connect(path) && socket.send(request)) {
    while (reader.state() == ReplyReader::State::kReading) {
      const auto bytes = socket.receive();
      if (bytes.empty()) break;
      reader.feed(bytes);
    }
  }
  if (reader.state() != ReplyReader::State::kComplete) {
    reply.trouble = trouble_of(socket.error());
    return reply;
  }
  reply.status = reader.status();
  reply.body = reader.take_body();
  return reply;
}

/// `fields`: lines that end in CRLF.
std::string request_for(const std::string& line, const std::string& fields) {
  return line + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + fields + "\r\n";
}

}  // namespace

ControlClient::Reply ControlClient::get(const std::string& path, Duration deadline, const Tick& tick) const {
  return exchange(socket_, request_for("GET " + path, ""), deadline, tick);
}

ControlClient::Reply ControlClient::post(const std::string& path, const std::string& json, Duration deadline,
                                         const Tick& tick) const {
  const std::string fields =
      "Content-Type: application/json\r\nContent-Length: " + std::to_string(json.size()) + "\r\n";
  return exchange(socket_, request_for("POST " + path, fields) + json, deadline, tick);
}

bool ControlClient::agent_listens() const {
  DeadlineSocket socket(Clock::now(), {});
  return socket.connect(socket_) || socket.error() == DeadlineSocket::Error::kDeadline;
}

}  // namespace codex
