/** Making SVG: charts and icons are drawn by hand. */

type Attributes = Record<string, string | number>;

export function svg<K extends keyof SVGElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: (Node | string)[]
): SVGElementTagNameMap[K] {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...children);
  return element;
}

const PATHS: Record<string, string> = {
  talk: "M12 3a3 3 0 0 0-3 3v5a3 3 0 0 0 6 0V6a3 3 0 0 0-3-3M6 11a6 6 0 0 0 12 0M12 17v4",
  speak: "M4 9v6h4l5 4V5L8 9zM16.5 8.5a5 5 0 0 1 0 7M19 6a8.5 8.5 0 0 1 0 12",
  transcribe: "M6 3h8l4 4v14H6zM14 3v4h4M9 12h6M9 16h6",
  turns: "M4 6h7M4 12h12M4 18h9M20 6h-5M20 18h-3",
  sessions: "M9 11a3 3 0 1 0 0-6 3 3 0 0 0 0 6M3 20a6 6 0 0 1 12 0M16 5.5a3 3 0 0 1 0 5.5M17 14.5a6 6 0 0 1 4 5.5",
  providers: "M6 8a2 2 0 1 0 0-4 2 2 0 0 0 0 4M18 14a2 2 0 1 0 0-4 2 2 0 0 0 0 4M6 20a2 2 0 1 0 0-4 2 2 0 0 0 0 4M8 6c6 0 2 6 8 6M8 18c6 0 2-6 8-6",
  system: "M3 12h4l3-7 4 14 3-7h4",
  settings: "M4 7h9M17 7h3M4 17h3M11 17h9M15 9a2 2 0 1 0 0-4 2 2 0 0 0 0 4M9 19a2 2 0 1 0 0-4 2 2 0 0 0 0 4",
  more: "M5 12h.01M12 12h.01M19 12h.01",
  dark: "M20 14a8 8 0 1 1-10-10 6.5 6.5 0 0 0 10 10",
  light: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8M12 2v2M12 20v2M4.9 4.9l1.4 1.4M17.7 17.7l1.4 1.4M2 12h2M20 12h2M4.9 19.1l1.4-1.4M17.7 6.3l1.4-1.4",
  play: "M8 5l11 7-11 7z",
  stop: "M7 7h10v10H7z",
  pause: "M9 6v12M15 6v12",
  down: "M12 4v11M7 11l5 5 5-5M5 20h14",
  up: "M12 20V9M7 13l5-5 5 5M5 4h14",
  back: "M14 6l-6 6 6 6",
  next: "M10 6l6 6-6 6",
};

/** Decoration: whatever it stands for is said in words beside it. */
export function icon(name: string): SVGSVGElement {
  const path = svg("path", { d: PATHS[name] ?? "" });
  return svg("svg", { viewBox: "0 0 24 24", class: `icon-${name} glyph`, "aria-hidden": "true" }, path);
}
