#include "probes/worker_call.h"

#include <optional>
#include <stdexcept>
#include <string>

#include "probes/resolver.h"
#include "tests/probes/probe_fixture.h"

namespace codex::test {
namespace {

class WorkerCallTest : public ProbeFixture {};

TEST_F(WorkerCallTest, ValueOfTheWorkComesBackOnTheLoop) {
  WorkerCall call;
  std::optional<int> value;
  std::thread::id worked_on, told_on;
  EXPECT_TRUE(call.send(
      loop, resolver,
      [&] {
        worked_on = std::this_thread::get_id();
        return 42;
      },
      [&](std::future<int> future) {
        told_on = std::this_thread::get_id();
        value = future.get();
      }));
  run_until([&] { return value.has_value(); });
  EXPECT_EQ(value, 42);
  EXPECT_EQ(told_on, std::this_thread::get_id());
  EXPECT_NE(worked_on, told_on);
}

TEST_F(WorkerCallTest, ExceptionOfTheWorkComesBackOnTheLoop) {
  WorkerCall call;
  std::string what;
  EXPECT_TRUE(call.send(
      loop, resolver, []() -> int { throw std::runtime_error("no luck"); },
      [&](std::future<int> future) {
        try {
          future.get();
        } catch (const std::runtime_error& e) {
          what = e.what();
        }
      }));
  run_until([&] { return !what.empty(); });
  EXPECT_EQ(what, "no luck");
}

TEST_F(WorkerCallTest, FullMailboxIsRefused) {
  const BusyWorker busy(resolver);
  WorkerCall call;
  const auto send = [&] {
    return call.send(
        loop, resolver, [] { return 0; }, [](std::future<int>) {});
  };
  for (int i = 0; i < 16; ++i) EXPECT_TRUE(send());
  EXPECT_FALSE(send());
}

TEST_F(WorkerCallTest, WorkMayOutliveTheLoop) {
  auto short_lived = std::make_unique<EventLoop>();
  WorkerCall call;
  bool told = false;
  {
    const BusyWorker busy(resolver);
    EXPECT_TRUE(call.send(
        *short_lived, resolver, [] { return 0; }, [&](std::future<int>) { told = true; }));
    short_lived.reset();
  }
  const BusyWorker done_with_it(resolver);
  EXPECT_FALSE(told);
}

TEST(Resolver, NumericHostsAndLocalhostNeedNoNetwork) {
  using List = std::vector<std::string>;
  EXPECT_EQ(resolve_without_network("127.0.0.1"), (List{"127.0.0.1"}));
  EXPECT_EQ(resolve_without_network("::1"), (List{"::1"}));
  EXPECT_EQ(resolve_without_network("[::1]"), (List{"::1"}));
  EXPECT_EQ(resolve_without_network("fe80::1%lo"), (List{"fe80::1%lo"}));
  EXPECT_EQ(resolve_without_network("LocalHost"), (List{"127.0.0.1", "::1"}));
  EXPECT_EQ(resolve_without_network("db.example"), std::nullopt);
  EXPECT_EQ(resolve_without_network("127.0.0.1.example"), std::nullopt);
  EXPECT_EQ(resolve_without_network(""), std::nullopt);
  EXPECT_EQ(resolve_without_network(std::string(30000, '1')), std::nullopt);
}

}  // namespace
}  // namespace codex::test
