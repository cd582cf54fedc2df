#include "agent/evidence/report_text.h"

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string_view>

#include "agent/text/quantity.h"

namespace codex {

namespace {

using Json = nlohmann::ordered_json;

const Json& member(const Json& json, const char* name) {
  static const Json none;
  return json.is_object() && json.contains(name) ? json.at(name) : none;
}

std::string text(const Json& json, const char* name) {
  const auto& value = member(json, name);
  return value.is_string() ? value.get<std::string>() : value.is_number_integer() ? value.dump() : "";
}

std::string seconds(const Json& json, const char* name) {
  const auto& value = member(json, name);
  return value.is_number() ? decimal_text(value.get<double>(), 1) + " s" : "";
}

std::string mebibytes(const Json& json, const char* name) {
  const auto& value = member(json, name);
  return value.is_number_unsigned() ? std::to_string(value.get<std::uint64_t>() >> 20) + " MiB" : "";
}

/// Left-aligned, at least `width` wide, with two blanks after it.
std::string column(std::string text, std::size_t width) {
  text.resize(std::max(text.size(), width), ' ');
  return text + "  ";
}

class Report {
 public:
  explicit Report(const Json& json) : json_(json) {}

  std::string render() {
    head();
    js_stack();
    threads();
    native_stacks();
    database();
    sockets();
    descriptors();
    tree();
    host();
    output();
    return std::move(out_);
  }

 private:
  void fact(std::string_view name, const std::string& value) {
    if (!value.empty()) out_ += "  " + column(std::string(name), 9) + value + "\n";
  }
  void title(const std::string& text) { out_ += "\n" + text + "\n"; }
  void head();
  void js_stack();
  void threads();
  void native_stacks();
  void database();
  void sockets();
  void descriptors();
  void tree();
  void host();
  void output();
  [[nodiscard]] std::string votes() const;
  void call(const Json& thread);

  const Json& json_;
  std::string out_;
};

std::string Report::votes() const {
  std::string list;
  const auto& votes = member(json_, "votes");
  if (!votes.is_object()) return list;
  for (const auto& [name, count] : votes.items())
    list += (list.empty() ? "" : ", ") + name + " " + count.dump();
  return list;
}

void Report::head() {
  out_ += text(json_, "backend") + " hangs: " + text(json_, "class") + ", for " +
          seconds(json_, "lasted_seconds") + " when this was seen at " + text(json_, "captured_at") + "\n\n";
  fact("why", text(json_, "why"));
  fact("where", text(json_, "where"));
  fact("since", text(json_, "since"));
  fact("votes", votes());
  fact("next", text(json_, "next"));
  fact("process", "pid " + text(json_, "pid") + ", generation " + text(json_, "generation"));
  const auto& earlier = member(json_, "earlier");
  if (!earlier.is_array()) return;
  for (const auto& moment : earlier) {
    const std::string where = text(moment, "where");
    fact("before", text(moment, "moment") + " " + text(moment, "class") + " after " +
                       seconds(moment, "lasted_seconds") + (where.empty() ? "" : ", in " + where));
  }
}

void Report::js_stack() {
  const auto& stack = member(json_, "js_stack");
  if (!stack.is_object()) return;
  if (const auto error = text(stack, "error"); !error.empty()) {
    title("JavaScript: no stack: " + error);
    return;
  }
  const bool complete = member(stack, "complete") == Json(true);
  title("JavaScript, the innermost call first (V8 " + text(stack, "v8_version") +
        (complete ? ")" : "; some may be remnants of earlier calls)"));
  const auto& frames = member(stack, "frames");
  if (!frames.is_array() || frames.empty()) out_ += "  none runs\n";
  if (!frames.is_array()) return;
  for (const auto& frame : frames) {
    const std::string file = text(frame, "file"), function = text(frame, "function"),
                      line = text(frame, "line");
    out_ += "  at " + (function.empty() ? "(anonymous)" : function);
    if (!file.empty()) {
      const bool current = text(frame, "line_is") == "current";
      out_ += " (" + file + (line.empty() ? "" : current ? ":" + line : ", from line " + line) + ")";
    }
    out_ += "\n";
  }
}

void Report::call(const Json& thread) {
  std::string what = text(thread, "call");
  if (what.empty()) what = text(thread, "state") == "R" ? "runs" : "";
  if (const auto in = text(thread, "kernel_function"); !in.empty())
    what += (what.empty() ? "" : ", ") + ("in " + in);
  out_ += "  " + column(text(thread, "id"), 8) + column(text(thread, "name"), 15) + text(thread, "state") +
          "  " + column(seconds(thread, "cpu_seconds") + " CPU", 12) + what + "\n";
}

void Report::threads() {
  const auto& threads = member(json_, "threads");
  if (!threads.is_array() || threads.empty()) return;
  title("Threads, the main one first");
  for (const auto& thread : threads) call(thread);
  const auto& stack = member(threads.front(), "kernel_stack");
  if (!stack.is_array() || stack.empty()) return;
  title("Kernel stack of the main thread");
  for (const auto& line : stack)
    out_ += "  " + (line.is_string() ? line.get<std::string>() : line.dump()) + "\n";
}

void Report::native_stacks() {
  const auto& stacks = member(json_, "native_stacks");
  if (stacks.is_object()) return title("Native stacks: none: " + text(stacks, "error"));
  if (!stacks.is_array() || stacks.empty()) return;
  const auto& main = stacks.front();
  const auto error = text(main, "error");
  title("Native stack of the main thread" + (error.empty() ? "" : ": " + error) +
        (stacks.size() > 1 ? " (the others are in report.json)" : ""));
  for (const auto& frame : member(main, "frames"))
    out_ += "  " + (frame.is_string() ? frame.get<std::string>() : frame.dump()) + "\n";
}

void Report::database() {
  const auto& database = member(json_, "database");
  if (!database.is_object()) return;
  if (const auto error = text(database, "error"); !error.empty()) {
    title("Database: " + error);
    return;
  }
  title("Database, its clients as it sees them (* ours)");
  const auto& clients = member(database, "clients");
  if (!clients.is_array()) return;
  if (clients.empty()) out_ += "  none\n";
  for (const auto& client : clients) {
    out_ += std::string(member(client, "ours") == Json(true) ? "* " : "  ") +
            column("pid " + text(client, "pid"), 11) + text(client, "state") + " for " +
            seconds(client, "seconds");
    if (const auto wait = text(client, "waits_for"); !wait.empty()) out_ += ", waits for " + wait;
    const auto& blockers = member(client, "blocked_by");
    if (blockers.is_array() && !blockers.empty()) out_ += ", blocked by pid " + blockers.dump();
    out_ += "\n      " + text(client, "application") + " (" + text(client, "user") +
            "): " + text(client, "query") + "\n";
  }
}

void Report::sockets() {
  const auto& sockets = member(json_, "sockets");
  if (!sockets.is_object()) return;
  const auto& waiting = member(sockets, "waiting");
  title("Connections: " + text(sockets, "connections") + "; not accepted yet: " +
        text(sockets, "not_accepted") + "; without an answer: clients " + text(waiting, "client") +
        ", database " + text(waiting, "database") + ", upstream " + text(waiting, "upstream"));
  constexpr std::size_t kShown = 20;
  const auto& shown = member(sockets, "shown");
  if (!shown.is_array()) return;
  for (std::size_t i = 0; i < std::min(shown.size(), kShown); ++i) {
    const std::string wait = seconds(shown[i], "waits_seconds");
    out_ += "  " + column(text(shown[i], "role"), 8) + text(shown[i], "local") + " - " +
            text(shown[i], "remote") + "  " + text(shown[i], "state") +
            (wait.empty() ? "" : ", waits for " + wait) + "\n";
  }
  if (shown.size() > kShown) out_ += "  ... more in report.json\n";
}

void Report::descriptors() {
  const auto& descriptors = member(json_, "descriptors");
  if (!descriptors.is_object()) return;
  std::string kinds;
  const auto& counts = member(descriptors, "kinds");
  if (counts.is_object()) {
    for (const auto& [name, count] : counts.items())
      kinds += (kinds.empty() ? "" : ", ") + name + " " + count.dump();
  }
  title("Descriptors: " + text(descriptors, "open") + " of " + text(descriptors, "limit") + " (" + kinds +
        ")");
}

void Report::tree() {
  const auto& tree = member(json_, "tree");
  if (!tree.is_array()) return;
  title("Processes");
  for (const auto& process : tree) {
    out_ += "  " + column(text(process, "pid"), 8) + column(text(process, "parent"), 8) +
            text(process, "state") + "  " + column(mebibytes(process, "resident_bytes"), 9) +
            column(seconds(process, "cpu_seconds") + " CPU", 12) + text(process, "command") + "\n";
  }
}

void Report::host() {
  const auto& host = member(json_, "host");
  if (!host.is_object()) return;
  title("Host");
  fact("load", text(host, "load"));
  fact("memory", mebibytes(host, "memory_available_bytes") + " available");
  fact("disk", mebibytes(host, "disk_free_bytes") + " free");
  for (const char* what : {"cpu", "memory", "io"}) fact(what, text(member(host, "pressure"), what));
}

void Report::output() {
  const auto& lines = member(json_, "output");
  if (!lines.is_array()) return;
  title("Last output");
  for (const auto& line : lines)
    out_ += "  " + (line.is_string() ? line.get<std::string>() : line.dump()) + "\n";
}

}  // namespace

std::string report_text(const Json& report) {
  return Report(report).render();
}

}  // namespace codex
