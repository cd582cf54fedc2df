#include "agent/process/tree_identity.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>

#include "agent/os/process_table.h"
#include "agent/os/random_id.h"
#include "agent/output/output_fifo.h"
#include "tests/support/forked_child.h"
#include "tests/support/temporary_directory.h"

namespace codex {
namespace {

constexpr uid_t kNobody = 65534;

/// A process of `user` with this token, alive for as long as the object.
Child bearer(const std::string& token, uid_t user, int output = STDOUT_FILENO) {
  Pipe exec;
  Child child = fork_child([&] {
    const std::string entry = std::string(kTokenVariable) + "=" + token;
    const std::array<const char*, 2> environment{entry.c_str(), nullptr};
    ::dup2(output, STDOUT_FILENO);
    if (::setresgid(user, user, user) == 0 && ::setresuid(user, user, user) == 0)
      ::execle("/bin/sleep", "sleep", "1000", static_cast<const char*>(nullptr), environment.data());
    ::_exit(127);
  });
  exec.write_end.reset();
  char byte = 0;
  [[maybe_unused]] const auto end_of_file = ::read(exec.read_end.get(), &byte, 1);  // it has its program
  return child;
}

bool finds(const TreeIdentity& tree, pid_t pid) {
  const auto found = find_tree(tree);
  const bool listed = std::any_of(found.begin(), found.end(), [&](const auto& id) { return id.pid == pid; });
  EXPECT_EQ(token_of(tree, pid).has_value(), listed);
  return listed;
}

class Identity : public ::testing::Test {
 protected:
  TreeIdentity make(const std::string& backend) const {
    TreeIdentities identities(directory_.path());
    identities.complete({backend});
    EXPECT_EQ(identities.trouble(), "");
    return identities.of(backend);
  }
  [[nodiscard]] std::filesystem::path file() const { return directory_.path() / "secrets"; }
  TemporaryDirectory directory_;
};

TEST_F(Identity, IsTheSameForTheNextAgentAndAnotherForEachBackend) {
  const auto api = make("api");
  EXPECT_EQ(make("api").secret, api.secret);
  EXPECT_EQ(api.secret.size(), 32U);
  EXPECT_NE(make("web").secret, api.secret);
  EXPECT_EQ(TreeIdentities(directory_.path()).of("web").secret, make("web").secret);
}

TEST_F(Identity, CannotBeWorkedOutFromTheDirectory) {
  const auto before = make("api");
  std::filesystem::remove(file());
  EXPECT_NE(make("api").secret, before.secret);
  EXPECT_EQ(make("api").agent_id, before.agent_id);
}

TEST_F(Identity, IsForUsAloneToRead) {
  make("api");
  struct stat info {};
  ASSERT_EQ(::stat(file().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0600U);
}

TEST_F(Identity, HoldsForOneBoot) {
  const auto before = make("api");
  std::string other = contents_of(file());
  const auto at = other.find(boot_id());
  ASSERT_NE(at, std::string::npos);
  other.replace(at, boot_id().size(), "00000000-0000-0000-0000-000000000000");
  std::ofstream(file()) << other;
  EXPECT_NE(make("api").secret, before.secret);
}

TEST_F(Identity, ADamagedFileIsAnEmptyOne) {
  for (const char* damaged : {"", "{", "[]", "{\"boot_id\":1}", "{\"boot_id\":\"x\",\"secrets\":[1]}"}) {
    std::ofstream(file()) << damaged;
    EXPECT_EQ(make("api").secret.size(), 32U) << damaged;
  }
  std::ofstream(file()) << R"({"boot_id":")" << boot_id() << R"(","secrets":{"api":"","web":"short"}})";
  EXPECT_EQ(make("api").secret.size(), 32U);
  EXPECT_EQ(make("web").secret.size(), 32U);
}

TEST_F(Identity, ADiskThatTakesNothingKeepsNobodyFromStarting) {
  TreeIdentities identities(directory_.path() / "gone");
  identities.complete({"api"});
  EXPECT_NE(identities.trouble(), "");
  EXPECT_EQ(identities.of("api").secret.size(), 32U);
  std::filesystem::create_directory(directory_.path() / "gone");
  identities.write();
  EXPECT_EQ(identities.trouble(), "");
  EXPECT_EQ(TreeIdentities(directory_.path() / "gone").of("api").secret, identities.of("api").secret);
}

TEST_F(Identity, FindsWhoeverCarriesTheTokenWhateverItsUser) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root may start a process of another user";
  const auto tree = make("api");
  const Child ours = bearer(tree.token_prefix() + "1/2", kNobody);
  EXPECT_TRUE(finds(tree, ours.pid()));
  EXPECT_EQ(token_of(tree, ours.pid()), "1/2");
}

TEST_F(Identity, IsFoundAgainWithWhoHoldsOurOutput) {
  const auto tree = make("api");
  const auto fifo = open_output_fifo(directory_ / "api.stdout");
  const Child backend = bearer(tree.token_prefix() + "1/2", ::geteuid(), fifo.get());
  std::filesystem::remove(file());
  std::filesystem::remove(directory_ / "api.stdout");
  EXPECT_EQ(make("api").secret, tree.secret);
}

TEST_F(Identity, IsNotTakenFromWhoHoldsNoOutputOfOurs) {
  const auto tree = make("api");
  const auto others = open_output_fifo(directory_ / "web.stdout");
  const auto open_to_all = open_output_fifo(directory_ / "api.stdout");
  ASSERT_EQ(::fchmod(open_to_all.get(), 0666), 0);
  const std::string forged = TreeIdentity{tree.agent_id, "api", std::string(32, 'a')}.token_prefix() + "9/2";
  const Child plain = bearer(forged, ::geteuid()), wrong = bearer(forged, ::geteuid(), others.get()),
              anybody = bearer(forged, ::geteuid(), open_to_all.get());
  std::filesystem::remove(file());
  EXPECT_NE(make("api").secret, std::string(32, 'a'));
}

TEST_F(Identity, WithoutTheSecretNobodyIsOfTheTree) {
  const auto tree = make("api");
  const auto id = tree.agent_id;
  const uid_t us = ::geteuid();
  for (const auto& forged : {id + "/api/1/2", id + "./api/1/2", id + "." + std::string(32, '0') + "/api/1/2",
                             tree.named("web").token_prefix() + "1/2"}) {
    const Child stranger = bearer(forged, us);
    EXPECT_FALSE(finds(tree, stranger.pid())) << forged;
  }
  const Child stranger = bearer(TreeIdentity{id, "api", ""}.token_prefix() + "1/2", us);
  EXPECT_FALSE(finds(TreeIdentities(directory_.path() / "none").of("api"), stranger.pid()))
      << "who does not know the secret finds nobody";
}

TEST_F(Identity, WhatHadNoSecretIsBelievedOfOurOwnUserOnly) {
  auto tree = make("api");
  tree.guessable = true;
  const Child ours = bearer(tree.guessable_prefix() + "1/2", ::geteuid());
  EXPECT_TRUE(finds(tree, ours.pid()));
  if (::geteuid() != 0) GTEST_SKIP() << "only root may start a process of another user";
  const Child stranger = bearer(tree.guessable_prefix() + "2/3", kNobody);
  EXPECT_FALSE(finds(tree, stranger.pid()));
}

}  // namespace
}  // namespace codex
