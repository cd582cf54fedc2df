#include "agent/policy/last_words.h"

#include <gtest/gtest.h>

#include <sstream>

#include "agent/policy/exit_diagnosis.h"
#include "agent/text/plain_text.h"
#include "tests/agent/policy/written_ends.h"

/// The line that is quoted of an end.

namespace codex {
namespace {

using Lines = std::vector<std::string>;
using testing::kWrittenEnds;
using testing::WrittenEnd;

Lines lines_of(const std::string& written) {
  Lines lines;
  std::istringstream text(written);
  for (std::string line; std::getline(text, line);) lines.push_back(plain_text(line));
  return lines;
}

ExitDiagnosis diagnosis_of(Lines lines) {
  return diagnose_exit({{true, 1, 0, false}, std::move(lines), false, {}});
}

std::string told(const ExitDiagnosis& diagnosis) {
  return diagnosis.words ? to_text(*diagnosis.words, "/srv/app", 200) : "";
}

std::string words_of(Lines lines) {
  return told(diagnosis_of(std::move(lines)));
}

TEST(LastWords, OfEveryRuntimeTheLineThatSaysWhyIsQuotedWithItsPlace) {
  for (const WrittenEnd& end : kWrittenEnds) {
    const auto diagnosis = diagnosis_of(lines_of(end.written));
    EXPECT_EQ(told(diagnosis), end.words) << end.name;
    EXPECT_EQ(to_string(diagnosis.cause), end.cause) << end.name;
  }
}

const char* const kPrefixes[] = {
    "[api] ",
    "[0] ",
    "api:dev: ",
    "@shop/api:dev: ",
    "web:api:dev: ",
    "api  | ",
    "0|api  | ",
    "packages/api dev: ",
    "2026-12-01T02:51:37.237Z ",
    "2026-12-01 02:51:37,237 ",
    "02:51:37 web.1  | ",
    "[12:03:04] ",
    "[12:03:04 PM] [api] ",
    "\x1b[34m[api]\x1b[39m ",
    "\x1b[32mapi:dev: \x1b[0m\x1b[1m",
    "02:51:37 \x1b[36mweb.1  |\x1b[0m [1] api:dev: ",
};

TEST(LastWords, LabelsTimesAndColoursInAnyCombinationDoNotMatter) {
  for (const char* prefix : kPrefixes) {
    for (const WrittenEnd& end : kWrittenEnds) {
      std::istringstream text(end.written);
      Lines lines;
      for (std::string line; std::getline(text, line);) {
        lines.emplace_back("[web] warning: [HMR] connected, 0 errors");
        lines.push_back(plain_text(prefix + line + "\x1b[0m"));
      }
      const auto diagnosis = diagnosis_of(lines);
      EXPECT_EQ(told(diagnosis), end.words) << prefix << end.name;
      EXPECT_EQ(to_string(diagnosis.cause), end.cause) << prefix << end.name;
    }
  }
}

TEST(LastWords, OfWhatRunsSeveralProgramsTheOneThatFailedCounts) {
  const Lines both = {"[api] TypeError: x is not a function", "[api]     at boot (/srv/app/api.js:3:1)",
                      "[web] ReferenceError: y is not defined", "[web]     at render (/srv/app/web.js:7:1)"};
  EXPECT_EQ(words_of(both), "ReferenceError: y is not defined (web.js:7)") << "the newest";
  Lines told_by_concurrently = both;
  told_by_concurrently.insert(told_by_concurrently.end(), {"[api] npm run api exited with code 1",
                                                           "--> Sending SIGTERM to other processes..",
                                                           "[web] npm run web exited with code SIGTERM"});
  EXPECT_EQ(words_of(told_by_concurrently), "TypeError: x is not a function (api.js:3)");
  Lines told_by_npm_run_all = both;
  told_by_npm_run_all.emplace_back("ERROR: \"api\" exited with 1.");
  EXPECT_EQ(words_of(told_by_npm_run_all), "TypeError: x is not a function (api.js:3)");
  Lines killed = both;
  killed.emplace_back("[api] node api.js exited with code 143");
  EXPECT_EQ(words_of(killed), "ReferenceError: y is not defined (web.js:7)") << "killed for the other's sake";
}

TEST(LastWords, ATypeCheckersWordIsTheServersOnlyWhereNothingElseIsSaid) {
  const std::string checker =
      "src/app.ts(3,7): error TS2322: Type 'string' is not assignable to type 'number'.";
  const Lines alone = {checker, "src/app.ts(9,1): error TS2304: Cannot find name 'y'.", "npm error code 2"};
  EXPECT_EQ(words_of(alone), checker) << "the others follow from the first";
  EXPECT_EQ(diagnosis_of(alone).cause, Cause::kSyntaxError);
  const Lines beside = {"TypeError: x", "    at boot (/srv/app/app.js:3:1)", "", "Node.js v20.20.2", checker};
  EXPECT_EQ(words_of(beside), "TypeError: x (app.js:3)");
  EXPECT_EQ(diagnosis_of(beside).cause, Cause::kCrash);
  const Lines compiled = {"[ERROR] 03:07:11 ⨯ Unable to compile TypeScript:", checker, ""};
  EXPECT_EQ(diagnosis_of(compiled).cause, Cause::kSyntaxError);
}

TEST(LastWords, WhatWrappersAddAboutSomebodyElsesEndDoesNotCount) {
  const Lines lines = {"listening soon",
                       "FATAL: cannot read key.pem",
                       "[nodemon] app crashed - waiting for file changes before starting...",
                       "npm error Lifecycle script `dev` failed with error:",
                       "npm error code 1",
                       " ELIFECYCLE  Command failed with exit code 1.",
                       "error Command failed with exit code 1.",
                       "make: *** [Makefile:3: dev] Error 1",
                       "exit status 1",
                       "Failed running 'app.js'"};
  EXPECT_EQ(words_of(lines), "FATAL: cannot read key.pem");
  EXPECT_EQ(words_of({"npm error code ENOENT", "npm error errno -2",
                      "npm error enoent Could not read package.json: Error: ENOENT: no such file",
                      "npm error A complete log of this run can be found in: /root/.npm/x.log"}),
            "npm error enoent Could not read package.json: Error: ENOENT: no such file")
      << "unless nobody else spoke";
}

TEST(LastWords, WhatWasReportedAndLivedThroughYieldsToWhatIsFatal) {
  const Lines caught = {"TypeError: optional", "    at load (/srv/app/optional.js:3:1)", "going on without"};
  Lines fatal = caught;
  fatal.emplace_back("FATAL: cannot read key.pem");
  EXPECT_EQ(words_of(fatal), "FATAL: cannot read key.pem");
  Lines said_after = caught;
  said_after.emplace_back("shutting down because of an error");
  EXPECT_EQ(words_of(said_after), "TypeError: optional (optional.js:3)");
  Lines warned = {"FATAL: no key", "(node:12) Warning: deprecated", "    at f (/srv/app/old.js:3:1)"};
  EXPECT_EQ(words_of(warned), "FATAL: no key") << "a warning is no end";
}

TEST(LastWords, TheFirstPlaceOfTheApplicationItselfIsShown) {
  EXPECT_EQ(
      words_of({"Error: no route", "    at Layer.handle (/srv/app/node_modules/express/lib/layer.js:95:5)",
                "    at async boot (file:///srv/app/src/boot.mjs:7:3)",
                "    at main (/srv/app/main.js:1:1)"}),
      "Error: no route (src/boot.mjs:7)");
  EXPECT_EQ(words_of({"Unhandled exception. System.Exception: no key",
                      "   at App.Load() in /srv/app/App.cs:line 5"}),
            "System.Exception: no key (App.cs:5)");
  EXPECT_EQ(words_of({"thread 'main' panicked at src/main.rs:2:5:", "no key"}),
            "panicked: no key (src/main.rs:2)");
  EXPECT_EQ(words_of({"Error: x", "    at f (/srv/application/a.js:1:2)"}),
            "Error: x (/srv/application/a.js:1)");
  EXPECT_EQ(words_of({"app.rb:3:in 'Object#load': no key (RuntimeError)"}),
            "no key (RuntimeError) (app.rb:3)");
}

struct Row {
  Lines written;
  const char* words;
};

const Row kRows[] = {
    {{"==12==ERROR: AddressSanitizer: heap-use-after-free on address 0x602", "    #0 0x55 in main a.cc:3",
      "==12==ABORTING"},
     "==12==ERROR: AddressSanitizer: heap-use-after-free on address 0x602"},
    {{"bash: line 1: nodemonx: command not found"}, "bash: line 1: nodemonx: command not found"},
    {{"** (RuntimeError) no config", "    config/runtime.exs:3: (file)",
      "    (stdlib 4.2) erl_eval.erl:748: :erl_eval.do_apply/7"},
     "** (RuntimeError) no config"},
    {{"lua: app.lua:3: attempt to index a nil value", "stack traceback:", "    [C]: in ?"},
     "lua: app.lua:3: attempt to index a nil value"},
    {{"Could not find gem 'sinatra'.", "Run `bundle install` to install missing gems."},
     "Could not find gem 'sinatra'."},
    {{"PHP Fatal error:  Uncaught PDOException: could not find driver in /srv/app/index.php:3",
      "Stack trace:", "#0 {main}", "  thrown in /srv/app/index.php on line 3"},
     "PHP Fatal error:  Uncaught PDOException: could not find driver (index.php:3)"},
    {{R"({"level":60,"pid":5,"err":{"message":"x is no function"},"msg":"startup failed"})",
      R"({"level":30,"pid":5,"msg":"failed requests: 0"})"},
     "startup failed: x is no function"},
    {{R"({"level":"error","message":"cannot open \"/var/db\""})",
      R"({"level":"info","message":"no error any more"})"},
     R"(cannot open \"/var/db\")"},
    {{"Error: ", "Invalid `prisma.user.findMany()` invocation:", "", "Can't reach database server",
      "    at main (/srv/app/db.js:2:3)"},
     "Error: Invalid `prisma.user.findMany()` invocation: Can't reach database server (db.js:2)"},
    {{"[2026-12-01 03:00:00 +0000] [12] [ERROR] Exception in worker process",
      "Traceback (most recent call last):", "  File \"/srv/app/wsgi.py\", line 3, in <module>",
      "RuntimeError: no config", "[2026-12-01 03:00:00 +0000] [11] [INFO] Shutting down: Master",
      "[2026-12-01 03:00:00 +0000] [11] [INFO] Reason: Worker failed to boot."},
     "RuntimeError: no config (wsgi.py:3)"},
    {{"app.py: error: the following arguments are required: port"},
     "app.py: error: the following arguments are required: port"},
    {{"request from 10.0.0.1:5000: refused"}, "request from 10.0.0.1:5000: refused"},
    {{"connect localhost:5432: timed out"}, "connect localhost:5432: timed out"},
};

TEST(LastWords, OfProgramsWithoutAReportTheLineThatLooksLikeAnError) {
  for (const Row& row : kRows) EXPECT_EQ(words_of(row.written), row.words);
}

TEST(LastWords, APortThatIsTakenIsToldInManyWays) {
  for (const char* line :
       {"Error: That port is already in use.", "Web server failed to start. Port 8080 was already in use.",
        "Port 5000 is in use by another program.", "Error: Port 5173 is already in use"})
    EXPECT_EQ(diagnosis_of({line}).cause, Cause::kPortTaken) << line;
  EXPECT_EQ(diagnosis_of({"the name is already in use"}).cause, Cause::kCrash);
}

TEST(LastWords, WhoWasKilledHadNoTimeToSayWhy) {
  const auto words = [](const ExitStatus& status, Lines lines) {
    return told(diagnose_exit({status, std::move(lines), false, {}}));
  };
  EXPECT_EQ(words({true, 0, 9, false}, {"error: something"}), "");
  EXPECT_EQ(words({true, 137, 0, false}, {"error: something"}), "");
  EXPECT_EQ(words({true, 0, 11, false}, {"GET / 200"}), "");
  EXPECT_EQ(words({true, 0, 6, false}, {"terminate called after throwing an instance of 'std::runtime_error'",
                                        "  what():  no key"}),
            "std::runtime_error: no key");
  EXPECT_EQ(words({true, 134, 0, false}, {"a.out: main.cc:3: main: Assertion `x' failed."}),
            "a.out: main.cc:3: main: Assertion `x' failed.");
  EXPECT_EQ(words({true, 0, 0, false}, {"bye"}), "") << "a line is not why it ended well";
  EXPECT_EQ(words({true, 3, 0, false}, {"bye", ""}), "bye");
  EXPECT_EQ(words({true, 3, 0, false}, {}), "");
}

TEST(LastWords, OfTooLongALineTheBeginningIsShownAndThePlaceStays) {
  const LastWords words{Telling::kReport, 0, std::string(30000, 'x'), "/srv/app/a.js:1"};
  EXPECT_EQ(to_text(words, "/srv/app", 10), "xxxxxxxxxx... (a.js:1)");
}

TEST(LastWords, SurviveWhateverIsPrinted) {
  const std::string hostile[] = {"",
                                 "^",
                                 "    at ",
                                 "  File \"",
                                 "  File \"x\", line ",
                                 "[",
                                 "[]",
                                 "[ ] ",
                                 "| ",
                                 ": ",
                                 "a:b: ",
                                 "panic: ",
                                 "x panicked at ",
                                 ":1:in ",
                                 "Caused by: ",
                                 "x:1",
                                 "UnhandledPromiseRejection: with the reason ",
                                 "ERROR: \" exited with 1",
                                 std::string(30000, ':'),
                                 std::string(30000, ' ') + "at x",
                                 "\xff\xfe",
                                 "}"};
  for (const auto& first : hostile)
    for (const auto& second : hostile)
      for (const auto& third : hostile) diagnosis_of({first, second, third});
}

}  // namespace
}  // namespace codex
