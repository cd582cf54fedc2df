#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "agent/policy/exit_diagnosis.h"
#include "agent/policy/speakers.h"
#include "agent/policy/wrapper_words.h"
#include "agent/text/plain_text.h"
#include "agent/text/words.h"

namespace {

using namespace codex;

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

/// Input: what a backend wrote; its first byte is the exit code.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  std::vector<std::string> lines;
  for (const std::string_view line : split({reinterpret_cast<const char*>(data) + 1, size - 1}, '\n')) {
    lines.push_back(plain_text(line));
    require(lines.back().size() <= 4 * line.size());
    require(plain_text(lines.back()) == lines.back());
    require(line.ends_with(unlabelled(line)));
  }
  const ExitDiagnosis diagnosis = diagnose_exit({{true, data[0], 0, false}, lines, false, {5432}});
  if (diagnosis.words) require(to_text(*diagnosis.words, "/srv/app", 200).size() <= size + 300);
  wrapper_says(lines);
  tells_start(lines);
  is_wrapper({reinterpret_cast<const char*>(data), size});
  return 0;
}
