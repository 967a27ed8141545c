import assert from "node:assert/strict";
import { test } from "node:test";
import { asJson, asSubRip, asText, asWebVtt, captions, EventReader } from "../src/captions";
import { marks, times } from "../src/charts/scale";
import { endOf, planOf, stripesOf } from "../src/charts/waterfall-plan";
import { bytes, clock, duration, milliseconds, tick, timecode } from "../src/format";
import { parseRoute, routeTo, VIEWS } from "../src/router";
import type { TurnDetail, TurnWaterfall } from "../src/shapes";
import { PcmReader, withLength } from "../src/speech-stream";
import { speechEnd } from "../src/turn-times";
import { random } from "./random";

const WATERFALL: TurnWaterfall = {
  speech_stopped: 0.06,
  turn_scored: 0.09,
  transcript: 0.12,
  decision: 0.2,
  first_token: 0.126,
  first_sentence: 0.131,
  first_audio: 0.138,
  first_sent: 0.205,
  first_played: 0.262,
  finished: 2.1,
  wait: 0.11,
  speculated: true,
  revisions: 1,
  total: 0.262,
};

test("every address names a view, and back", () => {
  for (const view of VIEWS) {
    for (const argument of ["", "sess_a-B.12", "a/b c?#%"]) {
      assert.deepEqual(parseRoute(routeTo(view, argument)), { view, argument });
    }
  }
  for (const strange of ["", "#", "#/", "#/nowhere/x", "#main", "#/turns%"]) assert.equal(parseRoute(strange).view, "talk");
  assert.equal(parseRoute("#/turns/%E0%A4%A").argument, "%E0%A4%A", "a broken address is taken as it is");
});

test("numbers as people read them", () => {
  assert.deepEqual([milliseconds(null), milliseconds(0.0042), milliseconds(0.2), milliseconds(12.34)], ["–", "4.2 ms", "200 ms", "12.3 s"]);
  assert.deepEqual([tick(0), tick(0.25), tick(1), tick(2.5)], ["0", "250 ms", "1 s", "2.5 s"]);
  assert.deepEqual([duration(5.25), duration(75), duration(3_700), duration(200_000)], ["5.3 s", "1 min 15 s", "1 h 1 min", "2 d 7 h"]);
  assert.deepEqual([bytes(999), bytes(61_000), bytes(4_200_000), bytes(1.5e9)], ["999 B", "61 kB", "4.2 MB", "1.5 GB"]);
  assert.equal(timecode(3_723.0456, ","), "01:02:03,046");
  assert.equal(timecode(59.9996, "."), "00:01:00.000", "rounding carries over");
  assert(clock(0, 1e9).length > clock(1e9, 1e9).length, "another day is named");
});

test("axes have room for the most, few marks, and even steps", () => {
  const next = random(7);
  for (let round = 0; round < 500; round += 1) {
    const most = 10 ** (next() * 8 - 4);
    const found = marks(most);
    assert((found.at(-1) ?? 0) >= most * 0.999, `${most}`);
    assert(found.length >= 2 && found.length <= 6, `${most}: ${found}`);
    const step = (found[1] ?? 0) - (found[0] ?? 0);
    found.forEach((mark, index) => assert(Math.abs(mark - index * step) < step / 100));
    const from = 1.7e9 + next() * 1e6;
    const span = 60 + next() * 604_740;
    const at = times(from, from + span);
    assert(at.length >= 1 && at.length <= 6, `${span}: ${at.length}`);
    assert(at.every((time) => time >= from && time <= from + span));
  }
  assert.deepEqual(marks(0), [0, 1]);
});

test("a waterfall shows what overlapped, and ends behind its last bar", () => {
  const bars = planOf(WATERFALL);
  assert.deepEqual(
    bars.map((bar) => [bar.stage, bar.from, bar.to]),
    [
      ["speech", 0, 0.06],
      ["transcript", 0, 0.12],
      ["decision", 0, 0.2],
      ["token", 0.12, 0.126],
      ["audio", 0.131, 0.138],
      ["played", 0.2, 0.262],
    ],
  );
  assert(endOf(bars) >= 0.262 && endOf(bars) < 0.35);
  const stripes = stripesOf(WATERFALL);
  assert.deepEqual(stripes.map((bar) => bar.stage), ["transcript", "token", "audio", "decision", "played"]);
  stripes.forEach((bar, index) => assert.equal(bar.from, stripes[index - 1]?.to ?? 0));
  const nothing = Object.fromEntries(Object.keys(WATERFALL).map((key) => [key, null])) as unknown as TurnWaterfall;
  assert.deepEqual(planOf(nothing), []);
  assert(endOf([]) > 0);
});

test("the end of speech is where the decision says it was", () => {
  const turn = { waterfall: WATERFALL, steps: [{ at: 0, kind: "speech_started", text: "" }, { at: 1.7, kind: "transcript", text: "x" }] };
  assert(Math.abs(speechEnd(turn as unknown as TurnDetail) - 1.5) < 1e-9);
});

const SEGMENTS = [
  { start: 0.5, end: 2.25, text: " Good morning. " },
  { start: 3, end: 13, text: "one two three four five six seven eight nine ten ".repeat(4) },
];

test("subtitles keep every word, in order, within the time of their stretch", () => {
  const cut = captions(SEGMENTS);
  assert.equal(cut.map(({ text }) => text).join(" "), SEGMENTS.map(({ text }) => text.trim()).join(" "));
  assert(cut.every(({ text, start, end }) => text.length <= 84 && start < end));
  cut.slice(1).forEach(({ start }, index) => assert(start >= (cut[index]?.end ?? 0) - 1e-9));
  assert(Math.abs((cut.at(-1)?.end ?? 0) - 13) < 1e-9);
  assert(asSubRip(SEGMENTS).startsWith("1\n00:00:00,500 --> 00:00:02,250\nGood morning.\n\n2\n00:00:03,000 --> "));
  assert(asWebVtt([{ start: 0, end: 1, text: "a < b & c" }]).endsWith("WEBVTT\n\n00:00:00.000 --> 00:00:01.000\na &lt; b &amp; c\n"));
  assert.equal(asText(SEGMENTS.slice(0, 1)), "Good morning.\n");
  assert.equal((JSON.parse(asJson(SEGMENTS)) as { segments: unknown[] }).segments.length, 2);
});

test("events are whole however they were cut", () => {
  const sent = [{ a: 1 }, { b: "ü \n x" }, { c: [1, 2] }];
  const wire = `: hello\n\n${sent.map((event) => `event: x\ndata: ${JSON.stringify(event)}\r\n\r\n`).join("")}data: [DONE]\n\n`;
  const next = random(3);
  for (let round = 0; round < 200; round += 1) {
    const reader = new EventReader();
    const found: unknown[] = [];
    for (let at = 0; at < wire.length; ) {
      // A server ends a block in one write; a CR and its LF may still come apart.
      const size = 1 + Math.floor(next() * 12);
      found.push(...reader.take(wire.slice(at, at + size)));
      at += size;
    }
    assert.deepEqual(found, sent);
  }
});

test("samples come out of a WAV whole, however it was cut", () => {
  const samples = Int16Array.from({ length: 500 }, (_, index) => index * 100 - 20_000);
  const wav = new Uint8Array(52 + samples.length * 2);
  const view = new DataView(wav.buffer);
  const put = (at: number, text: string): void => [...text].forEach((letter, index) => view.setUint8(at + index, letter.charCodeAt(0)));
  put(0, "RIFF");
  view.setUint32(4, 0xffffffff, true);
  put(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint32(24, 22_050, true);
  put(36, "LIST"); // a chunk nobody needs
  view.setUint32(40, 0, true);
  put(44, "data");
  view.setUint32(48, 0xffffffff, true);
  wav.set(new Uint8Array(samples.buffer), 52);
  const next = random(5);
  for (let round = 0; round < 100; round += 1) {
    const reader = new PcmReader("wav");
    const found: number[] = [];
    for (let at = 0; at < wav.length; ) {
      const size = 1 + Math.floor(next() * 97);
      found.push(...reader.take(wav.slice(at, at + size)));
      at += size;
    }
    assert.deepEqual(found, [...samples]);
    assert.equal(reader.rate, 22_050);
  }
  const known = new DataView(withLength(wav).buffer);
  assert.deepEqual([known.getUint32(4, true), known.getUint32(48, true)], [wav.length - 8, 1_000]);
  assert.equal(new PcmReader("pcm").take(new Uint8Array([1, 0, 2])).length, 1);
});
