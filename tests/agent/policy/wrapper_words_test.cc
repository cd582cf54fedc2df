#include "agent/policy/wrapper_words.h"

#include <gtest/gtest.h>

namespace codex {
namespace {

using Lines = std::vector<std::string>;

std::string who_waits(const Lines& lines) {
  const auto word = wrapper_says(lines);
  return word ? std::string(word->name) : "";
}

struct Said {
  const char* name;
  Lines waits, starts;
};

// As nodemon 3.1.14, node 20 and 22, tsc-watch 7, ts-node-dev 2.0, uvicorn 0.17, Django 3.2 and air 1.52 say it.
const Said kSaid[] = {
    {"nodemon",
     {"[nodemon] starting `node app.js`", "boom",
      "[nodemon] app crashed - waiting for file changes before starting..."},
     {"[nodemon] restarting due to changes..."}},
    {"nodemon",
     {"[nodemon] clean exit - waiting for changes before restart"},
     {"[nodemon] starting `node app.js`"}},
    {"node --watch", {"Failed running 'server.js'"}, {"Restarting 'server.js'"}},
    {"node --watch",
     {"Failed running 'server.js'. Waiting for file changes before restarting..."},
     {"Restarting 'server.js'"}},
    {"node --watch", {"Completed running 'server.js'"}, {"Restarting 'server.js'"}},
    {"tsc --watch",
     {"02:52:24 AM - Starting compilation in watch mode...",
      "02:52:24 AM - Found 1 error. Watching for file changes."},
     {"02:53:01 AM - File change detected. Starting incremental compilation..."}},
    {"tsc --watch",
     {"Found 12 errors. Watching for file changes."},
     {"Found 0 errors. Watching for file changes."}},
    {"ts-node-dev",
     {"[INFO] 03:07:08 ts-node-dev ver. 2.0.0 (using ts-node ver. 10.9.2, typescript ver. 5.4.5)",
      "[ERROR] 03:07:11 ⨯ Unable to compile TypeScript:", "bad.ts(1,7): error TS2322: x"},
     {"[INFO] 03:08:00 Restarting: /srv/app/bad.ts has been modified"}},
    {"uvicorn --reload",
     {"INFO:     Started reloader process [380] using StatReload",
      "Process SpawnProcess-1:", "Traceback (most recent call last):", "RuntimeError: no config"},
     {"WARNING:  StatReload detected changes in 'asgi.py'. Reloading..."}},
    {"Django's autoreload",
     {"Watching for file changes with StatReloader",
      "Exception in thread django-main-thread:", "RuntimeError: no config"},
     {"/srv/app/site/urls.py changed, reloading.", "Watching for file changes with StatReloader"}},
    {"air",
     {"building...", "running...", "panic: x", "Process Exit with Code: 2"},
     {"main.go has changed", "building..."}},
    {"air",
     {"building...", "./main.go:3:1: syntax error", "failed to build, error: exit status 1"},
     {"running..."}},
};

TEST(WrapperSays, WhoeverWaitsForAnEditUntilItStartsAgain) {
  for (const char* label : {"", "[api] ", "api:dev: ", "12:03:04 web.1  | "}) {
    for (const Said& said : kSaid) {
      Lines lines;
      for (const auto& line : said.waits) lines.push_back(label + line);
      EXPECT_EQ(who_waits(lines), said.name) << label << said.waits.back();
      for (const auto& line : said.starts) lines.push_back(label + line);
      EXPECT_EQ(who_waits(lines), "") << label << said.starts.front();
    }
  }
}

TEST(WrapperSays, NothingWhereAnApplicationSpeaks) {
  EXPECT_EQ(who_waits({}), "");
  EXPECT_EQ(who_waits({"listening on 5000"}), "");
  EXPECT_EQ(who_waits({"GET /?x=[nodemon] app crashed - waiting for file changes before starting..."}), "");
  EXPECT_EQ(who_waits({"Process SpawnProcess-1:"}), "") << "of a program with workers, no reloader";
  EXPECT_EQ(who_waits({"[ERROR] 03:07:11 Unable to compile TypeScript: x"}), "");
}

TEST(WrapperSays, WhoListensItself) {
  EXPECT_TRUE(wrapper_says({"Started reloader process [380]", "Process SpawnProcess-1:"})->holds_port);
  EXPECT_FALSE(wrapper_says({"Failed running 'server.js'"})->holds_port);
}

TEST(IsWrapper, WhoOnlyStartsOthers) {
  for (const char* command :
       {"sh -c nodemon app.js", "/bin/bash ./dev.sh", "npm run dev", "node /usr/bin/npm run dev",
        "node /usr/lib/node_modules/npm/bin/npm-cli.js run dev",
        "node /srv/app/node_modules/.bin/nodemon app.js",
        "/usr/bin/node --no-warnings node_modules/nodemon/bin/nodemon.js", "node --watch app.js",
        "/usr/bin/python3 -m uvicorn asgi:app --reload", "/usr/bin/python3 manage.py runserver", "air",
        "/usr/bin/python3 -c from multiprocessing.resource_tracker import main;main(7)",
        "./node_modules/.bin/tsc --watch"})
    EXPECT_TRUE(is_wrapper(command)) << command;
  for (const char* command :
       {"", "node app.js", "node app.js npm", "/usr/bin/python3 serve.py", "./server --air",
        "java -jar app.jar", "node --inspect dist/main.js", "nginx: master process"})
    EXPECT_FALSE(is_wrapper(command)) << command;
}

TEST(TellsStart, OfAWrappersApplication) {
  for (const char* line : {"[nodemon] starting `node app.js`", "[nodemon] restarting due to changes...",
                           "[api] Restarting 'server.js'",
                           "02:53:01 AM - File change detected. Starting incremental compilation...",
                           "WARNING:  StatReload detected changes in 'asgi.py'. Reloading...",
                           "/srv/app/site/urls.py changed, reloading.", "main.go has changed",
                           "3:12:01 AM [tsx] change in ./app.ts Rerunning..."})
    EXPECT_TRUE(tells_start({line, "more"})) << line;
  EXPECT_FALSE(tells_start({"listening", "Failed running 'app.js'"}));
}

}  // namespace
}  // namespace codex
