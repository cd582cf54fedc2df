#include "agent/changes/change_watch.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <future>

#include "tests/support/few_descriptors.h"
#include "tests/support/loop_fixture.h"
#include "tests/support/project_directory.h"

namespace codex {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

/// A project with a watch on it, on a real loop and disk.
class Watch : public LoopFixture {
 protected:
  Watch() {
    project_.write("server.js", "1");
    project_.write("src/deep/er/module.js", "1");
    project_.write("node_modules/express/lib/index.js", "1");
    project_.write(".git/objects/ab/cd", "1");
    project_.write("logs/server.log", "1");
    make(project_.path());
  }

  void make(const fs::path& root, std::size_t most = ChangeWatch::kMostDirectories) {
    watch_ = std::make_unique<ChangeWatch>(
        loop_, disk_, root,
        std::vector<fs::path>{root / "logs/server.log", root / "logs/server.pid", root / ".codex-agent",
                              root / "state"},
        ChangeWatch::Events{[this] { ++told_; }, [this] { ++limited_; }}, most);
  }

  void start() {
    watch_->start();
    ASSERT_TRUE(turn_until([&] { return watch_->complete(); }));
  }

  bool told() {
    return turn_until([&] { return told_ > 0; });
  }
  /// The kernel queues what happens while it happens: what is not told in this time never is.
  bool quiet() {
    const auto end = Clock::now() + ChangeWatch::kQuiet + milliseconds(150);
    turn_until([&] { return Clock::now() > end; });
    return told_ == 0;
  }
  /// File times are those of the last tick (ktime_get_coarse_real_ts64): a change after the start needs a
  /// later one.
  static void await_tick() {
    timespec started{}, tick{};
    ::clock_gettime(CLOCK_REALTIME, &started);
    do ::clock_gettime(CLOCK_REALTIME_COARSE, &tick);
    while (std::pair(tick.tv_sec, tick.tv_nsec) <= std::pair(started.tv_sec, started.tv_nsec));
  }
  void make_directory(const std::string& name) { fs::create_directories(project_ / name); }

  ProjectDirectory project_;
  Worker disk_{"disk", 100};
  int told_ = 0, limited_ = 0;
  std::unique_ptr<ChangeWatch> watch_;
};

TEST_F(Watch, NothingIsToldWhileNothingChanges) {
  start();
  EXPECT_TRUE(quiet());
  EXPECT_TRUE(watch_->started());
  EXPECT_EQ(watch_->limited(), "");
}

TEST_F(Watch, AWrittenFileIsToldOnceAndThenTheWatchIsOver) {
  start();
  project_.write("src/deep/er/module.js", "2");
  ASSERT_TRUE(told());
  EXPECT_FALSE(watch_->started());
  project_.write("server.js", "3");
  told_ = 0;
  EXPECT_TRUE(quiet());
}

/// What counts and what does not, one change each.
struct Change {
  const char* name;
  void (*make)(const ProjectDirectory&);
  bool counts;
};

const Change kChanges[] = {
    {"a new file", [](const ProjectDirectory& p) { p.write("src/new.js", ""); }, true},
    {"a removed file", [](const ProjectDirectory& p) { fs::remove(p / "src/deep/er/module.js"); }, true},
    {"a file renamed over, as editors do",
     [](const ProjectDirectory& p) {
       p.write("server.js.tmp", "2");
       fs::rename(p / "server.js.tmp", p / "server.js");
     },
     true},
    {"a rename over from outside",
     [](const ProjectDirectory& p) {
       const TemporaryDirectory elsewhere;
       write_contents(elsewhere / "x", "2");
       fs::rename(elsewhere / "x", p / "server.js");
     },
     true},
    {".env", [](const ProjectDirectory& p) { p.write(".env", "PORT=1"); }, true},
    {"a symbolic link", [](const ProjectDirectory& p) { fs::create_symlink("server.js", p / "main.js"); },
     true},
    {"a directory moved away", [](const ProjectDirectory& p) { fs::rename(p / "src", p / ".src"); }, true},
    {"a file in a new directory", [](const ProjectDirectory& p) { p.write("src/a/b/c.js", ""); }, true},
    {"an installed package", [](const ProjectDirectory& p) { fs::create_directory(p / "node_modules/pg"); },
     true},
    {"a removed package", [](const ProjectDirectory& p) { fs::remove_all(p / "node_modules/express"); },
     true},
    {"npm's note of what is installed",
     [](const ProjectDirectory& p) { p.write("node_modules/.package-lock.json", "{}"); }, true},
    {"node_modules removed", [](const ProjectDirectory& p) { fs::remove_all(p / "node_modules"); }, true},
    {"a directory of its own", [](const ProjectDirectory& p) { fs::create_directory(p / "empty"); }, false},
    {"permissions", [](const ProjectDirectory& p) { ::chmod((p / "server.js").c_str(), 0600); }, false},
    {"a read", [](const ProjectDirectory& p) { contents_of(p / "server.js"); }, false},
    {"below a package", [](const ProjectDirectory& p) { p.write("node_modules/express/lib/index.js", "2"); },
     false},
    {"a cache in node_modules", [](const ProjectDirectory& p) { p.write("node_modules/.cache/x", "2"); },
     false},
    {"git", [](const ProjectDirectory& p) { p.write(".git/index", "2"); }, false},
    {"another hidden directory", [](const ProjectDirectory& p) { p.write(".nyc_output/x", "2"); }, false},
    {"our log", [](const ProjectDirectory& p) { p.append("logs/server.log", "line\n"); }, false},
    {"our log's rotation",
     [](const ProjectDirectory& p) {
       fs::rename(p / "logs/server.log", p / "logs/server.log.1");
       p.write("logs/server.log", "");
     },
     false},
    {"our pid file, written to a temporary file first",
     [](const ProjectDirectory& p) {
       p.write("logs/.server.pid.x7Gq2d", "1");
       fs::rename(p / "logs/.server.pid.x7Gq2d", p / "logs/server.pid");
       fs::remove(p / "logs/server.pid");
     },
     false},
    {"our state directory", [](const ProjectDirectory& p) { p.write("state/events.jsonl", "2"); }, false},
    {"an editor's swap file",
     [](const ProjectDirectory& p) {
       p.write(".server.js.swp", "2");
       p.write("4913", "");
       fs::remove(p / "4913");
     },
     false},
    {"a neighbour of our log", [](const ProjectDirectory& p) { p.write("logs/server.logs", "2"); }, true},
};

TEST_F(Watch, WhatCountsAndWhatDoesNot) {
  for (const auto& change : kChanges) {
    SCOPED_TRACE(change.name);
    const ProjectDirectory project;
    project.write("server.js", "1");
    project.write("src/deep/er/module.js", "1");
    project.write("node_modules/express/lib/index.js", "1");
    project.write("logs/server.log", "1");
    project.write(".git/index", "1");
    make(project.path());
    told_ = 0;
    start();
    change.make(project);
    EXPECT_EQ(change.counts ? told() : !quiet(), change.counts);
    watch_.reset();
  }
}

TEST_F(Watch, AFileThatComesLaterIntoANewDirectoryIsTold) {
  start();
  make_directory("fresh/one/two");
  EXPECT_TRUE(quiet());
  ASSERT_TRUE(turn_until([&] { return watch_->complete(); }));
  project_.write("fresh/one/two/x.js", "");
  EXPECT_TRUE(told());
}

TEST_F(Watch, AnInstallIntoNothingIsToldOnce) {
  fs::remove_all(project_ / "node_modules");
  start();
  for (const char* package : {"express", "pg", "@scope/x"}) {
    project_.write("node_modules/" + std::string(package) + "/package.json", "{}");
    loop_.run_once(milliseconds(1));
  }
  project_.write("node_modules/.package-lock.json", "{}");
  ASSERT_TRUE(told());
  told_ = 0;
  EXPECT_TRUE(quiet());
}

TEST_F(Watch, OfLinkedDirectoriesOnlyNodeModulesIsFollowed) {
  const ProjectDirectory store;
  store.write("express/index.js", "1");
  fs::remove_all(project_ / "node_modules");
  fs::create_directory_symlink(store.path(), project_ / "node_modules");
  const ProjectDirectory elsewhere;
  fs::create_directory_symlink(elsewhere.path(), project_ / "linked");
  start();
  elsewhere.write("x.js", "");
  store.write("express/index.js", "2");
  EXPECT_TRUE(quiet());
  fs::create_directory(store / "pg");
  EXPECT_TRUE(told());
}

TEST_F(Watch, OurFilesAreKnownUnderTheirOtherNamesToo) {
  const TemporaryDirectory elsewhere;
  fs::create_directory_symlink(project_.path(), elsewhere / "project");
  make(elsewhere / "project");
  start();
  project_.append("logs/server.log.1", "x");
  EXPECT_TRUE(quiet());
  project_.write("server.js", "2");
  EXPECT_TRUE(told());
}

TEST_F(Watch, ABurstIsToldAfterItsEndOrAfterTheLongestTime) {
  start();
  const auto begin = Clock::now();
  auto last = begin;
  Duration widest_gap{0};
  while (told_ == 0 && Clock::now() < begin + seconds(10)) {
    project_.write("server.js", "x");
    loop_.run_once(milliseconds(20));
    widest_gap = std::max<Duration>(widest_gap, Clock::now() - std::exchange(last, Clock::now()));
  }
  ASSERT_EQ(told_, 1);
  if (widest_gap < ChangeWatch::kQuiet / 2) {
    EXPECT_GE(last - begin, ChangeWatch::kLongest);
  }
  EXPECT_LT(last - begin, ChangeWatch::kLongest + 2 * widest_gap + milliseconds(500));
}

TEST_F(Watch, AChangeDuringTheWalkIsNotLost) {
  std::promise<void> release;
  ASSERT_TRUE(disk_.submit([released = release.get_future().share()] { released.wait(); }));
  watch_->start();
  await_tick();
  project_.write("src/deep/er/module.js", "2");
  release.set_value();
  EXPECT_TRUE(told());
}

TEST_F(Watch, OurOwnWritesDuringTheWalkAreNoChange) {
  std::promise<void> release;
  ASSERT_TRUE(disk_.submit([released = release.get_future().share()] { released.wait(); }));
  watch_->start();
  await_tick();
  project_.write("logs/server.pid", "1");
  fs::remove(project_ / "logs/server.pid");
  release.set_value();
  ASSERT_TRUE(turn_until([&] { return watch_->complete(); }));
  EXPECT_TRUE(quiet());
}

TEST_F(Watch, TimesInTheFutureAreNoChange) {
  const timespec times[2] = {{4'000'000'000, 0}, {4'000'000'000, 0}};
  for (const char* name : {"src", "node_modules", "node_modules/express"}) {
    ASSERT_EQ(::utimensat(AT_FDCWD, (project_ / name).c_str(), times, 0), 0);
  }
  start();
  EXPECT_TRUE(quiet());
}

TEST_F(Watch, MoreDirectoriesThanAllowedAreSaidAndTheNearOnesWatched) {
  make(project_.path(), 3);  // the root, src, logs or node_modules
  start();
  EXPECT_THAT(watch_->limited(), HasSubstr("more than 3 directories"));
  EXPECT_EQ(limited_, 1);
  project_.write("server.js", "2");
  EXPECT_TRUE(told());
}

TEST_F(Watch, ExactlyAsManyDirectoriesAsAllowedAreNoLimit) {
  make(project_.path(), 6);  // the root, src, src/deep, src/deep/er, node_modules, logs
  start();
  EXPECT_EQ(watch_->limited(), "");
  project_.write("fresh/x.js", "");  // One more.
  EXPECT_TRUE(turn_until([&] { return !watch_->limited().empty(); }));
}

TEST_F(Watch, WithoutDescriptorsItSaysSoAndWatchesAsSoonAsThereAreSome) {
  CODEX_SKIP_WITHOUT_DESCRIPTORS();
  for (int spare = 0; spare < 5; ++spare) {
    make(project_.path());
    told_ = limited_ = 0;
    {
      const test::FewDescriptors few(spare);
      EXPECT_NO_THROW(watch_->start());
      turn_until([&] { return limited_ == 1 || watch_->complete(); });
      if (spare == 0) {
        EXPECT_THAT(watch_->limited(), HasSubstr("no more inotify instances or descriptors"));
      }
    }
    await_tick();
    project_.write("src/deep/er/module.js", std::to_string(spare));  // perhaps before it is watched
    EXPECT_TRUE(told()) << spare;
    EXPECT_LE(limited_, 1);
  }
}

TEST_F(Watch, ABusyDiskIsSaid) {
  std::promise<void> release, begun;
  Worker busy("busy", 1);
  ASSERT_TRUE(busy.submit([&begun, released = release.get_future().share()] {
    begun.set_value();
    released.wait();
  }));
  begun.get_future().wait();
  ASSERT_TRUE(busy.submit([] {}));
  ChangeWatch watch(loop_, busy, project_.path(), {}, {[] {}, [this] { ++limited_; }});
  watch.start();
  ASSERT_TRUE(turn_until([&] { return limited_ == 1; }));
  EXPECT_THAT(watch.limited(), HasSubstr("too slow"));
  release.set_value();
}

TEST_F(Watch, TheRemovalOfTheRootIsToldAndThenItIsMissing) {
  start();
  fs::remove_all(project_.path());
  ASSERT_TRUE(told());
  watch_->start();
  ASSERT_TRUE(turn_until([&] { return limited_ == 1; }));
  EXPECT_THAT(watch_->limited(), HasSubstr("No such file or directory"));
}

TEST_F(Watch, AfterAStopNothingIsToldAndAStartTellsOnlyWhatFollows) {
  watch_->stop();
  start();
  watch_->start();
  project_.write("server.js", "2");
  watch_->stop();
  watch_->stop();
  EXPECT_TRUE(quiet());
  start();
  EXPECT_TRUE(quiet());
  project_.write("server.js", "3");
  EXPECT_TRUE(told());
}

TEST_F(Watch, AStopDuringTheWalkOrTheQuietTimeIsHeeded) {
  watch_->start();
  watch_->stop();
  EXPECT_FALSE(watch_->complete());
  start();
  project_.write("server.js", "2");
  loop_.run_once(milliseconds(20));
  watch_->stop();
  EXPECT_TRUE(quiet());
}

TEST_F(Watch, ItsCallbacksMayStartItAgainOrDestroyIt) {
  int rounds = 0;
  std::unique_ptr<ChangeWatch> watch;
  watch = std::make_unique<ChangeWatch>(loop_, disk_, project_.path(), std::vector<fs::path>{},
                                        ChangeWatch::Events{[&] {
                                                              if (++rounds == 2) return watch.reset();
                                                              watch->start();
                                                            },
                                                            {}});
  watch->start();
  for (int round = 0; round < 2; ++round) {
    ASSERT_TRUE(turn_until([&] { return watch->complete(); }));
    project_.write("server.js", "2");
    ASSERT_TRUE(turn_until([&] { return rounds > round; }));
  }
  EXPECT_EQ(watch, nullptr);

  watch = std::make_unique<ChangeWatch>(loop_, disk_, project_ / "missing", std::vector<fs::path>{},
                                        ChangeWatch::Events{[] {}, [&] { watch.reset(); }});
  watch->start();
  EXPECT_TRUE(turn_until([&] { return watch == nullptr; }));
}

}  // namespace
}  // namespace codex
