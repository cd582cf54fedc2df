"""tests/style/links tells every dead link and a README that is more than a page, and nothing else."""

import pathlib
import subprocess

import pytest

CHECK = pathlib.Path(__file__).with_name("links")


@pytest.fixture
def tree(tmp_path):
    """Documents whose links all lead somewhere."""
    write(tmp_path, "README.md", """# Shop
## Under `way`, at last
## Twice
## Twice
[guide](docs/guide.md), ![picture](docs/a%20b.png "A picture"), [here](#under-way-at-last), [again](#twice-1)
[elsewhere](https://example.org/none.md#none) `[code](none.md)` [named][guide]

```sh
# no heading
[no](link.md)
```

[guide]: docs/guide.md#when-it-hangs_now
""")
    write(tmp_path, "docs/guide.md", "# When it *hangs_now*?\n[up](../README.md#twice), [me](guide.md)\n")
    write(tmp_path, "docs/a b.png", "")
    write(tmp_path, "dashboards/runbooks.md", "## AgentDown\n")
    write(tmp_path, "dashboards/alerts.yml", "# see dashboards/runbooks.md\nrunbook: dashboards/runbooks.md#agentdown\n")
    return tmp_path


def write(tree, path, text):
    (tree / path).parent.mkdir(exist_ok=True)
    (tree / path).write_text(text, encoding="utf-8")


def told(tree):
    done = subprocess.run([CHECK, tree], capture_output=True, text=True, check=False)
    assert done.stderr == "" and done.returncode == (1 if done.stdout else 0), done.stderr
    return done.stdout


def append(tree, path, text):
    write(tree, path, (tree / path).read_text(encoding="utf-8") + text)


def test_links_that_lead_somewhere_are_right(tree):
    assert told(tree) == ""


@pytest.mark.parametrize("link,fault", [
    ("[a](none.md)", "there is no file docs/none.md"),
    ("![a](none.png)", "there is no file docs/none.png"),
    ("[a](../dashboards)", "there is no file dashboards"),
    ("[a](../../outside.md)", "there is no file ../outside.md"),
    ("[a](/README.md)", "there is no file /README.md"),
    ("[a](none.md 'title')", "there is no file docs/none.md"),
    ("[a]: none.md", "there is no file docs/none.md"),
    ("[a](#none)", "docs/guide.md has no heading #none"),
    ("[a](../README.md#none)", "README.md has no heading #none"),
    ("[a](../README.md#twice-2)", "README.md has no heading #twice-2"),
    ("[a](../README.md#no-heading)", "README.md has no heading #no-heading"),
    ("[a](../README.md#Twice)", "README.md has no heading #Twice"),
])
def test_a_dead_link_is_told(tree, link, fault):
    append(tree, "docs/guide.md", f"\n{link}\n")
    assert told(tree) == f"docs/guide.md:4: {fault}\n"


def test_every_dead_link_of_a_line_is_told(tree):
    append(tree, "docs/guide.md", "[a](b.md) `[code](x.md)` [c](guide.md) [d](e.md)\n")
    assert told(tree) == "docs/guide.md:3: there is no file docs/b.md\ndocs/guide.md:3: there is no file docs/e.md\n"


@pytest.mark.parametrize("name,fault", [
    ("dashboards/runbooks.md#agentgone", "dashboards/runbooks.md has no heading #agentgone"),
    ("dashboards/books.md#agentdown", "there is no file dashboards/books.md"),
    ("runbooks.md#agentdown", "there is no file runbooks.md"),
])
def test_a_runbook_that_is_not_there_is_told(tree, name, fault):
    append(tree, "dashboards/alerts.yml", f"runbook: {name}\n")
    assert told(tree) == f"dashboards/alerts.yml:3: {fault}\n"
    write(tree, "dashboards/alerts.yml", f"runbook: https://example.org/{name}\n")
    assert told(tree) == ""


def test_a_readme_is_a_page(tree):
    text = (tree / "README.md").read_text(encoding="utf-8")
    append(tree, "README.md", "\n" * (150 - len(text.splitlines())))
    assert told(tree) == ""
    append(tree, "README.md", "\n")
    assert told(tree) == "README.md: 151 lines, at most 150 are a page\n"


def test_what_is_built_is_no_document_and_what_is_not_tracked_is_no_file(tree):
    write(tree, "build/notes.md", "[a](none.md)\n")
    assert told(tree) == ""
    subprocess.run(["git", "init", "-q", tree], check=True)
    subprocess.run(["git", "-C", tree, "add", "README.md", "dashboards", "docs/guide.md"], check=True)
    assert told(tree) == "README.md:5: there is no file docs/a b.png\n"
