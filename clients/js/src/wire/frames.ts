/** Bytes and text of the wire, read with suspicion. */

import { VoiceError } from "../errors.js";
import type { ServerMessage } from "./messages.js";

export const PROTOCOL_VERSION = 1;
export const HEADER_BYTES = 16;

/** Turn, revision and generation: what carries a smaller number than known is stale. */
export interface Stamp {
  readonly turn: number;
  readonly revision: number;
  readonly generation: number;
}

/** A piece of a reply's audio. */
export interface AudioFrame extends Stamp {
  /** Samples of this generation before this frame. */
  readonly offset: number;
  /** Mono PCM at the session's output rate. */
  readonly pcm: Int16Array;
}

/**
 * Header, little-endian: version u8, flags u8, revision u16, turn u32, generation u32, offset u32; then PCM s16le mono.
 *
 * @throws VoiceError `wire_error`
 */
export function parseFrame(data: ArrayBuffer): AudioFrame {
  if (data.byteLength < HEADER_BYTES) throw wrong(`an audio frame of ${data.byteLength} bytes has no whole header`);
  if ((data.byteLength - HEADER_BYTES) % 2 !== 0) throw wrong("an audio frame ends in half a sample");
  const view = new DataView(data);
  const version = view.getUint8(0);
  if (version !== PROTOCOL_VERSION) throw wrong(`audio frames of version ${version} need a newer client`);
  return {
    revision: view.getUint16(2, true),
    turn: view.getUint32(4, true),
    generation: view.getUint32(8, true),
    offset: view.getUint32(12, true),
    pcm: new Int16Array(data, HEADER_BYTES),
  };
}

/**
 * The message in a text frame. Unknown types pass: a newer server may say more than this client knows.
 *
 * @throws VoiceError `wire_error`
 */
export function parseMessage(text: string): ServerMessage {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw wrong("the server sent text that is not JSON", cause);
  }
  if (!isMessage(value)) throw wrong("the server sent a message without a type");
  return value;
}

// The fields are the server's promise: it is generated from the same schema as the types, and tested against it.
function isMessage(value: unknown): value is ServerMessage {
  return typeof value === "object" && value !== null && "type" in value && typeof value.type === "string";
}

function wrong(message: string, cause?: unknown): VoiceError {
  return new VoiceError("wire_error", message, { cause });
}
