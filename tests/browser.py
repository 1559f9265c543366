"""Chromium without a window, told what to do over the pipe of its DevTools protocol; needs Debian's `chromium`."""

import asyncio
import base64
import itertools
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from vllm_gateway import codec

PATIENCE_S = 90
_MOST_BYTES = 32 * 1024 * 1024
_QUIET = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--no-proxy-server",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
"""It draws for nobody, and asks nobody but this machine."""
_TOLD = "el => el.dispatchEvent(new Event('input', {bubbles: true}))"


class PageFailed(AssertionError):
    """A script of the page raised something, or what was looked for did not come."""


class Browser:
    """One page of a browser."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._numbers = itertools.count(1)
        self._session: str | None = None
        self.complaints: list[str] = []
        """What the page has written to its console as an error: broken policies and failed scripts among it."""

    async def open(self) -> None:
        """Open an empty page."""
        target = (await self.tell("Target.createTarget", url="about:blank"))["targetId"]
        found = await self.tell("Target.attachToTarget", targetId=target, flatten=True)
        self._session = found["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            await self.tell(f"{domain}.enable")

    async def tell(self, method: str, **parameters: Any) -> dict[str, Any]:  # noqa: ANN401 - whatever it takes
        """Give an order; return what came of it."""
        number = next(self._numbers)
        order: dict[str, Any] = {"id": number, "method": method, "params": parameters}
        if self._session is not None:
            order["sessionId"] = self._session
        self._writer.write(codec.dumps(order) + b"\0")
        async with asyncio.timeout(PATIENCE_S):
            await self._writer.drain()
            while (said := codec.loads((await self._reader.readuntil(b"\0"))[:-1])).get("id") != number:
                self._hear(said)
        if "error" in said:
            raise PageFailed(f"{method}: {said['error']}")
        result: dict[str, Any] = said["result"]
        return result

    async def go(self, url: str) -> None:
        """Open an address."""
        await self.tell("Page.navigate", url=url)

    async def look(self, expression: str) -> Any:  # noqa: ANN401 - any value of the page
        """Return the value of an expression of the page's language; a promise is waited for."""
        said = await self.tell("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in said:
            raise PageFailed(str(said["exceptionDetails"]))
        return said["result"].get("value")

    async def until(self, expression: str) -> None:
        """Return when an expression is true; the page is asked again and again."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not await self._is_true(expression):  # noqa: ASYNC110 - it tells nobody
                    await asyncio.sleep(0.05)
        except TimeoutError:
            shown = await self.look("document.body?.innerText")
            raise PageFailed(f"never true: {expression}\n{shown}\n{self.complaints}") from None

    async def _is_true(self, expression: str) -> bool:
        """Say whether an expression is true now; while a page is only coming there is nothing to look at."""
        try:
            return bool(await self.look(expression))
        except PageFailed:
            return False

    async def until_shown(self, text: str) -> None:
        """Return when the page shows a text."""
        await self.until(f"document.body.innerText.includes({codec.dumps(text).decode()})")

    async def fill(self, selector: str, text: str) -> None:
        """Write into a field."""
        where, words = codec.dumps(selector).decode(), codec.dumps(text).decode()
        await self.until(f"document.querySelector({where}) !== null")
        await self.look(f"{{const el = document.querySelector({where}); el.value = {words}; ({_TOLD})(el)}}")

    async def click(self, selector: str) -> None:
        """Press a button, or follow a link."""
        where = codec.dumps(selector).decode()
        await self.until(f"document.querySelector({where}) !== null")
        await self.look(f"document.querySelector({where}).click()")

    async def press(self, key: str, code: int) -> None:
        """Press a key on the keyboard, wherever its focus is."""
        for kind in ("rawKeyDown", "char", "keyUp"):
            text = {"text": "\r"} if key == "Enter" and kind != "keyUp" else {}
            if kind != "char" or text:
                await self.tell("Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code, **text)

    async def wear(self, theme: str, *, width: int = 1200, height: int = 720) -> None:
        """Be a screen of this size, on a system with this theme."""
        await self.tell(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False
        )
        wish = {"name": "prefers-color-scheme", "value": theme}
        await self.tell("Emulation.setEmulatedMedia", features=[wish])

    async def picture(self) -> bytes:
        """Return what is to be seen, as PNG."""
        return base64.b64decode((await self.tell("Page.captureScreenshot", format="png"))["data"])

    def _hear(self, said: dict[str, Any]) -> None:
        entry = said.get("params", {}).get("entry", {})
        if said.get("method") == "Log.entryAdded" and entry.get("level") == "error":
            self.complaints.append(f"{entry.get('text')} {entry.get('url', '')}")
        elif said.get("method") == "Runtime.exceptionThrown":
            self.complaints.append(str(said["params"]["exceptionDetails"]))


@asynccontextmanager
async def browser(folder: Path) -> AsyncIterator[Browser]:
    """Run a browser with an empty profile in `folder`, and open a page in it."""
    theirs_in, ours_out = os.pipe()
    ours_in, theirs_out = os.pipe()
    flags = (*_QUIET, "--remote-debugging-pipe", f"--user-data-dir={folder / 'profile'}")
    with (folder / "chromium.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *("bash", "-c", f'exec chromium "$@" 3<&{theirs_in} 4>&{theirs_out}', "bash", *flags),
            pass_fds=(theirs_in, theirs_out),
            stdout=log,
            stderr=log,
        )
    os.close(theirs_in)
    os.close(theirs_out)
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=_MOST_BYTES)
    heard, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(ours_in, "rb"))
    spoken, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, os.fdopen(ours_out, "wb"))
    page = Browser(reader, asyncio.StreamWriter(spoken, protocol, None, loop))
    try:
        await page.open()
        yield page
    finally:
        spoken.close()
        heard.close()
        if process.returncode is None:
            process.kill()
        await process.wait()
