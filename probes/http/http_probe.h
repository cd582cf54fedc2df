#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "probes/http/body_regex.h"
#include "probes/http/http_exchange.h"
#include "probes/http/http_target.h"
#include "probes/probe_attempt.h"
#include "probes/probe_context.h"
#include "probes/probe_spec.h"
#include "probes/resolver.h"
#include "probes/worker_call.h"

namespace codex {

/// One GET, judged by status and body, under one deadline over name resolution, connection, TLS, head and
/// body.
///
/// A body longer than kMaxHttpBody is judged by its beginning. Phases: resolve, connect, tls, processing
/// (request to first byte) and transfer; with redirects each is the sum over the hops.
class HttpProbe final : public Probe {
 public:
  HttpProbe(const ProbeSpec& spec, const ProbeContext& context);
  ~HttpProbe() override { cancel(); }
  void start(TimePoint deadline, Done done) override { attempt_.begin(deadline, std::move(done)); }
  void cancel() override { attempt_.cancel(); }

 private:
  void ask();
  void resolve();
  void request();
  void answered();
  [[nodiscard]] bool expects(int status) const;
  void judge(const HttpReply& reply);
  void judge_body(const HttpReply& reply);
  void match_regex(const HttpReply& reply);
  void expire();
  void release();
  void end(const HttpReply& reply, Outcome outcome, Reason reason, const std::string& what);

  ProbeSpec spec_;
  ProbeContext context_;
  std::string unusable_;  ///< why this specification cannot be asked, "" if it can
  std::optional<BodyRegex> regex_;
  HttpTarget target_;
  std::string url_;                     ///< of the hop under way
  int hops_ = 0;                        ///< redirects followed
  std::vector<std::string> addresses_;  ///< of the host
  NetworkNamespace network_;            ///< from which they can be reached
  WorkerCall lookup_, matching_;
  std::optional<HttpReply> matched_;  ///< the reply whose body the regex is looking at
  std::unique_ptr<HttpExchange> exchange_;
  ProbeAttempt attempt_;
};

}  // namespace codex
