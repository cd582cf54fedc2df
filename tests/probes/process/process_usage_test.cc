#include "probes/process/process_usage.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <ctime>
#include <filesystem>
#include <functional>
#include <limits>
#include <thread>

#include "agent/os/check.h"
#include "agent/os/process_table.h"
#include "agent/os/unique_fd.h"
#include "tests/support/proc_fixture.h"

namespace codex {
namespace {

constexpr std::uint64_t kMiB = 1024 * 1024;

double seconds_of_ticks(double ticks) {
  return ticks / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

rusage rusage_of(double user_seconds, double system_seconds, long minor_faults = 0) {
  rusage usage{};
  usage.ru_utime.tv_sec = static_cast<time_t>(user_seconds);
  usage.ru_utime.tv_usec =
      static_cast<suseconds_t>((user_seconds - static_cast<double>(usage.ru_utime.tv_sec)) * 1e6 + 0.5);
  usage.ru_stime.tv_sec = static_cast<time_t>(system_seconds);
  usage.ru_stime.tv_usec =
      static_cast<suseconds_t>((system_seconds - static_cast<double>(usage.ru_stime.tv_sec)) * 1e6 + 0.5);
  usage.ru_minflt = minor_faults;
  return usage;
}

/// While it lives, file permissions hold for this thread even if it runs as root.
class WithoutRoot {
 public:
  WithoutRoot() {
    if (was_root_) check("seteuid", ::seteuid(65534));
  }
  ~WithoutRoot() {
    if (was_root_ && ::seteuid(0) != 0) std::abort();
  }
  WithoutRoot(const WithoutRoot&) = delete;
  WithoutRoot& operator=(const WithoutRoot&) = delete;

 private:
  bool was_root_ = ::geteuid() == 0;
};

TEST(ProcessUsage, SumsTheGaugesOfTheTree) {
  const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  ProcFixture proc({{.pid = 10,
                     .state = 'R',
                     .virtual_bytes = 5 * kMiB,
                     .resident_pages = 10,
                     .swap_kib = 4,
                     .fds = 3,
                     .fd_limit = "30",
                     .pss_kib = 7},
                    {.pid = 11,
                     .state = 'D',
                     .parent = 10,
                     .virtual_bytes = 6 * kMiB,
                     .resident_pages = 20,
                     .threads = {{12, 1}, {13, 1}},
                     .swap_kib = 2,
                     .fds = 5,
                     .fd_limit = "10",
                     .pss_kib = 3},
                    {.pid = 14, .state = 't', .parent = 10, .fds = 0, .fd_limit = "unlimited"},
                    {.pid = 15, .state = 'I', .parent = 10, .fds = 0, .fd_limit = "0"},
                    {.pid = 16, .state = 'W', .parent = 10, .fds = 0}});
  ProcessUsage usage(true, proc.root());
  const auto tree = usage.sample(proc.members());
  EXPECT_EQ(tree.processes, 5U);
  EXPECT_EQ(tree.threads, 7U);
  const std::map<std::string, std::uint64_t> states = {{"running", 1}, {"sleeping", 0}, {"disk_sleep", 1},
                                                       {"stopped", 1}, {"zombie", 0},   {"idle", 1},
                                                       {"other", 1}};
  EXPECT_EQ(tree.states, states);
  EXPECT_EQ(tree.resident_bytes, 30 * page);
  EXPECT_EQ(tree.virtual_bytes, 11 * kMiB);
  EXPECT_EQ(tree.swap_bytes, 6U * 1024);
  EXPECT_EQ(tree.proportional_bytes, 10U * 1024);
  EXPECT_EQ(tree.open_fds, 8U);
  EXPECT_DOUBLE_EQ(tree.worst_fd_ratio, 0.5);
  EXPECT_EQ(tree.read_errors, 0U);
  EXPECT_FALSE(tree.truncated);
}

TEST(ProcessUsage, PssIsAbsentUnlessAskedFor) {
  ProcFixture proc({{.pid = 10, .pss_kib = 7}});
  EXPECT_FALSE(ProcessUsage(false, proc.root()).sample(proc.members()).proportional_bytes);
}

TEST(ProcessUsage, WhatItUsesIsToldWithSharedPagesOnceNearALimit) {
  const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  ProcFixture proc({{.pid = 10, .resident_pages = 100, .pss_kib = 30},
                    {.pid = 11, .parent = 10, .resident_pages = 100, .pss_kib = 20}});
  const std::uint64_t resident = 200 * page;
  const auto used = [&](std::optional<std::uint64_t> limit, std::optional<std::uint64_t> cgroup = {}) {
    return ProcessUsage(false, proc.root(), limit).sample(proc.members(), std::nullopt, cgroup).used_memory;
  };
  EXPECT_EQ(used(std::nullopt).bytes, resident) << "nothing depends on it: not worth the price";
  EXPECT_EQ(used(std::nullopt).source, MemorySource::kResident);
  EXPECT_EQ(used(2 * resident).source, MemorySource::kResident) << "half of the limit";
  EXPECT_EQ(used(2 * resident - 2).source, MemorySource::kProportional);
  EXPECT_EQ(used(2 * resident - 2).bytes, 50U * 1024);
  EXPECT_EQ(used(resident, 70 * 1024).bytes, 70U * 1024) << "the kernel's own account is the best";
  EXPECT_EQ(used(resident, 70 * 1024).source, MemorySource::kCgroup);
  EXPECT_EQ(ProcessUsage(true, proc.root()).sample(proc.members()).used_memory.bytes, 50U * 1024);
}

TEST(ProcessUsage, MapsAreReadAtEverySecondLookAtMost) {
  ProcFixture proc({{.pid = 10, .resident_pages = 100, .pss_kib = 30}});
  ProcessUsage usage(false, proc.root(), 1);
  const auto look = [&] { return usage.sample(proc.members()).used_memory.bytes; };
  EXPECT_EQ(look(), 30U * 1024);
  proc.set({.pid = 10, .resident_pages = 100, .pss_kib = 40});
  EXPECT_EQ(look(), 30U * 1024);
  EXPECT_EQ(look(), 40U * 1024);
}

TEST(ProcessUsage, CountersTakeInChildrenParts) {
  ProcFixture proc({{.pid = 10,
                     .user_ticks = 100,
                     .system_ticks = 10,
                     .user_ticks_children = 50,
                     .system_ticks_children = 5,
                     .minor_faults = 1,
                     .minor_faults_children = 2,
                     .major_faults = 3,
                     .major_faults_children = 4,
                     .read_bytes = 8,
                     .write_bytes = 9}});
  ProcessUsage usage(false, proc.root());
  const auto tree = usage.sample(proc.members());
  EXPECT_DOUBLE_EQ(tree.cpu.user_seconds, seconds_of_ticks(150));
  EXPECT_DOUBLE_EQ(tree.cpu.system_seconds, seconds_of_ticks(15));
  EXPECT_EQ(tree.minor_faults, 3U);
  EXPECT_EQ(tree.major_faults, 7U);
  EXPECT_EQ(tree.read_bytes, 8U);
  EXPECT_EQ(tree.written_bytes, 9U);
}

TEST(ProcessUsage, TimeOfAReapedChildIsCountedOnce) {
  ProcFixture proc({{.pid = 10, .user_ticks = 100},
                    {.pid = 11, .parent = 10, .user_ticks = 40, .minor_faults = 7, .read_bytes = 512}});
  ProcessUsage usage(false, proc.root());
  EXPECT_DOUBLE_EQ(usage.sample(proc.members()).cpu.user_seconds, seconds_of_ticks(140));
  // It ran 3 ticks more, then its parent waited for it; the parent worked 1 tick meanwhile.
  proc.remove(11);
  proc.set({.pid = 10,
            .user_ticks = 101,
            .user_ticks_children = 43,
            .minor_faults_children = 9,
            .read_bytes = 612});
  const auto tree = usage.sample(proc.members());
  EXPECT_DOUBLE_EQ(tree.cpu.user_seconds, seconds_of_ticks(144));
  EXPECT_EQ(tree.minor_faults, 9U);
  EXPECT_EQ(tree.read_bytes, 612U);
}

TEST(ProcessUsage, WalkThatRacesWithAReapCountsOnce) {
  ProcFixture proc({{.pid = 10, .user_ticks = 100}, {.pid = 11, .parent = 10, .user_ticks = 40}});
  ProcessUsage usage(false, proc.root());
  usage.sample(proc.members());
  // The parent was read just before it waited, the child looked for just after.
  proc.remove(11);
  EXPECT_DOUBLE_EQ(usage.sample(proc.members()).cpu.user_seconds, seconds_of_ticks(140));
  proc.set({.pid = 10, .user_ticks = 100, .user_ticks_children = 40});
  EXPECT_DOUBLE_EQ(usage.sample(proc.members()).cpu.user_seconds, seconds_of_ticks(140));
}

TEST(ProcessUsage, ZombieKeepsItsTimeUntilItIsReaped) {
  ProcFixture proc({{.pid = 10}, {.pid = 11, .parent = 10, .user_ticks = 40}});
  ProcessUsage usage(false, proc.root());
  usage.sample(proc.members());
  proc.set({.pid = 11, .state = 'Z', .parent = 10, .user_ticks = 45});
  for (int i = 0; i < 5; ++i) {
    const auto tree = usage.sample({proc.stat(10)});
    EXPECT_DOUBLE_EQ(tree.cpu.user_seconds, seconds_of_ticks(45));
    EXPECT_EQ(tree.states.at("zombie"), 1U);
    EXPECT_EQ(tree.processes, 2U);
  }
  proc.remove(11);
  proc.set({.pid = 10, .user_ticks_children = 45});
  const auto tree = usage.sample(proc.members());
  EXPECT_DOUBLE_EQ(tree.cpu.user_seconds, seconds_of_ticks(45));
  EXPECT_EQ(tree.states.at("zombie"), 0U);
}

TEST(ProcessUsage, TimeThatNobodyWaitedForStaysCountedAndBlocksNothing) {
  ProcFixture proc({{.pid = 10, .user_ticks = 10}, {.pid = 11, .parent = 10, .user_ticks = 5'000}});
  ProcessUsage usage(false, proc.root());
  usage.sample(proc.members());
  // SIGCHLD is ignored in the parent: the kernel throws the child's time away.
  proc.remove(11);
  for (int i = 0; i < 4; ++i)
    EXPECT_DOUBLE_EQ(usage.sample(proc.members()).cpu.user_seconds, seconds_of_ticks(5'010));
  proc.set({.pid = 10, .user_ticks = 20, .user_ticks_children = 7});
  EXPECT_DOUBLE_EQ(usage.sample(proc.members()).cpu.user_seconds, seconds_of_ticks(5'027));
}

TEST(ProcessUsage, CountersSurviveARestart) {
  ProcFixture proc({{.pid = 10, .user_ticks = 100, .minor_faults = 5, .voluntary = 30, .read_bytes = 4096}});
  ProcessUsage usage(false, proc.root());
  usage.sample(proc.members());
  proc.remove(10);
  usage.add_reaped(rusage_of(seconds_of_ticks(100) + 0.25, 0.5, 6));
  const auto stopped = usage.sample({});
  EXPECT_EQ(stopped.processes, 0U);
  EXPECT_EQ(stopped.resident_bytes, 0U);
  EXPECT_EQ(stopped.open_fds, 0U);
  EXPECT_EQ(stopped.states.at("sleeping"), 0U);
  EXPECT_DOUBLE_EQ(stopped.cpu.user_seconds, seconds_of_ticks(100) + 0.25);
  EXPECT_DOUBLE_EQ(stopped.cpu.system_seconds, 0.5);
  EXPECT_EQ(stopped.minor_faults, 6U);
  EXPECT_EQ(stopped.voluntary_switches, 30U);
  EXPECT_EQ(stopped.read_bytes, 4096U);

  // The next generation got the same pid.
  proc.set({.pid = 10,
            .start_ticks = 2'000,
            .user_ticks = 50,
            .minor_faults = 1,
            .voluntary = 4,
            .read_bytes = 1});
  const auto again = usage.sample(proc.members());
  EXPECT_DOUBLE_EQ(again.cpu.user_seconds, seconds_of_ticks(150) + 0.25);
  EXPECT_EQ(again.minor_faults, 7U);
  EXPECT_EQ(again.voluntary_switches, 34U);
  EXPECT_EQ(again.read_bytes, 4097U);
}

TEST(ProcessUsage, ReusedPidIsAnotherProcess) {
  ProcFixture proc({{.pid = 10, .user_ticks = 100, .voluntary = 9}});
  ProcessUsage usage(false, proc.root());
  usage.sample(proc.members());
  for (const std::uint64_t ticks : {5U, 300U, 400U}) {
    proc.set({.pid = 10, .start_ticks = 2'000, .user_ticks = ticks, .voluntary = 2});
    const auto tree = usage.sample(proc.members());
    EXPECT_DOUBLE_EQ(tree.cpu.user_seconds, seconds_of_ticks(100 + static_cast<double>(ticks)));
    EXPECT_EQ(tree.voluntary_switches, 11U);
  }
}

TEST(ProcessUsage, ValuesThatFallTakeNothingBack) {
  ProcFixture proc({{.pid = 10,
                     .user_ticks = 100,
                     .system_ticks = 100,
                     .user_ticks_children = 100,
                     .minor_faults = 100,
                     .voluntary = 100,
                     .involuntary = 100,
                     .threads = {{20, 100}},
                     .read_bytes = 100}});
  ProcessUsage usage(false, proc.root());
  const auto first = usage.sample(proc.members());
  proc.set({.pid = 10,
            .user_ticks = 90,
            .system_ticks = 99,
            .user_ticks_children = 0,
            .minor_faults = 1,
            .voluntary = 50,
            .involuntary = 50,
            .threads = {{20, 100}},
            .read_bytes = 10});
  const auto second = usage.sample(proc.members());
  EXPECT_DOUBLE_EQ(second.cpu.user_seconds, first.cpu.user_seconds);
  EXPECT_DOUBLE_EQ(second.cpu.system_seconds, first.cpu.system_seconds);
  EXPECT_EQ(second.minor_faults, first.minor_faults);
  EXPECT_EQ(second.voluntary_switches, first.voluntary_switches);
  EXPECT_EQ(second.involuntary_switches, first.involuntary_switches);
  EXPECT_EQ(second.read_bytes, first.read_bytes);
  proc.set(
      {.pid = 10, .user_ticks = 101, .system_ticks = 99, .user_ticks_children = 100, .minor_faults = 101});
  EXPECT_DOUBLE_EQ(usage.sample(proc.members()).cpu.user_seconds, seconds_of_ticks(201));
}

TEST(ProcessUsage, ImplausibleChildrenTimesAreNotTaken) {
  ProcFixture proc({{.pid = 10,
                     .user_ticks = 1,
                     .user_ticks_children = std::numeric_limits<std::int64_t>::min(),
                     .system_ticks_children = std::numeric_limits<std::int64_t>::max()}});
  ProcessUsage usage(false, proc.root());
  const auto tree = usage.sample(proc.members());
  EXPECT_DOUBLE_EQ(tree.cpu.user_seconds, seconds_of_ticks(1));
  EXPECT_DOUBLE_EQ(tree.cpu.system_seconds, 0);
}

TEST(ProcessUsage, SwitchesOfEndedThreadsStayCounted) {
  ProcFixture proc({{.pid = 10, .voluntary = 100, .threads = {{20, 1'000}, {21, 2'000}}}});
  ProcessUsage usage(false, proc.root());
  EXPECT_EQ(usage.sample(proc.members()).voluntary_switches, 3'100U);
  proc.set({.pid = 10, .voluntary = 110, .threads = {{21, 2'005}}});
  EXPECT_EQ(usage.sample(proc.members()).voluntary_switches, 3'115U);
  proc.set({.pid = 10, .voluntary = 110});
  EXPECT_EQ(usage.sample(proc.members()).voluntary_switches, 3'115U);
  proc.set({.pid = 10, .voluntary = 110, .threads = {{20, 7}}});
  EXPECT_EQ(usage.sample(proc.members()).voluntary_switches, 3'122U) << "a new thread with an old id";
}

TEST(ProcessUsage, SwitchesAreCountedWhereTheKernelCountsNoRuns) {
  ProcFixture proc({{.pid = 10, .threads = {{20, 1'000}}, .counts_runs = false}});
  ProcessUsage usage(false, proc.root());
  EXPECT_EQ(usage.sample(proc.members()).voluntary_switches, 1'000U);
  proc.set({.pid = 10, .threads = {{20, 1'007}}, .counts_runs = false});
  EXPECT_EQ(usage.sample(proc.members()).voluntary_switches, 1'007U);
  std::filesystem::remove(proc.file(10, "task/20/schedstat"));
  proc.set({.pid = 10, .threads = {{20, 1'009}}, .counts_runs = false});
  EXPECT_EQ(usage.sample(proc.members()).voluntary_switches, 1'009U);
}

TEST(ProcessUsage, StatusOfAThreadThatSleptIsNotReadAgain) {
  ProcFixture proc({{.pid = 10, .threads = {{20, 1'000}}}});
  ProcessUsage usage(false, proc.root());
  usage.sample(proc.members());
  std::filesystem::remove(proc.file(10, "task/20/status"));
  EXPECT_EQ(usage.sample(proc.members()).voluntary_switches, 1'000U);
  proc.set({.pid = 10, .threads = {{20, 1'010}}});
  EXPECT_EQ(usage.sample(proc.members()).voluntary_switches, 1'010U);
}

TEST(ProcessUsage, MoreThreadsThanDescriptorsAreKeptAreCountedToo) {
  FakeProcess process{.pid = 10};
  for (pid_t tid = 1'000; tid < 1'140; ++tid) process.threads[tid] = 10;
  ProcFixture proc({process});
  ProcessUsage usage(false, proc.root());
  EXPECT_EQ(usage.sample(proc.members()).voluntary_switches, 1'400U);
  for (auto& [tid, voluntary] : process.threads) voluntary = 11;
  proc.set(process);
  EXPECT_EQ(usage.sample(proc.members()).voluntary_switches, 1'540U);
  process.threads.clear();
  proc.set(process);
  EXPECT_EQ(usage.sample(proc.members()).voluntary_switches, 1'540U);
}

TEST(ProcessUsage, KeepsFewDescriptorsAndGivesThemBack) {
  const auto open_here = [] {
    return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {});
  };
  FakeProcess process{.pid = 10};
  for (pid_t tid = 1'000; tid < 1'140; ++tid) process.threads[tid] = 10;
  ProcFixture proc({process});
  ProcessUsage usage(false, proc.root());
  const auto before = open_here();
  for (int i = 0; i < 3; ++i) {
    usage.sample(proc.members());
    EXPECT_LE(open_here(), before + 128);
    EXPECT_GT(open_here(), before);
  }
  proc.remove(10);
  usage.sample({});
  EXPECT_EQ(open_here(), before);
}

TEST(ProcessUsage, ProcessThatVanishedSinceTheWalkIsNoError) {
  ProcFixture proc({{.pid = 10, .user_ticks = 3}});
  ProcessUsage usage(false, proc.root());
  auto members = proc.members();
  members.push_back(members.front());
  members.back().pid = 11;
  const auto tree = usage.sample(members);
  EXPECT_EQ(tree.read_errors, 0U);
  EXPECT_TRUE(tree.io_readable);
  EXPECT_EQ(tree.open_fds, 3U);
}

TEST(ProcessUsage, FileThatVanishedUnderUsIsNoError) {
  ProcFixture proc({{.pid = 10, .voluntary = 1}});
  ProcessUsage usage(true, proc.root());
  for (const auto* name : {"status", "io", "limits", "smaps_rollup", "fd", "task"}) {
    std::filesystem::remove_all(proc.file(10, name));
    const auto tree = usage.sample(proc.members());
    EXPECT_EQ(tree.read_errors, 0U) << name;
    EXPECT_EQ(tree.processes, 1U) << name;
  }
}

TEST(ProcessUsage, UnreadableIoIsAbsentNotZero) {
  ProcFixture proc(
      {{.pid = 10, .user_ticks = 5, .read_bytes = 100}, {.pid = 11, .parent = 10, .read_bytes = 50}});
  ProcessUsage usage(false, proc.root());
  EXPECT_EQ(usage.sample(proc.members()).read_bytes, 150U);
  std::filesystem::permissions(proc.file(11, "io"), std::filesystem::perms::none);
  {
    const WithoutRoot permissions_hold;
    const auto tree = usage.sample(proc.members());
    EXPECT_FALSE(tree.io_readable);
    EXPECT_FALSE(tree.read_bytes);
    EXPECT_FALSE(tree.written_bytes);
    EXPECT_EQ(tree.read_errors, 0U);
    EXPECT_DOUBLE_EQ(tree.cpu.user_seconds, seconds_of_ticks(5));
    EXPECT_FALSE(usage.sample({}).io_readable) << "nothing new was learned";
  }
  std::filesystem::permissions(proc.file(11, "io"), std::filesystem::perms::owner_read);
  EXPECT_EQ(usage.sample(proc.members()).read_bytes, 150U);
}

TEST(ProcessUsage, OtherTroubleIsCounted) {
  ProcFixture proc({{.pid = 10}});
  std::filesystem::remove(proc.file(10, "status"));
  std::filesystem::create_directory(proc.file(10, "status"));
  ProcessUsage usage(false, proc.root());
  EXPECT_EQ(usage.sample(proc.members()).read_errors, 1U);
  EXPECT_EQ(usage.sample(proc.members()).read_errors, 2U);
}

TEST(ProcessUsage, MissingRootDegradesAndDoesNotThrow) {
  ProcFixture proc({{.pid = 10, .user_ticks = 100}});
  ProcessUsage usage(false, proc.root() / "nowhere");
  const auto tree = usage.sample(proc.members());
  EXPECT_EQ(tree.processes, 1U);
  EXPECT_GE(tree.read_errors, 1U);
  EXPECT_DOUBLE_EQ(tree.cpu.user_seconds, seconds_of_ticks(100));
}

TEST(ProcessUsage, LimitIsReadAgainAfterAWhile) {
  ProcFixture proc({{.pid = 10, .fds = 4, .fd_limit = "8"}});
  ProcessUsage usage(false, proc.root());
  EXPECT_DOUBLE_EQ(usage.sample(proc.members()).worst_fd_ratio, 0.5);
  proc.set({.pid = 10, .fds = 4, .fd_limit = "16"});
  EXPECT_DOUBLE_EQ(usage.sample(proc.members()).worst_fd_ratio, 0.5) << "remembered";
  for (int i = 0; i < 20; ++i) usage.sample(proc.members());
  EXPECT_DOUBLE_EQ(usage.sample(proc.members()).worst_fd_ratio, 0.25);
}

TEST(ProcessUsage, VeryLargeTreesAreTruncatedButKeepTheirCpu) {
  for (const int size : {1'000, 1'001}) {
    std::vector<ProcStat> members;
    for (pid_t pid = 1; pid <= size; ++pid) {
      auto stat = parse_proc_stat(stat_text({.pid = pid + 1'000'000'000, .user_ticks = 1}));
      members.push_back(stat.value());
    }
    ProcFixture proc;
    ProcessUsage usage(false, proc.root());
    const auto tree = usage.sample(members);
    EXPECT_EQ(tree.truncated, size > 1'000) << size;
    EXPECT_EQ(tree.processes, static_cast<std::uint64_t>(size));
    EXPECT_DOUBLE_EQ(tree.cpu.user_seconds, seconds_of_ticks(size));
  }
}

TEST(ProcessUsage, CgroupIsPreferredAndDecidedOnce) {
  ProcFixture proc({{.pid = 10, .user_ticks = 100}});
  ProcessUsage with_cgroup(false, proc.root());
  EXPECT_DOUBLE_EQ(with_cgroup.sample({}).cpu.user_seconds, 0);
  EXPECT_DOUBLE_EQ(with_cgroup.sample(proc.members(), CpuTime{7, 1}).cpu.user_seconds, 7);
  EXPECT_DOUBLE_EQ(with_cgroup.sample(proc.members(), CpuTime{9, 2}).cpu.user_seconds, 9);
  EXPECT_DOUBLE_EQ(with_cgroup.sample(proc.members()).cpu.user_seconds, 9) << "unreadable for once";
  // The next generation has a new cgroup.
  const auto tree = with_cgroup.sample(proc.members(), CpuTime{0.5, 0.25});
  EXPECT_DOUBLE_EQ(tree.cpu.user_seconds, 9.5);
  EXPECT_DOUBLE_EQ(tree.cpu.system_seconds, 2.25);

  ProcessUsage without(false, proc.root());
  EXPECT_DOUBLE_EQ(without.sample(proc.members()).cpu.user_seconds, seconds_of_ticks(100));
  EXPECT_DOUBLE_EQ(without.sample(proc.members(), CpuTime{500, 1}).cpu.user_seconds, seconds_of_ticks(100));
}

TEST(ConservedCounter, ForgivesDebtsOnlyAfterSomeSamples) {
  ConservedCounter counter;
  counter.add(100);
  counter.debit(100);
  counter.settle();
  counter.settle();
  counter.credit(60);  // two samples late, in two parts
  counter.settle();
  EXPECT_EQ(counter.total(), 100U);
  counter.settle();
  counter.credit(60);
  counter.settle();
  EXPECT_EQ(counter.total(), 160U) << "the debt was forgiven";
}

// Real processes.

void burn_cpu(std::chrono::nanoseconds amount) {
  timespec now{};
  do {
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  } while (std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec) < amount);
}

/// Forks; the child runs `body` and exits. `done` becomes readable (EOF) when it and its children are gone.
struct Forked {
  explicit Forked(const std::function<void()>& body) {
    int fds[2];
    check("pipe2", ::pipe2(fds, O_CLOEXEC));
    UniqueFd write_end(fds[1]);
    done.reset(fds[0]);
    pid = check("fork", ::fork());
    if (pid == 0) {
      body();
      ::_exit(0);
    }
  }
  ~Forked() {
    if (pid > 0) {
      ::kill(pid, SIGKILL);
      reap();
    }
  }
  [[nodiscard]] bool ended_within(int milliseconds) const {
    pollfd event{done.get(), POLLIN, 0};
    return ::poll(&event, 1, milliseconds) > 0;
  }
  rusage reap() {
    rusage usage{};
    check("wait4", ::wait4(std::exchange(pid, 0), nullptr, 0, &usage));
    return usage;
  }
  pid_t pid = 0;
  UniqueFd done;
};

double total(const CpuTime& cpu) {
  return cpu.user_seconds + cpu.system_seconds;
}

double total(const rusage& usage) {
  return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
}

void expect_no_counter_fell(const TreeUsage& before, const TreeUsage& now) {
  EXPECT_GE(now.cpu.user_seconds, before.cpu.user_seconds);
  EXPECT_GE(now.cpu.system_seconds, before.cpu.system_seconds);
  EXPECT_GE(now.minor_faults, before.minor_faults);
  EXPECT_GE(now.major_faults, before.major_faults);
  EXPECT_GE(now.voluntary_switches, before.voluntary_switches);
  EXPECT_GE(now.involuntary_switches, before.involuntary_switches);
  EXPECT_GE(now.read_bytes.value_or(0), before.read_bytes.value_or(0));
  EXPECT_GE(now.written_bytes.value_or(0), before.written_bytes.value_or(0));
}

TEST(ProcessUsageLive, CpuOfShortLivedChildrenIsConserved) {
  Forked parent([] {
    for (int i = 0; i < 80; ++i) {
      const pid_t child = ::fork();
      if (child == 0) {
        burn_cpu(std::chrono::milliseconds(10));
        ::_exit(0);
      }
      ::waitpid(child, nullptr, 0);
    }
  });
  ProcessUsage usage;
  TreeUsage last;
  int samples = 0;
  for (bool ended = false; !ended || samples < 200; ++samples) {
    ended = parent.ended_within(2);
    const auto now = usage.sample(descendants_of({parent.pid}));
    expect_no_counter_fell(last, now);
    last = now;
  }
  const double seen_alive = total(last.cpu);
  const auto truth = parent.reap();
  usage.add_reaped(truth);
  const auto end = usage.sample({});
  expect_no_counter_fell(last, end);
  EXPECT_GE(total(truth), 0.8) << "the children burned less than they should";
  EXPECT_GE(seen_alive, 0.8 * total(truth));
  EXPECT_GE(total(end.cpu), 0.99 * total(truth));
  EXPECT_LE(total(end.cpu), 1.02 * total(truth) + 0.02);
  EXPECT_EQ(end.read_errors, 0U);
}

TEST(ProcessUsageLive, SwitchesNeverFallWhileThreadsComeAndGo) {
  Forked process([] {
    for (;;) {
      std::thread first([] { std::this_thread::yield(); });
      std::thread second([] { std::this_thread::yield(); });
      first.join();
      second.join();
    }
  });
  ProcessUsage usage;
  TreeUsage last;
  for (int samples = 0; samples < 200; ++samples) {
    ASSERT_FALSE(process.ended_within(1));
    const auto now = usage.sample(descendants_of({process.pid}));
    expect_no_counter_fell(last, now);
    last = now;
  }
  EXPECT_GT(last.voluntary_switches + last.involuntary_switches, 0U);
  EXPECT_EQ(last.read_errors, 0U);
}

TEST(ProcessUsageLive, SeesThisProcessAsItIs) {
  ProcessUsage usage(true);
  const auto before = descendants_of({::getpid()});
  const auto tree = usage.sample(before);
  EXPECT_EQ(tree.processes, before.size());
  EXPECT_GT(tree.resident_bytes, kMiB);
  EXPECT_GT(tree.proportional_bytes.value_or(0), 0U);
  const auto more = usage.sample(before);
  {
    std::vector<UniqueFd> held;
    for (int i = 0; i < 50; ++i) held.emplace_back(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    EXPECT_EQ(usage.sample(before).open_fds, more.open_fds + 50);
  }
  EXPECT_GT(more.worst_fd_ratio, 0);
  EXPECT_TRUE(more.io_readable);
  EXPECT_EQ(more.read_errors, 0U);
}

TEST(ProcessUsageLive, IdleProcessWithTwelveThreadsIsCheapToSample) {
  Forked process([] {
    std::vector<std::thread> threads;
    for (int i = 0; i < 11; ++i) threads.emplace_back([] { ::pause(); });
    ::pause();
  });
  ProcessUsage usage;
  TreeUsage tree;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  do {
    tree = usage.sample(descendants_of({process.pid}));
  } while (tree.threads < 12 && std::chrono::steady_clock::now() < deadline);
  ASSERT_EQ(tree.threads, 12U);

  const auto members = descendants_of({process.pid});
  auto best = std::chrono::nanoseconds::max();
  for (int i = 0; i < 300; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    usage.sample(members);
    best = std::min(best, std::chrono::nanoseconds(std::chrono::steady_clock::now() - begin));
  }
  RecordProperty("best_sample_us", std::to_string(best.count() / 1'000));
  // Far above what it costs on a quiet machine, far below what reading every file of every thread would.
  EXPECT_LT(best, std::chrono::milliseconds(2));
}

}  // namespace
}  // namespace codex
