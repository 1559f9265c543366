// The models: who serves them, and how they did in the last minute.

import { get } from "/ui/api.js";
import { replace, table } from "/ui/dom.js";
import { brief, count, seconds } from "/ui/format.js";

export const title = "Models";

export function open(place) {
  return {
    isLive: true,
    async refresh() {
      const [replicas, recent] = await Promise.all([get("/admin/replicas"), get("/admin/recent")]);
      const rows = served(replicas.data, recent);
      replace(place, table("Models", columns(recent.window_s), rows, "No replica serves a model yet."));
    },
  };
}

function served(replicas, recent) {
  const rows = new Map();
  for (const replica of replicas) {
    for (const name of replica.models) {
      const row = rows.get(name) ?? { name, routes: new Set(), replicas: 0, usable: 0 };
      row.routes.add(replica.route);
      row.replicas += 1;
      row.usable += replica.usable ? 1 : 0;
      rows.set(name, row);
    }
  }
  for (const each of recent.models) Object.assign(rows.get(each.name) ?? {}, { recent: each });
  return [...rows.values()];
}

function columns(windowSeconds) {
  return [
    { label: "Model", value: (row) => row.name },
    { label: "Route", value: (row) => [...row.routes].join(", ") },
    { label: "Replicas usable", kind: "number", value: (row) => `${row.usable} of ${row.replicas}` },
    { label: "Requests, last minute", kind: "number", value: (row) => count(row.recent?.requests ?? 0) },
    { label: "Failed", kind: "number", value: (row) => count(row.recent?.failed ?? 0) },
    { label: "Tokens/s", kind: "number", value: (row) => brief((row.recent?.completion_tokens ?? 0) / windowSeconds) },
    { label: "First token, p50", kind: "number", value: (row) => seconds(row.recent?.ttft_s?.p50) },
    { label: "Between tokens, p50", kind: "number", value: (row) => seconds(row.recent?.itl_s?.p50) },
  ];
}
