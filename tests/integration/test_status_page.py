"""The status page in a real browser: what it shows, that it stays up to date, and that it trusts nothing."""

import json
import os
import select
import sqlite3
import subprocess
import urllib.request

import psutil
import pytest

from harness.agent import PYTHON_BACKEND, REPOSITORY
from harness.browser import Browser
from harness.waiting import holds_for, wait_until

PATIENCE = 60  # Chromium beside compilers is slow

# What a program writes, and what its functions are called, is anybody's guess.
HOSTILE = "<img src=x onerror=\"owned=1\"><script>owned=1</script>'\"&amp;"
APPLICATION = f"""
const fs = require('fs');
const http = require('http');
const hostile = {json.dumps(HOSTILE)};
const named = {{ {json.dumps(HOSTILE)}() {{ for (let i = 0;; i++) i %= 7; }} }};
const ways = {{
  loop: named[hostile],
  crash: () => {{ console.error(`Error: Cannot find module '${{hostile}}'`); process.exit(3); }},
}};
if (fs.existsSync('broken')) ways.crash();
http.createServer((request, response) => {{
  const way = ways[request.url.slice(1)];
  response.end('ok\\n');
  if (way) setImmediate(way);
}}).listen(Number(process.env.PORT), '127.0.0.1');
"""


@pytest.fixture(scope="module")
def chromium():
    browser = Browser()
    yield browser
    browser.close()


@pytest.fixture
def page_server():
    """Starts the page of a made-up backend, all of whose texts are `text` if there is one; its address."""
    program = os.environ.get("CODEX_PAGE_SERVER", str(REPOSITORY / "build" / "release" / "tests" / "page_server"))
    servers = []

    def start(*text):
        servers.append(subprocess.Popen([program, *text], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True))
        assert select.select([servers[-1].stdout], [], [], PATIENCE)[0], f"page_server told no port within {PATIENCE} s"
        return f"http://127.0.0.1:{int(servers[-1].stdout.readline())}"

    yield start
    for server in servers:
        server.kill()
        server.wait()
        server.stdout.close()


@pytest.fixture
def browser(chromium, make_agent, page_server):
    """An empty page in a window of a usual size; at the end the console must have nothing to tell. It needs the servers
    so that it leaves the page before they end: the page would notice."""
    chromium.reset()
    yield chromium
    chromium.open("about:blank")
    assert chromium.complaints() == []


def address(agent):
    return f"http://127.0.0.1:{agent.metrics_port}"


def wait_for_text(browser, selector, *parts):
    """Until one of the elements shows all the parts; its text."""
    def found():
        return next((text for text in browser.texts(selector) if all(part in text for part in parts)), None)

    return wait_until(found, PATIENCE, f"{parts} in {selector}", interval=0.2)


def ask(agent, path):
    urllib.request.urlopen(f"http://127.0.0.1:{agent.port}/{path}", timeout=10).read()


def page_requests(agent):
    return agent.metrics().value("codex_agent_http_requests_total", handler="/", code="200")


@pytest.fixture
def application(make_agent):
    agent = make_agent()
    (agent.directory / "app.js").write_text(APPLICATION, encoding="ascii")

    def start(extra="", **options):
        agent.configure(["node", "app.js"], 'timeout = "5s"\n' + extra, period="500ms", **options)
        agent.start()
        return agent

    return start


def test_it_shows_all_there_is_to_know(browser, application, tmp_path):
    sqlite3.connect(tmp_path / "app.db").execute("CREATE TABLE t (a)").connection.close()
    agent = application(database=f"sqlite:{tmp_path}/app.db")
    backend = agent.backend()
    browser.open(address(agent))
    title, names, states, checks, facts, figures, legend, events = browser.look(
        "h2", ".state", ".checks tbody tr", ".facts > div", "figcaption", ".legend li", ".events tbody tr")
    assert (title, names, states) == ("running: app - codex-agent", ["app"], ["✓ running"])
    assert [text.splitlines()[0].split(" ")[0] for text in checks] == ["port", "http", "database"]
    for row in checks:
        assert "✓ ok" in row and "ms" in row and "at most" in row
    facts = dict(text.split("\n") for text in facts)
    assert facts["pid"] == str(backend["pid"]) and facts["port"] == f"{agent.port} listening"
    assert facts["wanted"] == "running" and facts["restarts"] == "0" and facts["up"]
    assert "MiB" in figures[0] and "in 1 process" in figures[0] and "of a core" in figures[1]
    assert any("running" in text for text in legend)
    assert "starting → running" in events[0] and "ready" in events[0]
    assert "stopped → starting" in events[1] and "start_command" in events[1]
    assert browser.script("return document.querySelectorAll('.timeline g title').length") >= 1
    links = browser.script("return [...document.querySelectorAll('nav a')].map(a => a.getAttribute('href'))")
    assert links == ["/metrics", "/api/v1/status", "/api/v1/history", "/docs"]
    for link in links:
        assert agent.http(link)[0] == 200
    # Memory and every check have been drawn, not only announced.
    wait_until(lambda: browser.script("return [...document.querySelectorAll('.spark .line')].filter("
                                      "line => line.getAttribute('d').length > 3).length") >= 4,
               PATIENCE, "the curves", interval=0.2)


def test_nothing_is_asked_of_anybody_else(browser, application):
    agent = application()
    origin = address(agent)
    browser.open(origin)
    before = page_requests(agent)
    wait_until(lambda: page_requests(agent) >= before + 2, PATIENCE, "two updates", interval=0.2)
    asked = {url for url in browser.requested() if not url.startswith("data:")}
    assert asked == {f"{origin}/", f"{origin}/status.css", f"{origin}/status.js"}


def test_a_restart_is_seen_without_a_reload(browser, application):
    agent = application()
    browser.open(address(agent))
    browser.script("window.stayed = true")
    agent.run("restart", expect=0)
    pid = str(agent.backend()["pid"])
    wait_for_text(browser, ".facts > div", "pid", pid)
    wait_for_text(browser, ".events tbody tr", "stopping → starting", "restart_command")
    assert browser.script("return window.stayed"), "the page was loaded anew"
    agent.stop()
    wait_for_text(browser, ".state", "stopped")
    assert browser.title() == "stopped: app - codex-agent"


def test_a_hang_is_told_while_it_lasts_and_remembered(browser, application):
    agent = application('failure_threshold = 100\n[backend.app.hang]\naction = "report"\n')
    browser.open(address(agent))
    ask(agent, "loop")
    wait_for_text(browser, ".hang", "Hang: spin", HOSTILE[:20], "codex-agent evidence", "nothing else is done")
    wait_for_text(browser, ".state", "✗ hung")
    assert browser.title() == "hung: app - codex-agent"
    wait_for_text(browser, ".legend li", "hung")
    first = browser.texts(".hang")
    wait_until(lambda: browser.texts(".hang") not in ([], first), PATIENCE, "a later time in it", interval=0.2)
    assert_inert(browser)
    agent.run("restart", expect=0)
    wait_for_text(browser, ".last-hang", "Last hang: spin", HOSTILE[:20])
    assert_inert(browser)


def test_what_the_log_said_is_only_text(browser, application):
    agent = application()
    browser.open(address(agent))
    (agent.directory / "broken").touch()
    ask(agent, "crash")
    wait_for_text(browser, ".problem", "exit code 3, module_not_found", HOSTILE[:40])
    wait_for_text(browser, ".next", "It waits for a file to change", "left in 1 min")
    wait_for_text(browser, ".events tbody tr", "→ failed", "module_not_found", HOSTILE[:40])
    assert_inert(browser)


def assert_inert(browser):
    """Nothing of the hostile text has become an element, an attribute or a program."""
    counts, scripts, owned = browser.script(
        "return [['img', 'script', '[onerror]', '[onload]', 'iframe', 'style', '[style]']"
        ".map(selector => document.querySelectorAll(selector).length),"
        "[...document.scripts].map(each => each.getAttribute('src')), typeof window.owned]")
    assert counts == [0, 1, 0, 0, 0, 0, 0]
    assert scripts == ["/status.js"]
    assert owned == "undefined"


@pytest.mark.parametrize("text", [HOSTILE, "\"><svg onload=owned=1>", "</title></pattern><script>owned=1//",
                                  "x' onerror='owned=1", "A" * 3000, "\u202e\x1b[31m\n</style>"])
def test_hostile_texts_are_only_text_wherever_they_stand(browser, page_server, text):
    browser.open(page_server(text))
    for round_trip in range(2):  # as it was served, and as it was taken over by the script
        assert_inert(browser)
        shown = text[:20] if text.isprintable() else "\\x1b[31m"
        places = ("h2", ".state", ".problem", ".hang", ".checks th", ".checks .detail", ".facts dd", ".events .detail")
        for selector, found in zip(places, browser.look(*places)[1:]):
            assert any(shown in each for each in found), (selector, found)
        assert browser.script("return document.documentElement.scrollWidth <= innerWidth")
        if round_trip == 0:
            browser.script("document.querySelector('h2').textContent = ''")
            wait_until(lambda: any(browser.texts("h2")), PATIENCE, "an update", interval=0.2)


@pytest.mark.parametrize("width", [320, 360, 768, 1280])
def test_nothing_has_to_be_moved_sideways(browser, page_server, width):
    browser.resize(width, 740)
    browser.open(page_server())
    inner, scroll = browser.script("return [innerWidth, document.documentElement.scrollWidth]")
    assert inner == width and scroll <= width
    outside = browser.script("""return [...document.querySelectorAll('main *')].filter(each => {
        const box = each.getBoundingClientRect();
        return box.width > 1 && !each.closest('svg') && (box.left < -1 || box.right > innerWidth + 1);
      }).map(each => each.outerHTML.slice(0, 80))""")
    assert outside == []


def test_dark_and_light_can_both_be_read(browser, page_server):
    origin = page_server()
    # WCAG 2.1: contrast of normal text against what is behind it.
    contrast = """
        const parts = colour => colour.match(/[\\d.]+/g).slice(0, 3).map(Number);
        const light = colour => parts(colour).map(v => v / 255).map(v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
          .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
        const ground = getComputedStyle(document.querySelector('article')).backgroundColor;
        return [ground, ...['h2', '.state', 'dt', '.detail', 'small', 'h3', '.events .bad', '.legend li'].map(selector => {
          const [a, b] = [ground, getComputedStyle(document.querySelector(selector)).color].map(light).sort((x, y) => y - x);
          return (a + .05) / (b + .05);
        })]"""
    grounds = []
    for scheme in ("light", "dark"):
        browser.devtools("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        browser.open(origin)
        ground, *contrasts = browser.script(contrast)
        grounds.append(ground)
        assert min(contrasts) >= 4.5, (scheme, contrasts)
    assert grounds[0] != grounds[1]


def test_colour_is_never_the_only_signal(browser, page_server):
    browser.open(page_server())
    fills, titles = browser.script(
        "return [[...document.querySelectorAll('.timeline rect')].map(each => each.getAttribute('fill')),"
        " [...document.querySelectorAll('.timeline title')].map(each => each.textContent)]")
    assert len(fills) == len(titles) > 8
    for fill, title in zip(fills, titles):
        assert fill == f"url(#state-{title.split(' ')[0]})"
    patterns = browser.script("return [...document.querySelectorAll('pattern')].map(p => p.querySelector('path').getAttribute('d'))")
    assert len(set(patterns)) == len(patterns) == 8
    legend = browser.texts(".legend li")
    for state in ("starting", "running", "hung", "degraded", "backoff", "failed", "not known 10 min"):
        assert any(entry.startswith(state) for entry in legend), (state, legend)


def test_it_is_complete_without_javascript(browser, application):
    agent = application()
    browser.devtools("Emulation.setScriptExecutionDisabled", value=True)
    browser.open(address(agent))
    title, states, checks, events, legend = browser.look(".state", ".checks tbody tr", ".events tbody tr", ".legend li")
    assert (title, states) == ("running: app - codex-agent", ["✓ running"])
    assert checks and all("✓ ok" in row for row in checks)
    assert "starting → running" in events[0]
    assert any("running" in text for text in legend)
    before = page_requests(agent)
    agent.stop()
    # It asks to be loaded again every few seconds.
    wait_for_text(browser, ".state", "stopped")
    assert page_requests(agent) > before


def test_an_agent_that_is_gone_or_silent_is_told_since_when(browser, application):
    agent = application()
    browser.open(address(agent))
    assert browser.texts("#unreachable") == [""]
    daemon = psutil.Process(agent.pid)
    daemon.suspend()
    shown = wait_for_text(browser, "#unreachable", "cannot be reached since", "no answer")
    assert "What is shown is of" in shown
    title, states = browser.look(".state")
    assert title.startswith("? ") and states == ["✓ running"], "what was known stays readable"
    daemon.resume()
    title, _ = wait_until(lambda: (found := browser.look("#unreachable"))[1] == [""] and found, PATIENCE, "the return",
                          interval=0.2)
    assert title == "running: app - codex-agent"
    agent.kill_daemon()
    first = wait_for_text(browser, "#unreachable", "cannot be reached since")
    since = first.split("since ")[1].split(" (")[0]
    (later,) = wait_until(lambda: (found := browser.texts("#unreachable")) != [first] and found, PATIENCE,
                          "the time that goes by", interval=0.2)
    assert f"since {since} (" in later, "the beginning stays"
    browser.open("about:blank")
    browser.expect_complaints("ERR_CONNECTION_REFUSED")
    agent.run("start", expect=0)


def test_a_hidden_page_asks_nothing(browser, application):
    agent = application()
    browser.open(address(agent))
    hide = """Object.defineProperty(document, 'hidden', {value: arguments[0], configurable: true});
              document.dispatchEvent(new Event('visibilitychange'))"""
    before = page_requests(agent)
    wait_until(lambda: page_requests(agent) > before, PATIENCE, "an update", interval=0.2)
    browser.script(hide, True)
    holds_for(lambda: True, 1)  # what was under way comes to its end
    settled = page_requests(agent)
    holds_for(lambda: page_requests(agent) == settled, 6, "silence")
    agent.stop()
    browser.script(hide, False)
    wait_for_text(browser, ".state", "stopped")


def test_the_past_survives_the_agent(browser, application):
    agent = application()
    ask(agent, "loop")
    wait_until(lambda: agent.backend()["state"] == "hung", PATIENCE, "the hang", interval=0.1)
    agent.wait_for_state("running", 60)
    agent.kill_daemon()
    agent.run("start", expect=0)
    browser.open(address(agent))
    _, legend, events = browser.look(".legend li", ".events tbody tr")
    assert any("hung" in text for text in legend)
    assert any("running → hung" in row for row in events)
    history = json.loads(agent.http("/api/v1/history")[2])["backends"][0]
    assert "hung" in [state["state"] for state in history["states"]]


def test_the_page_is_read_only(agent):
    agent.configure(PYTHON_BACKEND)
    agent.start()
    for path in ("/", "/status.js", "/status.css", "/docs", "/docs/agent/docs/hangs.md", "/api/v1/history"):
        assert agent.http(path)[0] == 200
        assert agent.http(path, method="HEAD")[0] == 200
        for method in ("POST", "PUT", "DELETE"):
            assert agent.http(path, method=method)[0] == 405
        assert agent.http(path, headers={"Host": "evil.example"})[0] == 421
