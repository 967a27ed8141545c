import assert from "node:assert/strict";
import { test } from "node:test";
import { parseFrame, parseMessage, WireError } from "../src/protocol";

function frame(samples: number[], version = 1, extra = 0): ArrayBuffer {
  const data = new ArrayBuffer(16 + samples.length * 2 + extra);
  const view = new DataView(data);
  view.setUint8(0, version);
  view.setUint8(1, 5);
  view.setUint16(2, 0xfffe, true);
  view.setUint32(4, 7, true);
  view.setUint32(8, 0xdeadbeef, true);
  view.setUint32(12, 24_000, true);
  samples.forEach((sample, i) => view.setInt16(16 + 2 * i, sample, true));
  return data;
}

test("a frame's header and samples are read as little-endian", () => {
  const { pcm, ...header } = parseFrame(frame([1, -2, 32767, -32768]));
  assert.deepEqual(header, { flags: 5, revision: 0xfffe, turn: 7, generation: 0xdeadbeef, offset: 24_000 });
  assert.deepEqual([...pcm], [1, -2, 32767, -32768]);
});

test("a header without samples is an empty frame", () => {
  assert.equal(parseFrame(frame([])).pcm.length, 0);
});

test("broken frames are refused, not played", () => {
  assert.throws(() => parseFrame(new ArrayBuffer(15)), WireError);
  assert.throws(() => parseFrame(frame([1], 2)), WireError);
  assert.throws(() => parseFrame(frame([1], 1, 1)), WireError);
});

test("text that is no message is refused", () => {
  assert.equal(parseMessage('{"type":"pong"}').type, "pong");
  for (const text of ["", "null", "3", "[]", "{}", '{"type":3}', "nonsense"]) {
    assert.throws(() => parseMessage(text), WireError);
  }
});
