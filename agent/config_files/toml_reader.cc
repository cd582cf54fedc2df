#include "agent/config_files/toml_reader.h"

#include <toml++/toml.h>

#include <algorithm>
#include <cmath>

#include "agent/config_files/text_file.h"
#include "agent/config_files/toml_syntax.h"
#include "agent/config_files/values.h"
#include "agent/text/display_text.h"
#include "agent/text/nearest_word.h"

namespace codex {

namespace {

Place place_of(const toml::source_region& region) {
  return {region.begin.line, region.begin.column};
}

const char* type_name(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::table:
      return "a table";
    case toml::node_type::array:
      return "an array";
    case toml::node_type::string:
      return "a string";
    case toml::node_type::integer:
      return "a whole number";
    case toml::node_type::floating_point:
      return "a fraction";
    case toml::node_type::boolean:
      return "true or false";
    case toml::node_type::date:
    case toml::node_type::time:
    case toml::node_type::date_time:
      return "a date or time";
    default:
      return "something else";
  }
}

const toml::table& as_table(const std::shared_ptr<const void>& table) {
  return *static_cast<const toml::table*>(table.get());
}

const toml::node* find_node(const std::shared_ptr<const void>& table, std::string_view key) {
  return table == nullptr ? nullptr : as_table(table).get(key);
}

std::string not_type(const char* expected, const toml::node& node) {
  return std::string("must be ") + expected + ", not " + type_name(node);
}

// Every text ends in an argument, a path, a URL or the environment: none of them can hold a NUL.
bool has_nul(std::string_view text) {
  return text.find('\0') != std::string_view::npos;
}

std::string range_of(const std::string& least, const std::string& most) {
  return "must be from " + least + " to " + most;
}

}  // namespace

TomlTable::TomlTable(std::shared_ptr<const void> table, std::string file, std::string name,
                     Diagnostics& diagnostics)
    : table_(std::move(table)), file_(std::move(file)), name_(std::move(name)), diagnostics_(&diagnostics) {}

std::optional<TomlTable> TomlTable::parse(std::string_view text, const std::string& file,
                                          Diagnostics& diagnostics) {
  if (const auto deep = find_deep_key(text); deep != std::string_view::npos) {
    diagnostics.error(file, place_at(text, deep),
                      "this key has too many parts; nothing here nests that deep");
    return std::nullopt;
  }
  try {
    auto document = std::make_shared<const toml::table>(toml::parse(text));
    return TomlTable(std::move(document), file, "", diagnostics);
  } catch (const toml::parse_error& error) {
    diagnostics.error(file, place_of(error.source()), explain_syntax_error(error.description()));
    return std::nullopt;
  }
}

TomlTable TomlTable::absent(Diagnostics& diagnostics) {
  return TomlTable(nullptr, "", "", diagnostics);
}

bool TomlTable::present() const {
  return table_ != nullptr;
}

bool TomlTable::has(std::string_view key) const {
  return find_node(table_, key) != nullptr;
}

bool TomlTable::is_text(std::string_view key) const {
  const toml::node* node = find_node(table_, key);
  return node != nullptr && node->is_string();
}

std::vector<std::string> TomlTable::keys() const {
  std::vector<std::pair<Place, std::string>> found;
  if (present()) {
    for (const auto& [key, node] : as_table(table_)) found.emplace_back(place_of(key.source()), key.str());
  }
  std::stable_sort(found.begin(), found.end(), [](const auto& a, const auto& b) {
    return std::pair(a.first.line, a.first.column) < std::pair(b.first.line, b.first.column);
  });
  std::vector<std::string> names;
  for (auto& [place, name] : found) names.push_back(std::move(name));
  return names;
}

std::optional<bool> TomlTable::flag(const std::string& key) {
  known_.insert(key);
  const toml::node* node = find_node(table_, key);
  if (node == nullptr) return std::nullopt;
  if (const auto* value = node->as_boolean()) return value->get();
  error_at(key, not_type("true or false", *node));
  return std::nullopt;
}

std::optional<std::int64_t> TomlTable::whole(const std::string& key, std::int64_t least, std::int64_t most) {
  known_.insert(key);
  const toml::node* node = find_node(table_, key);
  if (node == nullptr) return std::nullopt;
  const auto* value = node->as_integer();
  if (value == nullptr) {
    error_at(key, not_type("a whole number", *node));
  } else if (value->get() < least || value->get() > most) {
    error_at(key,
             range_of(std::to_string(least), std::to_string(most)) + ", not " + std::to_string(value->get()));
  } else {
    return value->get();
  }
  return std::nullopt;
}

std::optional<double> TomlTable::number(const std::string& key, double least, double most) {
  known_.insert(key);
  const toml::node* node = find_node(table_, key);
  if (node == nullptr) return std::nullopt;
  const auto value = node->is_number() ? node->value<double>() : std::nullopt;
  if (!value) {
    error_at(key, not_type("a number", *node));
  } else if (!std::isfinite(*value) || *value < least || *value > most) {
    error_at(key, range_of(std::to_string(std::lround(least)), std::to_string(std::lround(most))));
  } else {
    return value;
  }
  return std::nullopt;
}

std::optional<std::string> TomlTable::text(const std::string& key) {
  known_.insert(key);
  const toml::node* node = find_node(table_, key);
  if (node == nullptr) return std::nullopt;
  const auto* value = node->as_string();
  if (value == nullptr) {
    error_at(key, not_type("a string", *node));
  } else if (has_nul(value->get())) {
    error_at(key, "must not contain a NUL character");
  } else {
    return value->get();
  }
  return std::nullopt;
}

std::optional<std::vector<std::string>> TomlTable::texts(const std::string& key) {
  known_.insert(key);
  const toml::node* node = find_node(table_, key);
  if (node == nullptr) return std::nullopt;
  const auto* array = node->as_array();
  if (array == nullptr) {
    error_at(key, not_type("an array of strings", *node));
    return std::nullopt;
  }
  std::vector<std::string> values;
  bool good = true;
  for (const toml::node& item : *array) {
    const auto* value = item.as_string();
    if (value != nullptr && !has_nul(value->get())) {
      values.push_back(value->get());
      continue;
    }
    good = false;
    const std::string why =
        value == nullptr ? not_type("a string", item) : "must not contain a NUL character";
    diagnostics_->error(file_, place_of(item.source()), "every item of " + key + " " + why);
  }
  return good ? std::optional(std::move(values)) : std::nullopt;
}

std::optional<Duration> TomlTable::duration(const std::string& key, Duration least, Duration most) {
  const auto value = parsed<Duration>(key, parse_duration);
  if (!value || (*value >= least && *value <= most)) return value;
  error_at(key, range_of(format_duration(least), format_duration(most)) + ", not " + format_duration(*value));
  return std::nullopt;
}

std::optional<std::uint64_t> TomlTable::size(const std::string& key, std::uint64_t least,
                                             std::uint64_t most) {
  const auto value = parsed<std::uint64_t>(key, parse_size);
  if (!value || (*value >= least && *value <= most)) return value;
  error_at(key, range_of(format_size(least), format_size(most)) + ", not " + format_size(*value));
  return std::nullopt;
}

TomlTable TomlTable::table(const std::string& key) {
  known_.insert(key);
  std::string full_name = name_.empty() ? key : name_ + "." + key;
  const toml::node* node = find_node(table_, key);
  if (node != nullptr && !node->is_table()) error_at(key, not_type("a table", *node));
  if (node == nullptr || !node->is_table())
    return TomlTable(nullptr, file_, std::move(full_name), *diagnostics_);
  return TomlTable(std::shared_ptr<const void>(table_, node->as_table()), file_, std::move(full_name),
                   *diagnostics_);
}

Place TomlTable::place(std::string_view key) const {
  if (!present()) return {};
  const toml::node* node = find_node(table_, key);
  return place_of(node == nullptr ? as_table(table_).source() : node->source());
}

Place TomlTable::key_place(std::string_view key) const {
  if (!present()) return {};
  const auto found = as_table(table_).find(key);
  return found == as_table(table_).end() ? place_of(as_table(table_).source())
                                         : place_of(found->first.source());
}

void TomlTable::error_at(std::string_view key, const std::string& message) {
  const std::string name = quoted_name(key);
  const bool plain =
      name.size() == key.size() + 2 && !key.empty();  // Only what needs no care stands without quotes.
  const std::string prefix = key.empty() ? "" : (plain ? std::string(key) : name) + ": ";
  diagnostics_->error(file_, place(key), prefix + message);
}

void TomlTable::error_at_key(std::string_view key, const std::string& message) {
  diagnostics_->error(file_, key_place(key), message);
}

void TomlTable::reject_unknown() {
  const std::vector<std::string> allowed(known_.begin(), known_.end());
  for (const std::string& key : keys()) {
    if (known_.contains(key)) continue;
    const std::string where = name_.empty() ? "" : " in [" + escape_for_display(name_, 256) + "]";
    std::string message = "unknown key " + quoted_name(key) + where + "; ";
    if (const std::string nearest = nearest_word(key, allowed); !nearest.empty()) {
      message += "did you mean \"" + nearest + "\"?";
    } else {
      message += "known here:";
      for (const std::string& word : allowed) message += (word == allowed.front() ? " " : ", ") + word;
    }
    error_at_key(key, message);
  }
}

}  // namespace codex
