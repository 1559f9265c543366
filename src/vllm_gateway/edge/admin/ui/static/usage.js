// Who has used how much, from the ledger.

import { Refused, get } from "/ui/api.js";
import { el, field, replace, table, tile } from "/ui/dom.js";
import { brief, count } from "/ui/format.js";

export const title = "Usage";

const GROUPS = { "key": "Key", "model": "Model", "day": "Day", "key,model": "Key and model" };
const DAYS = { 1: "Today", 7: "Last 7 days", 30: "Last 30 days" };

export function open(place, { tell }) {
  const list = el("div");
  const group = chooser("usage-group", GROUPS);
  const days = chooser("usage-days", DAYS);
  days.value = "7";
  const section = {
    isLive: false,
    async refresh() {
      try {
        replace(list, await sums(group.value, Number(days.value)));
      } catch (error) {
        if (!(error instanceof Refused && error.status === 404)) throw error;
        replace(list, el("div", { className: "scroll" }, el("p", { className: "empty" }, error.message)));
      }
    },
  };
  for (const each of [group, days]) {
    each.addEventListener("change", () => section.refresh().catch((error) => tell(error.message)));
  }
  place.append(el("div", { className: "row" }, field("By", group), field("Of", days)), list);
  return section;
}

function chooser(id, choices) {
  return el("select", { id }, Object.entries(choices).map(([value, label]) => el("option", { value }, label)));
}

async function sums(group, days) {
  const first = new Date(Date.now() - (days - 1) * 86_400_000).toISOString().slice(0, 10);
  const answer = await get(`/admin/usage?${new URLSearchParams({ from: first, group })}`);
  const sum = (name) => answer.data.reduce((total, row) => total + row[name], 0);
  const most = answer.data.toSorted((a, b) => b.prompt_tokens + b.completion_tokens - a.prompt_tokens - a.completion_tokens);
  const rows = group === "day" ? answer.data : most;
  return [
    el(
      "div", { className: "tiles" },
      tile("Requests", count(sum("requests"))),
      tile("Failed", count(sum("failed"))),
      tile("Tokens in", brief(sum("prompt_tokens"))),
      tile("Cached tokens in", brief(sum("cached_tokens"))),
      tile("Tokens out", brief(sum("completion_tokens"))),
    ),
    table("Usage", columns(group), rows, `Nothing was used between ${answer.from} and ${answer.to}.`),
  ];
}

function columns(group) {
  return [
    ...group.split(",").map((by) => ({ label: GROUPS[by], value: (row) => (by === "key" ? row.key_name || row.key || "no key" : row[by]) })),
    { label: "Requests", kind: "number", value: (row) => count(row.requests) },
    { label: "Failed", kind: "number", value: (row) => count(row.failed) },
    { label: "Tokens in", kind: "number", value: (row) => count(row.prompt_tokens) },
    { label: "Cached", kind: "number", value: (row) => count(row.cached_tokens) },
    { label: "Tokens out", kind: "number", value: (row) => count(row.completion_tokens) },
  ];
}
