/** A recording in, text out: watched while it is read, then kept as text, subtitles or data. */

import { address, failure, get, headers, words } from "../api";
import { asJson, asSubRip, asText, asWebVtt, EventReader, type Segment } from "../captions";
import { h, setText } from "../components/dom";
import { icon } from "../components/svg";
import { button, card, Progress, save, Select } from "../components/widgets";
import { bytes, language, minutes } from "../format";
import type { ClientConfig, ModelRow } from "../shapes";
import { Panel } from "./panel";

const EXPORTS = [
  ["txt", "Text", "text/plain", asText],
  ["srt", "SRT", "application/x-subrip", asSubRip],
  ["vtt", "VTT", "text/vtt", asWebVtt],
  ["json", "JSON", "application/json", asJson],
] as const;

export class Transcribe extends Panel {
  protected readonly heading = "Transcribe";
  private readonly file = h("input", { type: "file", id: "recording", accept: "audio/*,video/*,.ogg,.opus,.webm,.flac" });
  private readonly zone = h("label", { className: "drop", htmlFor: "recording" });
  private readonly model = new Select("Recogniser");
  private readonly tongue = new Select("Language");
  private readonly again = button("Read it again", () => void this.start(), { icon: "transcribe" });
  private readonly halt = button("Stop", () => this.stop(), { icon: "stop" });
  private readonly progress = new Progress("Transcription");
  private readonly audio = h("audio", { controls: true, hidden: true, attributes: { "aria-label": "The recording" } });
  private readonly lines = h("ol", { className: "segments-read", tabIndex: 0, attributes: { "aria-label": "Transcript", "aria-live": "polite" } });
  private readonly exports = h("div", { className: "row", hidden: true });
  private readonly output = card("", h("p", { className: "file-name" }), this.audio, this.progress.element, this.lines, this.exports);
  private recording: File | null = null;
  private segments: Segment[] = [];
  private request: XMLHttpRequest | null = null;

  protected build(): void {
    this.zone.append(
      icon("up"),
      h("strong", { textContent: "Drop a recording here" }),
      h("span", { className: "note", textContent: "or choose a file: any container, sound or film, up to 100 MB" }),
      this.file,
    );
    this.halt.hidden = this.output.hidden = true;
    this.again.hidden = true;
    const fields = h("div", { className: "fields" }, this.model.element, this.tongue.element);
    this.append(card("", this.zone, fields, h("div", { className: "row" }, this.again, this.halt)), this.output);
    this.file.addEventListener("change", () => this.take(this.file.files?.[0]));
    for (const name of ["dragover", "dragleave", "drop"]) {
      this.zone.addEventListener(name, (event) => {
        event.preventDefault();
        this.zone.toggleAttribute("data-over", name === "dragover");
        if (event instanceof DragEvent && name === "drop") this.take(event.dataTransfer?.files[0]);
      });
    }
    this.audio.addEventListener("timeupdate", () => this.follow());
    for (const [name, label, type, make] of EXPORTS) {
      const keep = (): void => save(`${this.stem}.${name}`, new Blob([make(this.segments)], { type }));
      this.exports.append(button(label, keep, { icon: "down" }));
    }
    this.exports.append(button("Copy", () => void navigator.clipboard.writeText(asText(this.segments))));
  }

  protected shown(): void {
    void this.attempt(async () => {
      const [{ data }, config] = await Promise.all([
        get<{ data: ModelRow[] }>("v1/models", this.signal),
        get<ClientConfig>("api/config", this.signal),
      ]);
      const own = data.filter((model) => model.kind === "stt" && !model.alias_of);
      this.model.options(own.map((model) => [model.id, model.id] as const));
      this.tongue.options([["", `Default (${language(config.language)})`], ...config.languages.map((tag) => [tag, language(tag)] as const)]);
    });
  }

  private get stem(): string {
    return this.recording?.name.replace(/\.[^.]+$/, "") || "transcript";
  }

  private take(file: File | undefined): void {
    if (!file) return;
    this.recording = file;
    this.audio.src = URL.createObjectURL(file);
    this.audio.hidden = false;
    this.again.hidden = false;
    void this.start();
  }

  private stop(): void {
    this.request?.abort();
    this.request = null;
    this.halt.hidden = true;
    this.again.disabled = false;
    this.progress.element.hidden = true;
  }

  private async start(): Promise<void> {
    const { recording } = this;
    if (!recording) return;
    this.stop();
    this.segments = [];
    this.lines.replaceChildren();
    this.exports.hidden = true;
    this.output.hidden = this.halt.hidden = this.progress.element.hidden = false;
    this.again.disabled = true;
    const name = this.output.querySelector(".file-name");
    if (name) setText(name, `${recording.name} · ${bytes(recording.size)}`);
    this.progress.show(0, "Sending");
    const worked = await this.attempt(() => this.read(recording));
    this.stop();
    this.exports.hidden = this.segments.length === 0;
    if (worked && this.segments.length === 0) this.lines.append(h("li", { className: "nothing", textContent: "No speech was found in it." }));
  }

  /** XMLHttpRequest, because it alone tells how much of the file has been sent. */
  private read(recording: File): Promise<void> {
    const form = new FormData();
    form.append("file", recording, recording.name);
    form.append("model", this.model.value || "whisper-1");
    if (this.tongue.value) form.append("language", this.tongue.value);
    form.append("response_format", "diarized_json");
    form.append("stream", "true");
    const request = new XMLHttpRequest();
    this.request = request;
    const events = new EventReader();
    let seen = 0;
    request.open("POST", address("v1/audio/transcriptions"));
    for (const [name, value] of Object.entries(headers())) request.setRequestHeader(name, value);
    request.upload.onprogress = ({ loaded, total }) => this.progress.show((loaded / total) * 0.2, `Sending: ${bytes(loaded)} of ${bytes(total)}`);
    request.upload.onload = () => this.progress.show(0.2, "Reading");
    return new Promise((resolve, reject) => {
      request.onprogress = () => {
        if (request.status !== 200) return;
        const piece = request.responseText.slice(seen);
        seen = request.responseText.length;
        try {
          for (const event of events.take(piece)) this.hear(event as StreamEvent);
        } catch (error) {
          request.abort();
          reject(error instanceof Error ? error : new Error(words(error)));
        }
      };
      request.onload = () => (request.status === 200 ? resolve() : reject(failure(request.status, request.responseText)));
      request.onerror = () => reject(new Error("The recording did not reach the server. Is “vivavoce serve” running?"));
      request.onabort = () => resolve();
      request.send(form);
    });
  }

  private hear(event: StreamEvent): void {
    if ("error" in event) throw new Error(event.error.message);
    if (event.type !== "transcript.text.segment" || !event.text.trim()) return;
    const segment = { start: event.start, end: event.end, text: event.text };
    this.segments.push(segment);
    const go = h("button", { type: "button", className: "time", textContent: minutes(segment.start) });
    go.setAttribute("aria-label", `Play from ${minutes(segment.start)}`);
    go.addEventListener("click", () => {
      this.audio.currentTime = segment.start;
      void this.audio.play();
    });
    this.lines.append(h("li", {}, go, h("span", { textContent: segment.text })));
    const whole = this.audio.duration;
    const part = Number.isFinite(whole) && whole > 0 ? 0.2 + 0.8 * Math.min(1, segment.end / whole) : null;
    this.progress.show(part, `Read up to ${minutes(segment.end)}${part === null ? "" : ` of ${minutes(whole)}`}`);
  }

  /** Mark what is being heard. */
  private follow(): void {
    const now = this.audio.currentTime;
    this.segments.forEach(({ start, end }, index) => {
      this.lines.children[index]?.toggleAttribute("data-now", now >= start && now < end && !this.audio.paused);
    });
  }
}

type StreamEvent =
  | { type: "transcript.text.segment"; start: number; end: number; text: string }
  | { type: "transcript.text.delta" | "transcript.text.done" }
  | { type?: undefined; error: { message: string } };
