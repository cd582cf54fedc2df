#include <gtest/gtest.h>

#include <stdexcept>

#include "exporters/http/http_head.h"
#include "exporters/http/http_routes.h"
#include "probes/kinds/make_probe.h"

namespace codex {
namespace {

/// In one program with the probes, as in the daemon: whatever is cleaned up on the way is of the right type.
TEST(FailingHandler, IsAnsweredWith500InAProgramThatHasProbesToo) {
  // Or the linker leaves them out.
  std::unique_ptr<Probe> (*volatile probes)(const ProbeSpec&, const ProbeContext&) = &make_probe;
  ASSERT_NE(probes, nullptr);
  HttpRoutes routes;
  routes.get("/fails", [](const HttpRequest&) -> HttpResponse { throw std::runtime_error("its reason"); });
  const auto parsed = parse_http_head("GET /fails?name=value HTTP/1.1\r\nHost: localhost\r\n\r\n");
  ASSERT_TRUE(parsed.head);
  for (int i = 0; i < 100; ++i) {
    const HttpResponse response = routes.respond(*parsed.head, "", std::nullopt);
    EXPECT_EQ(response.status, 500);
    EXPECT_EQ(response.body, "") << "its text may hold a secret";
    EXPECT_TRUE(response.error);
  }
}

}  // namespace
}  // namespace codex
