#include <gtest/gtest.h>
#include <unistd.h>

#include "agent/cli/change_commands.h"
#include "agent/cli/exit_code.h"
#include "agent/cli/logs_command.h"
#include "agent/cli/view_commands.h"
#include "tests/support/fake_agent.h"
#include "tests/support/project_directory.h"

namespace codex {
namespace {

using Then = FakeAgent::Answer::Then;
constexpr const char* kStatus =
    R"({"schema":1,"agent":{"pid":1},"backends":[{"name":"api","state":"running"},{"name":"web","state":"stopped"}]})";

std::string operation(const std::string& results) {
  return R"({"operation":17,"command":"x","revision":5,"done":true,"results":[)" + results +
         R"(],"status":)" + kStatus + "}";
}

class CliCommands : public testing::Test {
 protected:
  struct Outcome {
    int code;
    std::string out, err;
  };

  CliCommands() { std::filesystem::create_directories(state_); }

  void agent_that(FakeAgent::Handler handler) {
    agent_ = std::make_unique<FakeAgent>(state_ / "control.sock", std::move(handler));
  }
  /// Accepts every command as operation 17, which is over at once.
  void agent_that_ends_with(const std::string& results) {
    agent_that([=](const std::string& head, const auto&) {
      return head.find("POST") == 0 ? FakeAgent::json(202, R"({"operation":17})")
                                    : FakeAgent::json(200, operation(results));
    });
  }

  Outcome run(int (*command)(const CommandContext&), const std::string& verb) {
    invocation_.verb = verb;
    invocation_.project = directory_.path();
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    Outcome outcome{command(CommandContext(invocation_)), "", ""};
    outcome.out = testing::internal::GetCapturedStdout();
    outcome.err = testing::internal::GetCapturedStderr();
    return outcome;
  }

  ProjectDirectory directory_;
  std::filesystem::path state_ = directory_.path() / ".codex-agent";
  Invocation invocation_;
  std::unique_ptr<FakeAgent> agent_;
};

TEST_F(CliCommands, StatusIsTextWithTheWorstExitCode) {
  agent_that([](const auto&, const auto&) { return FakeAgent::json(200, kStatus); });
  const Outcome outcome = run(run_status_command, "status");
  EXPECT_EQ(outcome.code, kExitNotRunning);
  EXPECT_EQ(outcome.out.find("api   running"), 0U);
  EXPECT_EQ(outcome.err, "");
}

TEST_F(CliCommands, StatusOfOneBackendIsOnlyThatOne) {
  agent_that([](const auto&, const auto&) { return FakeAgent::json(200, kStatus); });
  invocation_.names = {"api"};
  invocation_.json = true;
  const Outcome outcome = run(run_status_command, "status");
  EXPECT_EQ(outcome.code, kExitOk);
  EXPECT_EQ(outcome.out,
            "{\"schema\":1,\"agent\":{\"pid\":1},\"backends\":[{\"name\":\"api\",\"state\":\"running\"}]}\n");
}

TEST_F(CliCommands, StatusOfAnUnknownBackendNamesTheKnownOnes) {
  agent_that([](const auto&, const auto&) { return FakeAgent::json(200, kStatus); });
  invocation_.names = {"api", "db"};
  const Outcome outcome = run(run_status_command, "status");
  EXPECT_EQ(outcome.code, kExitNoAgent);
  EXPECT_EQ(outcome.out, "");
  EXPECT_EQ(outcome.err, "codex-agent: no backend is named \"db\"; there are: api, web\n");
}

TEST_F(CliCommands, StatusWithoutAnAgentSaysWhatToDo) {
  const Outcome text = run(run_status_command, "status");
  EXPECT_EQ(text.code, kExitNoAgent);
  EXPECT_EQ(text.out, "");
  const std::string where = directory_.path().string();
  EXPECT_EQ(text.err,
            "codex-agent: no agent runs for " + where + "; start one: codex-agent -C " + where + " start\n");
  invocation_.json = true;
  const Outcome json = run(run_status_command, "status");
  EXPECT_EQ(json.code, kExitNoAgent);
  EXPECT_EQ(json.out, "{\"schema\":1,\"agent\":null,\"backends\":[]}\n");
}

TEST_F(CliCommands, AnAnswerThatIsNotAStatusIsNoStatus) {
  agent_that([](const auto&, const auto&) { return FakeAgent::json(200, "<html>"); });
  const Outcome outcome = run(run_status_command, "status");
  EXPECT_EQ(outcome.code, kExitNoAgent);
  EXPECT_EQ(outcome.out, "");
}

TEST_F(CliCommands, AnErrorInsideTheAgentPointsToItsLog) {
  agent_that([](const auto&, const auto&) {
    return FakeAgent::Answer{"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n", Then::kClose};
  });
  for (const auto& outcome : {run(run_change_command, "stop"), run(run_status_command, "status")}) {
    EXPECT_EQ(outcome.code, kExitFailed);
    EXPECT_EQ(outcome.out, "");
    EXPECT_EQ(
        outcome.err,
        "codex-agent: the agent itself failed at this (HTTP status 500), perhaps for lack of descriptors or "
        "memory; callback_failed in its log says why\n");
  }
}

TEST_F(CliCommands, AnUnknownStatusMayBeOfAnotherVersion) {
  agent_that([](const auto&, const auto&) { return FakeAgent::json(418, "{}"); });
  const Outcome outcome = run(run_status_command, "status");
  EXPECT_EQ(outcome.code, kExitNoAgent);
  EXPECT_NE(outcome.err.find("(HTTP status 418); is it of another version?"), std::string::npos)
      << outcome.err;
}

TEST_F(CliCommands, ASilentAgentIsNamedByItsPid) {
  directory_.write(".codex-agent/lock", "4242\n");
  agent_that([](const auto&, const auto&) { return FakeAgent::Answer{"", Then::kHold}; });
  const TimePoint begin = Clock::now();
  const Outcome outcome = run(run_status_command, "status");
  EXPECT_EQ(outcome.code, kExitNoAgent);
  EXPECT_EQ(outcome.err.find("codex-agent: the agent (pid 4242) does not answer"), 0U) << outcome.err;
  EXPECT_GE(Clock::now() - begin, ControlClient::kPlainDeadline);
}

TEST_F(CliCommands, AStartThatWorkedEndsWithTheStatusOfTheBackend) {
  agent_that_ends_with(R"({"backend":"api","done":true,"code":0,"message":"running, healthy after 3.42 s"})");
  invocation_.names = {"api"};
  const Outcome outcome = run(run_change_command, "start");
  EXPECT_EQ(outcome.code, kExitOk);
  EXPECT_NE(outcome.out.find("api: running, healthy after 3.42 s\napi   running"), std::string::npos)
      << outcome.out;
  EXPECT_EQ(outcome.out.find("web"), std::string::npos) << outcome.out;
  EXPECT_EQ(outcome.err, "");
  EXPECT_EQ(agent_->requests().at(0), R"(POST /v1/start {"backends":["api"]})");
}

TEST_F(CliCommands, AFailedStartSaysWhyAndWhereToLook) {
  agent_that_ends_with(
      R"({"backend":"api","done":true,"code":1,"message":"not ready after 60 s: waited for listen"})");
  const Outcome outcome = run(run_change_command, "start");
  EXPECT_EQ(outcome.code, kExitFailed);
  EXPECT_EQ(outcome.err,
            "codex-agent: api: not ready after 60 s: waited for listen\n"
            "codex-agent: its output: codex-agent -C " +
                directory_.path().string() + " logs\n");
}

TEST_F(CliCommands, ARefusalOutweighsAFailure) {
  agent_that_ends_with(R"({"backend":"api","done":true,"code":1,"message":"a"},
                          {"backend":"web","done":true,"code":7,"message":"b"})");
  EXPECT_EQ(run(run_change_command, "start").code, kExitRefused);
}

TEST_F(CliCommands, JsonIsOneDocumentAndNothingElse) {
  agent_that_ends_with(R"({"backend":"web","done":true,"code":1,"message":"no"})");
  invocation_.json = true;
  const Outcome outcome = run(run_change_command, "stop");
  EXPECT_EQ(outcome.code, kExitFailed);
  EXPECT_EQ(
      outcome.out,
      "{\"operation\":17,\"command\":\"x\",\"revision\":5,\"done\":true,\"results\":[{\"backend\":\"web\","
      "\"done\":true,\"code\":1,\"message\":\"no\"}],\"status\":{\"schema\":1,\"agent\":{\"pid\":1},"
      "\"backends\":[{\"name\":\"web\",\"state\":\"stopped\"}]}}\n");
}

TEST_F(CliCommands, WithoutWaitingTheRequestIsAll) {
  agent_that_ends_with("");
  invocation_.wait = false;
  const Outcome outcome = run(run_change_command, "restart");
  EXPECT_EQ(outcome.code, kExitOk);
  EXPECT_EQ(agent_->requests(), std::vector<std::string>{R"(POST /v1/restart {"backends":[]})"});
}

TEST_F(CliCommands, AnUnknownBackendIsSaidInTheAgentsWords) {
  agent_that([](const auto&, const auto&) {
    return FakeAgent::json(404, R"({"error":"no backend is named \"x\"; there are: api, web"})");
  });
  const Outcome outcome = run(run_change_command, "stop");
  EXPECT_EQ(outcome.code, kExitNoAgent);
  EXPECT_EQ(outcome.err, "codex-agent: no backend is named \"x\"; there are: api, web\n");
}

TEST_F(CliCommands, StopAndShutdownWithoutAnAgentAreDone) {
  EXPECT_EQ(run(run_change_command, "stop").code, kExitOk);
  const Outcome outcome = run(run_change_command, "shutdown");
  EXPECT_EQ(outcome.code, kExitOk);
  EXPECT_EQ(outcome.out, "not running (no agent)\n");
}

TEST_F(CliCommands, AShutdownIsOverWhenTheAgentHasGone) {
  agent_that([](const std::string& head, const auto&) {
    if (head.find("POST") == 0) return FakeAgent::json(202, R"({"operation":17})");
    FakeAgent::Answer last =
        FakeAgent::json(200, operation(R"({"backend":"api","done":true,"code":0,"message":"stopped"})"));
    last.then = Then::kGone;
    return last;
  });
  const Outcome outcome = run(run_change_command, "shutdown");
  EXPECT_EQ(outcome.code, kExitOk);
  EXPECT_NE(outcome.out.find("api: stopped\nthe agent has ended\n"), std::string::npos) << outcome.out;
}

TEST_F(CliCommands, AnAgentThatGoesBeforeTheLastAnswerHasBeenShutDown) {
  agent_that([](const std::string& head, const auto&) {
    return head.find("POST") == 0 ? FakeAgent::json(202, R"({"operation":17})")
                                  : FakeAgent::Answer{"", Then::kGone};
  });
  EXPECT_EQ(run(run_change_command, "shutdown").code, kExitOk);
}

TEST_F(CliCommands, AShutdownWithAnAgentThatStaysIsNotDone) {
  agent_that_ends_with(R"({"backend":"api","done":true,"code":0,"message":"stopped"})");
  invocation_.time_limit = std::chrono::milliseconds(300);
  EXPECT_EQ(run(run_change_command, "shutdown").code, kExitTimedOut);
}

TEST_F(CliCommands, AnAgentThatDiesDuringAStartIsNamedAsTheReason) {
  agent_that([](const std::string& head, const auto&) {
    return head.find("POST") == 0 ? FakeAgent::json(202, R"({"operation":17})")
                                  : FakeAgent::Answer{"", Then::kDie};
  });
  const Outcome outcome = run(run_change_command, "start");
  EXPECT_EQ(outcome.code, kExitNoAgent);
  EXPECT_EQ(outcome.err.find("codex-agent: the agent died during the start"), 0U) << outcome.err;
}

TEST_F(CliCommands, ATimeLimitThatPassesIsItsOwnExitCode) {
  agent_that([](const std::string& head, const auto&) {
    return head.find("POST") == 0 ? FakeAgent::json(202, R"({"operation":17})")
                                  : FakeAgent::Answer{"", Then::kHold};
  });
  invocation_.time_limit = std::chrono::milliseconds(200);
  const Outcome outcome = run(run_change_command, "start");
  EXPECT_EQ(outcome.code, kExitTimedOut);
  EXPECT_NE(outcome.err.find("the start goes on - see codex-agent"), std::string::npos) << outcome.err;
}

TEST_F(CliCommands, AnInterruptLeavesTheStartGoingOn) {
  agent_that([](const std::string& head, const auto&) {
    if (head.find("POST") == 0) return FakeAgent::json(202, R"({"operation":17})");
    ::kill(::getpid(), SIGINT);
    return FakeAgent::Answer{"", Then::kHold};
  });
  const Outcome outcome = run(run_change_command, "start");
  EXPECT_EQ(outcome.code, kExitInterrupted);
  EXPECT_EQ(outcome.err.find("codex-agent: stopped waiting; the start goes on - see codex-agent"), 0U)
      << outcome.err;
}

TEST_F(CliCommands, EventsAreTheNewestOnes) {
  agent_that([](const auto&, const auto&) {
    return FakeAgent::json(
        200, R"({"events":[{"seq":1,"at":"t1","event":"a"},{"seq":2,"at":"t2","event":"b"}],"last":2})");
  });
  invocation_.lines = 1;
  EXPECT_EQ(run(run_events_command, "events").out, "t2  b\n");
  invocation_.json = true;
  EXPECT_EQ(run(run_events_command, "events").out,
            "{\"events\":[{\"seq\":2,\"at\":\"t2\",\"event\":\"b\"}],\"last\":2}\n");
}

TEST_F(CliCommands, EventsOutliveTheAgent) {
  directory_.write(
      ".codex-agent/events.jsonl",
      "{\"seq\":1,\"at\":\"t1\",\"event\":\"a\"}\n{\"seq\":2,\"at\":\"t2\",\"event\":\"b\"}\n{\"se");
  const Outcome text = run(run_events_command, "events");
  EXPECT_EQ(text.code, kExitOk);
  EXPECT_EQ(text.out, "t1  a\nt2  b\n");
  invocation_.json = true;
  EXPECT_EQ(run(run_events_command, "events").out,
            "{\"events\":[{\"seq\":1,\"at\":\"t1\",\"event\":\"a\"},{\"seq\":2,\"at\":\"t2\",\"event\":\"b\"}"
            "],\"last\":2}\n");
}

TEST_F(CliCommands, FollowedEventsGoOnAfterTheLastOne) {
  agent_that([calls = 0](const auto&, const auto&) mutable {
    switch (++calls) {
      case 1:
        return FakeAgent::json(200, R"({"events":[{"seq":4,"at":"t4","event":"a"}],"last":4})");
      case 2:
        return FakeAgent::json(200, R"({"events":[],"last":4})");
      case 3:
        return FakeAgent::json(200, R"({"events":[{"seq":5,"at":"t5","event":"b"}],"last":5})");
      default:
        return FakeAgent::Answer{"", Then::kDie};
    }
  });
  invocation_.follow = true;
  const Outcome outcome = run(run_events_command, "events");
  EXPECT_EQ(outcome.code, kExitNoAgent);
  EXPECT_EQ(outcome.out, "t4  a\nt5  b\n");
  EXPECT_EQ(agent_->requests(),
            (std::vector<std::string>{"GET /v1/events?after=0", "GET /v1/events?wait=1&after=4",
                                      "GET /v1/events?wait=1&after=4", "GET /v1/events?wait=1&after=5"}));
}

TEST_F(CliCommands, LogsOfTheOnlyBackendNeedNoName) {
  const auto log = directory_.write("server.log", "one\ntwo\nthree\n");
  agent_that([=](const auto&, const auto&) {
    return FakeAgent::json(200, R"({"backends":[{"name":"api","log_file":")" + log.string() + R"("}]})");
  });
  invocation_.lines = 2;
  const Outcome outcome = run(run_logs_command, "logs");
  EXPECT_EQ(outcome.code, kExitOk);
  EXPECT_EQ(outcome.out, "two\nthree\n");
}

TEST_F(CliCommands, LogsOfSeveralBackendsAskForAName) {
  const auto log = directory_.write("web.log", "web\n");
  agent_that([=](const auto&, const auto&) {
    return FakeAgent::json(200, R"({"backends":[{"name":"api","log_file":"/x"},{"name":"web","log_file":")" +
                                    log.string() + R"("}]})");
  });
  const Outcome outcome = run(run_logs_command, "logs");
  EXPECT_EQ(outcome.code, kExitUsage);
  EXPECT_EQ(outcome.err, "codex-agent: logs shows one backend; name it: api, web\n");
  invocation_.names = {"web"};
  EXPECT_EQ(run(run_logs_command, "logs").out, "web\n");
  invocation_.names = {"db"};
  EXPECT_EQ(run(run_logs_command, "logs").code, kExitNoAgent);
}

TEST_F(CliCommands, NamesAreOneALine) {
  agent_that([](const auto&, const auto&) { return FakeAgent::json(200, kStatus); });
  EXPECT_EQ(run(run_names_command, "__names").out, "api\nweb\n");
}

}  // namespace
}  // namespace codex
