/** Asks for a key, where the server wants one. */

import type { KeyProblem } from "../key";
import type { State } from "../state";
import { h, setText, View } from "./dom";

const WORDS: Record<KeyProblem, string> = {
  wanted: "This server wants a key. “vivavoce key create” makes one.",
  wrong: "The server does not know this key. Check it, or make another with “vivavoce key create”.",
  ended: "The server does not take this key any more: it was revoked, or its time is over. Enter another; what you typed is kept.",
  weak: "This key does not allow a conversation: it needs the scope “converse”.",
  bound: "This key is bound to another kind of session. Enter one that “vivavoce key create” made.",
  blocked: "Too many wrong keys came from here. Wait a minute, then try again.",
};

export class Key extends View {
  private readonly words = h("p", { id: "key-words", attributes: { role: "alert" } });
  private readonly box = h("input", {
    type: "password",
    id: "key",
    autocomplete: "off",
    spellcheck: false,
    attributes: { "aria-describedby": "key-words" },
  });
  private readonly send = h("button", { type: "submit", textContent: "Use this key" });
  private asked = false;

  protected build(): void {
    const label = h("label", { htmlFor: "key", className: "unseen", textContent: "Key" });
    const form = h("form", {}, label, this.box, this.send);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (this.box.value.trim()) this.app.useKey(this.box.value);
      this.box.value = "";
    });
    this.append(this.words, form);
  }

  protected render(state: State): void {
    const asks = state.key !== null;
    this.hidden = !asks;
    setText(this.words, state.key ? WORDS[state.key] : "");
    if (asks && !this.asked) this.box.focus();
    this.asked = asks;
  }
}
