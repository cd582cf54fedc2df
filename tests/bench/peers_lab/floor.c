/* What the kernel allows: the least program that keeps another one running. No probe, no log, no back-off.
 *   floor NAME=VALUE COMMAND [ARGUMENT...]      the variable is for the command only
 * SIGHUP restarts (SIGTERM, wait, spawn), SIGTERM stops. Journals `S PID ns` before every spawn, as backend.c does. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static sigset_t watched;

static void note_spawn(int journal) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  dprintf(journal, "S %d %lld\n", (int)getpid(), now.tv_sec * 1000000000LL + now.tv_nsec);
}

static pid_t start(char **command, int journal) {
  posix_spawnattr_t attributes;
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &watched);
  pid_t child = -1;
  note_spawn(journal);
  if (posix_spawnp(&child, command[0], NULL, &attributes, command, environ) != 0) _exit(127);
  posix_spawnattr_destroy(&attributes);
  return child;
}

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  putenv(argv[1]);
  const int journal = open(getenv("LAB_LOG"), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
  sigemptyset(&watched);
  sigaddset(&watched, SIGCHLD);
  sigaddset(&watched, SIGHUP);
  sigaddset(&watched, SIGTERM);
  sigprocmask(SIG_BLOCK, &watched, NULL);
  const int signals = signalfd(-1, &watched, SFD_CLOEXEC);
  pid_t child = start(argv + 2, journal);
  int stopping = 0;
  struct signalfd_siginfo got;
  while (read(signals, &got, sizeof got) == sizeof got) {
    if (got.ssi_signo != SIGCHLD) {
      stopping |= got.ssi_signo == SIGTERM;
      kill(child, SIGTERM);
      continue;
    }
    for (pid_t ended; (ended = waitpid(-1, NULL, WNOHANG)) > 0;) {
      if (ended != child) continue;
      if (stopping) return 0;
      child = start(argv + 2, journal);
    }
  }
  return 1;
}
