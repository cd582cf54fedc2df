#include "probes/http/body_regex.h"

#include <stdexcept>

namespace codex {

BodyRegex::BodyRegex(const std::string& pattern) {
  auto compiled = std::make_unique<regex_t>();
  if (const int code = ::regcomp(compiled.get(), pattern.c_str(), REG_EXTENDED | REG_NOSUB); code != 0) {
    char text[128];
    ::regerror(code, compiled.get(), text, sizeof text);
    throw std::invalid_argument(text);
  }
  compiled_ = {compiled.release(), [](regex_t* regex) {
                 ::regfree(regex);
                 delete regex;
               }};
}

bool BodyRegex::matches(const std::string& text) const {
  regmatch_t range{};
  range.rm_eo = static_cast<regoff_t>(text.size());
  return ::regexec(compiled_.get(), text.c_str(), 1, &range, REG_STARTEND) == 0;
}

}  // namespace codex
