#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "agent/cli/reply_reader.h"

namespace {

using codex::ReplyReader;

void expect(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

/// Whole, in two pieces and byte by byte the same answer comes out, or none.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  ReplyReader whole, halves, single;
  whole.feed(bytes);
  halves.feed(bytes.substr(0, size / 2));
  halves.feed(bytes.substr(size / 2));
  for (const char& byte : bytes) single.feed({&byte, 1});
  expect(whole.state() == halves.state() && whole.state() == single.state());
  if (whole.state() != ReplyReader::State::kComplete) return 0;
  expect(whole.status() >= 100 && whole.status() <= 999 && whole.status() == single.status());
  const auto body = whole.take_body();
  expect(body.size() <= size && body == halves.take_body() && body == single.take_body());
  return 0;
}
