/** Small things several views are made of. */

import { h, setText } from "./dom";
import { icon } from "./svg";

export function button(label: string, act: () => void, options: { icon?: string; className?: string } = {}): HTMLButtonElement {
  const element = h("button", { type: "button", className: options.className ?? "quiet" });
  if (options.icon) element.append(icon(options.icon));
  element.append(h("span", { textContent: label }));
  element.addEventListener("click", act);
  return element;
}

export function card(title: string, ...children: (Node | string)[]): HTMLElement {
  const section = h("section", { className: "card" }, ...(title ? [h("h2", { textContent: title })] : []), ...children);
  return section;
}

/** A word with a colour: `good`, `busy`, `bad` or `plain`. The word says it all; the colour is for the eye. */
export function chip(text: string, tone: Tone = "plain"): HTMLElement {
  const element = h("span", { className: "chip", textContent: text });
  element.dataset["tone"] = tone;
  return element;
}

export type Tone = "good" | "busy" | "bad" | "plain";

/** Labelled select. */
export class Select {
  readonly select = h("select");
  readonly element: HTMLLabelElement;
  private shown = "";

  constructor(label: string, changed: (value: string) => void = () => {}) {
    this.element = h("label", { className: "field" }, h("span", { textContent: label }), this.select);
    this.select.addEventListener("change", () => changed(this.select.value));
  }

  get value(): string {
    return this.select.value;
  }

  set value(value: string) {
    this.select.value = value;
  }

  /** Rebuilt only where the options changed; groups are for long lists. */
  options(found: readonly (readonly [value: string, label: string, group?: string])[]): void {
    const key = JSON.stringify(found);
    if (key === this.shown) return;
    this.shown = key;
    const before = this.select.value;
    const groups = new Map<string, HTMLElement>();
    this.select.replaceChildren();
    for (const [value, label, group] of found) {
      const option = h("option", { value, textContent: label });
      if (!group) {
        this.select.append(option);
        continue;
      }
      let under = groups.get(group);
      if (!under) {
        under = h("optgroup", { label: group });
        groups.set(group, under);
        this.select.append(under);
      }
      under.append(option);
    }
    if (found.some(([value]) => value === before)) this.select.value = before;
  }
}

/** A number with a name: for the first look. */
export class Tile {
  private readonly number = h("strong");
  private readonly note = h("span", { className: "note" });
  readonly element: HTMLElement;

  constructor(label: string) {
    this.element = h("div", { className: "tile" }, h("span", { className: "label", textContent: label }), this.number, this.note);
  }

  show(number: string, note = "", tone: Tone = "plain"): void {
    setText(this.number, number);
    setText(this.note, note);
    this.element.dataset["tone"] = tone;
  }
}

/** Pressed one at a time, as radio buttons are. */
export class Segments<T extends string> {
  readonly element: HTMLElement;
  private readonly inputs = new Map<T, HTMLInputElement>();

  constructor(label: string, options: readonly (readonly [T, string])[], chosen: T, changed: (value: T) => void) {
    this.element = h("fieldset", { className: "segments" }, h("legend", { className: "unseen", textContent: label }));
    const name = `segments-${label.toLowerCase().replace(/\W+/g, "-")}`;
    for (const [value, text] of options) {
      const input = h("input", { type: "radio", name, value, checked: value === chosen });
      input.addEventListener("change", () => changed(value));
      this.inputs.set(value, input);
      this.element.append(h("label", {}, input, h("span", { textContent: text })));
    }
  }

  set value(value: T) {
    const input = this.inputs.get(value);
    if (input) input.checked = true;
  }
}

/** Ask before something that cannot be undone. */
export function confirmed(question: string, yes: string): Promise<boolean> {
  const dialog = h("dialog", { className: "dialog", attributes: { "aria-label": question } });
  return new Promise((resolve) => {
    const end = (answer: boolean): void => {
      dialog.close();
      dialog.remove();
      resolve(answer);
    };
    const act = button(yes, () => end(true), { className: "danger" });
    const cancel = button("Cancel", () => end(false));
    dialog.append(h("p", { textContent: question }), h("div", { className: "row end" }, cancel, act));
    dialog.addEventListener("cancel", () => end(false));
    document.body.append(dialog);
    dialog.showModal();
    cancel.focus();
  });
}

/** A bar with a number beside it; for long work. */
export class Progress {
  private readonly bar = h("progress", { max: 1, value: 0 });
  private readonly text = h("span", { className: "note" });
  readonly element: HTMLElement;

  constructor(label: string) {
    this.bar.setAttribute("aria-label", label);
    this.element = h("div", { className: "progress" }, this.bar, this.text);
  }

  /** `part` from 0 to 1, or null while nobody knows. */
  show(part: number | null, text: string): void {
    if (part === null) this.bar.removeAttribute("value");
    else this.bar.value = part;
    setText(this.text, text);
  }
}

/** Offer a file for saving. */
export function save(name: string, content: Blob): void {
  const url = URL.createObjectURL(content);
  const link = h("a", { href: url, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
