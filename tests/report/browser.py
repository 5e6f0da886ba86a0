"""Headless Chromium, driven by the DevTools protocol over a pipe: what a page fetches, and how it lies."""

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Timer
from typing import Any, BinaryIO

CHROMIUM = next((found for name in ("chromium", "chromium-browser") if (found := shutil.which(name))), None)
SWITCHES = (
    *("--headless=new", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars"),
    *("--disable-extensions", "--disable-default-apps", "--disable-dev-shm-usage", "--no-proxy-server"),
)
PHONE, DESK = 390, 1280  # pixels
PATIENCE = 600  # seconds until a Chromium that hangs is ended
LAID_OUT = """(() => {
  const page = document.documentElement;
  const wide = [...document.body.querySelectorAll('*')].filter(e => {
    const box = e.getBoundingClientRect();
    return box.width && box.right > page.clientWidth + 1 && !e.closest('.scroll, pre');
  });
  return {scroll: page.scrollWidth, client: page.clientWidth, height: page.scrollHeight,
          wide: wide.slice(0, 5).map(e => e.outerHTML.slice(0, 120))};
})()"""


@dataclass
class Shown:
    """What became of a page."""

    fetched: list[str] = field(default_factory=list)  # addresses that were asked for, but data:
    complaints: list[str] = field(default_factory=list)  # errors and warnings of the console, exceptions
    layout: Mapping[str, Any] = field(default_factory=dict)  # of the document: scroll, client, height, wide
    background: str = ""
    text: str = ""
    picture: bytes = b""  # PNG


class Browser:
    """A running Chromium with one page."""

    def __init__(self, out: BinaryIO, into: BinaryIO) -> None:
        self.out, self.into = out, into
        self.number, self.buffer, self.session = 0, b"", ""
        self.events: list[dict[str, Any]] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Ask for something and return the answer; what happens meanwhile becomes events."""
        self.number += 1
        message: dict[str, Any] = {"id": self.number, "method": method, "params": parameters}
        message |= {"sessionId": self.session} if self.session else {}
        self.out.write(json.dumps(message).encode() + b"\0")
        self.out.flush()
        while (answer := self.receive()).get("id") != self.number:
            self.events.append(answer)
        assert "error" not in answer, answer
        return dict(answer["result"])

    def receive(self) -> dict[str, Any]:
        """The next message."""
        while b"\0" not in self.buffer:
            part = self.into.read1(1 << 20)  # type: ignore[attr-defined]
            assert part, "Chromium has ended"
            self.buffer += part
        first, _, self.buffer = self.buffer.partition(b"\0")
        return dict(json.loads(first))

    def wait_for(self, method: str) -> None:
        """Wait until something has happened."""
        while not any(event.get("method") == method for event in self.events):
            self.events.append(self.receive())

    def show(self, file: Path, width: int, *, dark: bool, picture: bool = False, most: int = 16000) -> Shown:
        """Show a file in a window of a width, in the colours that the user prefers."""
        self.events = []
        view = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
        self.call("Emulation.setDeviceMetricsOverride", **view)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call("Page.navigate", url=file.as_uri())
        self.wait_for("Page.loadEventFired")
        shown = Shown(layout=self.value(LAID_OUT))
        shown.background = str(self.value("getComputedStyle(document.body).backgroundColor"))
        shown.text = str(self.value("document.body.innerText"))
        if picture:
            height = min(shown.layout["height"], most)
            clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
            taken = self.call("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)
            shown.picture = base64.b64decode(taken["data"])
        shown.fetched, shown.complaints = list(fetched(self.events)), list(complaints(self.events))
        return shown

    def value(self, expression: str) -> Any:
        """The value of an expression in the page."""
        return self.call("Runtime.evaluate", expression=expression, returnByValue=True)["result"]["value"]


def fetched(events: list[dict[str, Any]]) -> Iterator[str]:
    """The addresses that a page asked for."""
    for event in events:
        if event.get("method") == "Network.requestWillBeSent":
            url = event["params"]["request"]["url"]
            yield from [] if url.startswith("data:") else [url]


def complaints(events: list[dict[str, Any]]) -> Iterator[str]:
    """What the console says, and exceptions."""
    for event in events:
        parameters = event.get("params", {})
        if event.get("method") in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown"):
            yield json.dumps(parameters)
        if event.get("method") == "Log.entryAdded" and parameters["entry"]["level"] != "verbose":
            yield parameters["entry"]["text"]


@contextmanager
def browser(profile: Path) -> Iterator[Browser]:
    """A Chromium of our own, with a profile in a folder; it reads commands from descriptor 3, writes to 4."""
    assert CHROMIUM
    theirs_in, ours_out = os.pipe()
    ours_in, theirs_out = os.pipe()
    high = [os.dup(theirs_in), os.dup(theirs_out)]  # neither is 3 or 4, which are taken by now

    def move() -> None:
        os.dup2(high[0], 3)
        os.dup2(high[1], 4)

    command = [CHROMIUM, *SWITCHES, f"--user-data-dir={profile}", "about:blank"]
    silent = subprocess.DEVNULL
    process = subprocess.Popen(command, pass_fds=(3, 4), preexec_fn=move, stdout=silent, stderr=silent)
    for descriptor in (theirs_in, theirs_out, *high):
        os.close(descriptor)
    watchdog = Timer(PATIENCE, process.kill)  # the pipe then ends, and whoever waits goes on
    watchdog.start()
    with os.fdopen(ours_out, "wb") as out, os.fdopen(ours_in, "rb") as into:
        try:
            yield Browser(out, into)
        finally:
            watchdog.cancel()
            process.kill()
            process.wait()
