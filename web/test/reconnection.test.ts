import assert from "node:assert/strict";
import { test } from "node:test";
import { FIRST_DELAY, LONGEST_DELAY, Reconnection } from "../src/reconnection";

test("delays double, keep within their jitter and stop growing", () => {
  for (const chance of [0, 0.5, 0.999]) {
    const reconnection = new Reconnection(() => chance);
    for (let failure = 0; failure < 12; failure += 1) {
      const verdict = reconnection.closed(1006);
      assert(verdict.retry);
      const ceiling = Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** failure);
      assert.equal(verdict.delay, ceiling / 2 + (ceiling / 2) * chance);
    }
  }
});

test("a session that stood starts the delays anew", () => {
  const reconnection = new Reconnection(() => 1);
  for (let i = 0; i < 5; i += 1) reconnection.closed(1006);
  reconnection.succeeded();
  assert.deepEqual(reconnection.closed(1001), { retry: true, reason: "gone", delay: FIRST_DELAY });
});

test("a full server is told apart, a refusal is final", () => {
  const reconnection = new Reconnection(() => 0);
  assert.deepEqual(reconnection.closed(1013), { retry: true, reason: "full", delay: FIRST_DELAY / 2 });
  assert.deepEqual(reconnection.closed(1011), { retry: true, reason: "failed", delay: FIRST_DELAY });
  assert.deepEqual(reconnection.closed(1008), { retry: false, reason: "refused" });
});
