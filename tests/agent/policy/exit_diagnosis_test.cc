#include "agent/policy/exit_diagnosis.h"

#include <gtest/gtest.h>

#include <csignal>

namespace codex {
namespace {

ExitFacts code(int value, std::vector<std::string> lines = {}) {
  return {{true, value, 0, false}, std::move(lines), false, {5432}};
}
ExitFacts killed(int signal, std::vector<std::string> lines = {}) {
  return {{true, 0, signal, false}, std::move(lines), false, {5432}};
}
Cause cause_of(const ExitFacts& facts) {
  return diagnose_exit(facts).cause;
}

// As node 20 and npm print them.
const std::vector<std::string> kMissingModule = {
    "node:internal/modules/cjs/loader:1143",
    "  throw err;",
    "  ^",
    "",
    "Error: Cannot find module 'express'",
    "Require stack:",
    "- /srv/app/server.js",
    "    at Module._resolveFilename (node:internal/modules/cjs/loader:1140:15)",
    "  code: 'MODULE_NOT_FOUND',",
    "Node.js v20.20.2"};
const std::vector<std::string> kSyntax = {"/srv/app/server.js:3",
                                          "const x = ;",
                                          "          ^",
                                          "",
                                          "SyntaxError: Unexpected token ';'",
                                          "    at wrapSafe (node:internal/modules/cjs/loader:1464:18)",
                                          "    at Module._compile (node:internal/modules/cjs/loader:1495:20)",
                                          "",
                                          "Node.js v20.20.2"};
const std::vector<std::string> kPort = {"Error: listen EADDRINUSE: address already in use :::5000",
                                        "    at Server.setupListenHandle [as _listen2] (node:net:1817:16)",
                                        "  code: 'EADDRINUSE',"};
const std::vector<std::string> kRefused = {
    "Error: connect ECONNREFUSED 127.0.0.1:5432",
    "    at TCPConnectWrap.afterConnect [as oncomplete] (node:net:1607:16) {"};

TEST(ExitDiagnosis, TellsTheKindsOfEndsApart) {
  EXPECT_EQ(cause_of(code(0)), Cause::kExit);
  EXPECT_EQ(cause_of(code(1)), Cause::kCrash);
  EXPECT_EQ(cause_of(killed(SIGKILL)), Cause::kCrash);
  EXPECT_EQ(cause_of(killed(SIGTERM)), Cause::kCrash);
  EXPECT_EQ(cause_of(killed(SIGSEGV)), Cause::kSegfault);
  EXPECT_EQ(cause_of(killed(SIGBUS)), Cause::kSegfault);
  EXPECT_EQ(cause_of(killed(SIGABRT)), Cause::kAbort);
  EXPECT_EQ(cause_of(code(1, kMissingModule)), Cause::kModuleNotFound);
  EXPECT_EQ(cause_of(code(1, kSyntax)), Cause::kSyntaxError);
  EXPECT_EQ(cause_of(code(1, kPort)), Cause::kPortTaken);
  EXPECT_EQ(cause_of(code(1, kRefused)), Cause::kDatabaseRefused);
}

TEST(ExitDiagnosis, SeesSignalsThroughNpmAndTheShell) {
  EXPECT_EQ(cause_of(code(139)), Cause::kSegfault);
  EXPECT_EQ(cause_of(code(134)), Cause::kAbort);
  EXPECT_EQ(cause_of(code(137)), Cause::kCrash);
  EXPECT_EQ(cause_of(code(128)), Cause::kCrash);
  EXPECT_EQ(cause_of(code(255)), Cause::kCrash);
}

TEST(ExitDiagnosis, AFullHeapIsNoPlainAbort) {
  const std::vector<std::string> lines = {
      "<--- Last few GCs --->",
      "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory",
      "----- Native stack trace -----"};
  EXPECT_EQ(cause_of(killed(SIGABRT, lines)), Cause::kHeapOom);
  const auto diagnosis = diagnose_exit(code(134, lines));
  EXPECT_EQ(diagnosis.cause, Cause::kHeapOom);
  ASSERT_TRUE(diagnosis.words);
  EXPECT_EQ(diagnosis.words->text, lines[1]);
}

TEST(ExitDiagnosis, AKillIsTheKernelsOnlyIfTheKernelKilledSomebody) {
  auto facts = killed(SIGKILL);
  facts.oom_kills = true;
  EXPECT_EQ(cause_of(facts), Cause::kOomKill);
  facts = code(137);
  facts.oom_kills = true;
  EXPECT_EQ(cause_of(facts), Cause::kOomKill);
  facts = code(1);
  facts.oom_kills = true;
  EXPECT_EQ(cause_of(facts), Cause::kCrash);
}

TEST(ExitDiagnosis, FindsMissingProgramsAndPackagesOfOtherKinds) {
  EXPECT_EQ(cause_of(code(127, {"sh: 1: nodemon: not found"})), Cause::kModuleNotFound);
  EXPECT_EQ(cause_of(code(1, {"sh: 1: nodemon: not found"})), Cause::kCrash);
  EXPECT_EQ(cause_of(code(1, {"ModuleNotFoundError: No module named 'flask'"})), Cause::kModuleNotFound);
  EXPECT_EQ(
      cause_of(code(1, {"Error [ERR_MODULE_NOT_FOUND]: Cannot find package 'pg' imported from /srv/a.mjs"})),
      Cause::kModuleNotFound);
  EXPECT_EQ(cause_of(code(1, {"npm error Missing script: \"dev\""})), Cause::kModuleNotFound);
}

TEST(ExitDiagnosis, TheLabelOfWhatRunsSeveralProgramsDoesNotMatter) {
  for (const char* label : {"[api] ", "[0] ", "api:dev: ", "web:api:dev: ", "api | "}) {
    for (const char* line :
         {"Error: Cannot find module 'express'", "ModuleNotFoundError: No module named 'flask'",
          "Error [ERR_MODULE_NOT_FOUND]: Cannot find package 'pg' imported from /srv/a.mjs"}) {
      EXPECT_EQ(cause_of(code(1, {label + std::string(line)})), Cause::kModuleNotFound) << label << line;
    }
  }
}

TEST(ExitDiagnosis, WhatIsLoggedOfAClientIsNoCause) {
  const std::string before = "127.0.0.1 - - [30/Nov/2026:12:00:00] \"GET / HTTP/1.1\" 200 12 \"-\" \"",
                    after = "\"";
  for (const char* said :
       {"Error [ERR_MODULE_NOT_FOUND]: x", "x]: Cannot find package 'y'", "a.ts(1,1): error TS1",
        "npm ERR! Missing script: x", "Error: Cannot find module 'x'", "x - error TS2304: y",
        "ModuleNotFoundError: No module named 'x'", "SyntaxError: x"}) {
    EXPECT_EQ(cause_of(code(1, {before + said + after})), Cause::kCrash) << said;
    EXPECT_EQ(cause_of(code(1, {std::string("GET / ") + said})), Cause::kCrash) << said;
  }
}

TEST(ExitDiagnosis, SyntaxErrorsOfOtherCompilers) {
  EXPECT_EQ(cause_of(code(1, {"  File \"/srv/app.py\", line 3", "    def f(:", "          ^",
                              "SyntaxError: invalid syntax"})),
            Cause::kSyntaxError);
  EXPECT_EQ(cause_of(code(2, {"src/app.ts(3,7): error TS1005: ';' expected."})), Cause::kSyntaxError);
  EXPECT_EQ(cause_of(code(2, {"src/app.ts:3:7 - error TS1005: ';' expected."})), Cause::kSyntaxError);
}

TEST(ExitDiagnosis, WhatAnApplicationLogsAboutARequestIsNoSyntaxError) {
  EXPECT_EQ(cause_of(code(1, {"SyntaxError: Unexpected token } in JSON at position 3",
                              "    at JSON.parse (<anonymous>)", "    at handle (/srv/app/server.js:9:7)"})),
            Cause::kCrash);
  EXPECT_EQ(cause_of(code(1, {"request failed: SyntaxError: x", "    at wrapSafe (node:internal)"})),
            Cause::kCrash);
}

TEST(ExitDiagnosis, ARefusedConnectionCountsOnlyIfItIsTheDatabases) {
  EXPECT_EQ(cause_of(code(1, {"Error: connect ECONNREFUSED 127.0.0.1:6379"})), Cause::kCrash);
  EXPECT_EQ(
      cause_of(code(1, {"connection to server at \"127.0.0.1\", port 5432 failed: Connection refused"})),
      Cause::kDatabaseRefused);
  EXPECT_EQ(cause_of(code(1, {"error: the database system is starting up", "  code: '57P03',"})),
            Cause::kDatabaseRefused);
}

TEST(ExitDiagnosis, OutputCountsWhereTheStatusIsNotKnown) {
  ExitFacts facts{{false, 0, 0, false}, kMissingModule, false, {}};
  EXPECT_EQ(cause_of(facts), Cause::kModuleNotFound);
  facts.last_lines.clear();
  EXPECT_EQ(cause_of(facts), Cause::kCrash);
}

TEST(ExitDiagnosis, SurvivesAnythingThatIsPrinted) {
  std::vector<std::string> lines = {"", "SyntaxError: ", std::string(30000, '^'), std::string("\0\xff'", 3)};
  EXPECT_EQ(cause_of(code(1, lines)), Cause::kCrash);
  lines = {"SyntaxError: x"};
  EXPECT_EQ(cause_of(code(1, lines)), Cause::kCrash);
}

}  // namespace
}  // namespace codex
