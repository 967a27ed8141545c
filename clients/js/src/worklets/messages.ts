/** What the page and its two worklets say to each other. */

export const CAPTURE = "vivavoce-capture";
export const PLAYBACK = "vivavoce-playback";

export type ToCapture = { type: "flush" };
export type FromCapture =
  | { type: "frame"; pcm: Int16Array; level: number }
  | { type: "flushed" };

export type ToPlayback =
  | { type: "push"; generation: number; offset: number; pcm: Int16Array }
  | { type: "pause" | "resume" | "clear"; generation: number }
  | { type: "reset" };
export type FromPlayback =
  | { type: "played"; generation: number; samples: number }
  | { type: "level"; level: number; underruns: number; overflow: number; stale: number; waiting: number };
