/** The way between views: beside the page where there is room, along its foot on a phone. */

import { routeTo, type Route, type ViewName } from "../router";
import { h } from "./dom";
import { icon } from "./svg";

const NAMES: Record<ViewName, string> = {
  talk: "Talk",
  speak: "Speak",
  transcribe: "Transcribe",
  turns: "Turns",
  sessions: "Sessions",
  providers: "Providers",
  system: "System",
  settings: "Settings",
};
const FIRST: readonly ViewName[] = ["talk", "speak", "transcribe", "turns"];
const OTHERS: readonly ViewName[] = ["sessions", "providers", "system", "settings"];

export class Nav extends HTMLElement {
  private readonly links = new Map<ViewName, HTMLAnchorElement>();
  private readonly others = h("ul", { id: "more-views" });
  private readonly more = h("button", { type: "button", className: "more" });

  connectedCallback(): void {
    if (this.links.size > 0) return;
    this.more.append(icon("more"), h("span", { textContent: "More" }));
    this.more.setAttribute("aria-controls", "more-views");
    this.more.addEventListener("click", () => this.open(!this.isOpen));
    const first = h("ul", {}, ...FIRST.map((name) => this.item(name)));
    this.others.append(...OTHERS.map((name) => this.item(name)));
    this.append(h("nav", { attributes: { "aria-label": "Views" } }, first, this.more, this.others));
    this.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !this.isOpen) return;
      event.stopPropagation();
      this.open(false);
      this.more.focus();
    });
    document.addEventListener("pointerdown", (event) => {
      if (this.isOpen && event.target instanceof Node && !this.contains(event.target)) this.open(false);
    });
    this.open(false);
  }

  show(route: Route): void {
    for (const [name, link] of this.links) {
      if (name === route.view) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    this.more.toggleAttribute("data-current", OTHERS.includes(route.view));
    this.open(false);
  }

  private item(name: ViewName): HTMLLIElement {
    const link = h("a", { href: routeTo(name) }, icon(name), h("span", { textContent: NAMES[name] }));
    this.links.set(name, link);
    return h("li", {}, link);
  }

  private get isOpen(): boolean {
    return this.dataset["open"] === "true";
  }

  private open(open: boolean): void {
    this.dataset["open"] = String(open);
    this.more.setAttribute("aria-expanded", String(open));
  }
}

export function nameOf(view: ViewName): string {
  return NAMES[view];
}
