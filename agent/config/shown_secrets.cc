#include "agent/config/shown_secrets.h"

#include "agent/config/addresses.h"
#include "agent/config/backend_environment.h"

namespace codex {

bool is_hidden(const std::string& name, const std::string& value) {
  return names_secret(name) || carries_password(value);
}

std::string shown_url(const ProbeSpec& probe) {
  const std::string& url = probe.url.reveal();
  const bool plain_path = url.starts_with("sqlite:") && url.find('?') == std::string::npos;
  return plain_path ? url : url_without_secrets(url);
}

}  // namespace codex
