import base64
import contextlib
import http.client
import json
import os
import shutil
import signal
import subprocess
import tempfile

from .ports import free_port
from .waiting import wait_until

_CHROMIUM = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--hide-scrollbars",
]


# Of a page that puts another document in its place just now.
_ON_ITS_WAY = ("stale element reference", "no such execution context", "aborted by navigation", "context was destroyed",
               "Cannot find context")
# What a person reads in each element of each selector, at one moment. null: the document is not complete yet.
_LOOK = """
  if (document.readyState === 'loading') return null;
  const tidy = text => text.replace(/[ \\t\\u00a0]+/g, ' ').replace(/ ?\\n[ \\n]*/g, '\\n').trim();
  const read = each => each.checkVisibility() ? tidy(each.innerText ?? each.textContent) : '';
  return [document.title, ...[...arguments].map(selector => [...document.querySelectorAll(selector)].map(read))];
"""
_COMMAND_SECONDS = 60  # for ChromeDriver's answer; a load of a page and a script have less, which it minds itself
_LOAD_SECONDS, _SCRIPT_SECONDS = 45, 30


class WebDriverError(Exception):
    """The browser's driver refused a command."""


class BrowserHangs(Exception):
    """The browser's driver has not answered, or not in time. It will not answer the next command either, so that one is
    told the same at once; Browser.reset() begins with a new browser."""


class Browser:
    """A real headless Chromium with a new, empty profile, driven through ChromeDriver (W3C WebDriver)."""

    def __init__(self):
        for program in ("chromium", "chromedriver"):
            assert shutil.which(program), f"{program} is not installed (Debian packages chromium, chromium-driver)"
        self._begin()

    def _begin(self):
        self._profile = tempfile.mkdtemp(prefix="codex-chromium-")
        self._port = free_port()
        # A session of its own: should the driver die badly, its browser is still to be found.
        self._driver = subprocess.Popen(["chromedriver", f"--port={self._port}"], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        self._session, self._hangs = "", ""
        try:
            wait_until(self._ready, 60, "ChromeDriver's start", interval=0.1)
            capabilities = {
                "goog:chromeOptions": {"args": [*_CHROMIUM, f"--user-data-dir={self._profile}"],
                                       "binary": shutil.which("chromium")},
                "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
                "timeouts": {"pageLoad": _LOAD_SECONDS * 1000, "script": _SCRIPT_SECONDS * 1000},
            }
            answer = self._call("POST", "/session", {"capabilities": {"alwaysMatch": capabilities}}, timeout=90)
            self._session = f"/session/{answer['sessionId']}"
        except BaseException:
            self.close()
            raise

    def _ready(self):
        assert self._driver.poll() is None, f"ChromeDriver ended with {self._driver.returncode}"
        try:
            return self._call("GET", "/status", timeout=5)["ready"]
        except OSError:
            return False

    def _call(self, method, path, body=None, timeout=_COMMAND_SECONDS):
        if self._hangs:
            raise BrowserHangs(self._hangs)
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=timeout)
        try:
            connection.request(method, path, None if body is None else json.dumps(body),
                               {"Content-Type": "application/json"})
            value = json.loads(connection.getresponse().read())["value"]
        except (OSError, http.client.HTTPException) as error:
            if path == "/status":
                raise
            self._hangs = f"no answer to {method} {path} {json.dumps(body)[:80]} within {timeout} s: {error!r}"
            raise BrowserHangs(self._hangs) from None
        finally:
            connection.close()
        if isinstance(value, dict) and "error" in value:
            raise WebDriverError(f"{value['error']}: {value['message']}")
        return value

    def _post(self, path, **body):
        return self._call("POST", self._session + path, body)

    def reset(self):
        """Forgets the last page and everything that was set for it. A browser that hangs is replaced."""
        if self._hangs:
            self.close()
            self._begin()
        self.devtools("Emulation.setScriptExecutionDisabled", value=False)
        self.devtools("Emulation.setEmulatedMedia", features=[])
        self.resize(1280, 900)
        self.open("about:blank")
        self.complaints()
        self.requested()

    def resize(self, width, height):
        """The window's size in CSS pixels; a narrow one is a phone's."""
        self.devtools("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
                      mobile=width < 500)

    def open(self, url):
        self._post("/url", url=url)

    def script(self, code, *arguments):
        """Runs `code` as the body of a function in the page; what it returns."""
        return self._post("/execute/sync", script=code, args=list(arguments))

    def devtools(self, command, **parameters):
        """One command of the DevTools protocol."""
        return self._post("/goog/cdp/execute", cmd=command, params=parameters)

    def look(self, *selectors):
        """[title, texts of the first selector, of the second ...] at one moment: what a person reads in each element
        that matches, in order; invisible ones read as ''. All looks at the page go this way, as it may put other
        elements in place of these between two commands. Works where the page's own scripts may not run."""
        def read():
            try:
                return self.script(_LOOK, *selectors)
            except WebDriverError as error:
                if not any(words in str(error) for words in _ON_ITS_WAY):
                    raise
                return None

        return wait_until(read, _LOAD_SECONDS, f"a complete page with {selectors}", interval=0.05)

    def texts(self, selector):
        return self.look(selector)[1]

    def title(self):
        return self.look()[0]

    def screenshot(self, path):
        """The whole page, beyond the window too."""
        size = self.devtools("Page.getLayoutMetrics")["cssContentSize"]
        shot = self.devtools("Page.captureScreenshot", captureBeyondViewport=True,
                             clip={"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1})
        with open(path, "wb") as file:
            file.write(base64.b64decode(shot["data"]))

    def complaints(self):
        """What the console was told since the last call: errors, warnings, violations of the content policy."""
        return [f"{entry['level']} {entry['source']}: {entry['message']}" for entry in self._post("/se/log", type="browser")]

    def expect_complaints(self, text):
        """Takes what the console was told since the last call; all of it, and at least one, is about `text`."""
        found = self.complaints()
        assert found and all(text in each for each in found), found

    def requested(self):
        """The addresses that the page asked for since the last call."""
        messages = [json.loads(entry["message"])["message"] for entry in self._post("/se/log", type="performance")]
        return [message["params"]["request"]["url"] for message in messages
                if message["method"] == "Network.requestWillBeSent"]

    def close(self):
        """Ends browser and driver; both are gone afterwards."""
        try:
            if self._session:
                self._call("DELETE", self._session, timeout=20)
        except (WebDriverError, BrowserHangs):
            pass
        self._session = ""
        self._driver.send_signal(signal.SIGTERM)
        try:
            self._driver.wait(20)
        except subprocess.TimeoutExpired:
            pass
        # A browser that hangs does not end with its driver.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._driver.pid, signal.SIGKILL)
        self._driver.wait(20)
        shutil.rmtree(self._profile, ignore_errors=True)
