#include <gmock/gmock.h>
#include <zlib.h>

#include "exporters/prometheus/exposition.h"
#include "tests/exporters/http/ask_routes.h"
#include "tests/exporters/sample_snapshot.h"

namespace codex {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using testing::sample_snapshot;
using testing::source_of;

std::string scrape(const std::string& fields) {
  HttpRoutes routes;
  add_metrics_route(routes, source_of(sample_snapshot()), [] { return HttpStats{}; });
  return testing::get(routes, "/metrics", fields);
}

std::string body_of(const std::string& response) {
  return response.substr(response.find("\r\n\r\n") + 4);
}

std::string gunzip(const std::string& packed) {
  z_stream stream{};
  EXPECT_EQ(inflateInit2(&stream, 15 + 16), Z_OK);
  std::string text(10 << 20, '\0');
  std::string input = packed;
  stream.next_in = reinterpret_cast<Bytef*>(input.data());
  stream.avail_in = static_cast<uInt>(input.size());
  stream.next_out = reinterpret_cast<Bytef*>(text.data());
  stream.avail_out = static_cast<uInt>(text.size());
  EXPECT_EQ(inflate(&stream, Z_FINISH), Z_STREAM_END);
  text.resize(stream.total_out);
  inflateEnd(&stream);
  return text;
}

TEST(MetricsRoute, AnswersInTextByDefault) {
  const std::string response = scrape("");
  EXPECT_THAT(response, HasSubstr("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(response, HasSubstr("Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
  EXPECT_THAT(response, HasSubstr("Vary: Accept, Accept-Encoding\r\n"));
  EXPECT_THAT(response, Not(HasSubstr("Content-Encoding")));
  EXPECT_THAT(body_of(response), HasSubstr("codex_agent_backend_up{backend=\"codex\"} 1\n"));
}

TEST(MetricsRoute, AnswersInOpenMetricsWhenAsked) {
  const std::string response = scrape("Accept: application/openmetrics-text;version=1.0.0\r\n");
  EXPECT_THAT(response,
              HasSubstr("Content-Type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n"));
  EXPECT_TRUE(response.ends_with("\n# EOF\n"));
}

TEST(MetricsRoute, CompressesWhenAccepted) {
  const std::string response = scrape("Accept-Encoding: gzip\r\n");
  EXPECT_THAT(response, HasSubstr("Content-Encoding: gzip\r\n"));
  EXPECT_THAT(response, HasSubstr("Content-Length: " + std::to_string(body_of(response).size()) + "\r\n"));
  EXPECT_LT(body_of(response).size(), 10000U);
  EXPECT_THAT(gunzip(body_of(response)), HasSubstr("codex_agent_backend_up{backend=\"codex\"} 1\n"));
}

TEST(MetricsRoute, DoesNotCompressWhatIsNotAccepted) {
  EXPECT_THAT(scrape("Accept-Encoding: gzip;q=0\r\n"), Not(HasSubstr("Content-Encoding")));
  EXPECT_THAT(scrape("Accept-Encoding: br, deflate\r\n"), Not(HasSubstr("Content-Encoding")));
}

TEST(Gzip, GivesBackWhatItGot) {
  for (const std::size_t size : {0U, 1U, 30000U, 3000000U}) {
    std::string text(size, 'x');
    for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>(i * i % 251);
    EXPECT_EQ(gunzip(gzip(text)), text) << size;
  }
}

}  // namespace
}  // namespace codex
