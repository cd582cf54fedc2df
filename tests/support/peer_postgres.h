#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/support/evil_server.h"

/// The server's side of the PostgreSQL protocol, as far as a peer in a test needs it (PostgreSQL,
/// section 55.7).
namespace codex::test {

std::string pg_int32(std::uint32_t value);

/// Type, length, payload.
std::string pg_message(char type, std::string_view payload);

/// As above, but the length field lies.
std::string pg_message_of_length(char type, std::uint32_t length, std::string_view payload);

/// ErrorResponse or NoticeResponse with fields such as {'C', "28P01"}.
std::string pg_error(char type, const std::vector<std::pair<char, std::string>>& fields);

/// AuthenticationOk, server_version 15.20, ReadyForQuery.
std::string pg_welcome();

/// The whole answer to SELECT 1.
std::string pg_one_row();

/// Reads the start-up packet; a request for encryption before it is declined. Answers the packet's payload.
std::string pg_read_startup(EvilPeer& peer);

/// Reads one message with a type byte; answers type and payload, "" at the end of the connection.
std::string pg_read_message(EvilPeer& peer);

}  // namespace codex::test
