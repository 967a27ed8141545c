/** Asks for an API key where the server wants one. */

import { keyWanted } from "../api";
import { keeperOfThisTab, keepKey, keptKey } from "../key";
import { h, View } from "./dom";

export class KeyDialog extends View {
  private open = false;

  protected build(): void {
    keyWanted.addEventListener("wanted", () => this.ask());
  }

  protected render(): void {}

  private ask(): void {
    if (this.open) return;
    this.open = true;
    const box = h("input", { type: "password", id: "api-key", autocomplete: "current-password", required: true, spellcheck: false });
    const form = h(
      "form",
      { method: "dialog" },
      h("label", { className: "field", htmlFor: "api-key" }, h("span", { textContent: "API key" }), box),
      h("p", { className: "note", textContent: "“vivavoce key create NAME --scope admin” makes one on the server; it is kept for this tab." }),
      h("div", { className: "row end" }, h("button", { type: "submit", className: "primary", textContent: "Use it" })),
    );
    const known = keptKey(keeperOfThisTab()) !== "";
    const why = known ? "The server does not take this key any more" : "This server asks for a key";
    const title = h("h2", { id: "key-title", textContent: why });
    const dialog = h("dialog", { className: "dialog", attributes: { "aria-labelledby": "key-title" } }, title, form);
    form.addEventListener("submit", () => {
      keepKey(keeperOfThisTab(), box.value.trim());
      // The page stays as it is: it may hold a conversation.
      this.app.useKey(box.value);
      keyWanted.dispatchEvent(new Event("given"));
    });
    dialog.addEventListener("close", () => {
      this.open = false;
      dialog.remove();
    });
    document.body.append(dialog);
    dialog.showModal();
    box.focus();
  }
}
