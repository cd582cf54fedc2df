# Flags for every target: hardening always, sanitizers on request. Warnings are errors in CI alone (tests/run): a newer
# compiler or library knows more of them, and must not end anybody's build.
add_library(codex_options INTERFACE)
target_include_directories(codex_options INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_options(codex_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Wold-style-cast -Wimplicit-fallthrough
  -Wformat=2 -Wformat-security -fstack-protector-strong -fstack-clash-protection)
target_link_options(codex_options INTERFACE -Wl,-z,relro,-z,now -Wl,--as-needed)

# -DCMAKE_UNITY_BUILD=ON compiles several files of a folder as one, in half the time: for builds that nobody works in.
# What these warn of is then that one file sees another one's names.
if(CMAKE_UNITY_BUILD)
  target_compile_options(codex_options INTERFACE -Wno-subobject-linkage -Wno-shadow)
endif()
# The kernel's <linux/tcp.h> and the C library's <netinet/tcp.h> exclude each other.
set_source_files_properties(agent/sockets/tcp_sockets.cc PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)

if(CODEX_SANITIZE)
  # Without three checks that a quarter of the time to compile goes into: a null pointer ends the program anyway, with
  # its stack, and the others know nothing that the sanitizer of addresses does not. The tests themselves do without all
  # of them: they say CODEX_TESTS_ONLY.
  target_compile_options(codex_options INTERFACE -fsanitize=address -fno-omit-frame-pointer
    $<$<NOT:$<BOOL:$<TARGET_PROPERTY:CODEX_TESTS_ONLY>>>:-fsanitize=undefined> -fno-sanitize=null,object-size,alignment -fno-sanitize-recover=all)
  target_link_options(codex_options INTERFACE -fsanitize=address,undefined)
endif()

# What no program uses stays out of it.
target_compile_options(codex_options INTERFACE -ffunction-sections -fdata-sections)
target_link_options(codex_options INTERFACE -Wl,--gc-sections)

set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG -D_FORTIFY_SOURCE=2 -D_GLIBCXX_ASSERTIONS")
set(CMAKE_CXX_FLAGS_DEBUG "-g -D_GLIBCXX_ASSERTIONS")
if(CODEX_SANITIZE)
  # Enough for a report with lines, and a third less to compile.
  string(APPEND CMAKE_CXX_FLAGS_DEBUG " -O1 -g1")
endif()

include(CheckPIESupported)
check_pie_supported()
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
if(CODEX_SANITIZE)
  # A million relocations less at every start of a program, which takes 0.15 s instead of 0.25 s then.
  set(CMAKE_POSITION_INDEPENDENT_CODE OFF)
endif()

# What nearly every file includes is parsed once for all: half of what compiling takes. codex_precompile(TARGET [HEADER...]):
# the first target with those headers parses, the others use what it made.
function(codex_precompile target)
  string(MAKE_C_IDENTIFIER "CODEX_PRECOMPILED_${ARGN}" name)
  get_property(parsed GLOBAL PROPERTY ${name})
  if(parsed)
    target_precompile_headers(${target} REUSE_FROM ${parsed})
  else()
    target_precompile_headers(${target} PRIVATE <algorithm> <chrono> <deque> <filesystem> <functional> <map> <memory>
                              <optional> <set> <string> <system_error> <vector> ${ARGN})
    set_property(GLOBAL PROPERTY ${name} ${target})
  endif()
endfunction()
