/** What the server says, as events of the application. */

import { VoiceError } from "../errors.js";
import type { EventName, VoiceEvents } from "../events.js";
import type { ServerMessage, SessionResumed } from "../wire/messages.js";
import type { Command, Sink } from "./commands.js";

/** Messages whose event has their own name and themselves as its value. */
const SAME = [
  "speech_started",
  "speech_stopped",
  "turn_discarded",
  "turn_continued",
  "transcription",
  "reply_started",
  "text",
  "paused",
  "resumed",
  "interrupted",
  "response_complete",
  "tool",
  "settings",
  "woke",
  "slept",
  "goodbye",
] as const satisfies readonly EventName[];
type Told = (typeof SAME)[number] | "ready" | "error" | "pong" | "session_resumed";
// A message that is new in the schema and has no event yet is an error here.
true satisfies [Exclude<ServerMessage["type"], Told>] extends [never] ? true : never;
type Same = Extract<ServerMessage, { type: (typeof SAME)[number] }>;

export function emission<K extends EventName>(event: K, value: VoiceEvents[K]): Command {
  // The union of emissions is made of exactly these pairs, which the compiler cannot see for an open `K`.
  return { do: "emit", event, value } as Command;
}

export function announce(message: Exclude<ServerMessage, SessionResumed>, tell: Sink): void {
  tell(emission("message", message));
  if (message.type === "ready") tell(emission("ready", message));
  if (message.type === "error") tell(emission("error", asError(message)));
  if (isSame(message)) tell(emission<EventName>(message.type, message));
}

function isSame(message: ServerMessage): message is Same {
  const types: readonly string[] = SAME;
  return types.includes(message.type);
}

function asError({ code, message, retryable, retry_after }: Extract<ServerMessage, { type: "error" }>): VoiceError {
  return new VoiceError(code, message, { retryable, retryAfter: retry_after });
}
