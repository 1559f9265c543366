// Asks the admin routes. The cookie goes along by itself; the header says that it is this page that asks.

const HEADERS = { "x-gateway-ui": "1" };

export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function refusal(reply) {
  const said = await reply.json().catch(() => null);
  return new Refused(reply.status, said?.error?.message ?? `The gateway answered with status ${reply.status}.`);
}

export async function send(method, path, body, { signal, headers } = {}) {
  const sent = { ...HEADERS, ...headers };
  if (method === "POST") sent["content-type"] = "application/json";
  const text = method === "POST" ? JSON.stringify(body ?? {}) : undefined;
  const reply = await fetch(path, { method, headers: sent, body: text, signal, credentials: "same-origin" });
  if (!reply.ok) throw await refusal(reply);
  return reply;
}

export async function get(path) {
  return (await send("GET", path)).json();
}

export async function post(path, body) {
  const reply = await send("POST", path, body);
  return reply.status === 204 ? null : reply.json();
}

export async function remove(path) {
  return (await send("DELETE", path)).json();
}

// Gives the data of each event of a streamed answer.
export async function* events(reply) {
  const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const parts = (text + value.replaceAll("\r\n", "\n")).split("\n\n");
    text = parts.pop();
    for (const part of parts) {
      const lines = part.split("\n").filter((line) => line.startsWith("data:"));
      if (lines.length) yield lines.map((line) => line.slice(5).trim()).join("\n");
    }
  }
}
