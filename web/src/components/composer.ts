/** The text box: for people without a microphone, or in a quiet room. */

import { canType, type State } from "../state";
import { h, View } from "./dom";

export class Composer extends View {
  private readonly box = h("input", {
    type: "text",
    id: "say",
    autocomplete: "off",
    placeholder: "Type to it",
    enterKeyHint: "send",
  });
  private readonly send = h("button", { type: "submit", textContent: "Send" });

  protected build(): void {
    const label = h("label", { htmlFor: "say", className: "unseen", textContent: "Type to it" });
    const form = h("form", {}, label, this.box, this.send);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const text = this.box.value.trim();
      if (text && this.app.say(text)) this.box.value = "";
    });
    this.append(form);
  }

  protected render(state: State): void {
    this.send.disabled = !canType(state);
    this.box.maxLength = state.textLimit;
  }
}
