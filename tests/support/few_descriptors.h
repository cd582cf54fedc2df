#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include "agent/os/check.h"

namespace codex::test {

/// Lets this process open only so many further descriptors, for as long as this lives: what is open stays so.
class FewDescriptors {
 public:
  explicit FewDescriptors(int spare) {
    check("getrlimit", ::getrlimit(RLIMIT_NOFILE, &before_));
    rlimit few = before_;
    few.rlim_cur = 0;
    while (is_open(few.rlim_cur) || spare-- > 0) ++few.rlim_cur;
    check("setrlimit", ::setrlimit(RLIMIT_NOFILE, &few));
  }
  ~FewDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }
  FewDescriptors(const FewDescriptors&) = delete;
  FewDescriptors& operator=(const FewDescriptors&) = delete;

 private:
  static bool is_open(rlim_t fd) { return ::fcntl(static_cast<int>(fd), F_GETFD) >= 0; }

  rlimit before_{};
};

/// The sanitizer's check of types needs descriptors itself.
#ifdef __SANITIZE_ADDRESS__
#define CODEX_SKIP_WITHOUT_DESCRIPTORS() GTEST_SKIP() << "the sanitizer needs descriptors itself"
#else
#define CODEX_SKIP_WITHOUT_DESCRIPTORS() static_cast<void>(0)
#endif

}  // namespace codex::test
