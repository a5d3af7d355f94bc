"""A headless Chromium, driven over the pipe of its debugging protocol: nothing to install but the browser itself.

The protocol: https://chromedevtools.github.io/devtools-protocol/. Messages are JSON texts that end with a zero byte.
"""

import base64
import json
import os
import select
import shutil
import subprocess
import time


class Browser:
    def __init__(self, directory):
        program = shutil.which("chromium")
        assert program, "no chromium; run scripts/install-deps --test-clients"
        their_input, self.output = os.pipe()
        self.input, their_output = os.pipe()
        # The browser reads requests from descriptor 3 and writes answers to 4.
        self.process = subprocess.Popen(
            ["bash", "-c", f'exec "$@" 3<&{their_input} 4>&{their_output}', "bash", program, "--headless=new", "--no-sandbox",
             "--remote-debugging-pipe", f"--user-data-dir={directory}", "--no-first-run", "--disable-gpu", "--hide-scrollbars",
             "--disable-dev-shm-usage", "--disable-background-networking", "--disable-component-update", "--mute-audio"],
            pass_fds=(their_input, their_output), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(their_input)
        os.close(their_output)
        self.buffer = b""
        self.number = 0
        self.answers = {}
        self.pages = {}

    def close(self):
        try:
            self.call("Browser.close")
        except (AssertionError, OSError):
            pass
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        os.close(self.input)
        os.close(self.output)

    def call(self, method, session=None, seconds=30.0, **parameters):
        self.number += 1
        number = self.number
        message = {"id": number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self.output, data):]
        deadline = time.monotonic() + seconds
        while number not in self.answers:
            self.read(deadline, f"an answer to {method}")
        answer = self.answers.pop(number)
        assert "error" not in answer, f"{method}: {answer['error']}"
        return answer["result"]

    def read(self, deadline, what):
        """Takes in what has come; at least one message."""
        while b"\0" not in self.buffer:
            ready, _, _ = select.select([self.input], [], [], max(0, deadline - time.monotonic()))
            assert ready, f"the browser sent no {what} in time"
            data = os.read(self.input, 1 << 20)
            assert data, f"the browser ended while {what} was awaited"
            self.buffer += data
        *messages, self.buffer = self.buffer.split(b"\0")
        for text in messages:
            message = json.loads(text)
            if "id" in message:
                self.answers[message["id"]] = message
            elif message.get("sessionId") in self.pages:
                self.pages[message["sessionId"]].receive(message["method"], message["params"])

    def page(self, **options):
        return Page(self, **options)


class Page:
    """One tab. Remembers every request, every error and every dialog."""

    def __init__(self, browser, width=1280, height=900, dark=False, scripts=True):
        self.browser = browser
        self.context = browser.call("Target.createBrowserContext")["browserContextId"]
        target = browser.call("Target.createTarget", url="about:blank", browserContextId=self.context)["targetId"]
        self.target = target
        self.session = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.requests, self.errors, self.dialogs = [], [], []
        # Documents by the identifier of their navigation: those that were begun, in their order, and those that are there whole.
        self.documents, self.loads = [], frozenset()
        browser.pages[self.session] = self
        for domain in ("Page", "Network", "Log", "Runtime"):
            self.call(f"{domain}.enable")
        self.call("Page.setLifecycleEventsEnabled", enabled=True)
        self.resize(width, height)
        if dark:
            self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])
        if not scripts:
            self.call("Emulation.setScriptExecutionDisabled", value=True)

    def call(self, method, **parameters):
        return self.browser.call(method, session=self.session, **parameters)

    def resize(self, width, height):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600)

    def receive(self, method, data):
        if method == "Network.requestWillBeSent":
            self.requests.append(data["request"]["url"])
        elif method == "Page.lifecycleEvent" and data["frameId"] == self.target:
            if data["name"] == "init":
                self.documents.append(data["loaderId"])
            elif data["name"] == "load":
                self.loads |= {data["loaderId"]}
        elif method == "Page.javascriptDialogOpening":
            self.dialogs.append(data["message"])
        elif method == "Log.entryAdded" and data["entry"]["level"] == "error":
            self.errors.append(f"{data['entry']['text']} {data['entry'].get('url', '')}")
        elif method == "Runtime.exceptionThrown":
            self.errors.append(data["exceptionDetails"]["text"])
        elif method == "Runtime.consoleAPICalled" and data["type"] in ("error", "assert"):
            self.errors.append(str(data["args"]))

    def loaded(self, before, seconds=30.0):
        """Waits for a document that was not there before."""
        deadline = time.monotonic() + seconds
        while self.loads <= before:
            self.browser.read(deadline, "page")

    def open(self, url):
        result = self.call("Page.navigate", url=url)
        assert "errorText" not in result, f"{url}: {result['errorText']}"
        # The page of an error before may tell only now that it is there; a script may lead on before the page is.
        deadline, asked = time.monotonic() + 30, result["loaderId"]
        while asked not in self.documents or self.loads.isdisjoint(self.documents[self.documents.index(asked):]):
            self.browser.read(deadline, "page")
        return self

    def evaluate(self, script):
        result = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, f"{script}: {result['exceptionDetails']}"
        return result["result"].get("value")

    def click(self, selector, loads=True):
        """Clicks an element; waits for the page that this leads to."""
        before = self.loads
        found = self.evaluate(f"(() => {{ const e = document.querySelector({json.dumps(selector)}); if (e) e.click(); return !!e }})()")
        assert found, f"no {selector} in {self.url}"
        if loads:
            self.loaded(before)
        return self

    def follow(self, text):
        """Clicks the link, button or summary with this text."""
        before = self.loads
        found = self.evaluate(
            "(() => { const e = [...document.querySelectorAll('a,button')].find(e => e.textContent.trim() === " + json.dumps(text)
            + "); if (e) e.click(); return !!e })()")
        assert found, f"no link {text!r} in {self.url}"
        self.loaded(before)
        return self

    def fill(self, selector, value):
        self.evaluate(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)}); e.value = {json.dumps(value)}; "
            "e.dispatchEvent(new Event('input', {bubbles: true})); })()")

    def press(self, key, code=None):
        codes = {"Tab": 9, "Enter": 13, "Escape": 27, "/": 191}
        for kind in ("keyDown", "keyUp"):
            text = {"text": "\r"} if key == "Enter" and kind == "keyDown" else {"text": "/"} if key == "/" and kind == "keyDown" else {}
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=code or key, windowsVirtualKeyCode=codes[key], **text)

    def wait_for(self, script, seconds=20.0):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            value = self.evaluate(script)
            if value:
                return value
            time.sleep(0.05)
        raise AssertionError(f"never true: {script} in {self.url}")

    @property
    def url(self):
        return self.evaluate("location.href")

    @property
    def text(self):
        return self.evaluate("document.querySelector('main').innerText")

    def texts(self, selector):
        return self.evaluate(f"[...document.querySelectorAll({json.dumps(selector)})].map(e => e.innerText.trim())")

    def screenshot(self, path, whole=False):
        options = {"captureBeyondViewport": True} if whole else {}
        if whole:
            size = self.call("Page.getLayoutMetrics")["cssContentSize"]
            options["clip"] = {"x": 0, "y": 0, "width": size["width"], "height": min(size["height"], 3000), "scale": 1}
        data = self.call("Page.captureScreenshot", format="png", **options)["data"]
        with open(path, "wb") as file:
            file.write(base64.b64decode(data))

    def close(self):
        self.browser.call("Target.closeTarget", targetId=self.target)
        self.browser.pages.pop(self.session, None)
