// The replicas: how they are, what they do, and whether they get anything new.

import { get, post } from "/ui/api.js";
import { badge, el, meter, replace, sub, table, tile } from "/ui/dom.js";
import { brief, count, seconds } from "/ui/format.js";

export const title = "Fleet";

export function open(place, { act }) {
  return {
    isLive: true,
    async refresh() {
      const [replicas, recent] = await Promise.all([get("/admin/replicas"), get("/admin/recent")]);
      const speeds = new Map(recent.replicas.map((each) => [each.name, each.completion_tokens / recent.window_s]));
      replace(place, tiles(replicas.data, recent), fleet(replicas.data, speeds, act));
    },
  };
}

function tiles(replicas, recent) {
  const usable = replicas.filter((each) => each.usable).length;
  return el(
    "div", { className: "tiles" },
    tile("Replicas usable", `${usable} of ${replicas.length}`),
    tile("Under way", count(replicas.reduce((sum, each) => sum + each.outstanding, 0))),
    tile("Waiting in the queue", count(recent.waiting)),
    tile("Requests, last minute", count(recent.requests)),
    tile("Failed, last minute", count(recent.failed)),
    tile("Tokens per second", brief(recent.completion_tokens / recent.window_s)),
    tile("First token, p95", seconds(recent.ttft_s?.p95)),
  );
}

function fleet(replicas, speeds, act) {
  const columns = [
    { label: "Replica", value: (each) => el("span", {}, el("strong", {}, each.name), sub(each.url)) },
    { label: "State", value: state },
    { label: "Breaker", value: (each) => each.health + (each.cause ? ` (${each.cause})` : "") },
    { label: "Running", kind: "number", value: (each) => count(each.running ?? each.outstanding) },
    { label: "Waiting", kind: "number", value: (each) => count(each.waiting) },
    { label: "KV cache", value: (each) => (each.kv_cache_usage === null ? null : meter(each.kv_cache_usage, "KV cache in use")) },
    { label: "Tokens/s", kind: "number", value: (each) => brief(speeds.get(each.name) ?? 0) },
    { label: "Models", value: (each) => each.models.join(", ") || null },
    { label: "", value: (each) => el("span", { className: "actions" }, lever(each, act)) },
  ];
  return table("Replicas", columns, replicas, "There is no replica.");
}

function state(replica) {
  if (replica.removed) return badge("removed", "dim");
  if (replica.draining) return badge("draining", "warn");
  if (replica.sleeping) return badge("asleep", "warn");
  if (!replica.known) return badge("not seen yet", "dim");
  return replica.usable ? badge("usable", "good") : badge("out", "bad");
}

function lever(replica, act) {
  const does = replica.draining ? "resume" : "drain";
  const said = replica.draining ? "Resume" : "Drain";
  return el(
    "button",
    {
      type: "button",
      className: "small quiet",
      id: `lever-${replica.name}`,
      "aria-label": `${said} ${replica.name}`,
      onclick: () => act(
        () => post(`/admin/replicas/${encodeURIComponent(replica.name)}/${does}`),
        replica.draining ? `${replica.name} gets requests again.` : `${replica.name} gets nothing new.`,
      ),
    },
    said,
  );
}
