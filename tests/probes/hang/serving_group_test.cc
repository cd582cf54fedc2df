#include "probes/hang/serving_group.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace codex {
namespace {

constexpr bool kListens = true, kServes = true;

PortProcess process(pid_t pid, pid_t parent, bool listens, bool serves, std::string command = "worker") {
  return {{pid, 1}, parent, std::move(command), listens, serves};
}

std::vector<pid_t> pids(const std::vector<PortProcess>& tree) {
  std::vector<pid_t> pids;
  for (const auto& worker : workers_of(tree)) pids.push_back(worker.pid);
  return pids;
}

using ::testing::ElementsAre;

TEST(ServingGroup, OneProcessIsItsOwnWorker) {
  EXPECT_THAT(pids({process(10, 1, kListens, false)}), ElementsAre(10));
}

TEST(ServingGroup, BehindNpmAndAShellTheOneThatListensServes) {
  EXPECT_THAT(pids({process(10, 1, false, false, "npm"), process(11, 10, false, false, "sh"),
                    process(12, 11, kListens, false, "node")}),
              ElementsAre(12));
}

TEST(ServingGroup, AMasterHoldsTheSocketForItsChildren) {
  EXPECT_THAT(pids({process(10, 1, kListens, false), process(11, 10, kListens, false),
                    process(12, 10, kListens, kServes), process(13, 10, kListens, false)}),
              ElementsAre(11, 12, 13));
}

TEST(ServingGroup, AMasterThatHandsConnectionsOnHasWorkersWithoutTheSocket) {
  const auto cluster = [](bool first_serves) {
    return std::vector{process(10, 1, kListens, false, "node master.js"),
                       process(11, 10, false, first_serves, "node worker.js"),
                       process(12, 10, false, false, "node worker.js"),
                       process(13, 10, false, false, "node log-shipper.js")};
  };
  EXPECT_THAT(pids(cluster(false)), ElementsAre(10)) << "nobody else was seen with a connection yet";
  EXPECT_THAT(pids(cluster(true)), ElementsAre(11, 12)) << "a sister of the same command is one, too";
}

TEST(ServingGroup, AMasterThatHasAConnectionInHandIsNoWorker) {
  EXPECT_THAT(pids({process(10, 1, kListens, kServes), process(11, 10, false, kServes)}), ElementsAre(11));
}

TEST(ServingGroup, ChildrenThatInheritedTheSocketServeNobodyWhileTheirParentDoes) {
  const std::vector tree{process(10, 1, kListens, kServes, "python3 app.py"),
                         process(11, 10, kListens, false, "python3 app.py"),
                         process(12, 10, kListens, false, "python3 app.py")};
  EXPECT_THAT(pids(tree), ElementsAre(10));
}

TEST(ServingGroup, AReloaderThatKeepsTheSocketIsNoWorker) {
  EXPECT_THAT(
      pids({process(10, 1, kListens, false, "flask run"), process(11, 10, kListens, false, "flask run")}),
      ElementsAre(11));
}

TEST(ServingGroup, ServersWithASocketOfTheirOwnAreWorkersSideBySide) {
  EXPECT_THAT(pids({process(10, 1, false, false, "sh"), process(11, 10, kListens, false, "bun"),
                    process(12, 10, kListens, false, "bun"), process(13, 10, kListens, false, "bun")}),
              ElementsAre(11, 12, 13));
}

}  // namespace
}  // namespace codex
