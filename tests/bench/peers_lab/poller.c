/* Asks 127.0.0.1:PORT over a new connection every millisecond, from start to SIGTERM.
 *   poller PORT
 * Prints `ready`, then for each outage `gap LAST-GOOD-ns FIRST-GOOD-ns BAD-ANSWERS` (CLOCK_MONOTONIC), at the end
 * `total GOOD BAD`. An outage that has not ended is told with FIRST-GOOD 0. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t ended;

static void end(int signal) {
  (void)signal;
  ended = 1;
}

static long long now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static int answers(const struct sockaddr_in *address) {
  static const char request[] = "GET /health HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n";
  const int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const struct timeval patience = {0, 250000};
  setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  setsockopt(client, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  /* No TIME_WAIT left behind: a minute of polling would use up the ports. */
  const struct linger abort_it = {1, 0};
  setsockopt(client, SOL_SOCKET, SO_LINGER, &abort_it, sizeof abort_it);
  char answer[512];
  const int good = connect(client, (const struct sockaddr *)address, sizeof *address) == 0 &&
                   send(client, request, sizeof request - 1, MSG_NOSIGNAL) > 0 &&
                   recv(client, answer, sizeof answer, 0) > 12 && !memcmp(answer, "HTTP/1.1 200", 12);
  close(client);
  return good;
}

int main(int argc, char **argv) {
  if (argc < 2) return 2;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  address.sin_port = htons((unsigned short)atoi(argv[1]));
  signal(SIGTERM, end);
  setvbuf(stdout, NULL, _IOLBF, 0);
  long long last_good = 0;
  long good = 0, bad = 0, bad_now = 0;
  struct timespec next;
  clock_gettime(CLOCK_MONOTONIC, &next);
  while (!ended) {
    if (answers(&address)) {
      const long long at = now_ns();
      if (!good++) puts("ready");
      if (bad_now && last_good) printf("gap %lld %lld %ld\n", last_good, at, bad_now);
      bad_now = 0;
      last_good = at;
    } else if (!ended) {
      ++bad_now;
      ++bad;
    }
    next.tv_nsec += 1000000;
    if (next.tv_nsec >= 1000000000) ++next.tv_sec, next.tv_nsec -= 1000000000;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (now.tv_sec > next.tv_sec || (now.tv_sec == next.tv_sec && now.tv_nsec > next.tv_nsec)) next = now;
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
  }
  if (bad_now) printf("gap %lld 0 %ld\n", last_good, bad_now);
  printf("total %ld %ld\n", good, bad);
  return 0;
}
