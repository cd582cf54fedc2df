#include "probes/http/http_probe.h"

#include <algorithm>
#include <stdexcept>

#include "agent/text/quantity.h"
#include "probes/http/http_verdict.h"
#include "probes/port/own_listener.h"

namespace codex {

namespace {

constexpr int kMaxRedirects = 5;
constexpr Duration kFlows = std::chrono::seconds(1);  // since the newest bytes of the body
constexpr std::size_t kMaxExcerpt = 80;

bool is_redirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

}  // namespace

HttpProbe::HttpProbe(const ProbeSpec& spec, const ProbeContext& context)
    : spec_(spec),
      context_(context),
      attempt_(context.loop, "http probe", {[this] { ask(); }, [this] { expire(); }, [this] { release(); }}) {
  if (const auto target = parse_http_target(spec_.url.reveal())) {
    target_ = *target;
  } else {
    unusable_ = "the URL of probe " + spec_.name + " is no http:// or https:// URL";
  }
  try {
    if (!spec_.http.body_regex.empty()) regex_.emplace(spec_.http.body_regex);
  } catch (const std::invalid_argument& e) {
    unusable_ = "body_regex of probe " + spec_.name + ": " + e.what();
  }
}

void HttpProbe::ask() {
  if (!unusable_.empty()) return attempt_.give_up(unusable_);
  url_ = spec_.url.reveal();
  hops_ = 0;
  addresses_.clear();
  lookup_ = {};
  matching_ = {};
  matched_.reset();
  resolve();
}

void HttpProbe::resolve() {
  attempt_.enter(Phase::kResolve);
  if (spec_.own_listener) {
    auto own = find_own_listener(spec_.port, context_);
    if (!own.refusal.empty()) return end({}, Outcome::kFailure, Reason::kRefused, ": " + own.refusal);
    addresses_ = std::move(own.addresses);
    network_ = std::move(own.network);
    return request();
  }
  if (auto known = resolve_without_network(target_.host)) {
    addresses_ = std::move(*known);
    return request();
  }
  const bool sent = lookup_.send(
      context_.loop, context_.resolver, [host = target_.host] { return resolve_host(host); },
      attempt_.guard([this](std::future<Resolution> future) {
        auto found = future.get();
        if (found.finding) {
          return end({}, found.finding->outcome, found.finding->reason, ": " + found.finding->text);
        }
        addresses_ = std::move(found.addresses);
        request();
      }));
  if (!sent) attempt_.give_up("the agent's resolver is busy");
}

void HttpProbe::request() {
  attempt_.close_phase();
  const auto hop = parse_http_target(url_);
  if (!hop) throw std::logic_error("the URL of a redirect vanished");
  exchange_ = std::make_unique<HttpExchange>(
      context_.curl, HttpDestination{url_, hop->host, hop->port, addresses_, spec_.own_listener, network_},
      spec_.http, attempt_.allowed() - attempt_.elapsed(), attempt_.guard([this] { answered(); }));
}

void HttpProbe::answered() {
  const auto reply = exchange_->reply();
  if (reply.code != 0 && judge_errno(reply).reason == Reason::kTimeout) return expire();
  const bool redirected = spec_.http.follow_redirects && is_redirect(reply.status) && !reply.location.empty();
  if (!redirected || judge_errno(reply).outcome != Outcome::kSuccess) return judge(reply);

  const auto next = parse_http_target(reply.location);
  if (!next || !may_follow(target_, *next)) {
    return end(reply, Outcome::kFailure, Reason::kStatus,
               " " + answer_words(reply) + ": redirect elsewhere, not followed");
  }
  if (++hops_ > kMaxRedirects) {
    return end(reply, Outcome::kFailure, Reason::kStatus,
               " " + answer_words(reply) + ": more than " + std::to_string(kMaxRedirects) + " redirects");
  }
  for (const auto& phase : reply.phases) attempt_.record(phase.phase, phase.elapsed);
  url_ = reply.location;
  exchange_.reset();
  request();
}

bool HttpProbe::expects(int status) const {
  const auto& ranges = spec_.http.status;
  return std::any_of(ranges.begin(), ranges.end(),
                     [status](const auto& range) { return range.first <= status && status <= range.second; });
}

void HttpProbe::judge(const HttpReply& reply) {
  const auto finding = judge_errno(reply);
  if (finding.outcome != Outcome::kSuccess) {
    return end(reply, finding.outcome, finding.reason, ": " + finding.text);
  }
  if (expects(reply.status)) return judge_body(reply);
  // What a health endpoint answers with a bad status is usually the cause in words.
  const std::string excerpt = reply.body.substr(0, kMaxExcerpt);
  end(reply, Outcome::kFailure, Reason::kStatus,
      " " + answer_words(reply) + (excerpt.empty() ? "" : ": " + excerpt));
}

void HttpProbe::judge_body(const HttpReply& reply) {
  const std::string answer = " " + answer_words(reply);
  const auto& wanted = spec_.http.body_contains;
  if (!wanted.empty() && reply.body.find(wanted) == std::string::npos) {
    return end(reply, Outcome::kFailure, Reason::kBody, answer + ", without \"" + wanted + "\"");
  }
  if (regex_) return match_regex(reply);
  end(reply, Outcome::kSuccess, Reason::kNone, answer);
}

void HttpProbe::match_regex(const HttpReply& reply) {
  matched_ = reply;
  const bool sent = matching_.send(
      context_.loop, context_.resolver, [regex = *regex_, body = reply.body] { return regex.matches(body); },
      attempt_.guard([this](std::future<bool> future) {
        const bool matches = future.get();
        end(*matched_, matches ? Outcome::kSuccess : Outcome::kFailure,
            matches ? Reason::kNone : Reason::kBody,
            " " + answer_words(*matched_) +
                (matches ? "" : ", not matching /" + spec_.http.body_regex + "/"));
      }));
  if (!sent) attempt_.give_up("the agent's worker is busy");
}

void HttpProbe::expire() {
  if (matched_) {
    return end(*matched_, Outcome::kUnknown, Reason::kInternal,
               " " + answer_words(*matched_) + ": body_regex did not finish in time");
  }
  if (exchange_) {
    const auto reply = exchange_->reply();
    return end(reply, Outcome::kFailure, Reason::kTimeout,
               ": " + unfinished_words(reply, attempt_.allowed()));
  }
  if (lookup_.starved()) return attempt_.give_up("the agent's resolver is busy");
  end({}, Outcome::kFailure, Reason::kTimeout, ": name not resolved within " + in_words(attempt_.allowed()));
}

/// A handle kept would keep the network namespace of a stopped backend, and all devices in it.
void HttpProbe::release() {
  exchange_.reset();
  network_ = {};
}

void HttpProbe::end(const HttpReply& reply, Outcome outcome, Reason reason, const std::string& what) {
  for (const auto& phase : reply.phases) attempt_.record(phase.phase, phase.elapsed);
  ProbeResult result;
  result.outcome = outcome;
  result.reason = reason;
  result.http_status = reply.status;
  if (reply.head_complete) result.body_bytes = reply.body.size();
  result.flows = reason == Reason::kTimeout && expects(reply.status) && reply.body_came &&
                 Clock::now() - *reply.body_came <= kFlows;
  result.detail = context_.redactor.safe("GET " + target_.path + what);
  attempt_.finish(std::move(result));
}

}  // namespace codex
