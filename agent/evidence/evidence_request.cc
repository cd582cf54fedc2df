#include "agent/evidence/evidence_request.h"

#include <nlohmann/json.hpp>

namespace codex {

namespace {

/// CBOR, because names of files and secrets are bytes, which JSON cannot hold.
nlohmann::json bytes(const std::string& text) {
  return nlohmann::json::binary(std::vector<std::uint8_t>(text.begin(), text.end()));
}

std::string text_of(const nlohmann::json& json) {
  const auto& bytes = json.get_binary();
  return {bytes.begin(), bytes.end()};
}

}  // namespace

std::string encode(const EvidenceRequest& request) {
  nlohmann::json secrets = nlohmann::json::array(), server = nullptr;
  for (const auto& secret : request.secrets) secrets.push_back(bytes(secret));
  if (request.server) server = {request.server->pid, request.server->start_ticks};
  const nlohmann::json json{{"confirmed", request.moment == EvidenceRequest::Moment::kConfirmed},
                            {"directory", bytes(request.directory)},
                            {"id", request.id},
                            {"backend", request.backend},
                            {"generation", request.generation},
                            {"token_prefix", bytes(request.token_prefix)},
                            {"server", server},
                            {"port", request.port ? nlohmann::json(*request.port) : nlohmann::json(nullptr)},
                            {"database_ports", request.database_ports},
                            {"class", request.hang_class},
                            {"why", bytes(request.why)},
                            {"votes", request.votes},
                            {"since", request.since.time_since_epoch().count()},
                            {"next", request.next},
                            {"native_stacks", request.native_stacks},
                            {"output_file", bytes(request.output_file)},
                            {"database_url", bytes(request.database_url.reveal())},
                            {"secrets", secrets}};
  const auto encoded = nlohmann::json::to_cbor(json);
  return {encoded.begin(), encoded.end()};
}

EvidenceRequest decode_evidence_request(const std::string& text) {
  const nlohmann::json json = nlohmann::json::from_cbor(text);
  EvidenceRequest request;
  request.moment = json.at("confirmed").get<bool>() ? EvidenceRequest::Moment::kConfirmed
                                                    : EvidenceRequest::Moment::kSuspected;
  request.directory = text_of(json.at("directory"));
  request.id = json.at("id");
  request.backend = json.at("backend");
  request.generation = json.at("generation");
  request.token_prefix = text_of(json.at("token_prefix"));
  if (const auto& server = json.at("server"); !server.is_null())
    request.server = ProcessId{server.at(0).get<pid_t>(), server.at(1).get<std::uint64_t>()};
  if (const auto& port = json.at("port"); !port.is_null()) request.port = port.get<std::uint16_t>();
  request.database_ports = json.at("database_ports").get<std::set<std::uint16_t>>();
  request.hang_class = json.at("class");
  request.why = text_of(json.at("why"));
  request.votes = json.at("votes").get<std::vector<std::pair<std::string, int>>>();
  request.since = WallTime(WallTime::duration(json.at("since").get<WallTime::rep>()));
  request.next = json.at("next");
  request.native_stacks = json.at("native_stacks");
  request.output_file = text_of(json.at("output_file"));
  request.database_url = Secret(text_of(json.at("database_url")));
  for (const auto& secret : json.at("secrets")) request.secrets.push_back(text_of(secret));
  return request;
}

}  // namespace codex
