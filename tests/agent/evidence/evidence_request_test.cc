#include "agent/evidence/evidence_request.h"

#include <gtest/gtest.h>

namespace codex {
namespace {

EvidenceRequest sample() {
  EvidenceRequest request;
  request.moment = EvidenceRequest::Moment::kSuspected;
  request.directory = "/srv/\xff/evidence";
  request.id = "20260101T000000.000Z-api";
  request.backend = "api";
  request.generation = 7;
  request.token_prefix = "agent/api/";
  request.server = ProcessId{12, 345};
  request.port = 5000;
  request.database_ports = {5432, 6432};
  request.hang_class = "spin";
  request.why = "runs";
  request.votes = {{"spin", 5}, {"gc", 1}};
  request.since = WallTime(std::chrono::milliseconds(1'764'157'353'482));
  request.next = "restart";
  request.native_stacks = true;
  request.output_file = "/srv/out.log";
  request.database_url = Secret("postgres://a:\xfe@b/c");
  request.secrets = {std::string("\x00\xff", 2), "hunter2"};
  return request;
}

TEST(EvidenceRequest, ArrivesAsItWasSent) {
  const auto request = sample();
  const auto read = decode_evidence_request(encode(request));
  EXPECT_EQ(read.moment, request.moment);
  EXPECT_EQ(read.directory, request.directory);
  EXPECT_EQ(read.id, request.id);
  EXPECT_EQ(read.backend, request.backend);
  EXPECT_EQ(read.generation, request.generation);
  EXPECT_EQ(read.token_prefix, request.token_prefix);
  EXPECT_EQ(read.server, request.server);
  EXPECT_EQ(read.port, request.port);
  EXPECT_EQ(read.database_ports, request.database_ports);
  EXPECT_EQ(read.hang_class, request.hang_class);
  EXPECT_EQ(read.why, request.why);
  EXPECT_EQ(read.votes, request.votes);
  EXPECT_EQ(read.since, request.since);
  EXPECT_EQ(read.next, request.next);
  EXPECT_TRUE(read.native_stacks);
  EXPECT_EQ(read.output_file, request.output_file);
  EXPECT_EQ(read.database_url, request.database_url);
  EXPECT_EQ(read.secrets, request.secrets);
}

TEST(EvidenceRequest, WhatIsUnknownStaysUnknown) {
  const auto read = decode_evidence_request(encode(EvidenceRequest{}));
  EXPECT_EQ(read.server, std::nullopt);
  EXPECT_EQ(read.port, std::nullopt);
  EXPECT_TRUE(read.database_url.empty());
  EXPECT_EQ(read.moment, EvidenceRequest::Moment::kConfirmed);
}

TEST(EvidenceRequest, AnythingElseIsRefused) {
  const std::string whole = encode(sample());
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_ANY_THROW(decode_evidence_request(whole.substr(0, size))) << size;
  EXPECT_ANY_THROW(decode_evidence_request("{}"));
}

}  // namespace
}  // namespace codex
