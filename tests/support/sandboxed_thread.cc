#include "tests/support/sandboxed_thread.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>

#include <cstddef>
#include <exception>
#include <thread>

#include "agent/os/check.h"

namespace codex {

namespace {

constexpr std::uint16_t kLoad = BPF_LD | BPF_W | BPF_ABS, kJumpIfEqual = BPF_JMP | BPF_JEQ | BPF_K,
                        kReturn = BPF_RET | BPF_K;

void install(const std::vector<RefusedCall>& refused) {
  std::vector<sock_filter> program;
  for (const auto& call : refused) {
    // Each jump skips to behind the return if the value is another one.
    const bool looks = call.third_argument.has_value();
    program.push_back({kLoad, 0, 0, offsetof(seccomp_data, nr)});
    program.push_back(
        {kJumpIfEqual, 0, static_cast<std::uint8_t>(looks ? 3 : 1), static_cast<std::uint32_t>(call.number)});
    if (looks) {
      program.push_back({kLoad, 0, 0, offsetof(seccomp_data, args[2])});  // its lower half: little endian
      program.push_back({kJumpIfEqual, 0, 1, *call.third_argument});
    }
    program.push_back({kReturn, 0, 0, SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(call.error)});
  }
  program.push_back({kReturn, 0, 0, SECCOMP_RET_ALLOW});
  const sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
  check("prctl(PR_SET_NO_NEW_PRIVS)", ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
  check("prctl(PR_SET_SECCOMP)", ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter));
}

}  // namespace

void run_sandboxed(const std::vector<RefusedCall>& refused, const std::function<void()>& body) {
  std::exception_ptr thrown;
  std::thread([&] {
    try {
      install(refused);
      body();
    } catch (...) {
      thrown = std::current_exception();
    }
  }).join();
  if (thrown) std::rethrow_exception(thrown);
}

}  // namespace codex
