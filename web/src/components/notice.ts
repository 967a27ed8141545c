/** What went wrong and what to do about it. */

import type { State } from "../state";
import { h, setText, View } from "./dom";

const BLOCKED = "The browser holds the sound back. Press any key or click anywhere to hear the reply.";

export class Notice extends View {
  private readonly text = h("p");
  private readonly close = h("button", { type: "button", className: "quiet", textContent: "Dismiss" });

  protected build(): void {
    this.setAttribute("role", "alert");
    this.close.addEventListener("click", () => this.app.dismiss());
    this.append(this.text, this.close);
  }

  protected render(state: State): void {
    const notice = state.notice ?? (state.soundBlocked ? { tone: "hint", text: BLOCKED } : null);
    this.hidden = notice === null;
    this.dataset["tone"] = notice?.tone ?? "";
    this.close.hidden = state.notice === null;
    setText(this.text, notice?.text ?? "");
  }
}
