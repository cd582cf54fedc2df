#include "probes/http/http_verdict.h"

#include <curl/curl.h>

#include "agent/text/quantity.h"

namespace codex {

namespace {

Finding failure(Reason reason, std::string text) {
  return {Outcome::kFailure, reason, std::move(text)};
}

Finding connection_trouble(const HttpReply& reply) {
  if (reply.own_error_number != 0)
    return {Outcome::kUnknown, Reason::kInternal, judge_errno(reply.own_error_number).text};
  if (reply.error_number != 0) return judge_errno(reply.error_number);
  return failure(reply.connected ? Reason::kReset : Reason::kRefused, reply.error_text);
}

std::string or_default(const std::string& text, int code) {
  return text.empty() ? curl_easy_strerror(static_cast<CURLcode>(code)) : text;
}

}  // namespace

Finding judge_errno(const HttpReply& reply) {
  if (reply.head_too_large) return failure(Reason::kProtocol, "the response head is above 16 KiB");
  if (reply.body_cut) return {Outcome::kSuccess, Reason::kNone, ""};
  switch (static_cast<CURLcode>(reply.code)) {
    case CURLE_OK:
      if (reply.status == 0) return failure(Reason::kProtocol, "not an HTTP answer");
      return {Outcome::kSuccess, Reason::kNone, ""};
    case CURLE_COULDNT_CONNECT:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
      return connection_trouble(reply);
    case CURLE_GOT_NOTHING:
      return failure(Reason::kReset, "connection closed without an answer");
    case CURLE_PARTIAL_FILE:
      return failure(Reason::kProtocol, "the answer ended before its declared length");
    case CURLE_OPERATION_TIMEDOUT:
      return failure(Reason::kTimeout, reply.error_text);
    case CURLE_SSL_CONNECT_ERROR:
      if (reply.error_number != 0) return judge_errno(reply.error_number);
      [[fallthrough]];
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
      if (auto shortage = own_shortage()) return *std::move(shortage);  // The CA's file was not read.
      return failure(Reason::kTls, or_default(reply.error_text, reply.code));
    case CURLE_COULDNT_RESOLVE_HOST:
      return failure(Reason::kResolve, or_default(reply.error_text, reply.code));
    case CURLE_OUT_OF_MEMORY:
      // libcurl says so, too, when one header line outgrows its buffer of 100 KiB.
      if (reply.first_byte && !reply.head_complete) {
        return failure(Reason::kProtocol, "a line of the response head is above 100 KiB");
      }
      [[fallthrough]];
    case CURLE_FAILED_INIT:
    case CURLE_ABORTED_BY_CALLBACK:
    case CURLE_BAD_FUNCTION_ARGUMENT:
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
      if (reply.connected && reply.code == CURLE_UNSUPPORTED_PROTOCOL) {
        return failure(Reason::kProtocol, "the peer does not speak HTTP/1");
      }
      return {Outcome::kUnknown, Reason::kInternal, or_default(reply.error_text, reply.code)};
    default:
      return failure(Reason::kProtocol, or_default(reply.error_text, reply.code));
  }
}

std::string unfinished_words(const HttpReply& reply, Duration allowed) {
  const std::string within = "no answer within " + in_words(allowed);
  if (!reply.connected) return within + " (not connected)";
  if (reply.tls_pending) return within + " (connected, TLS handshake unfinished)";
  if (!reply.first_byte) return within + " (connected, no byte received)";
  if (!reply.head_complete) {
    return within + " (head unfinished, " + std::to_string(reply.head_bytes) + " bytes of whole lines)";
  }
  return "no complete answer within " + in_words(allowed) + " (status " + std::to_string(reply.status) +
         ", " + std::to_string(reply.body.size()) + " bytes of the body)";
}

std::string answer_words(const HttpReply& reply) {
  const std::string status = std::to_string(reply.status) + ", ";
  if (reply.body_cut) return status + "first 64 KiB of the body";
  return status + std::to_string(reply.body.size()) + (reply.body.size() == 1 ? " byte" : " bytes");
}

}  // namespace codex
