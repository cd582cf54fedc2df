#include "agent/sockets/inet_diag.h"

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include "agent/os/check.h"

namespace codex {

namespace {

constexpr int kMostWaits = 3;
constexpr int kPatienceMilliseconds = 5;
constexpr std::size_t kBufferBytes = 32 * 1024;

UniqueFd open_netlink(const NetworkNamespace& network) {
  auto netlink = network.socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_SOCK_DIAG);
  check("socket NETLINK_SOCK_DIAG", netlink.get());
  return netlink;
}

/// Netlink aligns to 4 bytes, our structures may want 8: everything is copied out.
template <typename T>
bool copy_front(std::string_view bytes, T& to) {
  if (bytes.size() < sizeof to) return false;
  std::memcpy(&to, bytes.data(), sizeof to);
  return true;
}

[[noreturn]] void throw_protocol_error() {
  throw std::system_error(EBADMSG, std::system_category(), "sock_diag");
}

/// One question: request, answers, until the kernel says done.
class Exchange {
 public:
  Exchange(int netlink, std::uint32_t sequence, bool dump, const InetDiag::Visit& visit)
      : netlink_(netlink), sequence_(sequence), dump_(dump), visit_(visit) {}

  void send(const inet_diag_req_v2& question) {
    struct {
      nlmsghdr header;
      inet_diag_req_v2 question;
    } request{};
    request.header.nlmsg_len = sizeof request;
    request.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
    request.header.nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | (dump_ ? NLM_F_DUMP : 0));
    request.header.nlmsg_seq = sequence_;
    request.question = question;
    ssize_t sent = 0;
    do {
      sent = ::send(netlink_, &request, sizeof request, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    check("send to sock_diag", sent);
  }

  /// False: interrupted (a walk) or not found (a look-up).
  bool receive_all() {
    while (!done_) read_batch();
    return good_;
  }

 private:
  void read_batch() {
    const auto length = receive();
    std::string_view rest(buffer_.data(), length);
    nlmsghdr header{};
    while (!done_ && copy_front(rest, header)) {
      if (header.nlmsg_len < sizeof header || header.nlmsg_len > rest.size()) throw_protocol_error();
      if (header.nlmsg_seq == sequence_)
        take(header, rest.substr(sizeof header, header.nlmsg_len - sizeof header));
      rest.remove_prefix(std::min<std::size_t>(rest.size(), NLMSG_ALIGN(header.nlmsg_len)));
    }
  }

  void take(const nlmsghdr& header, std::string_view payload) {
    if ((header.nlmsg_flags & NLM_F_DUMP_INTR) != 0) good_ = false;
    if (header.nlmsg_type == NLMSG_DONE || header.nlmsg_type == NLMSG_ERROR) {
      // Both begin with a negative errno.
      int error = 0;
      if (copy_front(payload, error) && error < 0) {
        if (dump_ || error != -ENOENT) throw std::system_error(-error, std::system_category(), "sock_diag");
        good_ = false;
      }
      done_ = true;
    } else if (header.nlmsg_type == SOCK_DIAG_BY_FAMILY) {
      inet_diag_msg message{};
      if (!copy_front(payload, message)) throw_protocol_error();
      visit_(message, payload.substr(std::min<std::size_t>(payload.size(), NLMSG_ALIGN(sizeof message))));
      // The answer to a look-up is one message without an end mark.
      if (!dump_) done_ = true;
    }
  }

  /// The kernel prepares the next batch inside recvmsg(2), so waiting is the exception and stays bounded.
  std::size_t receive() {
    for (int waits = 0;;) {
      iovec part{buffer_.data(), buffer_.size()};
      sockaddr_nl from{};
      msghdr message{};
      message.msg_name = &from;
      message.msg_namelen = sizeof from;
      message.msg_iov = &part;
      message.msg_iovlen = 1;
      const auto length = ::recvmsg(netlink_, &message, 0);
      if (length >= 0) {
        if ((message.msg_flags & MSG_TRUNC) != 0) throw_protocol_error();
        if (from.nl_pid == 0) return static_cast<std::size_t>(length);
      } else if (errno == EAGAIN) {
        if (++waits > kMostWaits) throw std::system_error(ETIMEDOUT, std::system_category(), "sock_diag");
        pollfd readable{netlink_, POLLIN, 0};
        ::poll(&readable, 1, kPatienceMilliseconds);
      } else if (errno != EINTR) {
        throw_errno("recvmsg from sock_diag");
      }
    }
  }

  int netlink_;
  std::uint32_t sequence_;
  bool dump_;
  const InetDiag::Visit& visit_;
  bool done_ = false;
  bool good_ = true;
  std::array<char, kBufferBytes> buffer_;
};

}  // namespace

InetDiag::InetDiag(NetworkNamespace network)
    : network_(std::move(network)), netlink_(open_netlink(network_)) {}

bool InetDiag::find(const inet_diag_req_v2& question, const Visit& visit) {
  return ask(question, false, visit);
}

bool InetDiag::walk(const inet_diag_req_v2& question, const Visit& visit) {
  return ask(question, true, visit);
}

bool InetDiag::ask(const inet_diag_req_v2& question, bool dump, const Visit& visit) {
  if (!netlink_) netlink_ = open_netlink(network_);
  try {
    Exchange exchange(netlink_.get(), ++sequence_, dump, visit);
    exchange.send(question);
    return exchange.receive_all();
  } catch (...) {
    // An answer that broke off would go on into the next question, or refuse it with EBUSY.
    netlink_.reset();
    throw;
  }
}

}  // namespace codex
