#include "probes/hang/request_waits.h"

#include <netinet/tcp.h>

#include <algorithm>
#include <utility>

namespace codex {

namespace {

constexpr Duration kLeastDelay = std::chrono::milliseconds(20), kMostDelay = std::chrono::milliseconds(500);

void note_waiting(WaitingSockets& sockets, Duration age) {
  ++sockets.waiting;
  sockets.oldest = std::max(sockets.oldest, age);
}

/// We spoke last, and nothing came back. If both directions spoke in the same tick of the kernel, an
/// acknowledgement tells: one that came alone, delayed as TCP may (RFC 1122, 4.2.3.2), is for what we sent.
bool speaks_last(const TcpSocket& socket) {
  if (socket.bytes_sent == 0) return false;
  if (socket.bytes_received == 0 || socket.since_sent < socket.since_received) return true;
  const auto acked_after = socket.since_received - socket.since_acked;
  return socket.since_sent == socket.since_received && acked_after >= kLeastDelay &&
         acked_after <= kMostDelay;
}

/// Whoever only closed has asked for nothing; the kernel counts that as a byte.
bool asks(const TcpSocket& socket) {
  return socket.bytes_received > (socket.state == TCP_CLOSE_WAIT ? 1U : 0U);
}

void note_answer(std::optional<Duration>& last_answer, Duration age) {
  last_answer = last_answer ? std::min(*last_answer, age) : age;
}

}  // namespace

RequestWaits::RequestWaits(std::uint16_t server_port, std::set<std::uint16_t> database_ports)
    : server_port_(server_port), database_ports_(std::move(database_ports)) {}

std::set<std::uint16_t> RequestWaits::usual_database_ports() {
  // PostgreSQL and its pooler, MySQL, MongoDB, Redis, SQL Server, Oracle.
  return {5432, 6432, 3306, 27017, 6379, 1433, 1521};
}

void RequestWaits::begin_look(TimePoint now, std::set<std::uint16_t> served_ports,
                              std::set<std::uint64_t> agents) {
  now_ = now;
  served_ports_ = std::move(served_ports);
  agents_ = std::move(agents);
  agents_ports_.clear();
  ours_now_.clear();
  servers_.clear();
  served_.clear();
  accepted_inodes_.clear();
  view_ = RequestView{};
  waiting_now_.clear();
  accepted_now_.clear();
  opening_now_.clear();
  received_now_.clear();
  database_answer_.reset();
  upstream_answer_.reset();
}

void RequestWaits::see(const TcpSocket& socket, const std::set<std::uint64_t>& own_inodes) {
  if (socket.remote.port == server_port_ && agents_.contains(socket.inode))
    agents_ports_.insert(socket.local.port);
  if (socket.local.port == server_port_ && socket.state != TCP_SYN_SENT) {
    servers_.push_back(socket);
  } else if (own_inodes.contains(socket.inode) && !served_ports_.contains(socket.local.port)) {
    see_outgoing(socket);
  }
}

bool RequestWaits::is_agents(const TcpSocket& socket) const {
  return agents_ports_.contains(socket.remote.port) || ours_.contains(socket.cookie);
}

/// Not accepted yet. Who has said nothing so far has no request.
void RequestWaits::see_queued(const TcpSocket& socket) {
  ++view_.queued.connections;
  if (asks(socket)) note_waiting(view_.queued, socket.since_received);
}

void RequestWaits::Served::add_to(RequestView& view) const {
  ++view.server.connections;
  view.taken = view.taken || taken;
  if (last_answer) note_answer(view.server.last_answer, *last_answer);
  if (waits) note_waiting(view.server, age);
}

void RequestWaits::see_server(const TcpSocket& socket) {
  Served served{.inode = socket.inode};
  const auto known = accepted_.find(socket.cookie);
  const bool is_new = known == accepted_.end();
  const TimePoint accepted_after = is_new ? looked_at_.value_or(TimePoint{}) : known->second.after;
  const auto read_so_far =
      socket.bytes_received - std::min<std::uint64_t>(socket.bytes_received, socket.unread);
  accepted_now_[socket.cookie] = {accepted_after, read_so_far};
  served.taken = is_new ? looked_at_.has_value() : read_so_far > known->second.read_so_far;
  if (socket.bytes_sent > 0) served.last_answer = socket.since_sent;
  const bool waits = asks(socket) && (socket.bytes_sent == 0 || socket.since_received < socket.since_sent);
  if (waits) {
    const auto age = std::min(socket.since_received, now_ - accepted_after);
    served.waits = true;
    served.age = age;
    waiting_now_[socket.cookie] = age;
  } else if (socket.bytes_sent > 0) {
    const auto before = waiting_.find(socket.cookie);
    const auto answered = before == waiting_.end() ? Duration{0} : before->second;
    view_.answered_after = std::max(view_.answered_after.value_or(Duration{0}), answered);
  }
  served.add_to(view_);
  served_.push_back(served);
}

void RequestWaits::see_outgoing(const TcpSocket& socket) {
  const bool database = database_ports_.contains(socket.remote.port);
  auto& sockets = database ? view_.database : view_.upstream;
  ++sockets.connections;
  const bool opening = socket.state == TCP_SYN_SENT;
  const bool waits = opening || speaks_last(socket);
  // What came in before a query was sent is an answer only on a connection that had been open before: a new
  // one hears the server's greeting first.
  const auto known = received_.find(socket.cookie);
  const bool is_known = known != received_.end();
  const bool grew = is_known && socket.bytes_received > known->second.bytes;
  const bool only_greeted = !grew && (is_known ? known->second.only_greeted : looked_outside_);
  received_now_[socket.cookie] = {socket.bytes_received, only_greeted};
  if (socket.bytes_received > 0 && (!waits || grew)) {
    note_answer(sockets.last_answer, socket.since_received);
    if (!only_greeted) note_answer(database ? database_answer_ : upstream_answer_, socket.since_received);
  }
  if (!waits) return;
  auto age = socket.since_sent;
  if (opening) {
    // It has no ages yet: it has waited as long as it was seen to.
    const auto before = opening_.find(socket.cookie);
    const auto since = before == opening_.end() ? now_ : before->second;
    opening_now_[socket.cookie] = since;
    age = now_ - since;
  }
  if (age >= sockets.oldest)
    (database ? view_.database_address : view_.upstream_address) = socket.remote.text();
  note_waiting(sockets, age);
}

RequestView RequestWaits::finish_look(bool outgoing) {
  for (const auto& socket : servers_) {
    if (socket.inode != 0) accepted_inodes_.insert(socket.inode);
    if (is_agents(socket)) {
      ours_now_.insert(socket.cookie);
    } else {
      socket.inode == 0 ? see_queued(socket) : see_server(socket);
    }
  }
  ours_ = std::exchange(ours_now_, {});
  view_.outgoing_known = outgoing;
  waiting_ = std::exchange(waiting_now_, {});
  accepted_ = std::exchange(accepted_now_, {});
  looked_at_ = now_;
  if (outgoing) {
    opening_ = std::exchange(opening_now_, {});
    received_ = std::exchange(received_now_, {});
    looked_outside_ = true;
    // A server may go on greeting while it answers no query.
    if (view_.database.waiting > 0) view_.database.last_answer = database_answer_;
    if (view_.upstream.waiting > 0) view_.upstream.last_answer = upstream_answer_;
  }
  return view_;
}

}  // namespace codex
