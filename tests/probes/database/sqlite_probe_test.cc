#include "probes/database/sqlite_probe.h"

#include <gmock/gmock.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "probes/database/sqlite_file.h"
#include "tests/probes/probe_fixture.h"
#include "tests/support/temporary_directory.h"

namespace codex::test {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

/// A database with one table, held open.
class OpenDatabase {
 public:
  explicit OpenDatabase(const std::filesystem::path& path) {
    EXPECT_EQ(sqlite3_open(path.c_str(), &handle_), SQLITE_OK);
    run("CREATE TABLE IF NOT EXISTS users (name TEXT)");
  }
  ~OpenDatabase() { sqlite3_close(handle_); }
  OpenDatabase(const OpenDatabase&) = delete;
  OpenDatabase& operator=(const OpenDatabase&) = delete;
  void run(const char* statement) {
    EXPECT_EQ(sqlite3_exec(handle_, statement, nullptr, nullptr, nullptr), SQLITE_OK)
        << sqlite3_errmsg(handle_);
  }

 private:
  sqlite3* handle_ = nullptr;
};

class SqliteProbeTest : public ProbeFixture {
 protected:
  ProbeSpec sqlite_spec() {
    ProbeSpec spec;
    spec.name = "database";
    spec.kind = ProbeKind::kDatabase;
    spec.url = Secret("sqlite://" + path.string());
    return spec;
  }

  TemporaryDirectory directory;
  std::filesystem::path path = directory.path() / "demo.db";
};

TEST_F(SqliteProbeTest, ReadableDatabaseIsNamedWithItsVersion) {
  { const OpenDatabase database(path); }
  const auto result = ask(sqlite_spec());
  EXPECT_EQ(result.outcome, Outcome::kSuccess) << result.detail;
  EXPECT_EQ(result.detail, std::string("SQLite ") + sqlite3_libversion() + " demo.db");
  ASSERT_EQ(result.phases.size(), 1U);
  EXPECT_EQ(result.phases.front().phase, Phase::kQuery);
}

TEST_F(SqliteProbeTest, MissingFileIsRefusedAndNotCreated) {
  const auto result = ask(sqlite_spec());
  EXPECT_EQ(result.outcome, Outcome::kFailure);
  EXPECT_EQ(result.reason, Reason::kRefused);
  EXPECT_THAT(result.detail, HasSubstr("no such file"));
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(SqliteProbeTest, LockedDatabaseIsAQueryFailureAtOnce) {
  OpenDatabase database(path);
  database.run("BEGIN EXCLUSIVE");
  const auto result = ask(sqlite_spec());
  EXPECT_EQ(result.outcome, Outcome::kFailure);
  EXPECT_EQ(result.reason, Reason::kQuery);
  EXPECT_THAT(result.detail, HasSubstr("database is locked"));
  EXPECT_LT(result.elapsed, 5s);
}

TEST_F(SqliteProbeTest, WriterInWalModeDoesNotDisturb) {
  OpenDatabase database(path);
  database.run("PRAGMA journal_mode=WAL");
  database.run("BEGIN IMMEDIATE");
  database.run("INSERT INTO users VALUES ('anna')");
  const auto result = ask(sqlite_spec());
  EXPECT_EQ(result.outcome, Outcome::kSuccess) << result.detail;
}

TEST_F(SqliteProbeTest, CorruptFileIsAQueryFailure) {
  std::ofstream(path) << std::string(8192, 'x');
  const auto result = ask(sqlite_spec());
  EXPECT_EQ(result.outcome, Outcome::kFailure);
  EXPECT_EQ(result.reason, Reason::kQuery);
  EXPECT_THAT(result.detail, HasSubstr("not a database"));
}

TEST_F(SqliteProbeTest, CorruptSchemaIsAQueryFailure) {
  { const OpenDatabase database(path); }
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(100);
  file << std::string(200, '\xff');
  file.close();
  EXPECT_EQ(ask(sqlite_spec()).reason, Reason::kQuery);
}

TEST_F(SqliteProbeTest, FifoAndDirectoryAreRefusedWithoutWaiting) {
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  const auto fifo = ask(sqlite_spec());
  EXPECT_EQ(fifo.reason, Reason::kRefused) << fifo.detail;
  path = directory.path();
  EXPECT_EQ(ask(sqlite_spec()).reason, Reason::kRefused);
}

TEST_F(SqliteProbeTest, HangingWorkerIsUnknownAtTheDeadline) {
  { const OpenDatabase database(path); }
  const BusyWorker busy(resolver);
  const auto result = ask(sqlite_spec(), kShort);
  EXPECT_EQ(result.outcome, Outcome::kUnknown);
  EXPECT_THAT(result.detail, StartsWith("the agent's worker"));
}

TEST_F(SqliteProbeTest, CancelledAttemptStaysSilentWhenTheWorkerReturns) {
  { const OpenDatabase database(path); }
  const auto probe = make_probe(sqlite_spec(), context);
  {
    const BusyWorker busy(resolver);
    probe->start(Clock::now() + kAmple, [](const ProbeResult&) { ADD_FAILURE() << "answer after cancel"; });
    loop.run_once(10ms);
    probe->cancel();
  }
  EXPECT_EQ(ask(*probe, kAmple).outcome, Outcome::kSuccess);
}

TEST_F(SqliteProbeTest, TwoHundredAttemptsLeaveNoDescriptor) {
  { const OpenDatabase database(path); }
  const auto probe = make_probe(sqlite_spec(), context);
  ask(*probe, kAmple);
  const auto before = open_descriptors();
  for (int i = 0; i < 200; ++i) ask(*probe, kAmple);
  EXPECT_EQ(open_descriptors(), before);
}

TEST(SqliteFile, PathOfTheUrl) {
  EXPECT_EQ(sqlite_path("sqlite:demo.db"), "demo.db");
  EXPECT_EQ(sqlite_path("sqlite:./demo.db?mode=ro"), "./demo.db");
  EXPECT_EQ(sqlite_path("sqlite:/var/lib/demo.db"), "/var/lib/demo.db");
  EXPECT_EQ(sqlite_path("sqlite:///var/lib/demo%20one.db"), "/var/lib/demo one.db");
  EXPECT_EQ(sqlite_path("sqlite::memory:"), ":memory:");
}

TEST(SqliteFile, MemoryDatabaseAlwaysAnswers) {
  EXPECT_EQ(ask_sqlite(":memory:").outcome, Outcome::kSuccess);
}

}  // namespace
}  // namespace codex::test
