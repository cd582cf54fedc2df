#include "probes/http/http_target.h"

#include <curl/curl.h>
#include <strings.h>

#include <memory>

namespace codex {

namespace {

std::optional<std::string> part_of(CURLU* url, CURLUPart part, unsigned flags) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, flags) != CURLUE_OK) return std::nullopt;
  const std::unique_ptr<char, decltype(&curl_free)> owner(text, curl_free);
  return std::string(text);
}

}  // namespace

std::optional<HttpTarget> parse_http_target(const std::string& url) {
  const std::unique_ptr<CURLU, decltype(&curl_url_cleanup)> handle(curl_url(), curl_url_cleanup);
  if (!handle || curl_url_set(handle.get(), CURLUPART_URL, url.c_str(), 0) != CURLUE_OK) return std::nullopt;
  const auto scheme = part_of(handle.get(), CURLUPART_SCHEME, 0);
  const auto host = part_of(handle.get(), CURLUPART_HOST, CURLU_PUNYCODE);
  const auto port = part_of(handle.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT);
  const auto path = part_of(handle.get(), CURLUPART_PATH, 0);
  if (!scheme || !host || !port || !path) return std::nullopt;
  if (*scheme != "http" && *scheme != "https") return std::nullopt;
  return HttpTarget{*scheme, *host, *port, *path};
}

bool may_follow(const HttpTarget& from, const HttpTarget& to) {
  if (from.scheme == "https" && to.scheme != "https") return false;
  return ::strcasecmp(from.host.c_str(), to.host.c_str()) == 0;
}

}  // namespace codex
