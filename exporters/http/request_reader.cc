#include "exporters/http/request_reader.h"

#include <algorithm>
#include <utility>

namespace codex {

RequestReader::RequestReader(const HttpLimits& limits)
    : head_limit_(limits.head_bytes), body_limit_(limits.body_bytes) {}

RequestReader::State RequestReader::feed(std::string_view bytes) {
  if (state_ != State::kReading) {
    unread_ = unread_ || !bytes.empty();
    return state_;
  }
  const std::size_t room = head_limit_ + body_limit_ - bytes_.size();
  bytes_.append(bytes.substr(0, room));
  unread_ = bytes.size() > room;
  if (total_ == 0) {
    const HeadEnd end = find_head_end(std::string_view(bytes_).substr(0, head_limit_), scanned_);
    scanned_ = std::min(bytes_.size(), head_limit_);
    if (end.malformed) return refuse(400);
    if (end.size) {
      finish_head(*end.size);
    } else if (bytes_.size() >= head_limit_) {
      return refuse(bytes_.find('\n') == std::string::npos ? 414 : 431);
    }
  }
  if (state_ == State::kReading && total_ != 0) finish_body();
  return state_;
}

void RequestReader::finish_head(std::size_t size) {
  ParsedHead parsed = parse_http_head(std::string_view(bytes_).substr(0, size));
  if (!parsed.head) {
    refuse(parsed.error_status);
    return;
  }
  head_ = std::move(parsed.head);
  head_size_ = total_ = size;
  const bool reading_method = head_->method == "GET" || head_->method == "HEAD";
  if (body_limit_ == 0 && !reading_method) {
    // A read-only front answers 405 whatever the body is; it does not wait for one.
    unread_ = unread_ || head_->content_length > 0;
  } else if (head_->content_length > body_limit_) {
    refuse(413);
  } else {
    total_ += head_->content_length;
  }
}

void RequestReader::finish_body() {
  if (bytes_.size() < total_) return;
  unread_ = unread_ || bytes_.size() > total_;
  bytes_.resize(total_);
  state_ = State::kComplete;
}

RequestReader::State RequestReader::refuse(int status) {
  error_status_ = status;
  unread_ = true;
  state_ = State::kRefused;
  return state_;
}

}  // namespace codex
