#include "agent/process/process_end_watch.h"

#include <gtest/gtest.h>

#include <system_error>

#include "agent/os/process_table.h"
#include "tests/support/few_descriptors.h"
#include "tests/support/forked_child.h"
#include "tests/support/loop_fixture.h"

namespace codex {
namespace {

class ServerEnd : public LoopFixture {
 protected:
  int ended_ = 0;
  ProcessEndWatch watch_{loop_, [this] { ++ended_; }};
};

TEST_F(ServerEnd, IsToldAtOnceAndOnce) {
  Child server = fork_child([] { ::pause(); });
  const auto id = identify_process(server.pid());
  watch_.follow(id);
  ::kill(server.pid(), SIGKILL);
  ASSERT_TRUE(turn_until([&] { return ended_ > 0; }));
  watch_.follow(id);
  loop_.run_once(std::chrono::milliseconds(20));
  EXPECT_EQ(ended_, 1);
}

TEST_F(ServerEnd, OfOneThatCouldNotBeFollowedForWantOfDescriptorsIsToldAfterTheNextTry) {
  CODEX_SKIP_WITHOUT_DESCRIPTORS();
  Child server = fork_child([] { ::pause(); });
  const auto id = identify_process(server.pid());
  for (int spare = 0; spare < 2; ++spare) {
    const test::FewDescriptors few(spare);
    EXPECT_THROW(watch_.follow(id), std::system_error) << spare;
  }
  watch_.follow(id);
  ::kill(server.pid(), SIGKILL);
  EXPECT_TRUE(turn_until([&] { return ended_ > 0; }));
}

}  // namespace
}  // namespace codex
