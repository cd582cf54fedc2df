#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/sockets/tcp_sockets.h"
#include "probes/hang/hang_observation.h"

namespace codex {

/// Tells from the ages of a connection's last bytes who waits for whom: a request that was received and not
/// answered, a query that was sent and not answered. Pure; feed it one walk after another.
class RequestWaits {
 public:
  /// `server_port`: the backend's. `database_ports`: where its databases listen.
  RequestWaits(std::uint16_t server_port, std::set<std::uint16_t> database_ports);

  /// `served_ports`: on which its process serves anything: whoever comes there is no upstream. `agents`:
  /// sockets of this very process; the connections behind them are no clients', now and when we have closed
  /// them.
  void begin_look(TimePoint now, std::set<std::uint16_t> served_ports = {},
                  std::set<std::uint64_t> agents = {});
  /// A connection of the backend's port, or one in `own_inodes` of its process.
  void see(const TcpSocket& socket, const std::set<std::uint64_t>& own_inodes);
  /// `outgoing`: the walk covered the outgoing connections, too.
  RequestView finish_look(bool outgoing);

  /// Of the newest look: the connections that a process has, and who waits there.
  struct Served {
    std::uint64_t inode = 0;
    bool waits = false, taken = false;
    Duration age{0};                        ///< of the request that waits
    std::optional<Duration> last_answer{};  ///< since
    void add_to(RequestView& view) const;
  };
  [[nodiscard]] const std::vector<Served>& served() const { return served_; }
  /// Inodes of all accepted connections, ours among them.
  [[nodiscard]] const std::set<std::uint64_t>& accepted() const { return accepted_inodes_; }

  /// Ports that databases commonly listen on.
  static std::set<std::uint16_t> usual_database_ports();

 private:
  void see_server(const TcpSocket& socket);
  void see_queued(const TcpSocket& socket);
  [[nodiscard]] bool is_agents(const TcpSocket& socket) const;
  void see_outgoing(const TcpSocket& socket);

  std::uint16_t server_port_;
  std::set<std::uint16_t> database_ports_, served_ports_;
  std::set<std::uint64_t> agents_;           ///< inodes of our own sockets
  std::set<std::uint16_t> agents_ports_;     ///< from which we are connected to the server
  std::set<std::uint64_t> ours_, ours_now_;  ///< cookies of the server's ends of our connections
  std::vector<TcpSocket> servers_;           ///< the server's ends, until both ends have been seen
  RequestView view_;
  std::vector<Served> served_;
  std::set<std::uint64_t> accepted_inodes_;
  TimePoint now_{};
  /// A connection of the server's. What a request waits before it is accepted is the event loop's matter, not
  /// a handler's.
  struct Accepted {
    TimePoint after;            ///< it was not accepted yet
    std::uint64_t read_so_far;  ///< bytes that the server has read
  };
  std::map<std::uint64_t, Accepted> accepted_, accepted_now_;  ///< by cookie
  std::optional<TimePoint> looked_at_;
  std::map<std::uint64_t, Duration> waiting_, waiting_now_;  ///< requests by cookie, before and in this look
  /// What was received on an outgoing connection. One that was opened between two looks has told no more than
  /// that somebody greeted it, until more comes.
  struct Received {
    std::uint64_t bytes = 0;
    bool only_greeted = false;
  };
  std::map<std::uint64_t, Received> received_, received_now_;
  bool looked_outside_ = false;
  std::optional<Duration> database_answer_, upstream_answer_;  ///< as last_answer, greetings left out
  std::map<std::uint64_t, TimePoint> opening_, opening_now_;   ///< outgoing ones without an answer to SYN
};

}  // namespace codex
