#include "agent/control/handover_request.h"

#include <httplib.h>
#include <unistd.h>

#include <stdexcept>
#include <string>

namespace codex {

namespace {
constexpr time_t kPatienceSeconds = 5;
}

void request_handover(const std::filesystem::path& socket) {
  httplib::Client client(socket.string());
  client.set_address_family(AF_UNIX);
  client.set_connection_timeout(kPatienceSeconds);
  client.set_read_timeout(kPatienceSeconds);
  client.set_write_timeout(kPatienceSeconds);
  const auto answer = client.Post("/v1/handover?pid=" + std::to_string(::getpid()));
  if (!answer) {
    throw std::runtime_error(
        "the running agent does not answer on " + socket.string() +
        ", so it cannot hand over. Its backends go on; end it with SIGKILL, then repeat");
  }
  if (answer->status != 202) {
    throw std::runtime_error("the running agent refuses to hand over (HTTP " +
                             std::to_string(answer->status) + "): " + answer->body.substr(0, 256));
  }
}

}  // namespace codex
