/** Text in, speech out: it plays while it arrives. */

import { ask, get } from "../api";
import { h, setText } from "../components/dom";
import { icon } from "../components/svg";
import { button, card, Progress, save, Select, Tile } from "../components/widgets";
import { Wave } from "../components/wave";
import { bytes, language, milliseconds } from "../format";
import { FORMATS, type Player, SamplePlayer, StreamPlayer, typeOf, wayOf, withLength } from "../speech-stream";
import type { ClientConfig, VoiceRow } from "../shapes";
import { Panel } from "./panel";

const WAYS = {
  samples: "Plays while it arrives.",
  stream: "Plays while it arrives.",
  whole: "Plays when it is complete: this browser does not decode this format in pieces.",
};
const EXAMPLE = "Good morning. The kettle has boiled, the rain has stopped, and your first meeting is at half past nine.";

export class Speak extends Panel {
  protected readonly heading = "Speak";
  private readonly text = h("textarea", { id: "speak-text", rows: 6, value: EXAMPLE, maxLength: 100_000 });
  private readonly count = h("span", { className: "note" });
  private readonly voice = new Select("Voice");
  private readonly format = new Select("Format", () => this.hint());
  private readonly speed = h("input", { type: "range", min: "0.5", max: "2", step: "0.05", value: "1", id: "speak-speed" });
  private readonly speedShown = h("span", { textContent: "1.00×" });
  private readonly go = h("button", { type: "submit", className: "primary" });
  private readonly halt = button("Stop", () => this.stop(), { icon: "stop" });
  private readonly way = h("p", { className: "note" });
  private readonly progress = new Progress("Speech");
  private readonly wave = new Wave();
  private readonly first = new Tile("First sound after");
  private readonly size = new Tile("Received");
  private readonly result = h("div", { className: "result", hidden: true });
  private voices: VoiceRow[] = [];
  private abort: AbortController | null = null;
  private player: Player | null = null;

  protected build(): void {
    this.go.append(icon("speak"), h("span", { textContent: "Speak" }));
    this.format.options(FORMATS.map(([name, label]) => [name, label] as const));
    this.halt.hidden = true;
    this.progress.element.hidden = true;
    const speed = h("label", { className: "field" }, h("span", {}, "Speed ", this.speedShown), this.speed);
    const form = h(
      "form",
      {},
      h("label", { className: "field" }, h("span", {}, "Text ", this.count), this.text),
      h("div", { className: "fields" }, this.voice.element, this.format.element, speed),
      h("div", { className: "row" }, this.go, this.halt, this.way),
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.speak();
    });
    this.text.addEventListener("input", () => this.counted());
    this.text.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
    });
    this.speed.addEventListener("input", () => setText(this.speedShown, `${Number(this.speed.value).toFixed(2)}×`));
    const tiles = h("div", { className: "tiles small" }, this.first.element, this.size.element);
    this.first.show("–");
    this.size.show("–");
    this.append(card("", form), card("", tiles, this.wave, this.progress.element, this.result));
    this.counted();
    this.hint();
  }

  protected shown(): void {
    void this.attempt(async () => {
      const [{ voices }, config] = await Promise.all([
        get<{ voices: VoiceRow[] }>("v1/audio/voices", this.signal),
        get<ClientConfig>("api/config", this.signal),
      ]);
      this.voices = ordered(voices, config.language);
      this.voice.options([
        ["", "Default"],
        ...this.voices.map((voice, index) => [String(index), named(voice), `${language(voice.language)} – ${voice.model}`] as const),
      ]);
    });
  }

  protected override left(): void {
    this.stop();
  }

  private counted(): void {
    setText(this.count, `${this.text.value.length} characters; Ctrl+Enter speaks`);
  }

  private hint(): void {
    setText(this.way, WAYS[wayOf(this.format.value || "wav")]);
  }

  private stop(): void {
    this.abort?.abort();
    this.player?.stop();
    this.abort = this.player = null;
    this.busy(false);
  }

  private busy(busy: boolean): void {
    this.halt.hidden = !busy;
    this.go.disabled = busy;
    this.progress.element.hidden = !busy;
  }

  private async speak(): Promise<void> {
    const text = this.text.value.trim();
    if (!text) {
      this.complain("Write what to say first.");
      this.text.focus();
      return;
    }
    this.stop();
    const format = this.format.value || "wav";
    const abort = new AbortController();
    this.abort = abort;
    this.busy(true);
    this.result.hidden = true;
    this.wave.clear();
    this.progress.show(null, "Waiting for the first sound");
    await this.attempt(async () => {
      try {
        await this.receive(text, format, abort.signal);
      } catch (error) {
        if (!abort.signal.aborted) throw error;
      }
    });
    if (this.abort === abort) this.busy(false);
  }

  private async receive(text: string, format: string, signal: AbortSignal): Promise<void> {
    const chosen = this.voices[Number(this.voice.value || "-1")];
    const wanted = {
      model: chosen?.model ?? "tts-1",
      voice: chosen?.id ?? "",
      ...(chosen ? { language: chosen.language } : {}),
      input: text,
      response_format: format,
      speed: Number(this.speed.value),
    };
    const began = performance.now();
    const response = await ask("v1/audio/speech", { method: "POST", json: wanted, signal });
    const player = this.playerFor(format);
    this.player = player;
    const pieces: Uint8Array<ArrayBuffer>[] = [];
    let size = 0;
    const reader = (response.body as ReadableStream<Uint8Array<ArrayBuffer>>).getReader();
    for (let { done, value } = await reader.read(); !done && value; { done, value } = await reader.read()) {
      if (size === 0) this.first.show(milliseconds((performance.now() - began) / 1000), response.headers.get("x-vivavoce-model") ?? "");
      size += value.length;
      pieces.push(value);
      this.size.show(bytes(size), format.toUpperCase());
      this.progress.show(null, "Arriving");
      await player?.push(value);
    }
    this.offer(pieces, format, player === null);
    this.progress.show(1, "All there");
    await player?.end();
  }

  private playerFor(format: string): Player | null {
    const way = wayOf(format);
    if (way === "samples") return new SamplePlayer(format as "wav" | "pcm", (samples, rate) => this.wave.add(samples, rate));
    return way === "stream" ? new StreamPlayer(typeOf(format)) : null;
  }

  /** Hear it again, and keep it. */
  private offer(pieces: Uint8Array<ArrayBuffer>[], format: string, play: boolean): void {
    let blob = new Blob(pieces, { type: typeOf(format) });
    const audio = h("audio", { controls: true, attributes: { "aria-label": "What was spoken" } });
    const shown = (): void => {
      if (format !== "pcm") audio.src = URL.createObjectURL(blob);
      const keep = button("Save", () => save(`speech.${format === "opus" ? "ogg" : format}`, blob), { icon: "down" });
      this.result.replaceChildren(...(format === "pcm" ? [] : [audio]), keep);
      this.result.hidden = false;
      if (play) void audio.play().catch(() => {});
    };
    if (format !== "wav") {
      shown();
      return;
    }
    void blob.arrayBuffer().then((whole) => {
      blob = new Blob([withLength(new Uint8Array(whole)) as Uint8Array<ArrayBuffer>], { type: "audio/wav" });
      shown();
    });
  }
}

/** Own names only, the configured language first. */
function ordered(voices: VoiceRow[], tongue: string): VoiceRow[] {
  const seen = new Set<string>();
  const own = voices.filter((voice) => {
    const key = `${voice.model}/${voice.id}`;
    const alias = voice.name.startsWith(`${voice.id} (`);
    return !alias && !seen.has(key) && seen.add(key);
  });
  const base = (tag: string): string => tag.split("-")[0] ?? "";
  const mine = (voice: VoiceRow): number => (base(voice.language) === base(tongue) ? 0 : 1);
  return own.sort((a, b) => mine(a) - mine(b) || language(a.language).localeCompare(language(b.language)));
}

function named(voice: VoiceRow): string {
  return voice.name && voice.name !== voice.id ? `${voice.name} (${voice.id})` : voice.id;
}
