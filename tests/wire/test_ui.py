"""The page at `/ui` in a browser; needs Debian's package `chromium`."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest

from tests.browser import Browser, browser
from tests.wire.operated import ADMIN_KEY, Operated, operated
from tests.wire.sims import fast

pytestmark = pytest.mark.servers


@asynccontextmanager
async def page(folder: Path, one: Operated) -> AsyncIterator[Browser]:
    """Open the page of a gateway; nobody is logged in."""
    async with browser(folder) as shown:
        await shown.go(f"{one.admin.base_url}/ui")
        await shown.until_shown("Admin key")
        yield shown


async def log_in(shown: Browser) -> None:
    """Log in with the right key."""
    await shown.fill("#key", ADMIN_KEY)
    await shown.click("form button")
    await shown.until_shown("Replicas usable")


async def test_whoever_has_the_key_sees_the_fleet(tmp_path: Path) -> None:
    """Not before; and a replica rests and goes on at the press of a button."""
    async with operated(fast(), fast()) as one, page(tmp_path, one) as shown:
        await shown.fill("#key", "not-the-key-of-this-gateway")
        await shown.click("form button")
        await shown.until_shown("This is not the admin key.")
        await log_in(shown)
        first, second = one.door.parts.pool.replicas
        for replica in (first, second):
            await shown.until_shown(replica.name)
        await shown.click(f"[id='lever-{first.name}']")
        await shown.until_shown(f"{first.name} gets nothing new.")
        assert (first.is_draining, second.is_draining) == (True, False)
        await shown.until_shown("Resume")
        await shown.click(f"[id='lever-{first.name}']")
        await shown.until_shown(f"{first.name} gets requests again.")
        assert not first.is_draining
        await shown.click("#logout")
        await shown.until_shown("Admin key")
        await shown.go(f"{one.admin.base_url}/ui?again")
        await shown.until("location.search === '?again'")
        await shown.until_shown("Admin key")


async def test_a_key_is_made_shown_once_and_revoked(tmp_path: Path) -> None:
    """It lets its owner in with the limits that were chosen, and not after it was revoked."""
    keys = tmp_path / "keys.yaml"
    auth = {"mode": "keys", "admin_key": ADMIN_KEY, "keys_file": str(keys)}
    keys.write_text("keys: []\n")
    keys.chmod(0o600)
    async with operated(fast(), auth=auth) as one, page(tmp_path, one) as shown:
        await log_in(shown)
        await shown.click("a[href='#keys']")
        await shown.fill("#key-name", "<b>somebody</b>")
        await shown.fill("#key-requests_per_minute", "60")
        await shown.click("#new-key button")
        await shown.until_shown("Copy it now")
        secret = await shown.look("document.getElementById('new-secret').textContent")
        await shown.until_shown("Requests per minute: 60")
        assert await shown.look("document.querySelector('td b') === null")
        bearer = {"authorization": f"Bearer {secret}"}
        assert (await one.door.http.get("/v1/models", headers=bearer)).status_code == 200
        await shown.click("a[href='#fleet']")
        await shown.click("a[href='#keys']")
        await shown.until_shown("<b>somebody</b>")
        assert secret not in await shown.look("document.documentElement.outerHTML")
        await shown.click("button[id^='revoke-']")
        await shown.until_shown("Really revoke?")
        await shown.click("button[id^='revoke-']")
        await shown.until_shown("revoked")
        assert (await one.door.http.get("/v1/models", headers=bearer)).status_code == 401


async def test_the_chat_box_streams_an_answer_by_keyboard_alone(tmp_path: Path) -> None:
    """It is a request like any other, which the gateway has written down; the page did nothing against its policy."""
    async with operated(fast()) as one, page(tmp_path, one) as shown:
        await shown.look("document.getElementById('key').focus()")
        await shown.tell("Input.insertText", text=ADMIN_KEY)
        await shown.press("Enter", 13)
        await shown.until_shown("Replicas usable")
        await shown.click("a[href='#chat']")
        await shown.until("document.querySelector('#chat-model option') !== null")
        await shown.look("document.getElementById('chat-words').focus()")
        await shown.tell("Input.insertText", text="Hello")
        await shown.press("Enter", 13)
        await shown.until("document.querySelector('.said.assistant')?.textContent.length > 0")
        await shown.until("!document.getElementById('chat-send').disabled")
        assert await shown.look("document.querySelector('.said.error') === null")
        (ended,) = one.door.parts.recent.ended()
        assert (ended.path, str(ended.outcome)) == ("/v1/chat/completions", "ok")
        for section in ("live", "models", "usage", "errors", "keys", "fleet"):
            await shown.click(f"a[href='#{section}']")
            await shown.until(f"document.querySelector('nav a[aria-current]').hash === '#{section}'")
            await shown.until("document.querySelector('main .scroll') !== null")
        assert [each for each in shown.complaints if "401" not in each and "404" not in each] == []


async def test_the_model_that_was_chosen_stays_chosen(tmp_path: Path) -> None:
    """The list is read again whenever the page comes back to view."""
    async with operated(fast(models=("first", "second"))) as one, page(tmp_path, one) as shown:
        await log_in(shown)
        await shown.click("a[href='#chat']")
        await shown.until("document.querySelectorAll('#chat-model option').length > 1")
        options = "[...document.querySelectorAll('#chat-model option')]"
        last = await shown.look(f"{options}.at(-1).value")
        await shown.look(f"document.getElementById('chat-model').value = {last!r}")
        await shown.look(f"{options}.forEach((each) => (each.dataset.old = 'yes'))")
        await shown.look("document.dispatchEvent(new Event('visibilitychange'))")
        await shown.until(f"{options}.length > 1 && !{options}.some((each) => each.dataset.old)")
        assert await shown.look("document.getElementById('chat-model').value") == last


async def test_a_live_request_is_seen_and_stopped(tmp_path: Path) -> None:
    """With a button; its stream breaks off, and what became of it is among the errors."""
    async with operated(fast(itl_ms=50)) as one, page(tmp_path, one) as shown:
        await log_in(shown)
        await shown.click("a[href='#live']")
        await shown.until_shown("Nothing is under way.")
        body = {"model": "sim-small", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 4000}
        asking = asyncio.get_running_loop().create_task(
            one.door.http.post("/v1/chat/completions", json=body | {"stream": True, "ignore_eos": True})
        )
        await shown.click("button[id^='stop-']")
        await shown.until_shown("The request was stopped.")
        with pytest.raises(httpx2.RemoteProtocolError):
            await asking
        (ended,) = one.door.parts.recent.notable()
        await shown.click("a[href='#errors']")
        await shown.until_shown(ended.request_id)


async def test_a_chosen_theme_stays(tmp_path: Path) -> None:
    """Until then the system's counts; the button goes round, and what it chose is there after the page came again."""
    async with operated(fast()) as one, page(tmp_path, one) as shown:
        background = "getComputedStyle(document.body).backgroundColor"
        await shown.wear("dark")
        dark = await shown.look(background)
        await shown.wear("light")
        light = await shown.look(background)
        assert light != dark
        for wanted in (light, dark):
            await shown.click("#theme")
            assert await shown.look(background) == wanted
        await shown.go(f"{one.admin.base_url}/ui?again")
        await shown.until("location.search === '?again'")
        await shown.until_shown("Theme: dark")
        assert await shown.look(background) == dark


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_it_fits_a_narrow_screen_and_can_be_read(tmp_path: Path, theme: str) -> None:
    """At 380 pixels nothing is cut off; every text stands out from what is behind it as WCAG asks (4.5 to 1)."""
    async with operated(fast(), fast()) as one, page(tmp_path, one) as shown:
        await shown.wear(theme, width=380)
        await log_in(shown)
        for section in ("fleet", "live", "models", "keys", "usage", "errors", "chat"):
            await shown.click(f"a[href='#{section}']")
            await shown.until(f"document.querySelector('nav a[aria-current]').hash === '#{section}'")
            assert await shown.look("document.documentElement.scrollWidth") <= 380
            assert await shown.look(FAINT) == []


FAINT = """(() => {
  const parts = (color) => color.match(/[\\d.]+/g).map(Number);
  const light = (color) => {
    const linear = (c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    const [r, g, b] = parts(color).slice(0, 3).map((c) => linear(c / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (el) => {
    for (; el; el = el.parentElement) {
      const color = getComputedStyle(el).backgroundColor;
      if ((parts(color)[3] ?? 1) > 0) return color;
    }
    return "rgb(255, 255, 255)";
  };
  return [...document.body.querySelectorAll("*")].filter((el) => {
    const says = [...el.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!says || !el.offsetParent || el.disabled) return false;
    const [a, b] = [light(getComputedStyle(el).color), light(behind(el))];
    return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) < 4.5;
  }).map((el) => el.outerHTML.slice(0, 120));
})()"""
"""The elements whose text has too little contrast."""
