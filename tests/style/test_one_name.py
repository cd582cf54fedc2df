"""tests/style/one_name tells every kind of breach, and nothing else."""

import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
COMPILER = os.environ.get("CXX", "c++")


def run(tree):
    """What the check prints about a tree whose units are compiled first."""
    build = tree / "build"
    build.mkdir(exist_ok=True)
    commands = []
    for unit in sorted(tree.glob("*/*.cc")):
        command = [COMPILER, "-std=c++20", f"-I{tree}", "-o", f"{unit.stem}.o", "-c", str(unit)]
        subprocess.run(command, cwd=build, check=True)
        commands.append({"directory": str(build), "command": " ".join(command), "file": str(unit)})
    (build / "compile_commands.json").write_text(json.dumps(commands), encoding="utf-8")
    done = subprocess.run([REPOSITORY / "tests/style/one_name", tree, build, COMPILER], capture_output=True, text=True,
                          check=False)
    assert done.stderr == "" and done.returncode == (1 if done.stdout else 0), done.stderr
    return done.stdout


@pytest.fixture
def tree(tmp_path):
    """Two folders whose names are all different, in every way that is right."""
    write(tmp_path, "probes/reply.h", "struct Reply { int status; ~Reply(); struct State; };\ninline int zero() { return 0; }")
    write(tmp_path, "probes/reply.cc", """struct Other;
struct Reply::State {
  int count;
};
namespace {
struct Same {};
using Number = int;
constexpr int kLimit = 1;
inline int twice(int n) { return 2 * n; }
}  // namespace
Reply::~Reply() {}
const char* word() { return "a"; }""", "#include \"probes/reply.h\"")
    write(tmp_path, "exporters/page.h", "int width(int);\nint width(long);\nstruct Page { struct State; };")
    write(tmp_path, "exporters/page.cc", """namespace {
struct Same { int other; };
}  // namespace
int width(int n) { return n; }
int width(long) { return 1; }""", "#include \"exporters/page.h\"")
    return tmp_path


def write(tree, path, text, include=""):
    (tree / path).parent.mkdir(exist_ok=True)
    head = "#pragma once\n" if path.endswith(".h") else f"{include}\n"
    (tree / path).write_text(f"{head}namespace codex {{\n{text}\n}}  // namespace codex\n", encoding="utf-8")


def test_different_names_overloads_and_unnamed_namespaces_are_right(tree):
    assert run(tree) == ""


def test_a_name_of_two_headers_is_told(tree):
    for number, second in enumerate(("struct Reply { long size; };", "enum class Reply { kNone };", "using Reply = long;",
                                     "inline int zero() { return 1; }")):
        write(tree, f"exporters/other{number}.h", second)
    told = run(tree)
    for number in range(4):
        assert f"exporters/other{number}.h:3:" in told, told
    assert "probes/reply.h:3:" in told, told


def test_what_the_linker_cannot_tell_apart_has_no_place_in_a_unit(tree):
    breaches = ("struct Reply {\n  long size;\n};", "class Mine1 : Reply {\n};", "enum class Mine2 { kA };",
                "enum Mine3 : int {\n  kB\n};", "using Mine4 = int;", "inline int mine() { return 1; }",
                "template <typename T>\nT mine(T t) { return t; }", "constexpr int kMine1 = 1;", "const int kMine2 = 1;",
                "const int kMine3[] = {1};")
    write(tree, "exporters/mine.cc", "\n".join(breaches))
    told = run(tree)
    for breach in breaches:
        assert f": not in an unnamed namespace: {breach.splitlines()[0]}\n" in told, breach
    assert "mine.cc:3: not" in told and len(told.splitlines()) == len(breaches), told


def test_a_function_that_two_units_define_is_told(tree):
    write(tree, "exporters/mine.cc", "const char* word() { return \"b\"; }")
    assert run(tree) == "codex::word() is defined in {0}/mine.o, {0}/reply.o\n".format(tree / "build")


def test_a_function_that_is_inline_elsewhere_is_told(tree):
    write(tree, "probes/uses.cc", "int two() { return zero() + 2; }", "#include \"probes/reply.h\"")
    write(tree, "exporters/mine.cc", "int zero() { return 3; }")
    assert "codex::zero() is defined in" in run(tree)


def test_the_headers_of_the_agent_with_another_http_request_are_told(tmp_path):
    for header in (header for folder in ("agent", "probes", "exporters") for header in (REPOSITORY / folder).rglob("*.h")):
        copy = tmp_path / header.relative_to(REPOSITORY)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(header, copy)
    write(tmp_path, "probes/other.h", "struct HttpRequest { int n; };")
    assert re.search("redefinition of .struct codex::HttpRequest", run(tmp_path))
