/** The little that views need: making elements, and a base class that ties an element to the app. */

import type { App } from "../app";
import type { State } from "../state";

type Props<T extends HTMLElement> = Partial<Omit<T, "children" | "style" | "attributes">> & {
  attributes?: Record<string, string>;
};

export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  props: Props<HTMLElementTagNameMap[K]> = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const { attributes, ...rest } = props;
  const element = Object.assign(document.createElement(tag), rest);
  for (const [name, value] of Object.entries(attributes ?? {})) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** Set text only where it changed, so that live regions speak once and selections survive. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** An element of the page. `start` gives it the app; `render` follows the state from then on. */
export abstract class View extends HTMLElement {
  protected app!: App;

  start(app: App): void {
    this.app = app;
    this.build();
    app.store.subscribe((state) => this.render(state));
  }

  protected abstract build(): void;
  protected abstract render(state: State): void;
}
