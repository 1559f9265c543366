// A chat box: asks the gateway like any caller, and shows the answer while it comes.

import { events, get, send } from "/ui/api.js";
import { el, field } from "/ui/dom.js";

export const title = "Chat";

export function open(place, { tell }) {
  const messages = [];
  let asking = null;
  const log = el("div", { className: "card chat", id: "chat-log", role: "log", tabIndex: 0, "aria-label": "Conversation" });
  const model = el("select", { id: "chat-model" });
  const key = el("input", { id: "chat-key", type: "password", autocomplete: "off" });
  const keyField = field("Client key (this gateway asks callers for one)", key);
  keyField.hidden = true;
  const words = el("textarea", { id: "chat-words", rows: 2, required: true, placeholder: "Say something. Enter sends, Shift+Enter begins a new line." });
  const go = el("button", { type: "submit", id: "chat-send" }, "Send");
  const stop = el("button", { type: "button", className: "quiet", disabled: true, onclick: () => asking?.abort() }, "Stop");
  const clear = el("button", { type: "button", className: "quiet", onclick: () => { messages.length = 0; log.replaceChildren(); } }, "New chat");
  const form = el(
    "form", {},
    el("div", { className: "row" }, field("Model", model), keyField),
    log,
    field("Message", words),
    el("div", { className: "row" }, go, stop, clear),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (asking === null && words.value.trim()) ask();
  });
  words.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      form.requestSubmit();
    }
  });
  place.append(form);

  function say(kind, text) {
    const said = el("div", { className: `said ${kind}` }, text);
    log.append(said);
    log.scrollTop = log.scrollHeight;
    return said;
  }

  async function ask() {
    asking = new AbortController();
    go.disabled = !(stop.disabled = false);
    messages.push({ role: "user", content: words.value });
    say("user", words.value);
    words.value = "";
    const said = say("assistant", "");
    try {
      await stream(said);
      messages.push({ role: "assistant", content: said.textContent });
    } catch (error) {
      if (!said.textContent) said.remove();
      if (error.name !== "AbortError") say("error", error.message);
      messages.pop();
    }
    asking = null;
    go.disabled = !(stop.disabled = true);
  }

  async function stream(said) {
    const headers = key.value ? { authorization: `Bearer ${key.value}` } : {};
    const body = { model: model.value, messages, stream: true };
    const reply = await send("POST", "/admin/chat", body, { signal: asking.signal, headers });
    for await (const data of events(reply)) {
      if (data === "[DONE]") return;
      const event = JSON.parse(data);
      if (event.error) throw new Error(event.error.message);
      said.append(event.choices?.[0]?.delta?.content ?? "");
      log.scrollTop = log.scrollHeight;
    }
  }

  return {
    isLive: false,
    close: () => asking?.abort(),
    async refresh() {
      const [replicas, config] = await Promise.all([get("/admin/replicas"), get("/admin/config")]);
      const names = [...new Set(replicas.data.flatMap((each) => each.models))];
      const chosen = model.value;
      model.replaceChildren(...names.map((name) => el("option", {}, name)));
      if (names.includes(chosen)) model.value = chosen;
      keyField.hidden = config.settings.auth?.mode === "none";
      if (!names.length) tell("No replica serves a model yet.");
    },
  };
}
