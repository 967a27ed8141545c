/** Speech that plays while it arrives: as samples where the format allows it, through the browser's own decoder otherwise. */

/** `samples`: played as they come; `stream`: the browser decodes as it comes; `whole`: played when it is complete. */
export type Way = "samples" | "stream" | "whole";

export const FORMATS = [
  ["wav", "WAV", "audio/wav"],
  ["mp3", "MP3", "audio/mpeg"],
  ["aac", "AAC", "audio/aac"],
  ["opus", "Opus", "audio/ogg"],
  ["flac", "FLAC", "audio/flac"],
  ["pcm", "PCM, 24 kHz", "application/octet-stream"],
] as const;

export const RATE = 24_000;
const PREFILL = 0.08;

export function wayOf(format: string): Way {
  if (format === "wav" || format === "pcm") return "samples";
  const type = typeOf(format);
  return "MediaSource" in globalThis && MediaSource.isTypeSupported(type) ? "stream" : "whole";
}

export function typeOf(format: string): string {
  return FORMATS.find(([name]) => name === format)?.[2] ?? "application/octet-stream";
}

/** Takes pieces of any size; gives whole samples of the PCM within. The header of a WAV is read, not played. */
export class PcmReader {
  rate = RATE;
  private rest = new Uint8Array(0);
  private inHeader: boolean;

  constructor(format: "wav" | "pcm") {
    this.inHeader = format === "wav";
  }

  take(piece: Uint8Array): Int16Array {
    const joined = new Uint8Array(this.rest.length + piece.length);
    joined.set(this.rest);
    joined.set(piece, this.rest.length);
    let start = 0;
    if (this.inHeader) {
      const found = headerEnd(joined);
      if (found === null) {
        this.rest = joined;
        return new Int16Array(0);
      }
      this.inHeader = false;
      this.rate = new DataView(joined.buffer).getUint32(24, true);
      start = found;
    }
    const whole = start + Math.floor((joined.length - start) / 2) * 2;
    this.rest = joined.slice(whole);
    return new Int16Array(joined.slice(start, whole).buffer);
  }
}

/** Where the samples begin; null while the header is not whole. */
function headerEnd(bytes: Uint8Array): number | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 12;
  while (at + 8 <= bytes.length) {
    const name = String.fromCharCode(...bytes.slice(at, at + 4));
    if (name === "data") return at + 8;
    at += 8 + view.getUint32(at + 4, true);
  }
  return null;
}

/** A WAV that was streamed does not know its length; one that is kept should. */
export function withLength(wav: Uint8Array): Uint8Array {
  const found = headerEnd(wav);
  if (found === null) return wav;
  const fixed = wav.slice();
  const view = new DataView(fixed.buffer);
  view.setUint32(4, fixed.length - 8, true);
  view.setUint32(found - 4, fixed.length - found, true);
  return fixed;
}

export interface Player {
  /** Takes the next bytes; resolves when there is room for more. */
  push(piece: Uint8Array<ArrayBuffer>): Promise<void>;
  /** All has come. Resolves when it has been played. */
  end(): Promise<void>;
  stop(): void;
}

/** Plays samples as they come, one buffer behind the other. */
export class SamplePlayer implements Player {
  private readonly context = new AudioContext();
  private readonly reader: PcmReader;
  private next = 0;
  private stopped = false;

  constructor(
    format: "wav" | "pcm",
    private readonly heard: (samples: Int16Array, rate: number) => void,
  ) {
    this.reader = new PcmReader(format);
    void this.context.resume();
  }

  async push(piece: Uint8Array<ArrayBuffer>): Promise<void> {
    const samples = this.reader.take(piece);
    if (samples.length === 0 || this.stopped) return;
    this.heard(samples, this.reader.rate);
    const buffer = new AudioBuffer({ length: samples.length, sampleRate: this.reader.rate });
    buffer.copyToChannel(Float32Array.from(samples, (value) => value / 32_768), 0);
    const source = new AudioBufferSourceNode(this.context, { buffer });
    source.connect(this.context.destination);
    this.next = Math.max(this.next, this.context.currentTime + PREFILL);
    source.start(this.next);
    this.next += buffer.duration;
  }

  async end(): Promise<void> {
    const left = this.next - this.context.currentTime;
    if (left > 0 && !this.stopped) await new Promise((resolve) => setTimeout(resolve, left * 1000));
    this.stop();
  }

  stop(): void {
    if (this.stopped) return;
    this.stopped = true;
    void this.context.close();
  }
}

/** Hands compressed audio to the browser's decoder as it comes. */
export class StreamPlayer implements Player {
  private readonly audio = new Audio();
  private readonly source = new MediaSource();
  private readonly opened: Promise<SourceBuffer>;
  private stopped = false;

  constructor(type: string) {
    this.audio.src = URL.createObjectURL(this.source);
    this.opened = new Promise((resolve) => {
      this.source.addEventListener("sourceopen", () => resolve(this.source.addSourceBuffer(type)), { once: true });
    });
    void this.audio.play().catch(() => {});
  }

  async push(piece: Uint8Array<ArrayBuffer>): Promise<void> {
    const buffer = await this.opened;
    if (this.stopped) return;
    buffer.appendBuffer(piece);
    await new Promise((resolve) => buffer.addEventListener("updateend", resolve, { once: true }));
  }

  async end(): Promise<void> {
    await this.opened;
    if (this.source.readyState === "open") this.source.endOfStream();
    if (this.stopped || this.audio.ended) return;
    await new Promise((resolve) => {
      for (const name of ["ended", "error", "pause"]) this.audio.addEventListener(name, resolve, { once: true });
    });
  }

  stop(): void {
    this.stopped = true;
    this.audio.pause();
    URL.revokeObjectURL(this.audio.src);
  }
}
