#include "probes/js_stack/v8_function.h"

#include <algorithm>
#include <span>
#include <vector>

namespace codex {

namespace {

// V8 keeps up to this many names of variables in a ScopeInfo itself, more in a table beside it.
constexpr std::int32_t kMaxInlinedNames = 75;
constexpr std::size_t kScopeTail = 12;  // slots after the variables that may matter

/// The slots of a ScopeInfo, after its map.
std::vector<TaggedValue> scope_slots(V8Heap& heap, TaggedValue scope) {
  std::vector<TaggedValue> slots(8 + 2 * kMaxInlinedNames + kScopeTail);
  const auto got = heap.memory().read(scope - 1 + 8, std::as_writable_bytes(std::span(slots)));
  slots.resize(got / sizeof(TaggedValue));
  return slots;
}

/// Index after the variables' names and descriptions.
std::optional<std::size_t> after_variables(V8Heap& heap, const std::vector<TaggedValue>& slots) {
  const auto& m = heap.metadata();
  const auto count_at = static_cast<std::size_t>(m.scope_local_count);
  auto at = static_cast<std::size_t>(m.scope_first_variable);
  if (count_at >= slots.size() || at >= slots.size() || !is_smi(slots[count_at])) return std::nullopt;
  const auto count = smi_value(slots[count_at]);
  if (count < 0 || count > 1'000'000) return std::nullopt;
  if (count == 0) return at;
  if (is_smi(slots[at])) ++at;  // a module's number of variables
  const bool in_table = count >= kMaxInlinedNames && at < slots.size() && !heap.is_string(slots[at]);
  return at + static_cast<std::size_t>(count) + (in_table ? 1U : static_cast<std::size_t>(count));
}

/// After the variables come, each optional: small integers, the name and an index, an inferred name (or
/// undefined), begin and end of the source text; then objects. Newer versions have begin and end before the
/// variables.
void read_scope(V8Heap& heap, TaggedValue scope, std::size_t max_name, V8Function& function) {
  const auto slots = scope_slots(heap, scope);
  const auto first = after_variables(heap, slots);
  if (!first) return;
  const auto end = std::min(slots.size(), *first + kScopeTail);
  std::size_t at = *first;
  std::size_t numbers = 0;  // how many small integers lie just before `at`
  for (; at < end; ++at) {
    if (is_smi(slots[at])) {
      ++numbers;
      continue;
    }
    if (numbers >= 2) break;
    numbers = 0;
    if (function.name.empty()) function.name = heap.text(slots[at], max_name).value_or("");
  }
  constexpr std::size_t kFixed = 3;
  const bool fixed = heap.metadata().scope_first_variable == kFixed + 2;
  if (!fixed && numbers < 2) return;
  const auto begin_at = fixed ? kFixed : at - 2;
  const auto begin_slot = slots[begin_at], end_slot = slots[begin_at + 1];
  if (!is_smi(begin_slot) || !is_smi(end_slot)) return;
  const auto begin = smi_value(begin_slot), finish = smi_value(end_slot);
  if (begin >= 0 && begin <= finish) function.start_position = static_cast<std::uint32_t>(begin);
}

/// One number of a source position table: zigzag, seven bits a byte, the lowest first.
std::optional<std::int64_t> take_number(std::span<const std::uint8_t>& table) {
  std::uint64_t bits = 0;
  for (int shift = 0; shift < 63 && !table.empty(); shift += 7) {
    const auto byte = table.front();
    table = table.subspan(1);
    bits |= std::uint64_t{byte & 0x7fU} << shift;
    if (!(byte & 0x80)) return static_cast<std::int64_t>(bits >> 1) ^ -static_cast<std::int64_t>(bits & 1);
  }
  return std::nullopt;
}

/// The source position of the last entry at or before `offset` (v8/src/codegen/source-position-table.cc).
std::optional<std::uint32_t> position_at(std::span<const std::uint8_t> table, std::int64_t offset) {
  std::uint64_t position = 0, code = 0;
  std::optional<std::uint64_t> found;
  while (!table.empty()) {
    const auto code_step = take_number(table);
    const auto position_step = code_step ? take_number(table) : std::nullopt;
    if (!position_step) break;
    // Negative marks an expression in contrast to a statement.
    code += static_cast<std::uint64_t>(*code_step >= 0 ? *code_step : -(*code_step + 1));
    position += static_cast<std::uint64_t>(*position_step);
    if (code > static_cast<std::uint64_t>(offset)) break;
    found = position;
  }
  if (!found) return std::nullopt;
  // Bit 0: not JavaScript; then the offset plus one in 30 bits (v8/src/codegen/source-position.h).
  const auto script_offset = static_cast<std::uint32_t>(*found >> 1 & 0x3fffffff);
  if ((*found & 1) || script_offset == 0) return std::nullopt;
  return script_offset - 1;
}

/// Ends of lines among characters; '\r' alone, which V8 counts too, ends no line in any editor of today.
template <typename Character>
std::uint32_t count_line_ends(std::span<const Character> characters) {
  return static_cast<std::uint32_t>(std::count_if(characters.begin(), characters.end(), [](Character c) {
    return c == '\n' || (sizeof c > 1 && (c == 0x2028 || c == 0x2029));
  }));
}

}  // namespace

std::optional<V8Function> read_v8_function(V8Heap& heap, TaggedValue object, std::size_t max_name) {
  const auto& m = heap.metadata();
  const auto type = heap.type_of(object);
  if (!type || *type < m.first_function_type || *type > m.last_function_type) return std::nullopt;
  const auto shared = heap.field(object, m.function_shared);
  if (!shared || heap.type_of(*shared) != m.type_shared_function_info) return std::nullopt;

  V8Function function;
  const auto name = heap.field(*shared, m.shared_name_or_scope_info);
  const auto name_type = name ? heap.type_of(*name) : std::nullopt;
  if (name_type && *name_type < m.first_nonstring_type) {
    function.name = heap.text(*name, max_name).value_or("");
  } else if (name_type == m.type_scope_info) {
    read_scope(heap, *name, max_name, function);
  }
  const auto script = heap.field(*shared, m.shared_script);
  if (script && heap.type_of(*script) == m.type_script) {
    function.script = *script;
    if (const auto path = heap.field(*script, m.script_name))
      function.script_name = heap.text(*path, max_name).value_or("");
  }
  return function;
}

std::optional<std::uint32_t> bytecode_position(V8Heap& heap, TaggedValue bytecode_array,
                                               TaggedValue raw_offset) {
  const auto& m = heap.metadata();
  if (!m.bytecode_data || !m.type_bytecode_array || !is_smi(raw_offset)) return std::nullopt;
  if (heap.type_of(bytecode_array) != m.type_bytecode_array) return std::nullopt;
  // The slot counts from the tagged address.
  const std::int64_t offset = std::int64_t{smi_value(raw_offset)} - *m.bytecode_data + 1;
  if (offset < 0) return std::nullopt;
  // The table's field is not published; it follows the wrapper (V8 12 and later), or else the length, the
  // constants and the handlers. Its type is checked.
  const auto table = heap.field(bytecode_array, m.bytecode_wrapper ? *m.bytecode_wrapper + 8 : 32);
  const auto type = table ? heap.type_of(*table) : std::nullopt;
  if (!type || (type != m.type_byte_array && type != m.type_trusted_byte_array)) return std::nullopt;
  const auto length = heap.field(*table, 8);
  if (!length || !is_smi(*length) || smi_value(*length) <= 0) return std::nullopt;
  constexpr std::int32_t kMaxTable = 64 << 10;
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(std::min(smi_value(*length), kMaxTable)));
  bytes.resize(heap.memory().read(*table - 1 + 16, std::as_writable_bytes(std::span(bytes))));
  return position_at(bytes, offset);
}

std::optional<std::uint32_t> V8Lines::line(TaggedValue script, std::uint32_t position) {
  const auto source = heap_.field(script, heap_.metadata().script_source);
  if (!source) return std::nullopt;
  auto& known = known_[script];
  known.try_emplace(0, 1);
  const auto nearest = std::prev(known.upper_bound(position));
  auto at = nearest->first;
  auto line = nearest->second;
  std::vector<char16_t> buffer(16 << 10);
  while (at < position) {
    const auto part = heap_.segment(*source, at);
    if (!part) return std::nullopt;
    const std::size_t width = part->one_byte ? 1 : 2;
    const auto wanted = std::min<std::size_t>({part->characters, buffer.size(), position - at});
    auto bytes = std::as_writable_bytes(std::span(buffer)).first(wanted * width);
    if (heap_.memory().read(part->address, bytes) != bytes.size()) return std::nullopt;
    const auto* narrow = reinterpret_cast<const std::uint8_t*>(buffer.data());
    line += part->one_byte ? count_line_ends(std::span(narrow, wanted))
                           : count_line_ends(std::span<const char16_t>(buffer).first(wanted));
    at += static_cast<std::uint32_t>(wanted);
  }
  known.emplace(position, line);
  return line;
}

}  // namespace codex
