#pragma once

#include <memory>
#include <string>

#include "tests/support/evil_server.h"

struct ssl_ctx_st;

namespace codex::test {

/// A self-signed certificate for 127.0.0.1 and localhost, its key made in memory.
class TlsIdentity {
 public:
  TlsIdentity();
  [[nodiscard]] const std::string& certificate_pem() const { return certificate_pem_; }
  [[nodiscard]] ssl_ctx_st* server() const { return server_.get(); }

 private:
  std::string certificate_pem_;
  std::shared_ptr<ssl_ctx_st> server_;
};

/// Speaks TLS on an accepted connection, reads a request head and answers it. False if the handshake failed.
bool answer_over_tls(EvilPeer& peer, const TlsIdentity& identity, const std::string& answer);

}  // namespace codex::test
