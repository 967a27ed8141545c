/** What a client tells its application, and how it is listened to. */

import type { VoiceError } from "./errors.js";
import type { AudioFrame } from "./wire/frames.js";
import type {
  Farewell,
  Interrupted,
  Paused,
  Ready,
  ReplyStarted,
  ReplyText,
  ResponseComplete,
  Resumed,
  ServerMessage,
  SettingChanged,
  Slept,
  SpeechStarted,
  SpeechStopped,
  ToolUsed,
  Transcription,
  TurnContinued,
  TurnDiscarded,
  Woke,
} from "./wire/messages.js";

/**
 * - `DISCONNECTED`: nothing is open, nothing is tried.
 * - `CONNECTING`: the first connection is being made.
 * - `CONNECTED`: the session is open; the microphone is off.
 * - `LISTENING`: the microphone is on.
 * - `PROCESSING`: a turn is over and its reply is being made or spoken.
 * - `RECONNECTING`: the connection was lost and is being made again.
 */
export type ClientState = "DISCONNECTED" | "CONNECTING" | "CONNECTED" | "LISTENING" | "PROCESSING" | "RECONNECTING";

export interface StateChange {
  readonly from: ClientState;
  readonly to: ClientState;
}

/** Why the connection is gone, and whether it will be made again. */
export interface Disconnected {
  /**
   * `closed`: by `disconnect()`. `ended`: by the server, for good. `refused`: another try would change nothing. `taken_over`:
   * the session goes on elsewhere. `gave_up`: too many tries. `full`, `failed`, `lost`: it will be tried again.
   */
  readonly reason: "closed" | "ended" | "refused" | "taken_over" | "gave_up" | "full" | "failed" | "lost";
  /** WebSocket close code; where there was none 1006, or 1008 if the source of the address or token refused. */
  readonly code: number;
  /** Seconds until the next try; null where there is none. */
  readonly retryIn: number | null;
  /** Tries since the connection was last good. */
  readonly attempt: number;
}

/** The session goes on as if nothing had happened. */
export interface SessionResumption {
  readonly session: string;
  /** Messages that were missed and came again. */
  readonly replayed: number;
}

/** The session could not be taken up again: a new one begins, which remembers nothing. */
export interface SessionLost {
  readonly session: string;
  /** The server's code: `session_not_found`, `resume_gap`, or `not_resumable` where it offers no resumption. */
  readonly reason: string;
}

/** Microphone audio that the server will never hear: there was more than the backlog holds. */
export interface AudioGap {
  readonly samples: number;
  readonly seconds: number;
}

/** Root mean square, 0 to 1, of the last moment; only what changed is there. */
export interface Levels {
  readonly microphone?: number;
  readonly reply?: number;
}

/** Running numbers. */
export interface ClientMetrics {
  /** Milliseconds of the last ping; null before the first. */
  readonly roundTripMs: number | null;
  /** Microphone samples sent, repeated ones included. */
  readonly samplesSent: number;
  /** Microphone samples that wait to be sent. */
  readonly samplesWaiting: number;
  /** Microphone samples lost to a full backlog. */
  readonly samplesLost: number;
  /** Control messages that wait to be sent. */
  readonly messagesWaiting: number;
  /** Connections made after the first. */
  readonly reconnections: number;
  /** Gaps heard in replies. */
  readonly underruns: number;
  /** Reply samples refused because the playback buffer was full. */
  readonly overflow: number;
  /** Reply frames dropped because their generation was over. */
  readonly stale: number;
  /** Messages and frames that came twice and were dropped. */
  readonly duplicates: number;
}

/** Every event and what it carries. */
export interface VoiceEvents {
  /** A session is open: the first, or a new one after a `session_lost`. */
  ready: Ready;
  /** The microphone is on. */
  listening_started: null;
  /** The microphone is off. */
  listening_stopped: null;
  speech_started: SpeechStarted;
  speech_stopped: SpeechStopped;
  turn_discarded: TurnDiscarded;
  turn_continued: TurnContinued;
  /** The reading of the user's turn so far. */
  transcription: Transcription;
  reply_started: ReplyStarted;
  /** A piece of the reply's text. */
  text: ReplyText;
  /** A piece of the reply's audio, once and in order. Where there is an output, it plays it. */
  audio: AudioFrame;
  paused: Paused;
  /** A paused reply goes on. */
  resumed: Resumed;
  /** The reply was cut. */
  interrupted: Interrupted;
  response_complete: ResponseComplete;
  tool: ToolUsed;
  settings: SettingChanged;
  /** A wake word was recognised: what is said behind it is listened to. */
  woke: Woke;
  /** It was quiet for long: nothing is listened to but the wake words. */
  slept: Slept;
  /** The server said goodbye. */
  goodbye: Farewell;
  /** What the server, the microphone, the output or the connection complains of. */
  error: VoiceError;
  disconnected: Disconnected;
  session_resumed: SessionResumption;
  session_lost: SessionLost;
  audio_gap: AudioGap;
  level: Levels;
  metrics: ClientMetrics;
  statechange: StateChange;
  /** The browser holds sound back until somebody touches the page: call `unlock()` from a click. */
  sound_blocked: boolean;
  /** Every message of the server, once and in order, known to this client or not. */
  message: ServerMessage;
}

export type EventName = keyof VoiceEvents;
export type Listener<K extends EventName> = (value: VoiceEvents[K]) => void;

/** Listeners by event. One that throws is reported and stops nobody else. */
export class Emitter {
  private readonly listeners = new Map<EventName, Set<(value: never) => void>>();

  /** Returns what takes the listener off again. */
  on<K extends EventName>(event: K, listener: Listener<K>): () => void {
    const known = this.listeners.get(event) ?? new Set();
    this.listeners.set(event, known.add(listener));
    return () => this.off(event, listener);
  }

  once<K extends EventName>(event: K, listener: Listener<K>): () => void {
    const off = this.on(event, (value) => {
      off();
      listener(value);
    });
    return off;
  }

  off<K extends EventName>(event: K, listener: Listener<K>): void {
    this.listeners.get(event)?.delete(listener);
  }

  emit<K extends EventName>(event: K, value: VoiceEvents[K]): void {
    for (const listener of [...(this.listeners.get(event) ?? [])]) {
      try {
        // `on` put it under the event whose value it takes; a map cannot say so.
        (listener as Listener<K>)(value);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
