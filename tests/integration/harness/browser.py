import base64
import http.client
import json
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
_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # https://www.w3.org/TR/webdriver2/#elements


class WebDriverError(Exception):
    """The browser's driver refused a command."""


class Browser:
    """A real headless Chromium with a new, empty profile, driven through ChromeDriver (W3C WebDriver)."""

    def __init__(self):
        for program in ("chromium", "chromedriver"):
            assert shutil.which(program), f"{program} is not installed (Debian packages chromium, chromium-driver)"
        self._profile = tempfile.mkdtemp(prefix="codex-chromium-")
        self._port = free_port()
        # A session of its own: should the driver die badly, its browser is still to be found.
        self._driver = subprocess.Popen(["chromedriver", f"--port={self._port}"], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        self._session = ""
        try:
            wait_until(self._ready, 60, "ChromeDriver's start", interval=0.1)
            capabilities = {
                "goog:chromeOptions": {"args": [*_CHROMIUM, f"--user-data-dir={self._profile}"],
                                       "binary": shutil.which("chromium")},
                "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
            }
            answer = self._call("POST", "/session", {"capabilities": {"alwaysMatch": capabilities}})
            self._session = f"/session/{answer['sessionId']}"
        except BaseException:
            self.close()
            raise

    def _ready(self):
        assert self._driver.poll() is None, f"ChromeDriver ended with {self._driver.returncode}"
        try:
            return self._call("GET", "/status")["ready"]
        except OSError:
            return False

    def _call(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=120)
        try:
            connection.request(method, path, None if body is None else json.dumps(body),
                               {"Content-Type": "application/json"})
            value = json.loads(connection.getresponse().read())["value"]
        finally:
            connection.close()
        if isinstance(value, dict) and "error" in value:
            raise WebDriverError(f"{value['error']}: {value['message']}")
        return value

    def _post(self, path, **body):
        return self._call("POST", self._session + path, body)

    def reset(self):
        """Forgets the last page and everything that was set for it."""
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

    def title(self):
        return self._call("GET", self._session + "/title")

    def script(self, code, *arguments):
        """Runs `code` as the body of a function in the page; what it returns."""
        return self._post("/execute/sync", script=code, args=list(arguments))

    def devtools(self, command, **parameters):
        """One command of the DevTools protocol."""
        return self._post("/goog/cdp/execute", cmd=command, params=parameters)

    def texts(self, selector):
        """What a person reads in each element that matches, in order; invisible ones read as ''. Works where the
        page's own scripts may not run."""
        found = self._post("/elements", using="css selector", value=selector)
        return [self._call("GET", f"{self._session}/element/{each[_ELEMENT]}/text") for each in found]

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
                self._call("DELETE", self._session)
        except (OSError, WebDriverError, http.client.HTTPException):
            pass
        self._driver.send_signal(signal.SIGTERM)
        try:
            self._driver.wait(20)
        except subprocess.TimeoutExpired:
            self._driver.kill()
            self._driver.wait()
        shutil.rmtree(self._profile, ignore_errors=True)
