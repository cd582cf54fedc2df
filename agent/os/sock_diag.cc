#include "agent/os/sock_diag.h"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <system_error>

#include "agent/os/check.h"

namespace codex {

namespace {

constexpr int kAttempts = 3;
constexpr int kPatienceMilliseconds = 5;
constexpr std::size_t kBufferBytes = 32 * 1024;

UniqueFd open_netlink() {
  return UniqueFd(check("socket NETLINK_SOCK_DIAG",
                        ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_SOCK_DIAG)));
}

/// Netlink aligns to 4 bytes, our structures may want 8: everything is copied out.
template <typename T>
bool copy_front(std::string_view bytes, T& to) {
  if (bytes.size() < sizeof to) return false;
  std::memcpy(&to, bytes.data(), sizeof to);
  return true;
}

Listener to_listener(const inet_diag_msg& message) {
  Listener listener;
  listener.ipv6 = message.idiag_family == AF_INET6;
  std::array<char, INET6_ADDRSTRLEN> text{};
  ::inet_ntop(message.idiag_family, message.id.idiag_src, text.data(), text.size());
  listener.address = text.data();
  listener.port = ntohs(message.id.idiag_sport);
  listener.inode = message.idiag_inode;
  listener.uid = message.idiag_uid;
  listener.accept_queue = message.idiag_rqueue;
  listener.backlog = message.idiag_wqueue;
  return listener;
}

/// One dump: request, answers, until the kernel says done.
class Dump {
 public:
  Dump(int netlink, int family, std::uint16_t port, std::uint32_t sequence)
      : netlink_(netlink), port_(port), sequence_(sequence) {
    struct {
      nlmsghdr header;
      inet_diag_req_v2 question;
    } request{};
    request.header.nlmsg_len = sizeof request;
    request.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
    request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    request.header.nlmsg_seq = sequence;
    request.question.sdiag_family = static_cast<std::uint8_t>(family);
    request.question.sdiag_protocol = IPPROTO_TCP;
    request.question.idiag_states = 1U << TCP_LISTEN;
    request.question.id.idiag_sport = htons(port);
    ssize_t sent = 0;
    do {
      sent = ::send(netlink_, &request, sizeof request, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    check("send to sock_diag", sent);
  }

  /// Appends what is found. False: the table changed under the walk, ask again.
  bool collect(std::vector<Listener>& found) {
    while (!done_) read_batch(found);
    return !interrupted_;
  }

 private:
  void read_batch(std::vector<Listener>& found) {
    const auto length = receive();
    std::string_view rest(buffer_.data(), length);
    nlmsghdr header{};
    while (!done_ && copy_front(rest, header)) {
      if (header.nlmsg_len < sizeof header || header.nlmsg_len > rest.size()) throw_protocol_error();
      if (header.nlmsg_seq == sequence_)
        take(header, rest.substr(sizeof header, header.nlmsg_len - sizeof header), found);
      rest.remove_prefix(std::min<std::size_t>(rest.size(), NLMSG_ALIGN(header.nlmsg_len)));
    }
  }

  void take(const nlmsghdr& header, std::string_view payload, std::vector<Listener>& found) {
    if ((header.nlmsg_flags & NLM_F_DUMP_INTR) != 0) interrupted_ = true;
    if (header.nlmsg_type == NLMSG_DONE || header.nlmsg_type == NLMSG_ERROR) {
      // Both begin with a negative errno.
      int error = 0;
      if (copy_front(payload, error) && error < 0) {
        throw std::system_error(-error, std::system_category(), "sock_diag");
      }
      done_ = true;
    } else if (header.nlmsg_type == SOCK_DIAG_BY_FAMILY) {
      inet_diag_msg message{};
      if (!copy_front(payload, message)) throw_protocol_error();
      if (message.idiag_state == TCP_LISTEN && ntohs(message.id.idiag_sport) == port_) {
        found.push_back(to_listener(message));
      }
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
        if (++waits > kAttempts) throw std::system_error(ETIMEDOUT, std::system_category(), "sock_diag");
        pollfd readable{netlink_, POLLIN, 0};
        ::poll(&readable, 1, kPatienceMilliseconds);
      } else if (errno != EINTR) {
        throw_errno("recvmsg from sock_diag");
      }
    }
  }

  [[noreturn]] static void throw_protocol_error() {
    throw std::system_error(EBADMSG, std::system_category(), "sock_diag");
  }

  int netlink_;
  std::uint16_t port_;
  std::uint32_t sequence_;
  bool done_ = false;
  bool interrupted_ = false;
  std::array<char, kBufferBytes> buffer_;
};

}  // namespace

SockDiag::SockDiag() : netlink_(open_netlink()) {}

std::vector<Listener> SockDiag::listeners(std::uint16_t port) {
  if (!netlink_) netlink_ = open_netlink();
  try {
    std::vector<Listener> found;
    std::uint32_t sequence = 0;
    for (const int family : {AF_INET, AF_INET6}) {
      const auto before = found.size();
      bool complete = false;
      for (int attempt = 0; attempt < kAttempts && !complete; ++attempt) {
        found.resize(before);
        complete = Dump(netlink_.get(), family, port, ++sequence).collect(found);
      }
    }
    return found;
  } catch (...) {
    // A dump that broke off would answer into the next question, or refuse it with EBUSY.
    netlink_.reset();
    throw;
  }
}

}  // namespace codex
