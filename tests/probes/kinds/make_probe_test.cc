#include "probes/kinds/make_probe.h"

#include <set>
#include <stdexcept>

#include "probes/database/postgres_probe.h"
#include "probes/database/sqlite_probe.h"
#include "probes/http/http_probe.h"
#include "probes/port/port_probe.h"
#include "tests/probes/probe_fixture.h"

namespace codex::test {
namespace {

class MakeProbeTest : public ProbeFixture {
 protected:
  std::unique_ptr<Probe> make(ProbeKind kind, const std::string& url) {
    ProbeSpec spec;
    spec.kind = kind;
    spec.url = Secret(url);
    return make_probe(spec, context);
  }
};

TEST_F(MakeProbeTest, KindAndUrlChooseTheProbe) {
  EXPECT_NE(dynamic_cast<PortProbe*>(make(ProbeKind::kPort, "").get()), nullptr);
  EXPECT_NE(dynamic_cast<HttpProbe*>(make(ProbeKind::kHttp, "http://127.0.0.1/").get()), nullptr);
  EXPECT_NE(dynamic_cast<PostgresProbe*>(make(ProbeKind::kDatabase, "postgres://h/d").get()), nullptr);
  EXPECT_NE(dynamic_cast<PostgresProbe*>(make(ProbeKind::kDatabase, "postgresql://h/d").get()), nullptr);
  EXPECT_NE(dynamic_cast<SqliteProbe*>(make(ProbeKind::kDatabase, "sqlite:demo.db").get()), nullptr);
}

TEST_F(MakeProbeTest, UnknownDatabaseIsAnError) {
  EXPECT_THROW(make(ProbeKind::kDatabase, "mysql://h/d"), std::invalid_argument);
}

TEST(ProbeWords, EveryReasonHasItsOwn) {
  std::set<std::string_view> words{to_string(Reason::kNone)};
  for (const auto reason : kFailureReasons) EXPECT_TRUE(words.insert(to_string(reason)).second);
  EXPECT_EQ(words.size(), 12U);
}

}  // namespace
}  // namespace codex::test
