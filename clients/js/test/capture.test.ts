import assert from "node:assert/strict";
import { test } from "node:test";
import { type Frame, Framer } from "../src/audio/framer.js";
import { Resampler } from "../src/audio/resampler.js";
import { random } from "./random.js";

test("frames have one size whatever the pieces, and lose no sample", () => {
  const chance = random(1);
  const frames: Frame[] = [];
  const framer = new Framer(320, (frame) => frames.push(frame));
  const input = Float32Array.from({ length: 5000 }, () => chance() * 2 - 1);
  for (let at = 0; at < input.length; ) {
    const size = 1 + Math.floor(chance() * 300);
    framer.push(input.subarray(at, at + size));
    at += size;
  }
  framer.flush();
  framer.flush();
  assert.deepEqual(frames.map(({ pcm }) => pcm.length), [...Array<number>(15).fill(320), 200]);
  assert.deepEqual(frames.flatMap(({ pcm }) => [...pcm]), [...input].map((value) => Math.round(value * 32767) + 0));
});

test("what was flushed belongs to its frame: the ones behind it end where they would have", () => {
  const sizes: number[] = [];
  const framer = new Framer(256, ({ pcm }) => sizes.push(pcm.length));
  for (const piece of [300, 500, 12]) {
    framer.push(new Float32Array(piece));
    framer.flush();
  }
  framer.push(new Float32Array(600));
  assert.deepEqual(sizes, [256, 44, 212, 256, 32, 12, 212, 256]);
});

test("what is too loud is clipped, not wrapped", () => {
  const frames: Frame[] = [];
  new Framer(2, (frame) => frames.push(frame)).push(Float32Array.of(3, -3));
  assert.deepEqual([...(frames[0]?.pcm ?? [])], [32767, -32767]);
  assert.equal(frames[0]?.level, 1);
});

/** Amplitude of `hertz` in `samples` at `rate`, by correlation. */
function amplitude(samples: Float32Array, rate: number, hertz: number): number {
  let [sine, cosine] = [0, 0];
  samples.forEach((value, i) => {
    sine += value * Math.sin((2 * Math.PI * hertz * i) / rate);
    cosine += value * Math.cos((2 * Math.PI * hertz * i) / rate);
  });
  return (2 * Math.hypot(sine, cosine)) / samples.length;
}

function resampled(inputRate: number, hertz: number): Float32Array {
  const resampler = new Resampler(inputRate, 16_000);
  const out: number[] = [];
  for (let at = 0; at < inputRate; at += 128) {
    const block = Float32Array.from({ length: 128 }, (_, i) => Math.sin((2 * Math.PI * hertz * (at + i)) / inputRate));
    out.push(...resampler.process(block));
  }
  return Float32Array.from(out);
}

for (const rate of [44_100, 48_000, 8_000]) {
  test(`${rate} Hz becomes 16 kHz: right count, speech kept`, () => {
    const out = resampled(rate, 1000);
    const wanted = (Math.ceil(rate / 128) * 128 * 16_000) / rate;
    assert(wanted - out.length >= 0 && wanted - out.length < 40, `${out.length} samples of ${wanted}`);
    const steady = out.subarray(800, 15_200);
    assert(Math.abs(amplitude(steady, 16_000, 1000) - 1) < 0.01);
  });
}

test("what 16 kHz cannot hold is taken out, not folded back", () => {
  const out = resampled(48_000, 11_000);
  const folded = amplitude(out.subarray(800, 15_200), 16_000, 5000);
  assert(folded < 0.003, `alias of ${folded}`);
});
