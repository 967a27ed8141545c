/** What of the wire the page looks at. The whole of it, and how it is spoken, is the client library's. */

export type Mode = "auto" | "push_to_talk" | "manual";
export type ProviderKind = "stt" | "llm" | "tts";
export const PROVIDER_KINDS: readonly ProviderKind[] = ["stt", "llm", "tts"];

/** Turn, revision and generation: what carries a smaller number than known is stale. */
export interface Stamp {
  readonly turn: number;
  readonly revision: number;
  readonly generation: number;
}

export interface Voice {
  readonly id: string;
  readonly name: string;
  readonly language: string;
}

/** Settings in force. */
export interface Settings {
  readonly language: string;
  readonly voice: string;
  readonly mode: Mode;
  readonly stt: string;
  readonly llm: string;
  readonly tts: string;
  /** The words that wake it; empty where it always listens. */
  readonly wake_words?: readonly string[];
}

/** Milliseconds after the end of the user's speech; null where a thing did not happen. */
export interface Waterfall {
  readonly transcript: number | null;
  readonly decision: number | null;
  readonly first_token: number | null;
  readonly first_audio: number | null;
  readonly first_sent: number | null;
  readonly first_played: number | null;
  /** To the first audio played. */
  readonly total: number | null;
  /** The part of `decision` that was decided on. */
  readonly wait: number;
  readonly speculated: boolean;
  readonly revisions: number;
}

export interface Ready {
  readonly type: "ready";
  readonly session: string;
  readonly settings: Settings;
  readonly languages: readonly string[];
  readonly providers: Readonly<Record<ProviderKind, readonly string[]>>;
  readonly voices: readonly Voice[];
  readonly modes: readonly Mode[];
  readonly limits: { readonly text_characters: readonly [number, number] };
}

export type ServerMessage =
  | Ready
  | (Stamp & { type: "speech_started" | "speech_stopped"; at: number })
  | (Stamp & { type: "woke"; word: string })
  | (Stamp & { type: "slept" })
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
  | { type: "pong" | "session_resumed" }
  | { type: "goodbye"; reason?: string };
