// Client keys and their limits. A new key is shown once, here, and is kept nowhere.

import { get, post, remove } from "/ui/api.js";
import { badge, el, field, replace, table } from "/ui/dom.js";
import { count, date } from "/ui/format.js";

export const title = "Keys and limits";

const LIMITS = {
  requests_per_minute: "Requests per minute",
  requests_per_second: "Requests per second",
  tokens_per_minute: "Tokens per minute",
  tokens_per_day: "Tokens per day",
  concurrent: "At the same time",
};

export function open(place, { act }) {
  const list = el("div");
  const made = el("div", { role: "status" });
  place.append(form(act, made), made, list);
  return {
    isLive: false,
    async refresh() {
      const { data } = await get("/admin/keys");
      replace(list, table("Client keys", columns(act), data, "There is no key yet."));
    },
  };
}

function form(act, made) {
  const name = el("input", { id: "key-name", required: true, maxLength: 64, autocomplete: "off" });
  const models = el("input", { id: "key-models", placeholder: "all", autocomplete: "off" });
  const priority = el("select", { id: "key-class" }, ["interactive", "standard", "batch"].map((each) => el("option", {}, each)));
  priority.value = "standard";
  const expires = el("input", { id: "key-expires", placeholder: "never, 30d or 2027-01-31", autocomplete: "off" });
  const limits = Object.entries(LIMITS).map(([limit, label]) => {
    const input = el("input", { id: `key-${limit}`, type: "number", min: 0, placeholder: "no own limit" });
    return { limit, input, labelled: field(label, input) };
  });
  const parts = el(
    "form", { className: "card", id: "new-key" },
    el("h3", {}, "New key"),
    el("div", { className: "row" }, field("Name", name), field("Models, with commas between", models), field("Class", priority), field("Expires", expires)),
    el("div", { className: "row" }, limits.map(({ labelled }) => labelled)),
    el("button", { type: "submit" }, "Create key"),
  );
  parts.addEventListener("submit", async (event) => {
    event.preventDefault();
    const body = { name: name.value, class: priority.value };
    const wanted = models.value.split(",").map((each) => each.trim()).filter(Boolean);
    if (wanted.length) body.models = wanted;
    if (expires.value.trim()) body.expires = expires.value.trim();
    for (const { limit, input } of limits) if (input.value) body[limit] = Number(input.value);
    const key = await act(() => post("/admin/keys", body), `The key ${name.value} was created.`);
    if (key === null) return;
    replace(made, shownOnce(key));
    parts.reset();
    priority.value = "standard";
  });
  return parts;
}

function shownOnce(key) {
  return el(
    "div", { className: "card" },
    el("h3", {}, `The key ${key.name}`),
    el("p", {}, "Copy it now: it is not shown again."),
    el("p", { className: "secret mono", id: "new-secret" }, key.key),
    el("button", { type: "button", className: "quiet", onclick: () => navigator.clipboard.writeText(key.key) }, "Copy"),
  );
}

function columns(act) {
  return [
    { label: "Name", value: (each) => each.name },
    { label: "Key", kind: "mono hint", value: (each) => each.hint },
    { label: "State", value: (each) => badge(each.state, { valid: "good", expired: "warn", revoked: "bad" }[each.state] ?? "dim") },
    { label: "Models", value: (each) => each.models.join(", ") || "all" },
    { label: "Limits", value: limits },
    { label: "Class", value: (each) => each.class },
    { label: "Created", value: (each) => date(each.created) },
    { label: "Expires", value: (each) => date(each.expires) },
    { label: "", value: (each) => el("span", { className: "actions" }, lever(each, act)) },
  ];
}

function limits(key) {
  const own = Object.entries(LIMITS).filter(([limit]) => key[limit]);
  return own.map(([limit, label]) => `${label}: ${count(key[limit])}`).join(", ") || "as in the settings";
}

// The first press asks, the second one does it.
function lever(key, act) {
  if (key.state === "revoked") return null;
  const button = el("button", { type: "button", className: "small danger", id: `revoke-${key.id}`, "aria-label": `Revoke ${key.name}` }, "Revoke");
  button.addEventListener("click", () => {
    if (button.dataset.asked) {
      act(() => remove(`/admin/keys/${encodeURIComponent(key.id)}`), `The key ${key.name} lets nobody in any more.`);
    } else {
      button.dataset.asked = "yes";
      button.textContent = "Really revoke?";
      button.setAttribute("aria-label", `Really revoke ${key.name}?`);
    }
  });
  return button;
}
