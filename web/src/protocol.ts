/** The wire of /ws/audio: JSON text frames both ways, PCM16 binary frames both ways. */

export const PROTOCOL_VERSION = 1;
export const HEADER_BYTES = 16;
export const INPUT_RATE = 16_000;
export const OUTPUT_RATE = 24_000;
export const FRAME_SECONDS = 0.02;

export type Mode = "auto" | "push_to_talk" | "manual";
export type ProviderKind = "stt" | "llm" | "tts";
export const PROVIDER_KINDS: readonly ProviderKind[] = ["stt", "llm", "tts"];

/** Turn, revision and generation: what carries a smaller number than known is stale. */
export interface Stamp {
  turn: number;
  revision: number;
  generation: number;
}

export interface Voice {
  id: string;
  name: string;
  language: string;
}

/** Settings in force. */
export interface Settings {
  language: string;
  voice: string;
  mode: Mode;
  stt: string;
  llm: string;
  tts: string;
}

/** Milliseconds after the end of the user's speech; null where a thing did not happen. */
export interface Waterfall {
  transcript: number | null;
  decision: number | null;
  first_token: number | null;
  first_audio: number | null;
  first_sent: number | null;
  first_played: number | null;
  /** To the first audio played. */
  total: number | null;
  /** The part of `decision` that was decided on. */
  wait: number;
  speculated: boolean;
  revisions: number;
}

export interface Ready {
  type: "ready";
  session: string;
  audio: { input: { rate: number }; output: { rate: number } };
  settings: Settings;
  languages: string[];
  providers: Record<ProviderKind, string[]>;
  voices: Voice[];
  modes: Mode[];
  limits: { text_characters: [number, number] };
}

export type ServerMessage =
  | Ready
  | (Stamp & { type: "speech_started" | "speech_stopped"; at: number })
  | (Stamp & { type: "turn_discarded"; reason: string })
  | (Stamp & { type: "turn_continued"; continues: number })
  | (Stamp & { type: "transcription"; text: string; final: boolean })
  | (Stamp & { type: "reply_started" })
  | (Stamp & { type: "text"; content: string })
  | (Stamp & { type: "paused" })
  | (Stamp & { type: "resumed"; at: number })
  | (Stamp & { type: "interrupted"; at: number; heard: string })
  | (Stamp & { type: "response_complete"; text: string; interrupted: boolean; waterfall: Waterfall })
  | (Stamp & { type: "tool"; name: string; result: string })
  | (Partial<Stamp> & { type: "error"; code: string; message: string; retryable: boolean })
  | (Stamp & { type: "settings"; name: string; value: string })
  | { type: "pong" }
  | { type: "goodbye"; reason?: string };

export interface Wishes {
  language?: string;
  voice?: string;
  provider?: Partial<Record<ProviderKind, string>>;
  mode?: Mode;
}

export type ClientMessage =
  | ({ type: "hello"; audio: { input_rate: number; output_rate: number }; acknowledge: true } & Wishes)
  | { type: "commit" | "interrupt" | "reset" | "ping" | "goodbye" }
  | { type: "text"; text: string }
  | { type: "played"; generation: number; samples: number }
  | { type: "setLanguage"; language: string }
  | { type: "setProvider"; kind: ProviderKind; name: string }
  | { type: "setVoice"; voice: string }
  | { type: "setMode"; mode: Mode };

export interface AudioFrame extends Stamp {
  flags: number;
  /** Samples of the reply before this frame. */
  offset: number;
  pcm: Int16Array;
}

/** What arrived is not of this protocol. */
export class WireError extends Error {}

/**
 * Header, little-endian: version u8, flags u8, revision u16, turn u32, generation u32, offset u32; then PCM s16le mono.
 */
export function parseFrame(data: ArrayBuffer): AudioFrame {
  if (data.byteLength < HEADER_BYTES) throw new WireError(`audio frame of ${data.byteLength} bytes has no whole header`);
  if ((data.byteLength - HEADER_BYTES) % 2 !== 0) throw new WireError("audio frame ends in half a sample");
  const view = new DataView(data);
  const version = view.getUint8(0);
  if (version !== PROTOCOL_VERSION) throw new WireError(`audio frame of version ${version}; reload the page`);
  return {
    flags: view.getUint8(1),
    revision: view.getUint16(2, true),
    turn: view.getUint32(4, true),
    generation: view.getUint32(8, true),
    offset: view.getUint32(12, true),
    pcm: new Int16Array(data, HEADER_BYTES),
  };
}

/** The message in a text frame. Unknown types pass: a newer server may say more than this page knows. */
export function parseMessage(text: string): ServerMessage {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new WireError("the server sent text that is not JSON");
  }
  if (typeof value !== "object" || value === null || typeof (value as { type?: unknown }).type !== "string") {
    throw new WireError("the server sent a message without a type");
  }
  return value as ServerMessage;
}
