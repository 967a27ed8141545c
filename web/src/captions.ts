/** What was read of a recording as text, subtitles or data. Pure. */

import { timecode } from "./format";

export interface Segment {
  start: number;
  end: number;
  text: string;
}

/** Characters of one subtitle; two lines of 42 are what people read in time. */
const LONGEST = 84;

export function asText(segments: readonly Segment[]): string {
  return `${segments.map((segment) => segment.text.trim()).join("\n")}\n`;
}

export function asSubRip(segments: readonly Segment[]): string {
  return captions(segments)
    .map(({ start, end, text }, index) => `${index + 1}\n${timecode(start, ",")} --> ${timecode(end, ",")}\n${text}\n`)
    .join("\n");
}

export function asWebVtt(segments: readonly Segment[]): string {
  // What looks like markup is shown as it was said.
  const plain = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  const cues = captions(segments).map(({ start, end, text }) => `${timecode(start, ".")} --> ${timecode(end, ".")}\n${plain(text)}\n`);
  return `WEBVTT\n\n${cues.join("\n")}`;
}

export function asJson(segments: readonly Segment[]): string {
  const text = segments.map((segment) => segment.text.trim()).join(" ");
  return `${JSON.stringify({ text, segments }, null, 2)}\n`;
}

/** Long stretches are cut between words, their time in proportion to their letters. */
export function captions(segments: readonly Segment[]): Segment[] {
  return segments.flatMap((segment) => {
    const pieces = cut(segment.text.trim());
    const letters = pieces.reduce((sum, piece) => sum + piece.length, 0);
    let at = segment.start;
    return pieces.map((text) => {
      const start = at;
      at += ((segment.end - segment.start) * text.length) / letters;
      return { start, end: at, text };
    });
  });
}

function cut(text: string): string[] {
  const pieces: string[] = [];
  for (const word of text.split(/\s+/).filter(Boolean)) {
    const last = pieces.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= LONGEST) pieces[pieces.length - 1] = `${last} ${word}`;
    else pieces.push(word);
  }
  return pieces;
}

/** Server-sent events out of text that comes in pieces. */
export class EventReader {
  private rest = "";

  take(piece: string): unknown[] {
    const blocks = (this.rest + piece).split(/\r?\n\r?\n/);
    this.rest = blocks.pop() ?? "";
    const found: unknown[] = [];
    for (const block of blocks) {
      const data = block
        .split(/\r?\n/)
        .filter((line) => line.startsWith("data:"))
        .map((line) => line.slice(5).trim())
        .join("\n");
      if (data && data !== "[DONE]") found.push(JSON.parse(data));
    }
    return found;
  }
}
