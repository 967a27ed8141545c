/** What the core asks its shell to do. */

import type { EventName, VoiceEvents } from "../events.js";
import type { ClientMessage, Hello } from "../wire/messages.js";

/**
 * - `retry`: connect again. `opening`: a connection took too long. `ping`: time for a sign of life. `pong`: none came back.
 * - `drain`: the line may take more audio.
 */
export type Timer = "retry" | "opening" | "ping" | "pong" | "drain";

export type OutputCommand =
  | { readonly do: "open"; readonly rate: number }
  | { readonly do: "push"; readonly generation: number; readonly offset: number; readonly pcm: Int16Array }
  | { readonly do: "pause" | "resume" | "clear"; readonly generation: number };

export type Emission = {
  [K in EventName]: { readonly do: "emit"; readonly event: K; readonly value: VoiceEvents[K] };
}[EventName];

export type Command =
  | Emission
  | { readonly do: "connect"; readonly hello: Hello }
  | { readonly do: "send"; readonly message: ClientMessage }
  | { readonly do: "sendAudio"; readonly pcm: Int16Array }
  | { readonly do: "close"; readonly code: number }
  | { readonly do: "arm"; readonly timer: Timer; readonly ms: number }
  | { readonly do: "disarm"; readonly timer: Timer }
  | { readonly do: "output"; readonly command: OutputCommand };

/** Takes commands, in order. */
export type Sink = (command: Command) => void;
