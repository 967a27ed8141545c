/** Whether the server is there. */

import type { Link as Phase, State } from "../state";
import { setText, View } from "./dom";

const WORDS: Record<Phase, string> = {
  connecting: "Connecting",
  open: "Connected",
  lost: "No connection",
  full: "Server full",
  refused: "Refused",
};

export class Link extends View {
  protected build(): void {
    this.setAttribute("role", "status");
  }

  protected render(state: State): void {
    this.dataset["phase"] = state.link;
    // Whoever looks at another view should know that it listens.
    const listening = state.microphone === "on" && state.link === "open";
    setText(this, listening ? "Microphone on" : WORDS[state.link]);
    this.toggleAttribute("data-listening", listening);
  }
}
