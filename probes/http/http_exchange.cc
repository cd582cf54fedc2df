#include "probes/http/http_exchange.h"

#include <curl/curl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "probes/resolver.h"

namespace codex {

namespace {

struct ListDeleter {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using StringList = std::unique_ptr<curl_slist, ListDeleter>;

void append(StringList& list, const std::string& text) {
  curl_slist* longer = curl_slist_append(list.get(), text.c_str());
  if (longer == nullptr) throw std::bad_alloc();
  static_cast<void>(list.release());
  list.reset(longer);
}

StringList header_list(const HttpExpectation& expectation) {
  StringList list;
  append(list, "Accept-Encoding: identity");
  append(list, "Connection: close");
  for (const auto& [name, value] : expectation.headers) {
    const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
    if (std::any_of(name.begin(), name.end(), is_control) ||
        std::any_of(value.begin(), value.end(), is_control)) {
      throw std::runtime_error("a configured request header has a control character");
    }
    append(list, value.empty() ? name + ";" : name + ": " + value);
  }
  return list;
}

/// A number in the URL cannot be given other addresses, so it is first made this name (RFC 6761 section 6.4).
constexpr const char* kElsewhere = "listener.invalid";

/// For CURLOPT_RESOLVE(3): HOST:PORT:ADDRESS[,ADDRESS]...
std::string resolve_entry(const HttpDestination& destination) {
  std::string entry =
      (destination.elsewhere ? std::string(kElsewhere) : destination.host) + ":" + destination.port + ":";
  for (const auto& address : destination.addresses) {
    if (entry.back() != ':') entry += ',';
    entry += address.find(':') == std::string::npos ? address : "[" + address + "]";
  }
  return entry;
}

}  // namespace

struct HttpExchange::State {
  CurlMulti& multi;
  std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> easy{curl_easy_init(), curl_easy_cleanup};
  StringList headers, resolve, connect_to;
  std::array<char, CURL_ERROR_SIZE> error_text{};
  NetworkNamespace network;
  HttpReply reply;
  TimePoint began = Clock::now();
  bool secure = false;
  bool dialled = false;
  Duration tls_began{0};  // since `began`; libcurl tells the end of TCP's part only after that of TLS

  explicit State(CurlMulti& m) : multi(m) {
    if (!easy) throw std::runtime_error("curl_easy_init failed");
  }
  ~State() { multi.remove(easy.get()); }

  template <typename Value>
  void set(CURLoption option, Value value) {
    if (const auto code = curl_easy_setopt(easy.get(), option, value); code != CURLE_OK) {
      throw std::runtime_error(std::string("curl_easy_setopt: ") + curl_easy_strerror(code));
    }
  }

  void configure(const HttpDestination& destination, const HttpExpectation& expectation, Duration patience);

  /// Microseconds since the transfer began; 0 if not reached.
  Duration mark(CURLINFO info) const {
    curl_off_t value = 0;
    curl_easy_getinfo(easy.get(), info, &value);
    return std::chrono::microseconds(value);
  }

  Duration connect_time() const {
    const auto told = mark(CURLINFO_CONNECT_TIME_T);
    return told > Duration{0} ? told : tls_began;
  }

  static curl_socket_t open_socket(void* data, curlsocktype, curl_sockaddr* address) noexcept {
    auto& self = *static_cast<State*>(data);
    self.dialled = true;
    auto socket = self.network.socket(address->family, address->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
                                      address->protocol);
    if (!socket) self.reply.own_error_number = errno;
    return socket ? socket.release() : CURL_SOCKET_BAD;
  }

  static CURLcode begin_tls(CURL*, void*, void* data) noexcept {
    auto& self = *static_cast<State*>(data);
    self.tls_began = Clock::now() - self.began;
    return CURLE_OK;
  }

  static std::size_t take_header(char* line, std::size_t size, std::size_t count, void* data) noexcept {
    auto& self = *static_cast<State*>(data);
    const std::size_t bytes = size * count;
    self.reply.head_bytes += bytes;
    self.reply.head_too_large = self.reply.head_bytes > kMaxHttpHead;
    if (std::string_view(line, bytes) == "\r\n" || std::string_view(line, bytes) == "\n") {
      long status = 0;
      curl_easy_getinfo(self.easy.get(), CURLINFO_RESPONSE_CODE, &status);
      self.reply.head_complete = status >= 200;
    }
    return self.reply.head_too_large ? 0 : bytes;
  }

  static std::size_t take_body(char* bytes, std::size_t size, std::size_t count, void* data) noexcept {
    auto& reply = static_cast<State*>(data)->reply;
    const std::size_t room = kMaxHttpBody - reply.body.size();
    const std::size_t taken = std::min(room, size * count);
    reply.body.append(bytes, taken);
    reply.body_came = Clock::now();
    reply.body_cut = taken < size * count;
    return taken;
  }

  void add_phases(HttpReply& result) const;
};

void HttpExchange::State::configure(const HttpDestination& destination, const HttpExpectation& expectation,
                                    Duration patience) {
  network = destination.network;
  headers = header_list(expectation);
  secure = destination.url.starts_with("https:");
  set(CURLOPT_URL, destination.url.c_str());
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  set(CURLOPT_HTTPHEADER, headers.get());
  set(CURLOPT_USERAGENT, "codex-agent");
  set(CURLOPT_PROXY, "");
  set(CURLOPT_FRESH_CONNECT, 1L);
  set(CURLOPT_FORBID_REUSE, 1L);
  set(CURLOPT_NOSIGNAL, 1L);
  // Should libcurl ever resolve a name in spite of CURLOPT_RESOLVE, giving up must not join its thread.
  set(CURLOPT_QUICK_EXIT, 1L);
  if (destination.elsewhere) {
    append(connect_to, "::" + std::string(kElsewhere) + ":");
    set(CURLOPT_CONNECT_TO, connect_to.get());
  }
  if (destination.elsewhere || !resolve_without_network(destination.host) ||
      destination.host == "localhost") {
    append(resolve, resolve_entry(destination));
    set(CURLOPT_RESOLVE, resolve.get());
  }
  const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(patience).count();
  set(CURLOPT_TIMEOUT_MS, std::max(1L, static_cast<long>(milliseconds)));
  set(CURLOPT_SSL_VERIFYPEER, expectation.tls_verify ? 1L : 0L);
  set(CURLOPT_SSL_VERIFYHOST, expectation.tls_verify ? 2L : 0L);
  if (!expectation.ca_file.empty()) set(CURLOPT_CAINFO, expectation.ca_file.c_str());
  // Only libcurl with OpenSSL knows this one; without it a phase is told less exactly.
  curl_easy_setopt(easy.get(), CURLOPT_SSL_CTX_FUNCTION, &State::begin_tls);
  curl_easy_setopt(easy.get(), CURLOPT_SSL_CTX_DATA, this);
  set(CURLOPT_ERRORBUFFER, error_text.data());
  set(CURLOPT_OPENSOCKETFUNCTION, &State::open_socket);
  set(CURLOPT_OPENSOCKETDATA, this);
  set(CURLOPT_HEADERFUNCTION, &State::take_header);
  set(CURLOPT_HEADERDATA, this);
  set(CURLOPT_WRITEFUNCTION, &State::take_body);
  set(CURLOPT_WRITEDATA, this);
}

void HttpExchange::State::add_phases(HttpReply& result) const {
  if (!dialled) return;
  const Duration total = Clock::now() - began;
  const Duration connect = connect_time();
  const Duration tls = mark(CURLINFO_APPCONNECT_TIME_T);
  const Duration first_byte = mark(CURLINFO_STARTTRANSFER_TIME_T);
  Duration begin{0};
  // A mark of 0 is a phase that did not end: it takes the rest.
  const auto add = [&](Phase phase, Duration end) {
    const bool ended = end > Duration{0};
    const Duration until = std::max(begin, ended ? std::min(end, total) : total);
    result.phases.push_back({phase, until - begin});
    begin = until;
    return ended;
  };
  if (!add(Phase::kConnect, connect)) return;
  if (secure && !add(Phase::kTls, tls)) return;
  if (!add(Phase::kProcessing, first_byte)) return;
  add(Phase::kTransfer, total);
}

HttpExchange::HttpExchange(CurlMulti& multi, const HttpDestination& destination,
                           const HttpExpectation& expectation, Duration patience,
                           std::function<void()> finished)
    : state_(std::make_unique<State>(multi)) {
  state_->configure(destination, expectation, patience);
  State* state = state_.get();
  multi.add(state->easy.get(), [state, finished = std::move(finished)](int code) {
    state->reply.code = code;
    finished();
  });
}

HttpExchange::~HttpExchange() = default;

HttpReply HttpExchange::reply() const {
  const State& state = *state_;
  HttpReply result = state.reply;
  long number = 0;
  curl_easy_getinfo(state.easy.get(), CURLINFO_RESPONSE_CODE, &number);
  result.status = number >= 200 && result.head_complete ? static_cast<int>(number) : 0;
  number = 0;
  curl_easy_getinfo(state.easy.get(), CURLINFO_OS_ERRNO, &number);
  result.error_number = static_cast<int>(number);
  result.error_text = state.error_text.data();
  result.connected = state.connect_time() > Duration{0};
  result.tls_pending =
      state.secure && result.connected && state.mark(CURLINFO_APPCONNECT_TIME_T) == Duration{0};
  result.first_byte = state.mark(CURLINFO_STARTTRANSFER_TIME_T) > Duration{0};
  char* location = nullptr;
  curl_easy_getinfo(state.easy.get(), CURLINFO_REDIRECT_URL, &location);
  if (location != nullptr) result.location = location;
  state.add_phases(result);
  return result;
}

}  // namespace codex
