/** What a turn's waterfall looks like, reckoned apart from drawing it. Seconds after the end of the user's speech. */

import type { TurnWaterfall } from "../shapes";

export interface Bar {
  stage: "speech" | "decision" | "transcript" | "token" | "audio" | "played";
  label: string;
  from: number;
  to: number;
}

/**
 * Each stage as a bar from what it waited for to when it was there. The reply is prepared before the turn is judged over,
 * so bars overlap: that is the point of the picture.
 */
export function planOf(waterfall: TurnWaterfall): Bar[] {
  const { speech_stopped, transcript, decision, first_token, first_sentence, first_audio } = waterfall;
  const heard = waterfall.first_played ?? waterfall.first_sent;
  const bars: Bar[] = [];
  const add = (stage: Bar["stage"], label: string, from: number | null, to: number | null): void => {
    if (to !== null) bars.push({ stage, label, from: Math.min(from ?? 0, to), to });
  };
  add("speech", "Silence noticed", 0, speech_stopped);
  add("transcript", "Transcript", 0, transcript);
  add("decision", "Turn judged over", 0, decision);
  add("token", "First token", transcript ?? decision, first_token);
  add("audio", "First audio", first_sentence ?? first_token, first_audio);
  add("played", waterfall.first_played === null ? "Sent" : "Heard", latest(decision, first_audio), heard);
  return bars;
}

/** The same as one bar: what the wait was for, stretch by stretch, each up to the moment its stage was there. */
export function stripesOf(waterfall: TurnWaterfall): Bar[] {
  const wait = waterfall.first_played ?? waterfall.first_sent ?? 0;
  const ends = planOf(waterfall)
    .filter((bar) => bar.stage !== "speech" && bar.to <= wait)
    .sort((a, b) => a.to - b.to);
  let at = 0;
  return ends.map((bar) => {
    const from = at;
    at = bar.to;
    return { ...bar, from };
  });
}

/** Where the picture ends: the last of its bars, rounded up. */
export function endOf(bars: readonly Bar[]): number {
  const last = Math.max(0.1, ...bars.map((bar) => bar.to));
  const step = last > 2 ? 0.5 : last > 0.5 ? 0.1 : 0.05;
  return Math.ceil((last * 1.02) / step) * step;
}

function latest(...times: (number | null)[]): number | null {
  const known = times.filter((time) => time !== null);
  return known.length ? Math.max(...known) : null;
}
