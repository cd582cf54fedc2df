#include "agent/os/proc_files.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>

namespace codex {
namespace {

using namespace std::string_literals;

/// A stat line around `comm`; every field has its own value, so that a shifted field shows.
std::string stat_with_comm(const std::string& comm) {
  return "26231 (" + comm +
         ") R 5392 7446 5391 34835 7446 4218880 32533 309516 26 82 1677 44 158 99 20 0 9 0 82375 56274944 "
         "1981 "
         "18446744073709551615 4194304 6294284 140736914091744 140736914087944 139965136429984 0 0 12288 "
         "1870679807 0 0 0 17 0 0 0 31 0 0 8391624 8481048 16420864 140736914093 140736914099 140736914099 "
         "140736915111 0\n";
}

/// The fields from the limit of its resident memory to the exit code.
const std::string kLastFields =
    " 18446744073709551615 1 2 3 4 5 0 0 0 0 0 0 0 17 1 0 0 0 0 0 6 7 8 9 10 10 12 0\n";

TEST(ProcStat, ReadsEveryFieldAtItsPlace) {
  const auto stat = parse_proc_stat(stat_with_comm("vim"));
  ASSERT_TRUE(stat);
  EXPECT_EQ(stat->pid, 26231);
  EXPECT_EQ(stat->comm, "vim");
  EXPECT_EQ(stat->state, 'R');
  EXPECT_EQ(stat->parent, 5392);
  EXPECT_EQ(stat->process_group, 7446);
  EXPECT_EQ(stat->session, 5391);
  EXPECT_EQ(stat->minor_faults, 32533U);
  EXPECT_EQ(stat->minor_faults_children, 309516U);
  EXPECT_EQ(stat->major_faults, 26U);
  EXPECT_EQ(stat->major_faults_children, 82U);
  EXPECT_EQ(stat->user_ticks, 1677U);
  EXPECT_EQ(stat->system_ticks, 44U);
  EXPECT_EQ(stat->user_ticks_children, 158);
  EXPECT_EQ(stat->system_ticks_children, 99);
  EXPECT_EQ(stat->threads, 9U);
  EXPECT_EQ(stat->start_ticks, 82375U);
  EXPECT_EQ(stat->virtual_bytes, 56274944U);
  EXPECT_EQ(stat->resident_pages, 1981U);
  EXPECT_EQ(stat->environment_bytes, 1012U);
}

TEST(ProcStat, AnEmptyEnvironmentIsNotNone) {
  const std::string line =
      "7 (x) S 1 7 7 0 -1 0 0 0 0 0 1 2 0 0 20 0 1 0 5 6 7 0 1 2 3 4 5 0 0 0 0 0 0 0 17 1 0 0 0 0 0 6 7 8 9 "
      "10 ";
  EXPECT_EQ(parse_proc_stat(line + "10 10 0\n").value().environment_bytes, 0U);
  EXPECT_EQ(parse_proc_stat(line + "0 0 0\n").value().environment_bytes, std::nullopt);
  EXPECT_EQ(parse_proc_stat(line + "10 9 0\n").value().environment_bytes, std::nullopt);
}

TEST(ProcStat, CommMayContainSpacesAndParens) {
  for (const auto& comm : {"a b ) ( c d)"s, ")"s, "("s, ") R 1 1 1"s, ""s, " "s, "two\nlines"s,
                           "node (1) S 2"s, "\xff\xfe\x80"s, "tab\there"s}) {
    const auto stat = parse_proc_stat(stat_with_comm(comm));
    ASSERT_TRUE(stat) << comm;
    EXPECT_EQ(stat->comm, comm);
    EXPECT_EQ(stat->parent, 5392) << comm;
    EXPECT_EQ(stat->resident_pages, 1981U) << comm;
  }
}

TEST(ProcStat, ChildrenTimesAreNeverNegative) {
  const auto line = [](const std::string& times) {
    return "7 (x) S 1 7 7 0 -1 0 0 0 0 0 1 2 " + times + " 20 0 1 0 5 6 7" + kLastFields;
  };
  struct Row {
    std::string text;
    std::int64_t user, system;
  };
  constexpr auto kMax = std::numeric_limits<std::int64_t>::max();
  for (const auto& row :
       {Row{"-9223372036854775808 9223372036854775807", 0, kMax}, Row{"-1 0", 0, 0}, Row{"1 -1", 1, 0}}) {
    const auto stat = parse_proc_stat(line(row.text));
    ASSERT_TRUE(stat) << row.text;
    EXPECT_EQ(stat->user_ticks_children, row.user) << row.text;
    EXPECT_EQ(stat->system_ticks_children, row.system) << row.text;
  }
  EXPECT_FALSE(parse_proc_stat(line("-9223372036854775809 0"))) << "beyond 64 bits";
}

TEST(ProcStat, TruncatedLineIsRefusedAtEveryLength) {
  const auto whole = stat_with_comm("node");
  const auto last_digit = whole.find(" 140736915111 ") + 13;
  for (std::size_t length = 0; length <= last_digit; ++length) {
    EXPECT_FALSE(parse_proc_stat(std::string_view(whole).substr(0, length))) << length;
  }
  EXPECT_TRUE(parse_proc_stat(std::string_view(whole).substr(0, last_digit + 1)));
}

TEST(ProcStat, GarbageIsRefused) {
  for (const auto& text :
       {""s, "\n"s, "()"s, " ()"s, "x (a) S 1"s, "-3 (a) S 1 1 1 0 -1 0 0 0 0 0 1 2 0 0 20 0 1 0 5 6 7"s,
        "0 (a) S 1 1 1 0 -1 0 0 0 0 0 1 2 0 0 20 0 1 0 5 6 7"s,
        "5 (a) S 1 1 1 0 -1 0 0 0 0 0 x 2 0 0 20 0 1 0 5 6 7"s,
        "5 (a) SS 1 1 1 0 -1 0 0 0 0 0 1 2 0 0 20 0 1 0 5 6 7"s,
        "5 )a( S 1 1 1 0 -1 0 0 0 0 0 1 2 0 0 20 0 1 0 5 6 7"s}) {
    EXPECT_FALSE(parse_proc_stat(text)) << text;
    EXPECT_FALSE(parse_proc_stat(text + kLastFields)) << text;
  }
}

TEST(ProcStat, SurvivesThirtyKilobytes) {
  EXPECT_FALSE(parse_proc_stat(std::string(30'000, '(')));
  EXPECT_FALSE(parse_proc_stat("1 (" + std::string(30'000, ')')));
  EXPECT_FALSE(parse_proc_stat(std::string(30'000, '9') + " (a) S"));
  const std::string long_name(30'000, 'n');
  const auto stat = parse_proc_stat(stat_with_comm(long_name));
  ASSERT_TRUE(stat);
  EXPECT_EQ(stat->comm, long_name);
}

TEST(ProcStatus, ReadsTheFourLines) {
  const auto status = parse_proc_status(
      "Name:\tnode\nState:\tS (sleeping)\nUid:\t1000\t1001\t1002\t1003\nVmSwap:\t     12 kB\n"
      "voluntary_ctxt_switches:\t4742839\nnonvoluntary_ctxt_switches:\t1727500\n");
  EXPECT_EQ(status.uid, 1000U);
  EXPECT_EQ(status.swap_bytes, 12U * 1024);
  EXPECT_EQ(status.voluntary_switches, 4742839U);
  EXPECT_EQ(status.involuntary_switches, 1727500U);
}

TEST(ProcStatus, MissingOrBrokenLinesLeaveFieldsEmpty) {
  for (const auto& text :
       {""s, "Name:\tkthreadd\n"s, "VmSwap:\nUid:\nvoluntary_ctxt_switches:\tx\n"s,
        "xVmSwap:\t1 kB\n voluntary_ctxt_switches:\t3\n"s, "VmSwap:\t-1 kB\nUid:\t-1\n"s,
        "VmSwap:\t18446744073709551615 kB\nUid:\t4294967296\n"s, std::string(30'000, 'V'), "\n\n\n\0\0V"s}) {
    const auto status = parse_proc_status(text);
    EXPECT_FALSE(status.swap_bytes) << text;
    EXPECT_FALSE(status.uid) << text;
    EXPECT_FALSE(status.voluntary_switches) << text;
    EXPECT_FALSE(status.involuntary_switches) << text;
  }
}

TEST(ProcStatus, LastLineNeedsNoNewline) {
  EXPECT_EQ(parse_proc_status("VmSwap:\t1 kB\nnonvoluntary_ctxt_switches:\t9").involuntary_switches, 9U);
}

TEST(ProcIo, TakesStorageBytesOnly) {
  const auto io = parse_proc_io(
      "rchar: 750339\nwchar: 818609\nsyscr: 7405\nsyscw: 5245\nread_bytes: 1024\nwrite_bytes: 2048\n"
      "cancelled_write_bytes: -1024\n");
  ASSERT_TRUE(io);
  EXPECT_EQ(io->read_bytes, 1024U);
  EXPECT_EQ(io->write_bytes, 2048U);
}

TEST(ProcIo, BothNumbersAreNeeded) {
  EXPECT_FALSE(parse_proc_io(""));
  EXPECT_FALSE(parse_proc_io("read_bytes: 1\n"));
  EXPECT_FALSE(parse_proc_io("read_bytes: 1\ncancelled_write_bytes: 2\n"));
  EXPECT_FALSE(parse_proc_io("read_bytes: -1\nwrite_bytes: 2\n"));
  EXPECT_FALSE(parse_proc_io(std::string(30'000, 'r')));
}

TEST(OpenFilesLimit, IsTheSoftOne) {
  const auto text = [](const std::string& soft) {
    return "Limit                     Soft Limit           Hard Limit           Units     \n"
           "Max core file size        0                    unlimited            bytes     \n"
           "Max open files            " +
           soft +
           "                 4096                 files     \n"
           "Max locked memory         65536                65536                bytes     \n";
  };
  EXPECT_EQ(parse_open_files_limit(text("2048")), 2048U);
  EXPECT_FALSE(parse_open_files_limit(text("unlimited")));
  EXPECT_FALSE(parse_open_files_limit("Max processes 7\n"));
  EXPECT_FALSE(parse_open_files_limit("Max open files"));
  EXPECT_FALSE(parse_open_files_limit("Max open files            " + std::string(30'000, '9')));
}

TEST(SmapsRollup, PssIsNotOneOfItsParts) {
  EXPECT_EQ(parse_smaps_rollup_pss("00400000-ff709000 ---p 00000000 00:00 0   [rollup]\nRss:    6776 kB\n"
                                   "Pss:                5 kB\nPss_Anon:  4 kB\nSwapPss:  0 kB\n"),
            5U * 1024);
  EXPECT_FALSE(parse_smaps_rollup_pss("Pss_Anon:  4 kB\nSwapPss:  7 kB\n"));
  EXPECT_FALSE(parse_smaps_rollup_pss(""));
  EXPECT_FALSE(parse_smaps_rollup_pss("Pss: 18446744073709551615 kB\n"));
}

TEST(Children, ArePidsBetweenSpaces) {
  using Pids = std::vector<pid_t>;
  EXPECT_EQ(parse_children("12 13 4194304 "), (Pids{12, 13, 4194304}));
  EXPECT_EQ(parse_children("12"), (Pids{12}));
  EXPECT_EQ(parse_children("12\n"), (Pids{12}));
  EXPECT_EQ(parse_children(""), Pids{});
  EXPECT_EQ(parse_children("  "), Pids{});
  EXPECT_EQ(parse_children("0 -5 x 1x 99999999999 7 "), (Pids{7}));
  EXPECT_TRUE(parse_children(std::string(30'000, '1')).empty());
  std::string many;
  for (int i = 0; i < 15'000; ++i) many += "1 ";
  EXPECT_EQ(parse_children(many).size(), 15'000U);
}

TEST(Environ, FindsTheWholeNameOnly) {
  const auto text =
      "PATH=/bin\0CODEX_AGENT_TOKEN_X=no\0CODEX_AGENT_TOKEN=a=b\0CODEX_AGENT_TOKEN=second\0EMPTY=\0BARE\0"s;
  EXPECT_EQ(find_in_environ(text, "CODEX_AGENT_TOKEN"), "a=b");
  EXPECT_EQ(find_in_environ(text, "PATH"), "/bin");
  EXPECT_EQ(find_in_environ(text, "EMPTY"), "");
  EXPECT_FALSE(find_in_environ(text, "BARE"));
  EXPECT_FALSE(find_in_environ(text, "ATH"));
  EXPECT_FALSE(find_in_environ(text, ""));
  EXPECT_FALSE(find_in_environ("", "PATH"));
  EXPECT_EQ(find_in_environ("A=unterminated", "A"), "unterminated");
  EXPECT_FALSE(find_in_environ(std::string(30'000, '\0'), "A"));
}

TEST(Cmdline, IsOneReadableLine) {
  EXPECT_EQ(join_cmdline("node\0server.js\0--port\0005000\0"s), "node server.js --port 5000");
  EXPECT_EQ(join_cmdline("postgres: writer"s + std::string(80, '\0')), "postgres: writer");
  EXPECT_EQ(join_cmdline("no-end"), "no-end");
  EXPECT_EQ(join_cmdline("a\0\0b\0"s), "a  b");
  EXPECT_EQ(join_cmdline(""), "");
  EXPECT_EQ(join_cmdline(std::string(80, '\0')), "");
  EXPECT_EQ(join_cmdline(std::string(30'000, 'x')).size(), 30'000U);
}

}  // namespace
}  // namespace codex
