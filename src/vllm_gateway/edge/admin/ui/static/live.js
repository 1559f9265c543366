// What is being answered now; any of it can be stopped.

import { get, remove } from "/ui/api.js";
import { el, replace, table } from "/ui/dom.js";
import { count, seconds } from "/ui/format.js";

export const title = "Live requests";

export function open(place, { act }) {
  const named = keyNames();
  return {
    isLive: true,
    async refresh() {
      const [{ data }, names] = await Promise.all([get("/admin/requests"), named]);
      replace(place, table("Requests under way", columns(act, names), data, "Nothing is under way."));
    },
  };
}

// What keys are called, by their callers; while that cannot be told, callers go by the beginning of their ids.
async function keyNames() {
  const { data } = await get("/admin/keys").catch(() => ({ data: [] }));
  return new Map(data.map((each) => [each.caller, each.name]));
}

function columns(act, names) {
  return [
    { label: "Request", kind: "mono", value: (each) => each.id },
    { label: "Path", kind: "mono", value: (each) => each.path },
    { label: "Model", value: (each) => each.model },
    { label: "Replica", value: (each) => each.replica },
    { label: "Caller", value: (each) => names.get(each.caller) ?? each.caller?.slice(0, 8) },
    { label: "Age", kind: "number", value: (each) => seconds(each.seconds) },
    { label: "Tokens", kind: "number", value: (each) => count(each.tokens) },
    { label: "Attempts", kind: "number", value: (each) => count(each.attempts) },
    { label: "", value: (each) => el("span", { className: "actions" }, lever(each, act)) },
  ];
}

function lever(request, act) {
  return el(
    "button",
    {
      type: "button",
      className: "small danger",
      id: `stop-${request.id}`,
      "aria-label": `Stop ${request.id}`,
      onclick: () => act(() => remove(`/admin/requests/${encodeURIComponent(request.id)}`), "The request was stopped."),
    },
    "Stop",
  );
}
