// Four threads that accept and answer; with -DQUEUE the main thread accepts, and they answer.
#include <arpa/inet.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int listener;
static pthread_mutex_t never_released = PTHREAD_MUTEX_INITIALIZER;
static volatile long turns;

static void serve(int connection) {
  char request[4096] = "", body[32];
  if (read(connection, request, sizeof request - 1) > 0) {
    if (strncmp(request, "GET /block ", 11) == 0) pthread_mutex_lock(&never_released);
    while (strncmp(request, "GET /spin ", 10) == 0) ++turns;
    int size = snprintf(body, sizeof body, "pid=%d", getpid());
    dprintf(connection, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", size, body);
  }
  close(connection);
}

#ifdef QUEUE
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t filled = PTHREAD_COND_INITIALIZER;
static int queue[1024];
static unsigned begin, end;

static void put(int connection) {
  pthread_mutex_lock(&mutex);
  queue[end++ % 1024] = connection;
  pthread_cond_signal(&filled);
  pthread_mutex_unlock(&mutex);
}

static int get(void) {
  pthread_mutex_lock(&mutex);
  while (begin == end) pthread_cond_wait(&filled, &mutex);
  int connection = queue[begin++ % 1024];
  pthread_mutex_unlock(&mutex);
  return connection;
}
#else
static int get(void) {
  return accept(listener, 0, 0);
}
#endif

static void* work(void* unused) {
  for (int connection; (connection = get()) >= 0;) serve(connection);
  return unused;
}

int main(void) {
  signal(SIGPIPE, SIG_IGN);
  pthread_mutex_lock(&never_released);
  listener = socket(AF_INET, SOCK_STREAM, 0);
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
  struct sockaddr_in address = {.sin_family = AF_INET,
                                .sin_port = htons(atoi(getenv("PORT"))),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  if (bind(listener, (struct sockaddr*)&address, sizeof address) != 0 || listen(listener, 64) != 0) return 1;
  pthread_t threads[4];
  for (int i = 0; i < 4; ++i) pthread_create(&threads[i], 0, work, 0);
#ifdef QUEUE
  for (int connection; (connection = accept(listener, 0, 0)) >= 0;) put(connection);
#endif
  pthread_join(threads[0], 0);
}
