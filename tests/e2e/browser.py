"""Chromium without a window, driven through its debugging pipe: JSON messages that end with a NUL, on descriptors 3 and 4.

    with Browser() as browser:
        page = browser.open("http://127.0.0.1:7464/")
        page.wait("document.title !== ''")

A browser is one process (with children) in a folder of its own, ended by pid. Each visitor has a context of his own: cookies, storage and, what
matters with long answers, connections. Command line: browser.py URL FILE.png [--size 1400x900] [--dark] [--until EXPRESSION] takes a picture.
"""
import base64
import contextlib
import json
import os
import pathlib
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

PATIENCE = float(os.environ.get("EVPIPE_PATIENCE", "1"))
ARGUMENTS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", "--no-first-run", "--no-default-browser-check", "--disable-background-networking",
             "--disable-component-update", "--disable-extensions", "--disable-sync", "--disable-features=Translate,OptimizationHints,MediaRouter", "--hide-scrollbars",
             "--disable-dev-shm-usage", "--no-proxy-server", "--disable-background-timer-throttling", "--disable-renderer-backgrounding",
             "--disable-backgrounding-occluded-windows", "--force-device-scale-factor=1", "about:blank"]


def find():
    """The program, or None."""
    return next((path for name in ("chromium", "chromium-headless-shell", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None)


class Failed(AssertionError):
    pass


class Browser:
    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="evpipe-browser-"))
        to_child, self.commands = os.pipe()
        self.answers, from_child = os.pipe()
        self.number = 0
        self.received = b""
        self.results = {}
        self.pages = {}
        self.stderr = open(self.folder / "stderr", "wb")
        # In the child 3 is what it reads from, 4 what it writes to; the shell puts them there.
        self.process = subprocess.Popen(["/bin/sh", "-c", f'exec "$@" 3<&{to_child} 4>&{from_child}', "sh", find(), f"--user-data-dir={self.folder}", *ARGUMENTS],
                                        pass_fds=(to_child, from_child), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True,
                                        stderr=self.stderr, env={**os.environ, "HOME": str(self.folder)})
        self.stderr.close()
        os.close(to_child)
        os.close(from_child)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        with contextlib.suppress(Failed, OSError):
            self.call("Browser.close", seconds=5)
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        for descriptor in (self.commands, self.answers):
            os.close(descriptor)
        shutil.rmtree(self.folder, ignore_errors=True)

    def call(self, method, session=None, seconds=60, **parameters):
        """A command, and its answer; what happens meanwhile goes to the pages."""
        self.number += 1
        number = self.number
        message = {"id": number, "method": method, "params": parameters, **({"sessionId": session} if session else {})}
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self.commands, data):]
        deadline = time.monotonic() + seconds * PATIENCE
        while number not in self.results:
            self.receive(deadline, method)
        answer = self.results.pop(number)
        if "error" in answer:
            raise Failed(f"{method}: {answer['error']}")
        return answer["result"]

    def receive(self, deadline, what):
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([self.answers], [], [], left)[0]:
            raise Failed(f"chromium did not answer in time: {what}")
        part = os.read(self.answers, 1 << 20)
        if not part:
            raise Failed(f"chromium has ended: {(self.folder / 'stderr').read_text(errors='replace')[-2000:]}")
        *messages, self.received = (self.received + part).split(b"\0")
        for message in map(json.loads, messages):
            if "id" in message:
                self.results[message["id"]] = message
            elif page := self.pages.get(message.get("sessionId")):
                page.happened(message["method"], message["params"])

    def drain(self):
        """What has happened until now reaches the pages."""
        self.call("Browser.getVersion")

    def open(self, url, width=1400, height=900, dark=False, before=""):
        """A visitor with a page of his own; `before` is a script that runs before those of the page."""
        context = self.call("Target.createBrowserContext")["browserContextId"]
        target = self.call("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = self.pages[session] = Page(self, session, context)
        for domain in ("Page", "Runtime", "Network", "Log", "Performance", "Accessibility"):
            page.call(domain + ".enable")
        page.size(width, height)
        page.scheme("dark" if dark else "light")
        if before:
            page.call("Page.addScriptToEvaluateOnNewDocument", source=before)
        page.go(url)
        return page


class Page:
    def __init__(self, browser, session, context):
        self.browser = browser
        self.session = session
        self.context = context
        self.problems = []  # exceptions and errors of the console
        self.requests = []  # addresses
        self.statuses = {}

    def happened(self, method, parameters):
        if method == "Runtime.exceptionThrown":
            details = parameters["exceptionDetails"]
            self.problems.append(details.get("exception", {}).get("description") or details["text"])
        elif method == "Runtime.consoleAPICalled" and parameters["type"] in ("error", "warning", "assert"):
            self.problems.append(" ".join(str(argument.get("value", argument.get("description"))) for argument in parameters["args"]))
        elif method == "Log.entryAdded" and parameters["entry"]["level"] in ("error", "warning"):
            self.problems.append(f"{parameters['entry']['text']} {parameters['entry'].get('url', '')}")
        elif method == "Network.requestWillBeSent":
            self.requests.append(parameters["request"]["url"])
        elif method == "Network.responseReceived":
            self.statuses[parameters["response"]["url"]] = parameters["response"]["status"]

    def call(self, method, **parameters):
        return self.browser.call(method, session=self.session, **parameters)

    def go(self, url):
        self.call("Page.navigate", url=url)

    def reload(self):
        self.call("Page.reload")

    def close(self):
        self.browser.pages.pop(self.session, None)
        self.browser.call("Target.disposeBrowserContext", browserContextId=self.context)

    def size(self, width, height):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600)

    def scheme(self, name, motion="no-preference"):
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}, {"name": "prefers-reduced-motion", "value": motion}])

    def value(self, expression):
        """Of a JavaScript expression; a promise is waited for."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise Failed(f"{expression}: {answer['exceptionDetails'].get('exception', {}).get('description')}")
        return answer["result"].get("value")

    def wait(self, expression, seconds=60, what=None):
        """Until the expression is true; its value. While the page is being loaded it may not even make sense."""
        deadline = time.monotonic() + seconds * PATIENCE
        pause, problem = 0.02, ""
        while True:
            try:
                value = self.value(expression)
                if value:
                    return value
                problem = f"it is {value!r}"
            except Failed as error:
                problem = str(error)
            if time.monotonic() > deadline:
                raise Failed(f"after {seconds * PATIENCE:.0f} s still not: {what or expression}; {problem}\n"
                             f"notice: {self.try_value('document.getElementById(`notice`)?.textContent')}; problems: {self.problems}")
            time.sleep(pause)
            pause = min(0.2, pause * 1.3)

    def try_value(self, expression):
        with contextlib.suppress(Failed):
            return self.value(expression)
        return None

    def text(self, selector):
        return self.value(f"document.querySelector({json.dumps(selector)}).innerText")

    def box(self, selector):
        """Left, top, width, height, after it has been scrolled into view."""
        return self.value(f"""(() => {{ const element = document.querySelector({json.dumps(selector)}); element.scrollIntoView({{block: "center", behavior: "instant"}});
                                const box = element.getBoundingClientRect(); return [box.left, box.top, box.width, box.height]; }})()""")

    def mouse(self, kind, x, y, button="none", buttons=0, clicks=0):
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button=button, buttons=buttons, clickCount=clicks)

    def move(self, selector, part=0.5, height=0.5):
        left, top, width, tall = self.box(selector)
        self.mouse("mouseMoved", left + part * width, top + height * tall)

    def click(self, selector):
        left, top, width, height = self.box(selector)
        x, y = left + width / 2, top + height / 2
        self.mouse("mouseMoved", x, y)
        self.mouse("mousePressed", x, y, "left", 1, 1)
        self.mouse("mouseReleased", x, y, "left", 0, 1)

    def drag(self, selector, begin, end):
        """Sideways over an element, from a part of its width to another."""
        left, top, width, height = self.box(selector)
        y = top + height / 2
        at = [left + width * (begin + (end - begin) * step / 8) for step in range(9)]
        self.mouse("mouseMoved", at[0], y)
        self.mouse("mousePressed", at[0], y, "left", 1, 1)
        for x in at[1:]:
            self.mouse("mouseMoved", x, y, "left", 1)
        self.mouse("mouseReleased", at[-1], y, "left", 0, 1)

    def key(self, key, code=None, text=None):
        codes = {"ArrowLeft": 37, "ArrowRight": 39, "Escape": 27, "Tab": 9, "Enter": 13, " ": 32}
        number = codes.get(key, ord(key.upper()) if len(key) == 1 else 0)
        text = text if text is not None else (key if len(key) == 1 else "\r" if key == "Enter" else "")
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, code=code or key, text=text, windowsVirtualKeyCode=number)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key, code=code or key, windowsVirtualKeyCode=number)

    def type(self, text):
        self.call("Input.insertText", text=text)

    def choose(self, selector, value):
        self.value(f"""(() => {{ const select = document.querySelector({json.dumps(selector)}); select.value = {json.dumps(str(value))};
                         select.dispatchEvent(new Event("change", {{bubbles: true}})); }})()""")

    def picture(self, path):
        data = self.call("Page.captureScreenshot", format="png", optimizeForSpeed=False)["data"]
        pathlib.Path(path).write_bytes(base64.b64decode(data))

    def metrics(self):
        return {each["name"]: each["value"] for each in self.call("Performance.getMetrics")["metrics"]}

    def tree(self):
        """The nodes of the accessibility tree that are not ignored: (role, name)."""
        nodes = self.call("Accessibility.getFullAXTree")["nodes"]
        return [(node.get("role", {}).get("value", ""), node.get("name", {}).get("value", "")) for node in nodes if not node.get("ignored")]


def main():
    import argparse
    parser = argparse.ArgumentParser(description="Takes a picture of a page.")
    parser.add_argument("url")
    parser.add_argument("file")
    parser.add_argument("--size", default="1400x900")
    parser.add_argument("--dark", action="store_true")
    parser.add_argument("--until", default="document.readyState === 'complete'", help="an expression of JavaScript that has to be true first")
    parser.add_argument("--patience", type=float, default=15, metavar="SECONDS", help="how long at most it may take until it is")
    parser.add_argument("--do", default="", help="an expression to be evaluated then")
    parser.add_argument("--settle", type=float, default=0.6, help="seconds between that and the picture")
    given = parser.parse_args()
    if not find():
        print("browser: chromium is not installed", file=sys.stderr)
        return 77
    width, height = map(int, given.size.split("x"))
    with Browser() as browser:
        page = browser.open(given.url, width, height, given.dark)
        page.wait(given.until, given.patience)
        if given.do:
            page.value(given.do)
        time.sleep(given.settle)
        page.picture(given.file)
        for problem in page.problems:
            print("browser:", problem, file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
