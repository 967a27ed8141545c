/** Shows one view at a time, the one the address names. The view to talk is never taken apart: it may be listening. */

import { keyWanted } from "./api";
import { type Nav, nameOf } from "./components/nav";
import { parseRoute, type Route, type ViewName } from "./router";
import { Panel } from "./views/panel";

export class Shell {
  private current: ViewName | null = null;

  constructor(
    private readonly nav: Nav,
    private readonly main: HTMLElement,
    private readonly skip: HTMLElement,
  ) {}

  start(): void {
    window.addEventListener("hashchange", () => this.follow(true));
    keyWanted.addEventListener("given", () => this.follow(false));
    this.skip.addEventListener("click", (event) => {
      event.preventDefault();
      this.main.focus();
    });
    this.follow(false);
  }

  private follow(moved: boolean): void {
    // Another kind of address, such as that of a place inside the page, changes nothing.
    if (moved && location.hash !== "" && !location.hash.startsWith("#/")) return;
    const route = parseRoute(location.hash);
    this.nav.show(route);
    const changed = this.current !== route.view;
    for (const element of this.main.querySelectorAll<HTMLElement>(":scope > [data-view]")) {
      this.turn(element, route);
    }
    this.current = route.view;
    document.title = route.view === "talk" ? "Vivavoce" : `${nameOf(route.view)} – Vivavoce`;
    // Who moved by keyboard or reader begins at the top of what they asked for.
    if (moved && changed) this.main.querySelector<HTMLElement>(":scope > :not([hidden]) h1[tabindex]")?.focus();
  }

  private turn(element: HTMLElement, route: Route): void {
    const wanted = element.dataset["view"] === route.view;
    if (!(element instanceof Panel)) {
      element.hidden = !wanted;
      return;
    }
    if (wanted) {
      if (!element.hidden) element.hide();
      element.show(route.argument);
    } else if (!element.hidden) {
      element.hide();
    }
  }
}
