"""tests/style/foreign_switch tells a switch over somebody else's enum that has no default, and no other."""

import pathlib
import subprocess

import pytest

CHECK = pathlib.Path(__file__).with_name("foreign_switch")

SWITCH = """\
int f(State state) {{
  switch (state) {{
    case {0}:
      return 1;
{1}  }}
  return 0;
}}
"""


def told(tree, label, more=""):
    (tree / "probes").mkdir(exist_ok=True)
    (tree / "probes" / "f.cc").write_text(SWITCH.format("kFirst", "") + SWITCH.format(label, more), encoding="utf-8")
    done = subprocess.run([CHECK, tree], capture_output=True, text=True, check=False)
    assert done.stderr == "" and done.returncode == (1 if done.stdout else 0)
    return done.stdout


@pytest.mark.parametrize("label", ["kNone", "State::kNone", "codex::Trouble::kBroken"])
def test_our_own_enums_need_no_default(tmp_path, label):
    assert told(tmp_path, label) == ""


@pytest.mark.parametrize("label", ["CONNECTION_OK", "PGRES_POLLING_OK", "toml::node_type::table", "prometheus::MetricType::Gauge"])
def test_a_switch_over_another_enum_needs_one(tmp_path, label):
    assert told(tmp_path, label) == f"{tmp_path}/probes/f.cc:9: no default, and {label} is not ours\n"
    assert told(tmp_path, label, "    default:\n      return 2;\n") == ""
    assert told(tmp_path, "kOurs", f"    case {label}:\n      return 2;\n") != ""
