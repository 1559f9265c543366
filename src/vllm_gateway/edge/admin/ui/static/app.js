// The frame of the page: who is logged in, which section is shown, and when it is looked at again.

import { Refused, get, post } from "/ui/api.js";
import { el, field, replace } from "/ui/dom.js";
import * as chat from "/ui/chat.js";
import * as errors from "/ui/errors.js";
import * as fleet from "/ui/fleet.js";
import * as keys from "/ui/keys.js";
import * as live from "/ui/live.js";
import * as models from "/ui/models.js";
import * as usage from "/ui/usage.js";

const EVERY_MS = 2000;
const SECTIONS = { fleet, live, models, keys, usage, errors, chat };
const THEMES = ["auto", "light", "dark"];

const content = document.getElementById("content");
const notice = document.getElementById("notice");
const sections = document.getElementById("sections");
const logout = document.getElementById("logout");
const theme = document.getElementById("theme");

let shown = null;
let timer = 0;

function tell(text, isGood = false) {
  notice.textContent = text;
  notice.classList.toggle("good", isGood);
}

function fail(error) {
  if (error instanceof Refused && error.status === 401) showLogin();
  else tell(error instanceof Refused ? error.message : "The gateway does not answer. The page tries again.");
}

// What a button does: the outcome is told, and the section is looked at again.
async function act(doing, done) {
  try {
    const result = await doing();
    tell(done ?? "", true);
    await refresh();
    return result;
  } catch (error) {
    fail(error);
    return null;
  }
}

async function refresh() {
  clearTimeout(timer);
  const section = shown;
  if (section === null) return;
  try {
    if (!document.hidden) {
      await section.refresh();
      if (!notice.classList.contains("good")) tell("");
    }
  } catch (error) {
    if (section === shown) fail(error);
  }
  if (section === shown && section.isLive) timer = setTimeout(refresh, EVERY_MS);
}

function show() {
  const name = location.hash.slice(1) in SECTIONS ? location.hash.slice(1) : "fleet";
  const module = SECTIONS[name];
  sections.hidden = logout.hidden = false;
  replace(sections, Object.entries(SECTIONS).map(([each, { title }]) => {
    const link = el("a", { href: `#${each}` }, title);
    if (each === name) link.setAttribute("aria-current", "page");
    return link;
  }));
  document.title = `${module.title} · vllm-gateway`;
  tell("");
  const place = el("div");
  shown?.close?.();
  shown = module.open(place, { act, tell });
  replace(content, el("h2", {}, module.title), place);
  refresh();
}

function showLogin() {
  shown?.close?.();
  shown = null;
  clearTimeout(timer);
  sections.hidden = logout.hidden = true;
  document.title = "Log in · vllm-gateway";
  const key = el("input", { type: "password", id: "key", autocomplete: "current-password", required: true });
  const form = el(
    "form", { className: "card login" },
    el("h2", {}, "Log in"),
    field("Admin key", key),
    el("p", { className: "dim" }, "The key in auth.admin_key of this gateway. The page keeps a cookie for eight hours, not the key."),
    el("button", { type: "submit" }, "Log in"),
  );
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      await post("/ui/login", { key: key.value });
      show();
    } catch (error) {
      tell(error.message);
      key.select();
    }
  });
  replace(content, form);
  key.focus();
}

function wear(name) {
  if (name === "auto") {
    localStorage.removeItem("theme");
    delete document.documentElement.dataset.theme;
  } else {
    localStorage.setItem("theme", name);
    document.documentElement.dataset.theme = name;
  }
  theme.textContent = `Theme: ${name}`;
}

theme.addEventListener("click", () => {
  const now = document.documentElement.dataset.theme ?? "auto";
  wear(THEMES[(THEMES.indexOf(now) + 1) % THEMES.length]);
});
logout.addEventListener("click", async () => {
  await post("/ui/logout").catch(fail);
  tell("");
  showLogin();
});
window.addEventListener("hashchange", () => shown !== null && show());
document.addEventListener("visibilitychange", () => !document.hidden && refresh());

wear(document.documentElement.dataset.theme ?? "auto");
get("/admin/requests").then(show, (error) => {
  showLogin();
  if (!(error instanceof Refused && error.status === 401)) fail(error);
});
