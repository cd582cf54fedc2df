#include "tests/support/peer_postgres.h"

namespace codex::test {

namespace {

using namespace std::string_literals;

constexpr std::uint32_t kSslRequest = 80877103;

std::uint32_t to_uint32(std::string_view bytes) {
  std::uint32_t value = 0;
  for (const char byte : bytes.substr(0, 4)) value = value << 8 | static_cast<unsigned char>(byte);
  return value;
}

}  // namespace

std::string pg_int32(std::uint32_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift & 0xff);
  return bytes;
}

std::string pg_message_of_length(char type, std::uint32_t length, std::string_view payload) {
  return std::string(1, type) + pg_int32(length) + std::string(payload);
}

std::string pg_message(char type, std::string_view payload) {
  return pg_message_of_length(type, static_cast<std::uint32_t>(payload.size()) + 4, payload);
}

std::string pg_error(char type, const std::vector<std::pair<char, std::string>>& fields) {
  std::string payload;
  for (const auto& [field, value] : fields) payload += field + value + '\0';
  return pg_message(type, payload + '\0');
}

std::string pg_welcome() {
  return pg_message('R', pg_int32(0)) +
         pg_message('S', "server_version\0"s + "15.20 (Debian 15.20-0+deb12u1)\0"s) +
         pg_message('K', pg_int32(4711) + pg_int32(42)) + pg_message('Z', "I");
}

std::string pg_one_row() {
  const std::string column =
      "?column?\0"s + pg_int32(0) + "\0\0"s + pg_int32(23) + "\0\4"s + pg_int32(0xffffffff) + "\0\0"s;
  return pg_message('T', "\0\1"s + column) + pg_message('D', "\0\1"s + pg_int32(1) + "1") +
         pg_message('C', "SELECT 1\0"s) + pg_message('Z', "I");
}

std::string pg_read_startup(EvilPeer& peer) {
  for (;;) {
    const auto length = peer.read_exactly(4);
    if (length.size() < 4) return "";
    const auto payload = peer.read_exactly(to_uint32(length) - 4);
    if (payload.size() != 4 || to_uint32(payload) != kSslRequest) return payload;
    if (!peer.send("N")) return "";
  }
}

std::string pg_read_message(EvilPeer& peer) {
  const auto head = peer.read_exactly(5);
  if (head.size() < 5) return "";
  return head.substr(0, 1) + peer.read_exactly(to_uint32(std::string_view(head).substr(1)) - 4);
}

}  // namespace codex::test
