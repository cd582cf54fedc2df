#include "agent/evidence/capture.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <optional>
#include <variant>

#include "agent/evidence/descriptor_evidence.h"
#include "agent/evidence/host_evidence.h"
#include "agent/evidence/incident_store.h"
#include "agent/evidence/js_stack_document.h"
#include "agent/evidence/native_stack.h"
#include "agent/evidence/report_text.h"
#include "agent/evidence/socket_evidence.h"
#include "agent/evidence/thread_evidence.h"
#include "agent/os/check.h"
#include "agent/os/files.h"
#include "agent/os/process_table.h"
#include "agent/text/rfc3339.h"
#include "probes/database/postgres_view.h"

namespace codex {

namespace {

using Json = nlohmann::ordered_json;
using Moment = EvidenceRequest::Moment;
using std::chrono::milliseconds;

constexpr std::size_t kOutputLines = 50, kMostRequest = 4 << 20, kMostEarlier = 8;
constexpr Duration kDatabaseLimit = milliseconds(250), kNativeLimit = milliseconds(1000);
// Of the serving process. Never environ: it holds what must not be shown.
constexpr const char* kRawFiles[] = {"status", "limits", "io", "stat", "sched", "cgroup", "smaps_rollup"};

/// One look, part after part; what is gone soonest comes first.
class Capture {
 public:
  explicit Capture(const EvidenceRequest& request)
      : request_(request),
        redactor_(Redactor::of(request.secrets)),
        store_(request.directory),
        directory_(store_.open(request.id, request.backend)) {}

  void run(const std::function<void(const Json&)>& tell) {
    begin();
    look_at_server();
    const bool confirmed = request_.moment == Moment::kConfirmed;
    if (confirmed) look_around();
    report_["earlier"] = earlier_moments();
    report_["took_milliseconds"] = std::chrono::duration<double, std::milli>(Clock::now() - began_).count();
    write_report();
    if (confirmed) {
      write_raw_files();
      publish();
    }
    tell({{"id", confirmed ? request_.id : ""}, {"where", where_}});
    if (confirmed && request_.native_stacks && pid_) look_at_native_stacks();
  }

 private:
  void begin();
  void look_at_server();
  void look_around();
  void look_at_native_stacks();
  Json database_view(const SocketEvidence& sockets) const;
  Json earlier_moments() const;
  void write_report() const;
  void write_raw_files() const;
  void publish();
  template <typename Look>
  void part(const char* name, Look look);

  const EvidenceRequest& request_;
  Redactor redactor_;
  IncidentStore store_;
  std::filesystem::path directory_;
  TimePoint began_ = Clock::now();
  std::optional<pid_t> pid_;
  std::vector<ProcStat> tree_;
  std::string where_;
  Json report_;
};

/// One part of the report. That it cannot be had is part of the evidence, and no reason to go without the
/// others.
template <typename Look>
void Capture::part(const char* name, Look look) {
  try {
    report_[name] = look();
  } catch (const std::exception& e) {
    report_[name] = {{"error", redactor_.safe(e.what())}};
  }
}

void Capture::begin() {
  tree_ = tree_of(request_.token_prefix);
  const auto is_server = [&](const ProcStat& process) {
    return request_.server && ProcessId{process.pid, process.start_ticks} == *request_.server;
  };
  // While nobody listens, the youngest process is the one that a start has got to.
  const auto server = std::find_if(tree_.begin(), tree_.end(), is_server);
  if (server != tree_.end()) pid_ = server->pid;
  if (!request_.server && !tree_.empty()) pid_ = tree_.back().pid;

  const auto now = std::chrono::system_clock::now();
  Json votes = Json::object();
  for (const auto& [hang_class, count] : request_.votes) votes[hang_class] = count;
  report_ = {{"schema", 1},
             {"id", request_.id},
             {"backend", request_.backend},
             {"generation", request_.generation},
             {"moment", request_.moment == Moment::kConfirmed ? "confirmed" : "suspected"},
             {"class", request_.hang_class},
             {"why", redactor_.safe(request_.why)},
             {"votes", std::move(votes)},
             {"since", format_rfc3339(request_.since)},
             {"captured_at", format_rfc3339(now)},
             {"lasted_seconds", to_seconds(std::chrono::duration_cast<Duration>(now - request_.since))},
             {"next", request_.next},
             {"where", nullptr},
             {"pid", pid_ ? Json(*pid_) : Json(nullptr)}};
}

void Capture::look_at_server() {
  if (!pid_) return;
  part("js_stack", [&] {
    const JsStack stack = read_js_stack(*pid_);
    where_ = redactor_.safe(describe_place(stack));
    if (!where_.empty()) report_["where"] = where_;
    return to_json(stack);
  });
  if (request_.moment == Moment::kConfirmed) return;
  part("threads", [&] { return threads_of(*pid_, {}, SocketEvidence({}, {}, {}), redactor_); });
}

void Capture::look_around() {
  std::map<std::uint64_t, int> owners;
  Descriptors own;
  for (const auto& process : tree_) {
    auto descriptors = descriptors_of(process.pid);
    for (const auto& [fd, target] : descriptors) {
      if (const auto inode = socket_inode(target)) owners.emplace(*inode, process.pid);
    }
    if (process.pid == pid_) own = std::move(descriptors);
  }
  const SocketEvidence sockets(std::move(owners), request_.port, request_.database_ports,
                               pid_ ? NetworkNamespace::of(*pid_) : NetworkNamespace());
  if (pid_) {
    const std::string directory = "/proc/" + std::to_string(*pid_);
    const auto limits = read_proc_file(AT_FDCWD, (directory + "/limits").c_str());
    part("threads", [&] { return threads_of(*pid_, own, sockets, redactor_); });
    part("descriptors", [&] {
      return to_json(own, limits ? parse_open_files_limit(*limits) : std::nullopt, sockets, redactor_);
    });
  }
  part("sockets", [&] { return sockets.to_json(); });
  part("tree", [&] { return to_json(tree_, redactor_); });
  part("host", [&] { return host_facts(request_.directory); });
  part("output", [&] { return last_lines(request_.output_file, kOutputLines, redactor_); });
  if (!request_.database_url.empty()) part("database", [&] { return database_view(sockets); });
}

/// Last, and only when all else is safe on the disk: it may take a second.
void Capture::look_at_native_stacks() {
  part("native_stacks", [&] {
    Json threads = Json::array();
    for (const auto& thread : read_native_stacks(*pid_, kNativeLimit)) {
      Json frames = Json::array();
      for (const auto& frame : thread.frames) frames.push_back(redactor_.safe(describe(frame), 512));
      threads.push_back({{"id", thread.id},
                         {"error", thread.error.empty() ? Json(nullptr) : Json(thread.error)},
                         {"frames", std::move(frames)}});
    }
    return threads;
  });
  write_report();
}

Json Capture::database_view(const SocketEvidence& sockets) const {
  const auto parsed = parse_postgres_url(request_.database_url.reveal());
  const auto* settings = std::get_if<PostgresSettings>(&parsed);
  if (settings == nullptr) return {{"error", redactor_.safe(std::get<std::string>(parsed))}};
  const auto view = look_at_postgres(*settings, kDatabaseLimit);
  const auto ports = sockets.database_client_ports();
  Json clients = Json::array();
  for (const auto& client : view.clients) {
    clients.push_back({{"pid", client.pid},
                       {"ours", client.port != 0 && ports.contains(client.port)},
                       {"client_port", client.port},
                       {"user", redactor_.safe(client.user, 64)},
                       {"application", redactor_.safe(client.application, 64)},
                       {"state", redactor_.safe(client.state, 64)},
                       {"seconds", client.seconds},
                       {"waits_for", redactor_.safe(client.waits_for, 64)},
                       {"blocked_by", client.blockers},
                       {"query", redactor_.safe(client.query, 300)}});
  }
  return {{"error", view.error.empty() ? Json(nullptr) : Json(redactor_.safe(view.error))},
          {"clients", std::move(clients)}};
}

/// What was seen of the same incident before: the suspicion, and other classes that it was taken for.
Json Capture::earlier_moments() const {
  std::string text;
  try {
    text = read_regular_file(directory_ / "report.json", kMostRequest);
  } catch (const std::system_error&) {
    return Json::array();
  }
  const Json before = Json::parse(text, nullptr, false);
  if (!before.is_object()) return Json::array();
  Json moments = before.value("earlier", Json::array());
  Json moment = Json::object();
  for (const char* name : {"moment", "class", "why", "captured_at", "lasted_seconds", "where", "js_stack"}) {
    if (before.contains(name)) moment[name] = before[name];
  }
  if (before.contains("threads") && before["threads"].is_array() && !before["threads"].empty())
    moment["main_thread"] = before["threads"].front();
  moments.push_back(std::move(moment));
  while (moments.size() > kMostEarlier) moments.erase(moments.begin());
  return moments;
}

void Capture::write_raw_files() const {
  if (!pid_) return;
  make_private_directory(directory_ / "raw");
  for (const char* name : kRawFiles) {
    const auto text = read_proc_file(AT_FDCWD, ("/proc/" + std::to_string(*pid_) + "/" + name).c_str());
    if (text) write_file_atomically(directory_ / "raw" / name, redactor_.scrub(*text));
  }
}

void Capture::publish() {
  store_.publish(request_.id);
  directory_ = store_.path(request_.id);
}

void Capture::write_report() const {
  write_file_atomically(directory_ / "report.json",
                        report_.dump(1, ' ', false, Json::error_handler_t::replace) + "\n");
  if (request_.moment == Moment::kConfirmed)
    write_file_atomically(directory_ / "report.txt", report_text(report_));
}

std::string read_stdin() {
  std::string text;
  std::array<char, 16384> buffer;
  for (;;) {
    const auto n =
        static_cast<std::size_t>(check("read", ::read(STDIN_FILENO, buffer.data(), buffer.size())));
    if (n == 0 || text.size() > kMostRequest) return text;
    text.append(buffer.data(), n);
  }
}

}  // namespace

void capture(const EvidenceRequest& request, const std::function<void(const Json&)>& tell) {
  Capture(request).run(tell);
}

int capture_command() {
  int code = 0;
  try {
    const auto request = decode_evidence_request(read_stdin());
    capture(request, [](const Json& answer) {
      std::printf("%s\n", answer.dump(-1, ' ', false, Json::error_handler_t::replace).c_str());
      std::fflush(stdout);
    });
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    code = 1;
  }
  std::fflush(nullptr);
  ::_exit(code);  // A look at the database may still be under way in its thread.
}

}  // namespace codex
