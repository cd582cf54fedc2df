#include "agent/record/state_file.h"

#include <gtest/gtest.h>

#include <fstream>

#include "agent/os/files.h"
#include "tests/support/few_descriptors.h"
#include "tests/support/temporary_directory.h"

namespace codex {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

SavedBackend sample() {
  SavedBackend backend;
  backend.desired_running = true;
  backend.stopping = true;
  backend.ready = true;
  backend.generation = 7;
  backend.started_at = WallTime(std::chrono::microseconds(1'792'000'000'123'456));
  backend.running_since = TimePoint(milliseconds(98765));
  backend.budget = {2, {TimePoint{seconds(11)}, TimePoint{milliseconds(12345)}}};
  backend.history.starts = 7;
  backend.history.restarts = {{"crash", 3}};
  backend.history.exits = {{"signal", 1}};
  backend.history.exit_causes = {{"heap_oom", 1}};
  backend.history.last_exit = LastExit{"signal", 137, "SIGKILL", {}, "crash", "Error: x (a.js:1)"};
  backend.history.startup.duration_seconds = 0.5;
  backend.history.startup.phases = {{"spawn", 0.1}, {"listen", 0.4}};
  return backend;
}

std::string document(const SavedBackend& backend, const std::string& boot = "this boot") {
  return render_state(boot, {{"app", render_saved_backend(backend)}});
}

TEST(StateDocument, ReadsWhatItWrote) {
  std::string damage;
  const auto read = parse_state(document(sample()), "this boot", damage);
  ASSERT_TRUE(read);
  EXPECT_EQ(damage, "");
  EXPECT_EQ(render_saved_backend(read->at("app")), render_saved_backend(sample()));
  EXPECT_EQ(read->at("app").budget.restarts, sample().budget.restarts);
  EXPECT_EQ(read->at("app").started_at, sample().started_at);
  EXPECT_EQ(read->at("app").running_since, sample().running_since);
  EXPECT_EQ(read->at("app").history.last_exit->cause, "crash");
}

TEST(StateDocument, ReadsWhatAnAgentOf0_1_0Wrote) {
  SavedBackend old = sample();
  old.ready.reset();
  std::string damage;
  const auto read = parse_state(document(old), "this boot", damage);
  ASSERT_TRUE(read) << damage;
  EXPECT_FALSE(read->at("app").ready) << "nobody wrote that down";
  EXPECT_TRUE(read->at("app").guessable) << "its tokens had no secret";
  EXPECT_FALSE(parse_state(document(sample()), "this boot", damage)->at("app").guessable);
  SavedBackend taken_over = sample();
  taken_over.guessable = true;
  EXPECT_TRUE(parse_state(document(taken_over), "this boot", damage)->at("app").guessable);
}

TEST(StateDocument, AnotherBootIsNoneAndNoDamage) {
  std::string damage;
  EXPECT_FALSE(parse_state(document(sample(), "last boot"), "this boot", damage));
  EXPECT_EQ(damage, "");
}

TEST(StateDocument, EveryTruncationIsRecognised) {
  const std::string text = document(sample());
  for (std::size_t length = 0; length + 1 < text.size(); ++length) {
    std::string damage;
    EXPECT_FALSE(parse_state(text.substr(0, length), "this boot", damage)) << length;
    EXPECT_NE(damage, "") << length;
  }
}

TEST(StateDocument, ForeignContentIsRecognised) {
  for (const char* text : {"[]", "{}", "null", R"({"schema":2,"boot_id":"this boot","backends":{}})",
                           R"({"schema":1,"boot_id":"this boot","backends":{"a":{"desired":3}}})",
                           R"({"schema":1,"boot_id":"this boot","backends":[1]})", "\xff\xfe"}) {
    std::string damage;
    EXPECT_FALSE(parse_state(text, "this boot", damage)) << text;
    EXPECT_NE(damage, "") << text;
  }
}

/// A state file in a directory of its own.
struct Fixture : testing::Test {
  void run_until(const std::function<bool()>& done) {
    for (int i = 0; i < 1000 && !done(); ++i) loop.run_once(milliseconds(10));
    ASSERT_TRUE(done());
  }

  TemporaryDirectory directory;
  std::filesystem::path path = directory.path() / "state.json";
  EventLoop loop;
  Worker disk{"disk", 64};
  int changes = 0;
};

using StateFileTest = Fixture;

TEST_F(StateFileTest, TheNextAgentFindsWhatWasSaved) {
  StateFile file(loop, disk, path, [this] { ++changes; });
  EXPECT_FALSE(file.earlier("app"));
  file.save("app", sample());
  EXPECT_FALSE(file.settled());
  run_until([&] { return file.settled(); });
  EXPECT_EQ(changes, 1);
  StateFile next(loop, disk, path, [] {});
  ASSERT_TRUE(next.earlier("app"));
  EXPECT_EQ(next.earlier("app")->generation, 7U);
  EXPECT_FALSE(next.earlier("web"));
  EXPECT_EQ(next.damage(), "");
}

TEST_F(StateFileTest, ABackendThatIsNotSavedAgainIsKeptForTheAgentAfterTheNext) {
  {
    StateFile file(loop, disk, path, [] {});
    file.save("app", sample());
    file.save("web", sample());
    run_until([&] { return file.settled(); });
  }
  StateFile next(loop, disk, path, [] {});
  auto changed = sample();
  changed.generation = 8;
  next.save("app", changed);
  run_until([&] { return next.settled(); });
  StateFile last(loop, disk, path, [] {});
  EXPECT_EQ(last.earlier("app")->generation, 8U);
  EXPECT_TRUE(last.earlier("web"));
}

TEST_F(StateFileTest, ContinuesAtOnceWhenThereIsNothingToWaitFor) {
  StateFile file(loop, disk, path, [] {});
  bool called = false;
  file.when_saved([&] { called = true; });
  EXPECT_TRUE(called);
}

TEST_F(StateFileTest, CallsBackOnlyWhenTheFileIsThere) {
  StateFile file(loop, disk, path, [] {});
  file.save("app", sample());
  bool there = false;
  bool called = false;
  file.when_saved([&] {
    called = true;
    there = std::filesystem::exists(path);
  });
  EXPECT_FALSE(called);
  run_until([&] { return called; });
  EXPECT_TRUE(there);
}

TEST_F(StateFileTest, ADiskThatDoesNotAnswerDelaysNobodyForLong) {
  std::mutex frozen;
  std::unique_lock hold(frozen);
  ASSERT_TRUE(disk.submit([&] { const std::lock_guard wait(frozen); }));
  StateFile file(loop, disk, path, [] {});
  file.save("app", sample());
  bool called = false;
  file.when_saved([&] { called = true; });
  run_until([&] { return called; });
  EXPECT_FALSE(std::filesystem::exists(path));
  run_until([&] { return file.settled(); });
  hold.unlock();
  run_until([&] { return std::filesystem::exists(path); });
}

TEST_F(StateFileTest, AWriteThatFailsIsRepeated) {
  const auto missing = directory.path() / "away";
  StateFile file(loop, disk, missing / "state.json", [] {});
  file.save("app", sample());
  loop.run_once(milliseconds(50));
  std::filesystem::create_directory(missing);
  run_until([&] { return std::filesystem::exists(missing / "state.json"); });
}

TEST_F(StateFileTest, WhatIsSavedWhileThereAreNoDescriptorsIsOfThisBootAllTheSame) {
  CODEX_SKIP_WITHOUT_DESCRIPTORS();
  std::mutex busy;
  std::unique_lock hold(busy);
  ASSERT_TRUE(disk.submit([&] { const std::lock_guard wait(busy); }));
  StateFile file(loop, disk, path, [] {});
  {
    const test::FewDescriptors none(0);
    file.save("app", sample());
  }
  hold.unlock();
  run_until([&] { return std::filesystem::exists(path); });
  EXPECT_TRUE(StateFile(loop, disk, path, [] {}).earlier("app"));
}

TEST_F(StateFileTest, WhatCannotBeReadForWantOfDescriptorsIsNotTakenForLost) {
  CODEX_SKIP_WITHOUT_DESCRIPTORS();
  {
    StateFile file(loop, disk, path, [] {});
    file.save("app", sample());
    run_until([&] { return file.settled(); });
  }
  const test::FewDescriptors none(0);
  EXPECT_THROW(StateFile(loop, disk, path, [] {}), std::system_error);
}

TEST_F(StateFileTest, ADamagedFileCountsAsNoneAndIsReplaced) {
  std::ofstream(path) << document(sample()).substr(0, 100);
  StateFile file(loop, disk, path, [] {});
  EXPECT_FALSE(file.earlier("app"));
  EXPECT_NE(file.damage(), "");
  file.save("app", sample());
  run_until([&] { return file.settled(); });
  EXPECT_TRUE(StateFile(loop, disk, path, [] {}).earlier("app"));
}

TEST_F(StateFileTest, AnOrderlyEndLeavesNothing) {
  StateFile file(loop, disk, path, [] {});
  file.save("app", sample());
  file.remove();
  EXPECT_FALSE(std::filesystem::exists(path));
}

}  // namespace
}  // namespace codex
