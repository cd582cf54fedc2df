#include "probes/database/postgres_settings.h"

#include <libpq-fe.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string_view>

#include "agent/text/host_port.h"
#include "agent/text/words.h"
#include "probes/resolver.h"

namespace codex {

namespace {

constexpr const char* kSocketDirectory = "/var/run/postgresql";  // Debian's libpq has it compiled in.
constexpr const char* kNoFile = "/dev/null/none";                // Cannot exist, whoever we are.

using Options = std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)>;
using Values = std::map<std::string, std::string>;

std::optional<Values> read_conninfo(const std::string& text, bool all_keywords) {
  const Options options(PQconninfoParse(text.c_str(), nullptr), PQconninfoFree);
  if (!options) return std::nullopt;
  Values values;
  for (const auto* option = options.get(); option->keyword != nullptr; ++option) {
    if (option->val != nullptr && option->val[0] != '\0') {
      values[option->keyword] = option->val;
    } else if (all_keywords) {
      values[option->keyword] = "";
    }
  }
  return values;
}

/// `url` with only those query parameters that libpq understands.
std::string without_foreign_parameters(const std::string& url) {
  const auto question = url.find('?');
  if (question == std::string::npos) return url;
  const Values known = read_conninfo("postgresql://", true).value_or(Values{});
  std::string kept;
  std::string_view rest = std::string_view(url).substr(question + 1);
  while (!rest.empty()) {
    const auto end = std::min(rest.find('&'), rest.size());
    std::string parameter(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (parameter == "sslmode=no-verify") parameter = "sslmode=require";  // node-postgres' word for it
    if (parameter != "ssl=true" && !known.contains(parameter.substr(0, parameter.find('=')))) continue;
    kept += (kept.empty() ? "?" : "&") + parameter;
  }
  return url.substr(0, question) + kept;
}

std::string own_user_name() {
  std::array<char, 4096> buffer;
  passwd entry{};
  passwd* found = nullptr;
  if (::getpwuid_r(::geteuid(), &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr)
    return "postgres";
  return found->pw_name;
}

bool is_port(const std::string& text) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && value >= 1 && value <= 65535;
}

std::string take(Values& values, const std::string& keyword) {
  const auto node = values.extract(keyword);
  return node.empty() ? "" : node.mapped();
}

/// libpq pairs the lists by position; a single port serves all hosts.
std::variant<std::vector<PostgresHost>, std::string> pair_hosts(Values& values) {
  const std::string host_list = take(values, "host"), address_list = take(values, "hostaddr");
  const std::string port_list = take(values, "port");
  auto names = split(host_list, ',');
  auto addresses = split(address_list, ',');
  auto ports = split(port_list, ',');
  const std::size_t count = std::max(names.size(), addresses.size());
  if (host_list.empty()) names.resize(count);
  if (address_list.empty()) addresses.resize(count);
  if (ports.size() == 1) ports.resize(count, ports.front());
  if (names.size() != count || addresses.size() != count || ports.size() != count) {
    return "the database URL names different numbers of hosts and ports";
  }
  std::vector<PostgresHost> hosts;
  for (std::size_t i = 0; i < count; ++i) {
    PostgresHost host{std::string(names[i]), std::string(addresses[i]),
                      std::string(ports[i].empty() ? "5432" : ports[i])};
    if (host.host.empty() && host.address.empty()) host.host = kSocketDirectory;
    if (!is_port(host.port)) {
      return "the database URL has no valid port; special characters in the password are written as %XX";
    }
    if (host.host.find('@', 1) != std::string::npos) {
      return "the database URL has an unescaped '@' in its password; write %40";
    }
    hosts.push_back(std::move(host));
  }
  return hosts;
}

bool is_local(const PostgresHost& host) {
  if (host.is_socket_directory()) return true;
  const auto known = resolve_without_network(host.address.empty() ? host.host : host.address);
  return known && (known->front().starts_with("127.") || known->front() == "::1");
}

std::string describe(const std::vector<PostgresHost>& hosts, const std::string& database) {
  std::string text;
  for (const auto& host : hosts) {
    if (!text.empty()) text += ',';
    const std::string& name = host.host.empty() ? host.address : host.host;
    text += join_host_port(name, host.port);
  }
  return text + "/" + database;
}

}  // namespace

std::variant<PostgresSettings, std::string> parse_postgres_url(const std::string& url) {
  auto values = read_conninfo(without_foreign_parameters(url), false);
  if (!values) {
    return "the database URL cannot be parsed; special characters in the password are written as %XX";
  }
  auto hosts = pair_hosts(*values);
  if (auto* error = std::get_if<std::string>(&hosts)) return *error;

  PostgresSettings settings;
  settings.hosts = std::get<std::vector<PostgresHost>>(std::move(hosts));
  values->try_emplace("user", own_user_name());
  values->try_emplace("dbname", (*values)["user"]);
  values->try_emplace("passfile", kNoFile);
  values->try_emplace("gssencmode", "disable");
  values->try_emplace("target_session_attrs", "any");
  // On the same host encryption only costs; a server that insists on it still gets it.
  const bool local = std::all_of(settings.hosts.begin(), settings.hosts.end(), is_local);
  values->try_emplace("sslmode", local ? "allow" : "prefer");
  values->insert_or_assign("client_encoding", "UTF8");
  values->insert_or_assign("application_name", "codex-agent");
  settings.target = describe(settings.hosts, (*values)["dbname"]);
  settings.parameters.assign(values->begin(), values->end());
  return settings;
}

void forget_postgres_environment() {
  std::set<std::string> names;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    if (text.starts_with("PG")) names.emplace(text.substr(0, text.find('=')));
  }
  for (const auto& name : names) ::unsetenv(name.c_str());
}

}  // namespace codex
