#include "probes/js_stack/v8_heap.h"

#include <algorithm>
#include <array>

namespace codex {

namespace {

// Of ropes in ropes; V8 flattens what it uses as a name or a source.
constexpr int kMaxSteps = 64;
constexpr std::size_t kMaxTypes = 1'024;

std::uint64_t address_in(TaggedValue object, int offset) {
  return object - 1 + static_cast<std::uint64_t>(offset);
}

void append_utf8(std::string& text, std::uint32_t c) {
  const auto byte = [&text](std::uint32_t bits) { text.push_back(static_cast<char>(bits)); };
  if (c < 0x80) return byte(c);
  if (c < 0x800) {
    byte(0xc0 | c >> 6);
  } else {
    if (c < 0x10000) {
      byte(0xe0 | c >> 12);
    } else {
      byte(0xf0 | c >> 18);
      byte(0x80 | (c >> 12 & 0x3f));
    }
    byte(0x80 | (c >> 6 & 0x3f));
  }
  byte(0x80 | (c & 0x3f));
}

bool is_high_surrogate(std::uint32_t c) {
  return (c & 0xfc00) == 0xd800;
}
bool is_low_surrogate(std::uint32_t c) {
  return (c & 0xfc00) == 0xdc00;
}

std::string utf8_of(const std::u16string& characters, std::size_t max_bytes) {
  std::string text;
  for (std::size_t i = 0; i < characters.size(); ++i) {
    std::uint32_t c = characters[i];
    if (is_high_surrogate(c) && i + 1 < characters.size() && is_low_surrogate(characters[i + 1])) {
      c = 0x10000 + ((c & 0x3ff) << 10) + (characters[++i] & 0x3ffU);
    } else if (is_high_surrogate(c) || is_low_surrogate(c)) {
      c = 0xfffd;
    }
    const auto before = text.size();
    append_utf8(text, c);
    if (text.size() > max_bytes) {
      text.resize(before);
      break;
    }
  }
  return text;
}

}  // namespace

std::optional<TaggedValue> V8Heap::field(TaggedValue object, int offset) {
  if (!is_object(object)) return std::nullopt;
  return memory_.number<TaggedValue>(address_in(object, offset));
}

std::optional<int> V8Heap::type_of(TaggedValue object) {
  const auto map = field(object, 0);
  if (!map) return std::nullopt;
  const auto known = types_.find(*map);
  if (known != types_.end()) return known->second;
  const auto type = type_of_map(*map);
  if (type && types_.size() < kMaxTypes) types_.emplace(*map, *type);
  return type;
}

std::optional<int> V8Heap::type_of_map(TaggedValue map) {
  const auto maps_map = field(map, 0);
  if (!maps_map || !is_object(*maps_map)) return std::nullopt;
  const auto maps_type = memory_.number<std::uint16_t>(address_in(*maps_map, metadata_.map_instance_type));
  if (maps_type != metadata_.type_map) return std::nullopt;
  const auto type = memory_.number<std::uint16_t>(address_in(map, metadata_.map_instance_type));
  return type ? std::optional<int>(*type) : std::nullopt;
}

bool V8Heap::is_string(TaggedValue object) {
  const auto type = type_of(object);
  return type && *type < metadata_.first_nonstring_type;
}

std::optional<V8Heap::Segment> V8Heap::segment(TaggedValue string, std::uint32_t offset) {
  const auto& m = metadata_;
  // What a slice or the first part of a rope leaves of the string around it.
  std::uint32_t most = UINT32_MAX;
  for (int step = 0; step < kMaxSteps; ++step) {
    const auto type = type_of(string);
    const auto length = memory_.number<std::uint32_t>(address_in(string, m.string_length));
    if (!type || *type >= m.first_nonstring_type || !length || offset >= *length) return std::nullopt;
    most = std::min(most, *length - offset);
    const auto representation = *type & m.string_representation_mask;
    const bool one_byte = (*type & m.string_encoding_mask) == m.one_byte_tag;
    const auto at = [&](std::uint64_t characters) {
      return Segment{characters + std::uint64_t{offset} * (one_byte ? 1 : 2), most, one_byte};
    };
    std::optional<TaggedValue> next;
    if (representation == m.seq_tag) {
      return at(address_in(string, one_byte ? m.one_byte_chars : m.two_byte_chars));
    } else if (representation == m.external_tag) {
      // The resource's data pointer is cached in the slot after it.
      const auto data = field(string, m.external_resource + 8);
      return data ? std::optional(at(*data)) : std::nullopt;
    } else if (representation == m.thin_tag) {
      next = field(string, m.thin_actual);
    } else if (representation == m.sliced_tag) {
      next = field(string, m.sliced_parent);
      const auto begin = field(string, m.sliced_offset);
      if (!begin || !is_smi(*begin) || smi_value(*begin) < 0) return std::nullopt;
      const auto moved = std::uint64_t{offset} + static_cast<std::uint32_t>(smi_value(*begin));
      if (moved > UINT32_MAX) return std::nullopt;
      offset = static_cast<std::uint32_t>(moved);
    } else if (representation == m.cons_tag) {
      next = field(string, m.cons_first);
      if (!next || !is_object(*next)) return std::nullopt;
      const auto first = memory_.number<std::uint32_t>(address_in(*next, m.string_length));
      if (!first) return std::nullopt;
      if (offset >= *first) {
        offset -= *first;
        next = field(string, m.cons_second);
      }
    }
    if (!next || !is_object(*next)) return std::nullopt;
    string = *next;
  }
  return std::nullopt;
}

std::optional<std::string> V8Heap::text(TaggedValue string, std::size_t max_bytes) {
  if (!is_string(string)) return std::nullopt;
  std::u16string characters;
  std::array<std::uint8_t, 512> buffer;
  while (characters.size() < max_bytes) {
    const auto part = segment(string, static_cast<std::uint32_t>(characters.size()));
    if (!part) break;
    const std::size_t width = part->one_byte ? 1 : 2;
    const auto wanted =
        std::min<std::size_t>({part->characters, buffer.size() / width, max_bytes - characters.size()});
    const auto out = std::as_writable_bytes(std::span(buffer)).first(wanted * width);
    const auto got = memory_.read(part->address, out) / width;
    for (std::size_t i = 0; i < got; ++i) {
      const unsigned high = width == 2 ? buffer[2 * i + 1] : 0U;
      characters.push_back(static_cast<char16_t>(buffer[i * width] | high << 8));
    }
    if (got < wanted) break;
  }
  return utf8_of(characters, max_bytes);
}

}  // namespace codex
