/** The line to a server. */

import type { VoiceError } from "../errors.js";
import type { Levels } from "../events.js";
import type { Hello } from "../wire/messages.js";

export interface LineEvents {
  /** It is open: something can be sent. */
  opened(): void;
  message(text: string): void;
  audio(data: ArrayBuffer): void;
  /** It is gone, or never came about; nothing follows. `code` is a WebSocket close code, 1006 where there is none. */
  closed(code: number): void;
  /** What can be said about why, before `closed`. */
  failed(cause: unknown): void;
}

/** One connection. */
export interface Line {
  send(text: string): void;
  sendAudio(pcm: Int16Array): void;
  /** Bytes handed over that the network has not taken yet. */
  readonly buffered: number;
  /** No events follow. */
  close(code: number): void;
}

export interface MediaEvents {
  level(levels: Levels): void;
  /** The browser holds sound back until somebody touches the page. */
  blocked(blocked: boolean): void;
  /** The microphone stopped by itself. */
  ended(error: VoiceError): void;
}

/** Sound that a transport carries by itself. */
export interface MediaControl {
  listen(events: MediaEvents): void;
  /** Rejects with a VoiceError. */
  startMicrophone(): Promise<void>;
  stopMicrophone(): Promise<void>;
  unlock(): Promise<void>;
}

/** How a line is made. */
export interface Transport {
  /** Where it carries sound itself; null where sound goes through the line as frames. */
  readonly media: MediaControl | null;
  /** Open a line. `hello` is for transports that ask for a session as they connect. */
  connect(hello: Hello, events: LineEvents): Line;
}
