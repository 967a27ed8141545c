import assert from "node:assert/strict";
import { test } from "node:test";
import { type Played, ReplyBuffer } from "../src/audio/reply-buffer.js";
import { random } from "./random.js";

const QUANTUM = 128;
const FADE = 120;
const OPTIONS = { prefill: 1200, fade: FADE, capacity: 48_000, reportEvery: 2400 };

function buffer(options: Partial<typeof OPTIONS> = {}): { reply: ReplyBuffer; reports: Played[] } {
  const reports: Played[] = [];
  return { reply: new ReplyBuffer({ ...OPTIONS, ...options }, (played) => reports.push(played)), reports };
}

/** Samples that say where they stand: never zero, all different. */
function ramp(from: number, count: number): Int16Array {
  return Int16Array.from({ length: count }, (_, i) => from + i + 1);
}

function render(reply: ReplyBuffer, quanta: number): number[] {
  const out: number[] = [];
  for (let i = 0; i < quanta; i += 1) {
    const block = new Float32Array(QUANTUM);
    reply.render(block);
    for (const value of block) out.push(value * 32768);
  }
  return out;
}

test("nothing sounds before the prefill, then every sample once, in order", () => {
  const { reply } = buffer();
  reply.push(1, 0, ramp(0, 1199));
  assert(render(reply, 1).every((value) => value === 0));
  reply.push(1, 1199, ramp(1199, 1201));
  const heard = render(reply, 25);
  assert.deepEqual(heard.slice(0, 2400), [...ramp(0, 2400)]);
});

test("a reply shorter than the prefill starts when the prefill's time is over", () => {
  const { reply, reports } = buffer();
  reply.push(1, 0, ramp(0, 200));
  const heard = render(reply, 20);
  const start = heard.findIndex((value) => value !== 0);
  assert(start >= OPTIONS.prefill && start < OPTIONS.prefill + 2 * QUANTUM, `started at ${start}`);
  assert.deepEqual(reports, [{ generation: 1, samples: 200 }]);
});

test("a pause stands still between two samples; going on loses and repeats none", () => {
  const { reply, reports } = buffer();
  reply.push(1, 0, ramp(1000, 9600));
  const first = render(reply, 11);
  reply.pause(1);
  assert.deepEqual(reports.at(-1), { generation: 1, samples: 11 * QUANTUM });
  const silence = render(reply, 30);
  assert(silence.slice(0, FADE - 1).every((value) => value > 0), "the stop is ramped");
  assert(silence.slice(FADE).every((value) => value === 0), "then there is silence");
  reply.resume(1);
  const second = render(reply, 20);
  assert.deepEqual(first, [...ramp(1000, 11 * QUANTUM)]);
  const expected = [...ramp(1000 + 11 * QUANTUM, 20 * QUANTUM)];
  assert.deepEqual(second.slice(FADE), expected.slice(FADE));
  second.slice(0, FADE).forEach((value, i) => {
    const wanted = (expected[i] ?? 0) * ((i + 1) / FADE);
    assert(Math.abs(value - wanted) < 0.01, `sample ${i} of the rise is ${value}, not ${wanted}`);
  });
});

test("what was cleared is silent within one quantum and stays so, however late its frames come", () => {
  const { reply, reports } = buffer();
  reply.push(3, 0, ramp(1000, 9600));
  render(reply, 8);
  reply.clear(3);
  assert.deepEqual(reports.at(-1), { generation: 3, samples: 8 * QUANTUM });
  const after = render(reply, 10);
  assert(after.slice(FADE).every((value) => value === 0));
  reply.push(3, 9600, ramp(0, 4800));
  reply.push(2, 0, ramp(0, 4800));
  assert(render(reply, 30).every((value) => value === 0));
  assert.equal(reply.stale, 2);
  reply.push(4, 0, ramp(0, 2400));
  assert.deepEqual(render(reply, 4), [...ramp(0, 4 * QUANTUM)]);
});

test("clearing an older generation leaves the newer one alone", () => {
  const { reply } = buffer();
  reply.push(2, 0, ramp(0, 4800));
  reply.clear(1);
  assert.deepEqual(render(reply, 2), [...ramp(0, 2 * QUANTUM)]);
});

test("a newer generation replaces an older one, whose end is reported exactly", () => {
  const { reply, reports } = buffer();
  reply.push(1, 0, ramp(0, 4800));
  render(reply, 5);
  reply.push(2, 0, ramp(0, 4800));
  assert.deepEqual(reports.at(-1), { generation: 1, samples: 5 * QUANTUM });
  const heard = render(reply, 3);
  assert.deepEqual(heard.slice(FADE), [...ramp(FADE, 3 * QUANTUM - FADE)]);
  assert.equal(reply.waiting, 4800 - 3 * QUANTUM);
});

test("a gap is counted once, when more of the reply comes after it", () => {
  const { reply } = buffer();
  reply.push(1, 0, ramp(0, 2400));
  render(reply, 40);
  assert.equal(reply.underruns, 0, "the end of a reply is no gap");
  reply.push(1, 2400, ramp(2400, 2400));
  assert.equal(reply.underruns, 1);
  const heard = render(reply, 10);
  assert.deepEqual(heard.slice(FADE), [...ramp(2400 + FADE, 10 * QUANTUM - FADE)]);
});

test("frames that overlap are played once; what is too much is refused and counted", () => {
  const { reply } = buffer();
  reply.push(1, 0, ramp(0, 2000));
  reply.push(1, 0, ramp(0, 2000));
  reply.push(1, 1500, ramp(1500, 1000));
  assert.equal(reply.waiting, 2500);
  reply.push(1, 2500, ramp(0, 48_000));
  assert.equal(reply.overflow, 48_000);
  assert.equal(reply.waiting, 2500);
});

test("a reset lets generations count from one again and reports nothing of the old session", () => {
  const { reply, reports } = buffer();
  reply.push(9, 0, ramp(0, 4800));
  render(reply, 2);
  reports.length = 0;
  reply.reset();
  reply.push(1, 0, ramp(0, 4800));
  render(reply, 1);
  assert.deepEqual(reports, []);
  const heard = render(reply, 2);
  assert.deepEqual(heard, [...ramp(QUANTUM, 2 * QUANTUM)]);
});

test("a pause that comes before the reply's first frame holds it back", () => {
  const { reply, reports } = buffer();
  reply.pause(1);
  assert.deepEqual(reports, [{ generation: 1, samples: 0 }]);
  reply.push(1, 0, ramp(0, 4800));
  assert(render(reply, 30).every((value) => value === 0));
  reply.resume(1);
  assert.deepEqual(render(reply, 2), [...ramp(0, 2 * QUANTUM)]);
});

test("whatever happens, no sample is repeated or out of order, and reports only rise within a generation", () => {
  for (let seed = 1; seed <= 300; seed += 1) {
    const chance = random(seed);
    // Without fades and prefill every sample heard says which it is.
    const { reply, reports } = buffer({ fade: 0, prefill: 0, reportEvery: 500 });
    let generation = 1;
    let offset = 0;
    let last = 0;
    let heard = 0;
    let cleared = 0;
    for (let step = 0; step < 200; step += 1) {
      const dice = chance();
      if (dice < 0.4) {
        const count = 1 + Math.floor(chance() * 400);
        if (offset + count < 32_000) {
          reply.push(generation, offset, ramp(offset, count));
          offset += count;
        }
      } else if (dice < 0.45) reply.pause(generation);
      else if (dice < 0.55) reply.resume(generation);
      else if (dice < 0.58) {
        reply.clear(generation);
        cleared = generation;
        generation += 1;
        offset = last = heard = 0;
      } else if (dice < 0.62 && cleared > 0) reply.push(cleared, 0, ramp(0, 300));
      else {
        for (const value of render(reply, 1)) {
          if (value === 0) continue;
          assert.equal(Math.round(value), last + 1, `seed ${seed}, step ${step}`);
          last += 1;
          heard += 1;
        }
        const newest = reports.findLast((report) => report.generation === generation);
        assert((newest?.samples ?? 0) <= heard, "more reported than heard");
      }
    }
    for (let i = 1; i < reports.length; i += 1) {
      const [before, after] = [reports[i - 1], reports[i]];
      if (before && after && before.generation === after.generation) assert(after.samples >= before.samples);
    }
  }
});
