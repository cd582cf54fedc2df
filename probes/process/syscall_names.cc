#include "probes/process/syscall_names.h"

#include <sys/syscall.h>

namespace codex {

namespace {

struct Known {
  int number;
  WaitKind kind;
  const char* name;
};

// Calls that programs are found blocked in. Newer machines lack the older of them.
constexpr Known kKnown[] = {
#ifdef SYS_epoll_wait
    {SYS_epoll_wait, WaitKind::kEpoll, "epoll_wait"},
    {SYS_poll, WaitKind::kPoll, "poll"},
    {SYS_select, WaitKind::kPoll, "select"},
    {SYS_open, WaitKind::kOther, "open"},
    {SYS_vfork, WaitKind::kChild, "vfork"},
#endif
    {SYS_epoll_pwait, WaitKind::kEpoll, "epoll_pwait"},
    {SYS_epoll_pwait2, WaitKind::kEpoll, "epoll_pwait2"},
    {SYS_ppoll, WaitKind::kPoll, "ppoll"},
    {SYS_pselect6, WaitKind::kPoll, "pselect6"},
    {SYS_futex, WaitKind::kFutex, "futex"},
    {SYS_wait4, WaitKind::kChild, "wait4"},
    {SYS_waitid, WaitKind::kChild, "waitid"},
    {SYS_clone, WaitKind::kChild, "clone"},  // a vfork: until the child calls exec
    {SYS_clone3, WaitKind::kChild, "clone3"},
    {SYS_read, WaitKind::kRead, "read"},
    {SYS_readv, WaitKind::kRead, "readv"},
    {SYS_pread64, WaitKind::kRead, "pread64"},
    {SYS_write, WaitKind::kOther, "write"},
    {SYS_writev, WaitKind::kOther, "writev"},
    {SYS_pwrite64, WaitKind::kOther, "pwrite64"},
    {SYS_openat, WaitKind::kOther, "openat"},
    {SYS_close, WaitKind::kOther, "close"},
    {SYS_fsync, WaitKind::kOther, "fsync"},
    {SYS_fdatasync, WaitKind::kOther, "fdatasync"},
    {SYS_flock, WaitKind::kOther, "flock"},
    {SYS_fcntl, WaitKind::kOther, "fcntl"},
    {SYS_connect, WaitKind::kOther, "connect"},
    {SYS_accept, WaitKind::kAccept, "accept"},
    {SYS_accept4, WaitKind::kAccept, "accept4"},
    {SYS_recvfrom, WaitKind::kOther, "recvfrom"},
    {SYS_recvmsg, WaitKind::kOther, "recvmsg"},
    {SYS_sendto, WaitKind::kOther, "sendto"},
    {SYS_sendmsg, WaitKind::kOther, "sendmsg"},
    {SYS_nanosleep, WaitKind::kOther, "nanosleep"},
    {SYS_clock_nanosleep, WaitKind::kOther, "clock_nanosleep"},
    {SYS_statx, WaitKind::kOther, "statx"},
    {SYS_ioctl, WaitKind::kOther, "ioctl"},
    {SYS_mmap, WaitKind::kOther, "mmap"},
};

}  // namespace

WaitKind wait_kind_of(int syscall) {
  if (syscall < 0) return WaitKind::kNone;
  for (const auto& known : kKnown) {
    if (known.number == syscall) return known.kind;
  }
  return WaitKind::kOther;
}

std::string syscall_name(int syscall) {
  for (const auto& known : kKnown) {
    if (known.number == syscall) return known.name;
  }
  return "syscall " + std::to_string(syscall);
}

std::string describe_wait(const ThreadView& thread) {
  if (thread.syscall < 0) return thread.wchan.empty() ? "the kernel" : thread.wchan;
  return syscall_name(thread.syscall) + (thread.wchan.empty() ? "" : " (" + thread.wchan + ")");
}

}  // namespace codex
