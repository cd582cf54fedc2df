#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <functional>
#include <initializer_list>
#include <string>

#include "agent/os/check.h"
#include "probes/js_stack/js_stack.h"
#include "tests/support/forked_child.h"

namespace codex {
namespace {

/// What a child says in words.
std::string told_by_child(const std::function<std::string()>& body) {
  Pipe pipe;
  struct Told {
    char text[512];
  };
  const Child child = fork_child([&] {
    Told told{};
    std::strncpy(told.text, body().c_str(), sizeof told.text - 1);
    pipe.send(told);
  });
  pipe.write_end.reset();
  return pipe.receive<Told>().text;
}

/// What an unprivileged reader is told of the processes, and first whether its /proc shows them: root becomes nobody
/// for it.
std::string told_to_nobody(std::initializer_list<pid_t> pids) {
  return told_by_child([&] {
    if (::geteuid() == 0 && (::setresgid(65534, 65534, 65534) != 0 || ::setresuid(65534, 65534, 65534) != 0))
      return std::string("cannot become nobody");
    std::string told;
    for (const pid_t pid : pids) {
      const JsStack stack = read_js_stack(pid);
      struct stat found {};
      const bool shown = ::stat(("/proc/" + std::to_string(pid)).c_str(), &found) == 0;
      told += std::string(shown ? "shown" : "not shown") + ": " + std::string(name_of(stack.error)) + " " +
              stack.detail + "; ";
    }
    return told;
  });
}

constexpr auto kHidden = "not shown: not_permitted /proc hides it from this user (hidepid); ";
constexpr auto kShown = "shown: not_permitted ; ";

TEST(JsStackPermission, OtherUsersProcessIsNotPermitted) {
  // Of root this is the parent, of anybody else init; this machine's /proc may hide either.
  const std::string told = told_to_nobody({::geteuid() == 0 ? ::getpid() : 1});
  EXPECT_THAT(told, testing::AnyOf(kShown, kHidden));
}

/// What `body` says in PID and mount namespaces of its own, where it is process 1 and /proc is mounted with
/// `options`.
std::string with_proc_of_its_own(const char* options, const std::function<std::string()>& body) {
  return told_by_child([&] {
    if (::unshare(CLONE_NEWPID | CLONE_NEWNS) != 0) return std::string("no namespace");
    return told_by_child([&] {
      if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
          ::mount("proc", "/proc", "proc", 0, options) != 0)
        return std::string("no /proc");
      return body();
    });
  });
}

TEST(JsStackPermission, ProcessThatProcHidesIsToldApartFromOneThatHasEnded) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root may mount a /proc of its own";
  const auto tell = [] { return told_to_nobody({1, 1 << 20}); };
  const std::string ended = "not shown: gone ; ";
  const std::string hidden = with_proc_of_its_own("hidepid=2", tell);
  if (hidden == "no namespace" || hidden == "no /proc") GTEST_SKIP() << "this machine makes none: " << hidden;
  EXPECT_EQ(hidden, kHidden + ended);
  EXPECT_EQ(with_proc_of_its_own("hidepid=0", tell), kShown + ended);
  // The directory is there, and nothing in it may be read.
  EXPECT_EQ(with_proc_of_its_own("hidepid=1", tell), kShown + ended);
}

}  // namespace
}  // namespace codex
