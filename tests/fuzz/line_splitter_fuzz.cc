#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "agent/output/line_splitter.h"

/// Input: the longest line, the size of the reads, then the stream. The pieces must put together the stream
/// again, none may be longer than allowed, and the size of the reads must not matter.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace codex;
  if (size < 2) return 0;
  const std::size_t max_line = data[0] + std::size_t{1}, step = data[1] + std::size_t{1};
  const std::string_view stream(reinterpret_cast<const char*>(data) + 2, size - 2);

  const auto run = [&](std::size_t read_size) {
    LineSplitter splitter(max_line);
    std::string together, marked;
    for (std::size_t i = 0; i < stream.size(); i += read_size) {
      splitter.feed(stream.substr(i, read_size), [&](std::string_view line, bool complete) {
        if (line.size() > max_line || line.find('\n') != std::string_view::npos) std::abort();
        if (!complete && line.size() != max_line) std::abort();
        together.append(line).append(complete ? "\n" : "");
        marked.append(line).append(complete ? "\n" : "|");
      });
    }
    const std::string rest = splitter.take_partial();
    if (rest.size() > max_line || together + rest != stream) std::abort();
    return marked + rest;
  };
  if (run(step) != run(stream.size() + 1)) std::abort();
  return 0;
}
