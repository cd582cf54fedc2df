#include "probes/js_stack/process_memory.h"

#include <elf.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cstring>

#include "agent/os/files.h"
#include "probes/js_stack/elf_symbols.h"
#include "probes/js_stack/thread_stop.h"
#include "tests/support/temporary_directory.h"

// Found by name in this program's own symbol table.
extern "C" {
extern const int codex_elf_test_number;
extern int codex_elf_test_zero;
const int codex_elf_test_number = 4711;
int codex_elf_test_zero = 0;
}

namespace codex {
namespace {

constexpr std::array<std::string_view, 1> kOwnSymbols = {"codex_elf_test_"};

TEST(MemoryMaps, LinesAreParsed) {
  const MemoryMaps maps(
      "00400000-00452000 r-xp 00000000 08:02 173521      /usr/bin/dbus daemon\n"
      "7f2d7a7c3000-7f2d7a7ff000 rwxp 00000000 00:00 0 \n"
      "7ffd0000-7ffd1000 rw-p 00000000 00:00 0                          [stack]\n"
      "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]\n");
  ASSERT_EQ(maps.all().size(), 3U) << "a line that goes backwards is left out";
  EXPECT_EQ(maps.all()[0].path, "/usr/bin/dbus daemon");
  EXPECT_EQ(maps.all()[0].inode, 173521U);
  EXPECT_EQ(maps.find(0x3fffff), nullptr);
  EXPECT_EQ(maps.find(0x400000), &maps.all()[0]);
  EXPECT_EQ(maps.find(0x451fff), &maps.all()[0]);
  EXPECT_EQ(maps.find(0x452000), nullptr);
  EXPECT_EQ(maps.code_at(0x400000), CodeKind::kProgram);
  EXPECT_EQ(maps.code_at(0x7f2d7a7c3000), CodeKind::kGenerated);
  EXPECT_EQ(maps.code_at(0x7ffd0000), CodeKind::kNone);
  EXPECT_FALSE(maps.all()[2].readable);
}

TEST(MemoryMaps, NonsenseIsLeftOut) {
  for (const std::string& text :
       {std::string("\n\n\n"), std::string("x"), std::string("1-2"), std::string("2-1 rwxp 0 0:0 0\n"),
        std::string("1-2 rwxp 0 0:0 \n"), std::string("1-2 rwx\n"),
        std::string("1-99999999999999999999 r--p 0 0:0 0"), std::string(30'000, '-'),
        std::string(30'000, '\n'), std::string("1-2 r--p 0 0:0 99999999999999999999999 /x")})
    EXPECT_TRUE(MemoryMaps(text).all().empty()) << text.substr(0, 50);
}

TEST(ProcSyscall, TellsRunningFromWaiting) {
  EXPECT_TRUE(parse_proc_syscall("running\n")->running);
  const auto waiting =
      parse_proc_syscall("281 0x13 0x7ffe 0x400 0xffffffff 0x0 0x8 0x7ffe9bd021f0 0x7f27d5926cae\n");
  ASSERT_TRUE(waiting);
  EXPECT_FALSE(waiting->running);
  EXPECT_TRUE(waiting->in_kernel);
  EXPECT_FALSE(parse_proc_syscall("-1 0x10 0x20\n")->in_kernel);
  EXPECT_EQ(waiting->registers.stack_pointer, 0x7ffe9bd021f0U);
  EXPECT_EQ(waiting->registers.program_counter, 0x7f27d5926caeU);
  EXPECT_EQ(parse_proc_syscall("-1 0x10 0x20\n")->registers.stack_pointer, 0x10U);
  for (const std::string_view text :
       {"", "\n", "runnin", "-1", "-1 0x10", "-1 10 20", "-1 0xg 0x20", "0 0x1 0x"})
    EXPECT_FALSE(parse_proc_syscall(text)) << text;
  EXPECT_FALSE(parse_proc_syscall(std::string(30'000, ' ')));
}

TEST(ProcessMemory, ReadsWhatIsMappedAndNothingElse) {
  const UniqueFd self(::open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC));
  const std::uint64_t number = 0x1122334455667788;
  const auto text = read_proc_file(self.get(), "maps", 4 << 20);
  ASSERT_TRUE(text);
  const MemoryMaps maps(*text);
  ProcessMemory memory(self.get(), maps, 0);
  ASSERT_TRUE(memory);
  EXPECT_EQ(memory.number<std::uint64_t>(reinterpret_cast<std::uint64_t>(&number)), number);
  for (const std::uint64_t address : {std::uint64_t{0}, std::uint64_t{8}, ~std::uint64_t{0},
                                      ~std::uint64_t{7}, std::uint64_t{1} << 63, std::uint64_t{1} << 47})
    EXPECT_FALSE(memory.number<std::uint64_t>(address)) << address;
  const auto& last = maps.all().back();
  EXPECT_FALSE(memory.number<std::uint64_t>(last.end - 4)) << "not past a mapping's end";
  // The program's own file is another than the one allowed.
  EXPECT_FALSE(memory.number<int>(reinterpret_cast<std::uint64_t>(&codex_elf_test_number)));
}

TEST(ElfSymbols, ConstantsOfThisProgramAreFound) {
  codex_elf_test_zero = 1;  // the value in the file counts
  const UniqueFd self(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  FileReader file(self.get());
  const auto constants = read_elf_constants(file, kOwnSymbols);
  ASSERT_TRUE(constants);
  const std::map<std::string, std::int32_t, std::less<>> expected = {{"codex_elf_test_number", 4711},
                                                                     {"codex_elf_test_zero", 0}};
  EXPECT_EQ(constants->values, expected);
}

TEST(ElfSymbols, DamagedFilesGiveNothing) {
  TemporaryDirectory directory;
  Elf64_Ehdr header{};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_shentsize = sizeof(Elf64_Shdr);
  header.e_phentsize = sizeof(Elf64_Phdr);
  header.e_shoff = ~std::uint64_t{0};
  header.e_phoff = std::uint64_t{1} << 63;
  header.e_shnum = header.e_phnum = 0xffff;
  const std::string beyond(reinterpret_cast<const char*>(&header), sizeof header);
  Elf64_Shdr sections[2]{};
  for (auto& section : sections) {
    section.sh_type = SHT_DYNSYM;
    section.sh_entsize = sizeof(Elf64_Sym);
    section.sh_size = ~std::uint64_t{0};
    section.sh_link = 1;
  }
  header.e_shoff = sizeof header;
  header.e_shnum = 2;
  const std::string endless = std::string(reinterpret_cast<const char*>(&header), sizeof header) +
                              std::string(reinterpret_cast<const char*>(sections), sizeof sections) +
                              "codex_elf_test_number";
  for (const std::string& content : {std::string(), std::string("#!/bin/sh\n"),
                                     std::string("\x7f"
                                                 "ELF"),
                                     std::string(30'000, '\x7f'), beyond, beyond.substr(0, 63), endless}) {
    std::ofstream(directory / "file", std::ios::binary | std::ios::trunc) << content;
    const UniqueFd fd(::open((directory / "file").c_str(), O_RDONLY | O_CLOEXEC));
    FileReader file(fd.get());
    const auto constants = read_elf_constants(file, kOwnSymbols);
    EXPECT_TRUE(!constants || constants->values.empty());
  }
}

}  // namespace
}  // namespace codex
