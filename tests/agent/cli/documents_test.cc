#include "agent/cli/documents.h"

#include <gtest/gtest.h>

namespace codex {
namespace {

TEST(Documents, WhatIsNotTheDocumentIsNothing) {
  for (const char* text :
       {"", "garbage", "[]", "17", "{}", R"({"backends":{}})", "{\"backends\":[", "\xff\xfe"}) {
    EXPECT_FALSE(parse_status(text)) << text;
    EXPECT_FALSE(parse_operation(text)) << text;
    EXPECT_FALSE(parse_events(text)) << text;
    EXPECT_FALSE(parse_operation_id(text)) << text;
    EXPECT_EQ(parse_error(text), "") << text;
    EXPECT_EQ(select_backends(text, {}), "") << text;
    EXPECT_EQ(select_newest_events(text, 1), "") << text;
    EXPECT_EQ(events_as_lines(text), "") << text;
    EXPECT_TRUE(parse_configured_backends(text).empty()) << text;
  }
}

TEST(Documents, DeepNestingDoesNotExhaustTheStack) {
  EXPECT_FALSE(parse_status(std::string(1'000'000, '[')));
  EXPECT_FALSE(parse_status(R"({"backends":)" + std::string(200'000, '[') + std::string(200'000, ']') + "]"));
}

TEST(Documents, AnOperationHasItsResultsAndItsStatus) {
  const auto operation = parse_operation(
      R"({"operation":17,"command":"start","revision":5,"done":true,
          "results":[{"backend":"api","done":true,"code":7,"message":"port 5000 is taken"},{"backend":"web"}],
          "status":{"backends":[{"name":"api","state":"failed"}]}})");
  ASSERT_TRUE(operation);
  EXPECT_EQ(operation->command, "start");
  EXPECT_EQ(operation->revision, 5U);
  EXPECT_TRUE(operation->done);
  ASSERT_EQ(operation->results.size(), 2U);
  EXPECT_EQ(operation->results[0].code, 7);
  EXPECT_EQ(operation->results[0].message, "port 5000 is taken");
  EXPECT_FALSE(operation->results[1].done);
  EXPECT_EQ(operation->results[1].code, 1) << "a result without a code is no success";
  ASSERT_EQ(operation->status.backends.size(), 1U);
}

TEST(Documents, AnOperationWithoutAPartIsRefused) {
  EXPECT_FALSE(parse_operation(R"({"revision":5,"done":true,"results":[]})"));
  EXPECT_FALSE(parse_operation(R"({"done":true,"results":[],"status":{"backends":[]}})"));
  EXPECT_FALSE(parse_operation(R"({"revision":-1,"done":true,"results":[],"status":{"backends":[]}})"));
  EXPECT_FALSE(parse_operation(R"({"revision":5,"done":"yes","results":[],"status":{"backends":[]}})"));
}

TEST(Documents, PathsStayRawWhileTextIsEscaped) {
  const auto status = parse_status(R"({"backends":[{"name":"a\tb","log_file":"/srv/a\tb/log"}]})");
  ASSERT_TRUE(status);
  EXPECT_EQ(status->backends[0].name, "a\\x09b");
  EXPECT_EQ(status->backends[0].log_file, "/srv/a\tb/log");
}

TEST(Documents, ARequestNamesItsBackends) {
  EXPECT_EQ(render_request({}), R"({"backends":[]})");
  EXPECT_EQ(render_request({"api", "a\"b"}), R"({"backends":["api","a\"b"]})");
  EXPECT_NE(render_request({"\xff"}), "");
}

TEST(Documents, SelectingBackendsKeepsTheRestOfTheDocument) {
  EXPECT_EQ(select_backends(R"({"schema":1,"agent":{"pid":3},"backends":[{"name":"a","x":1},{"name":"b"}]})",
                            {"a"}),
            R"({"schema":1,"agent":{"pid":3},"backends":[{"name":"a","x":1}]})");
}

TEST(Documents, TheNewestEventsAreKept) {
  const std::string list = R"({"events":[{"seq":1},{"seq":2},{"seq":3}],"last":3})";
  EXPECT_EQ(select_newest_events(list, 2), R"({"events":[{"seq":2},{"seq":3}],"last":3})");
  EXPECT_EQ(select_newest_events(list, 3), list);
  EXPECT_EQ(select_newest_events(list, 0), R"({"events":[],"last":3})");
  EXPECT_EQ(events_as_lines(list), "{\"seq\":1}\n{\"seq\":2}\n{\"seq\":3}\n");
}

TEST(Documents, RecordedEventsSurviveGarbageAndHalfLines) {
  EXPECT_EQ(lines_as_events("{\"seq\":1}\ngarbage\n\n17\n{\"seq\":2}\n{\"seq\":"),
            R"({"events":[{"seq":1},{"seq":2}],"last":2})");
  EXPECT_EQ(lines_as_events(""), R"({"events":[],"last":0})");
}

TEST(Documents, TheAnswerOfACommandHasNoOtherBackends) {
  EXPECT_EQ(render_operation_answer(R"({"command":"stop","results":[{"backend":"b"}],
                                        "status":{"backends":[{"name":"a"},{"name":"b"}]}})"),
            R"({"command":"stop","results":[{"backend":"b"}],"status":{"backends":[{"name":"b"}]}})");
}

TEST(Documents, ConfiguredBackendsAreAListOrATable) {
  using List = std::vector<std::pair<std::string, std::string>>;
  EXPECT_EQ(parse_configured_backends(R"({"backends":[{"name":"a","output_file":"/l/a"},{"name":"b"}]})"),
            (List{{"a", "/l/a"}, {"b", ""}}));
  EXPECT_EQ(parse_configured_backends(R"({"backends":{"a":{"output_file":"/l/a"}}})"), (List{{"a", "/l/a"}}));
}

}  // namespace
}  // namespace codex
