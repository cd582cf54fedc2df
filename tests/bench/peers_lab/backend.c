/* The backend of the bench: static, so that its own start costs next to nothing.
 *   backend [--tree obeys|stubborn] [--crash] [--notify FD]
 * PORT is where it listens, LAB_LOG the journal: `WHAT PID CLOCK_MONOTONIC-ns` a line, written with O_APPEND;
 * E = main() entered, L = listening, X = EADDRINUSE. Any request is answered with the pid.
 * --tree: P starts C, a plain child, and D (double fork, setsid), the only one that listens. C and D ignore every
 * polite signal, P does if it is stubborn. --crash: exits with 1 as soon as it listens. --notify: writes a newline
 * to FD when it listens (s6's readiness protocol). */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int journal = -1;

static void note(const char *what) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  char line[80];
  const int length = snprintf(line, sizeof line, "%s %d %lld\n", what, (int)getpid(),
                              now.tv_sec * 1000000000LL + now.tv_nsec);
  if (journal >= 0 && write(journal, line, length) != length) _exit(3);
}

static int listening_socket(void) {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int yes = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  address.sin_port = htons((unsigned short)atoi(getenv("PORT")));
  if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(listener, 511) < 0) {
    if (errno == EADDRINUSE) note("X");
    perror("listen");
    exit(1);
  }
  note("L");
  return listener;
}

static void serve(int listener) {
  char request[4096], answer[128];
  for (;;) {
    const int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (client < 0) continue;
    if (read(client, request, sizeof request) > 0) {
      char body[16];
      const int size = snprintf(body, sizeof body, "%d\n", (int)getpid());
      const int length = snprintf(answer, sizeof answer,
                                  "HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", size, body);
      if (send(client, answer, length, MSG_NOSIGNAL) < 0) perror("send");
    }
    close(client);
  }
}

static void be_stubborn(void) {
  const int polite[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR2};
  for (size_t i = 0; i < sizeof polite / sizeof *polite; ++i) signal(polite[i], SIG_IGN);
}

static void grow_tree(int p_is_stubborn) {
  if (fork() == 0) {
    be_stubborn();
    note("C");
    for (;;) pause();
  }
  if (fork() == 0) {
    setsid();
    if (fork() != 0) _exit(0);
    be_stubborn();
    note("D");
    serve(listening_socket());
  }
  if (p_is_stubborn) be_stubborn();
  for (;;) pause();
}

int main(int argc, char **argv) {
  const char *path = getenv("LAB_LOG");
  if (path) journal = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
  note("E");
  int crash = 0, notify = -1;
  for (int i = 1; i < argc; ++i) {
    if (!strcmp(argv[i], "--tree") && i + 1 < argc) grow_tree(!strcmp(argv[++i], "stubborn"));
    if (!strcmp(argv[i], "--crash")) crash = 1;
    if (!strcmp(argv[i], "--notify") && i + 1 < argc) notify = atoi(argv[++i]);
  }
  const int listener = listening_socket();
  if (crash) return 1;
  if (notify >= 0) {
    if (write(notify, "\n", 1) < 0) perror("notify");
    close(notify);
  }
  serve(listener);
}
