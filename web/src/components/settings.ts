/** Language, voice, providers and how turns end: what the session lets one choose. */

import { type Mode, PROVIDER_KINDS, type ProviderKind } from "../protocol";
import type { State } from "../state";
import { h, setText, View } from "./dom";

const MODES: Record<Mode, string> = {
  auto: "Automatic",
  push_to_talk: "Push to talk",
  manual: "Manual",
};

const HINTS: Record<Mode, string> = {
  auto: "It notices when you are done.",
  push_to_talk: "Hold the button or the space bar while you talk.",
  manual: "You say when your turn is over.",
};

const KINDS: Record<ProviderKind, string> = { stt: "Speech to text", llm: "Language model", tts: "Text to speech" };

type Option = [value: string, label: string];

export class Settings extends View {
  private readonly mode = new Choice("Turns", (value) => this.app.setMode(value as Mode));
  private readonly language = new Choice("Language", (value) => this.app.setLanguage(value));
  private readonly voice = new Choice("Voice", (value) => this.app.setVoice(value));
  private readonly providers = PROVIDER_KINDS.map(
    (kind) => [kind, new Choice(KINDS[kind], (value) => this.app.setProvider(kind, value))] as const,
  );
  private readonly hint = h("p", { className: "hint" });
  private readonly forget = h("button", { type: "button", className: "quiet", textContent: "Forget this conversation" });

  protected build(): void {
    this.forget.addEventListener("click", () => this.app.forget());
    const choices = [this.mode, this.language, this.voice, ...this.providers.map(([, choice]) => choice)];
    this.append(...choices.map((choice) => choice.element), this.forget);
    this.mode.element.append(this.hint);
  }

  protected render(state: State): void {
    const { settings } = state;
    if (settings) setText(this.hint, HINTS[settings.mode]);
    this.forget.disabled = !settings || state.turns.length === 0;
    this.mode.show(settings?.mode, state.modes.map((mode): Option => [mode, MODES[mode] ?? mode]));
    this.language.show(settings?.language, state.languages.map((tag): Option => [tag, languageName(tag)]));
    this.voice.show(settings?.voice, voicesFor(state));
    for (const [kind, choice] of this.providers) {
      choice.show(settings?.[kind], state.providers[kind].map((name): Option => [name, name]));
    }
  }
}

/** A labelled select that is rebuilt only when its options change. */
class Choice {
  private readonly select = h("select");
  readonly element: HTMLLabelElement;
  private shown = "";

  constructor(label: string, choose: (value: string) => void) {
    this.element = h("label", {}, h("span", { textContent: label }), this.select);
    this.select.addEventListener("change", () => choose(this.select.value));
  }

  show(value: string | undefined, options: Option[]): void {
    const key = JSON.stringify(options);
    if (key !== this.shown) {
      this.shown = key;
      this.select.replaceChildren(...options.map(([name, label]) => h("option", { value: name, textContent: label })));
    }
    this.element.hidden = options.length === 0;
    this.select.disabled = value === undefined;
    if (value !== undefined && this.select.value !== value) this.select.value = value;
  }
}

/** Voices of the chosen language: the list came with the session and may be of another. */
function voicesFor(state: State): Option[] {
  const base = state.settings?.language.split("-")[0];
  const fitting = state.voices.filter(({ language }) => !base || !language || language.split("-")[0] === base);
  if (fitting.length === 0) return [];
  return [["", "Default"], ...fitting.map(({ id, name }): Option => [id, name || id])];
}

function languageName(tag: string): string {
  try {
    return new Intl.DisplayNames(["en"], { type: "language" }).of(tag) ?? tag;
  } catch {
    return tag; // not a tag this browser can name
  }
}
