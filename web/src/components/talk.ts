/** The button to talk with, what is going on, and the sound of both sides around it. */

import { type Activity, activity, currentReply, type State } from "../state";
import { h, setText, View } from "./dom";
import { Meter } from "./meter";

const LABELS: Record<Activity, string> = {
  away: "Waiting for the server",
  asking: "Allow the microphone in the browser",
  idle: "Start talking",
  ready: "Hold to talk",
  listening: "Listening",
  hearing: "Hearing you",
  thinking: "Thinking",
  speaking: "Speaking: talk over it to interrupt",
  paused: "Is that for me?",
};

export class Talk extends View {
  private readonly canvas = h("canvas", { attributes: { "aria-hidden": "true" } });
  private readonly button = h("button", { type: "button", className: "talk" });
  private readonly label = h("p", { className: "activity", id: "activity" });
  private readonly stop = h("button", { type: "button", className: "quiet", textContent: "Stop the reply (Esc)" });
  private readonly turnOver = h("button", { type: "button", className: "quiet", textContent: "Send the turn" });
  private readonly off = h("button", { type: "button", className: "quiet", textContent: "Microphone off" });

  protected build(): void {
    this.button.setAttribute("aria-describedby", "activity");
    this.button.append(h("span", { className: "icon", attributes: { "aria-hidden": "true" } }));
    this.append(
      h("div", { className: "voice" }, this.canvas, this.button),
      this.label,
      h("div", { className: "actions" }, this.stop, this.turnOver, this.off),
    );
    this.stop.addEventListener("click", () => this.app.interrupt());
    this.turnOver.addEventListener("click", () => this.app.commit());
    this.off.addEventListener("click", () => void this.app.toggleMicrophone());
    this.listen();
    new Meter(this.canvas, this.button, this.app.levels).start();
  }

  protected render(state: State): void {
    const now = activity(state);
    const mode = state.settings?.mode;
    this.dataset["activity"] = now;
    this.button.disabled = now === "away" && state.microphone === "off";
    const pressed = mode === "push_to_talk" ? state.held : state.microphone === "on";
    this.button.setAttribute("aria-pressed", String(pressed));
    this.button.setAttribute("aria-label", mode === "push_to_talk" ? "Hold to talk" : "Microphone");
    setText(this.label, labelOf(now, state));
    this.stop.hidden = currentReply(state) === null;
    this.turnOver.hidden = mode !== "manual" || state.microphone !== "on";
    this.off.hidden = !mode || mode === "auto" || state.microphone !== "on";
  }

  private get pushToTalk(): boolean {
    return this.app.store.state.settings?.mode === "push_to_talk";
  }

  private listen(): void {
    this.button.addEventListener("click", () => {
      if (!this.pushToTalk) void this.app.toggleMicrophone();
    });
    this.button.addEventListener("pointerdown", (event) => {
      if (!this.pushToTalk || event.button !== 0) return;
      this.button.setPointerCapture(event.pointerId);
      void this.app.press();
    });
    for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) {
      this.button.addEventListener(end, () => void this.app.release());
    }
    this.button.addEventListener("contextmenu", (event) => event.preventDefault());
    document.addEventListener("keydown", (event) => this.onKey(event, true));
    document.addEventListener("keyup", (event) => this.onKey(event, false));
    // A key that goes up elsewhere is never seen to go up.
    window.addEventListener("blur", () => void this.app.release());
    window.addEventListener("hashchange", () => void this.app.release());
  }

  private onKey(event: KeyboardEvent, down: boolean): void {
    if (down && event.key === "Escape") this.app.interrupt();
    const own = event.target === this.button;
    const held = event.key === " " || (own && event.key === "Enter");
    // In another view the space bar scrolls.
    if (!this.pushToTalk || !held || this.closest("[hidden]") || (!own && takesKeys(event.target))) return;
    event.preventDefault();
    if (event.repeat) return;
    void (down ? this.app.press() : this.app.release());
  }
}

function labelOf(now: Activity, state: State): string {
  if (now === "idle" && state.settings?.mode === "push_to_talk") return "Hold the button or the space bar";
  if (now === "listening" && state.asleep) return asleep(state.settings?.wake_words ?? []);
  if (now === "speaking" && state.microphone === "off") return "Speaking";
  return LABELS[now];
}

function asleep(words: readonly string[]): string {
  return `Asleep: say ${words.map((word) => `“${word.replaceAll("_", " ")}”`).join(" or ")}`;
}

/** Space means something else there. */
function takesKeys(target: EventTarget | null): boolean {
  return target instanceof Element && target.closest("input, textarea, select, button, summary, a") !== null;
}
