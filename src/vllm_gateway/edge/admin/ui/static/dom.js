// Builds elements. What comes from the gateway only ever becomes text, never markup.

export function el(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name in node && name !== "list") node[name] = value;
    else node.setAttribute(name, value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}

// columns: [{label, value(row) -> node or text, kind: "number" | "mono" | undefined}]
export function table(caption, columns, rows, empty) {
  if (!rows.length) return el("div", { className: "scroll" }, el("p", { className: "empty" }, empty));
  const heads = columns.map(({ label, kind }) => el("th", { scope: "col", className: kind ?? "" }, label));
  const body = rows.map((row) =>
    el("tr", {}, columns.map(({ label, value, kind }) => {
      const cell = el("td", { className: kind ?? "" }, value(row) ?? "–");
      cell.dataset.label = label;
      return cell;
    })),
  );
  return el(
    "div", { className: "scroll" },
    el("table", {},
      el("caption", { className: "visually-hidden" }, caption),
      el("thead", {}, el("tr", {}, heads)),
      el("tbody", {}, body)),
  );
}

// Puts new content in the place of the old; whoever was on a button with the keyboard stays on it.
export function replace(place, ...content) {
  const held = place.contains(document.activeElement) ? document.activeElement.id : "";
  place.replaceChildren(...content.flat());
  if (held) document.getElementById(held)?.focus();
}

export const badge = (text, kind) => el("span", { className: `badge ${kind}` }, text);
export const sub = (text) => el("span", { className: "sub" }, text);
export const tile = (label, value) => el("div", { className: "tile" }, el("span", {}, label), el("strong", {}, value));
export const field = (label, input) => el("label", {}, label, input);

export function meter(share, label) {
  const bar = el("meter", { min: 0, max: 1, low: 0.8, high: 0.9, optimum: 0, value: share, title: label });
  return el("span", {}, bar, ` ${Math.round(share * 100)} %`);
}
