// The last requests that did not go as they should.

import { get } from "/ui/api.js";
import { badge, replace, table } from "/ui/dom.js";
import { clock, count, seconds } from "/ui/format.js";

export const title = "Recent errors";

const NEARLY = new Set(["ok_retried", "ok_resumed"]);

export function open(place) {
  return {
    isLive: true,
    async refresh() {
      const { notable } = await get("/admin/recent");
      replace(place, table("Recent errors", COLUMNS, notable, "Nothing has gone wrong since the gateway started."));
    },
  };
}

const COLUMNS = [
  { label: "When", value: (each) => clock(each.ended) },
  { label: "Outcome", value: (each) => badge(each.outcome.replaceAll("_", " "), NEARLY.has(each.outcome) ? "warn" : "bad") },
  { label: "Status", kind: "number", value: (each) => each.status ?? "–" },
  { label: "Path", kind: "mono", value: (each) => each.path },
  { label: "Model", value: (each) => each.model },
  { label: "Replica", value: (each) => each.replica },
  { label: "Attempts", kind: "number", value: (each) => count(each.attempts) },
  { label: "Took", kind: "number", value: (each) => seconds(each.seconds) },
  { label: "Request", kind: "mono", value: (each) => each.id },
];
