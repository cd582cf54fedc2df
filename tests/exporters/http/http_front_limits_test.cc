#include <gmock/gmock.h>

#include <fcntl.h>
#include <sys/resource.h>

#include <algorithm>

#include "agent/os/check.h"
#include "tests/exporters/http/front_fixture.h"
#include "tests/support/few_descriptors.h"

namespace codex {
namespace {

using std::chrono::milliseconds;
using testing::FrontTest;
using ::testing::StartsWith;
using testing::TestClient;

class HttpFrontLimitsTest : public FrontTest {};

TEST_F(HttpFrontLimitsTest, ASilentClientIsCutAtTheDeadline) {
  HttpLimits limits;
  limits.request_deadline = milliseconds(100);
  start(limits);
  const TimePoint begin = Clock::now();
  TestClient client = connect();
  turn_until_closed(client);
  EXPECT_GE(Clock::now() - begin, milliseconds(100));
  EXPECT_EQ(client.received(), "");
  EXPECT_EQ(rejected("deadline"), 1U);
}

TEST_F(HttpFrontLimitsTest, ADrippingClientIsCutAtTheSameDeadline) {
  HttpLimits limits;
  limits.request_deadline = milliseconds(100);
  start(limits);
  TestClient client = connect();
  client.send("GET /hello HTTP/1.1\r\nA: ");
  const TimePoint begin = Clock::now();
  std::size_t sent = 0;  // Below the limit of a head, however fast this loop turns.
  turn_until([&] {
    if (++sent < limits.head_bytes / 2) client.send("a");
    client.receive();
    return client.closed();
  });
  EXPECT_LT(Clock::now() - begin, milliseconds(5000));
  EXPECT_EQ(rejected("deadline"), 1U);
}

TEST_F(HttpFrontLimitsTest, AClientThatDoesNotReadIsCutAndDelaysNobody) {
  HttpLimits limits;
  limits.response_deadline = milliseconds(200);
  start(limits);
  TestClient slow = TestClient::tcp(port_, 2048);
  slow.send("GET /big HTTP/1.1\r\nHost: x\r\n\r\n");
  turn_until([&] { return front_->stats().in_flight == 1; });
  TestClient quick = get("/hello");
  turn_until_closed(quick);
  EXPECT_EQ(quick.body(), "hello");
  turn_until([&] { return rejected("deadline") == 1; });
  turn_until_closed(slow);
  EXPECT_LT(slow.received().size(), std::size_t{8 << 20});
}

TEST_F(HttpFrontLimitsTest, OneMoreThanTheLimitCostsTheOldestItsPlace) {
  HttpLimits limits;
  limits.connections = 3;
  start(limits);
  std::vector<TestClient> clients;
  for (int i = 0; i < 3; ++i) clients.push_back(connect());
  TestClient newest = get("/hello");
  turn_until_closed(newest);
  EXPECT_EQ(newest.body(), "hello");
  EXPECT_EQ(rejected("limit"), 1U);
  turn_until_closed(clients[0]);
  for (const std::size_t i : {1U, 2U}) {
    clients[i].send("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
    turn_until_closed(clients[i]);
    EXPECT_EQ(clients[i].body(), "hello");
  }
}

TEST_F(HttpFrontLimitsTest, ParkedConnectionsCountToTheLimit) {
  HttpLimits limits;
  limits.connections = 2;
  start(limits);
  TestClient parked = get("/park");
  turn_until([&] { return park_calls_ == 1; });
  TestClient second = connect();
  TestClient third = connect();
  turn_until_closed(parked);
  EXPECT_EQ(rejected("limit"), 1U);
}

TEST_F(HttpFrontLimitsTest, AHeadOfExactly8KiBIsServedAndOneByteMoreIsNot) {
  start();
  const auto head_of = [](std::size_t size) {
    const std::string begin = "GET /hello HTTP/1.1\r\nHost: x\r\nA: ";
    return begin + std::string(size - begin.size() - 4, 'a') + "\r\n\r\n";
  };
  TestClient largest = connect();
  largest.send(head_of(8192));
  turn_until_closed(largest);
  EXPECT_THAT(largest.received(), StartsWith("HTTP/1.1 200 "));
  TestClient larger = connect();
  larger.send(head_of(8193));
  turn_until_closed(larger);
  EXPECT_THAT(larger.received(), StartsWith("HTTP/1.1 431 "));
  EXPECT_EQ(rejected("too_large"), 1U);
}

void raise_descriptor_limit(rlim_t wanted) {
  rlimit limit{};
  check("getrlimit", ::getrlimit(RLIMIT_NOFILE, &limit));
  limit.rlim_cur = std::min(limit.rlim_max, std::max(limit.rlim_cur, wanted));
  check("setrlimit", ::setrlimit(RLIMIT_NOFILE, &limit));
}

TEST_F(HttpFrontLimitsTest, AThousandSlowClientsDoNotKeepAScrapeWaiting) {
  raise_descriptor_limit(4096);
  HttpLimits limits;
  limits.request_deadline = std::chrono::hours(1);  // no scrape may owe its answer to this
  start(limits);
  std::vector<TestClient> slow;
  std::vector<Duration> waits;
  for (int i = 0; i < 1000; ++i) {
    slow.push_back(connect());
    slow.back().send("GET /hello HTTP/1.1\r\nA: ");
    if (i % 100 != 99) continue;
    const TimePoint begin = Clock::now();
    TestClient scrape = get("/hello");
    turn_until_closed(scrape);
    EXPECT_EQ(scrape.body(), "hello");
    waits.push_back(Clock::now() - begin);
  }
  std::sort(waits.begin(), waits.end());
  EXPECT_LT(waits[waits.size() / 2], std::chrono::seconds(1));
  EXPECT_GE(rejected("limit"), 1000U - 256U);
}

class NoDescriptorsLeft {
 public:
  NoDescriptorsLeft() {
    check("getrlimit", ::getrlimit(RLIMIT_NOFILE, &before_));
    rlimit limit = before_;
    limit.rlim_cur = 200;
    check("setrlimit", ::setrlimit(RLIMIT_NOFILE, &limit));
    for (int fd = 0; (fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0;) fds_.emplace_back(fd);
  }
  ~NoDescriptorsLeft() { ::setrlimit(RLIMIT_NOFILE, &before_); }
  NoDescriptorsLeft(const NoDescriptorsLeft&) = delete;
  NoDescriptorsLeft& operator=(const NoDescriptorsLeft&) = delete;

 private:
  rlimit before_{};
  std::vector<UniqueFd> fds_;
};

TEST_F(HttpFrontLimitsTest, WithoutDescriptorsNewClientsAreTurnedAwayAndTheFrontLivesOn) {
  start();
  std::vector<TestClient> waiting;
  for (int i = 0; i < 5; ++i) waiting.push_back(get("/hello"));
  {
    const NoDescriptorsLeft exhausted;
    for (TestClient& client : waiting) turn_until_closed(client);
  }
  EXPECT_EQ(rejected("accept"), 5U);
  settle();
}

TEST_F(HttpFrontLimitsTest, AFrontThatWasMadeWithTheLastDescriptorsServes) {
  CODEX_SKIP_WITHOUT_DESCRIPTORS();
  const Timer any(loop_, "any", [] {});                       // the loop's own descriptors
  std::optional<test::FewDescriptors> few(std::in_place, 1);  // for the listener
  start();
  few.reset();
  TestClient client = get("/hello");
  turn_until_closed(client);
  EXPECT_EQ(client.body(), "hello");
  TestClient waiting = get("/hello");
  {
    const NoDescriptorsLeft exhausted;
    turn_until_closed(waiting);
  }
  EXPECT_EQ(rejected("accept"), 1U) << "it has got a descriptor to spare in the meantime";
}

TEST_F(HttpFrontLimitsTest, WithoutDescriptorsTheOldestClientMakesRoom) {
  start();
  TestClient oldest = connect();
  oldest.send("GET ");
  settle();
  TestClient newest = get("/hello");
  {
    const NoDescriptorsLeft exhausted;
    turn_until_closed(newest);
  }
  EXPECT_EQ(newest.body(), "hello");
  turn_until_closed(oldest);
}

}  // namespace
}  // namespace codex
