#include "tests/probes/tls_peer.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <csignal>
#include <stdexcept>

namespace codex::test {

namespace {

void require(bool condition, const char* what) {
  if (!condition) throw std::runtime_error(what);
}

}  // namespace

TlsIdentity::TlsIdentity() {
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(EVP_EC_gen("P-256"), EVP_PKEY_free);
  const std::unique_ptr<X509, decltype(&X509_free)> certificate(X509_new(), X509_free);
  require(key && certificate, "no key");
  X509_set_version(certificate.get(), X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
  X509_set_pubkey(certificate.get(), key.get());
  X509_NAME* name = X509_get_subject_name(certificate.get());
  const unsigned char common_name[] = "localhost";
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, common_name, -1, -1, 0);
  X509_set_issuer_name(certificate.get(), name);
  X509_EXTENSION* names =
      X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, "IP:127.0.0.1,DNS:localhost");
  X509_add_ext(certificate.get(), names, -1);
  X509_EXTENSION_free(names);
  require(X509_sign(certificate.get(), key.get(), EVP_sha256()) > 0, "X509_sign");

  server_ = {SSL_CTX_new(TLS_server_method()), SSL_CTX_free};
  require(SSL_CTX_use_certificate(server_.get(), certificate.get()) == 1, "SSL_CTX_use_certificate");
  require(SSL_CTX_use_PrivateKey(server_.get(), key.get()) == 1, "SSL_CTX_use_PrivateKey");

  const std::unique_ptr<BIO, decltype(&BIO_free)> memory(BIO_new(BIO_s_mem()), BIO_free);
  PEM_write_bio_X509(memory.get(), certificate.get());
  char* text = nullptr;
  const auto size = BIO_get_mem_data(memory.get(), &text);
  certificate_pem_.assign(text, static_cast<std::size_t>(size));
}

bool answer_over_tls(EvilPeer& peer, const TlsIdentity& identity, const std::string& answer) {
  // OpenSSL writes with write(2); a client that is gone must not end the test.
  std::signal(SIGPIPE, SIG_IGN);
  const timeval patience{5, 0};
  ::setsockopt(peer.fd(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  const std::unique_ptr<SSL, decltype(&SSL_free)> tls(SSL_new(identity.server()), SSL_free);
  SSL_set_fd(tls.get(), peer.fd());
  if (SSL_accept(tls.get()) != 1) return false;
  std::string request;
  char byte = 0;
  while (!request.ends_with("\r\n\r\n") && SSL_read(tls.get(), &byte, 1) == 1) request += byte;
  SSL_write(tls.get(), answer.data(), static_cast<int>(answer.size()));
  SSL_shutdown(tls.get());
  return true;
}

}  // namespace codex::test
