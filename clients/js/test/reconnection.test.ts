import assert from "node:assert/strict";
import { test } from "node:test";
import { Reconnection } from "../src/core/reconnection.js";

test("delays double up to the longest, half of each by chance", () => {
  const delays = (chance: number): (number | null)[] => {
    const line = new Reconnection({ firstDelay: 0.5, longestDelay: 15 }, () => chance);
    return Array.from({ length: 7 }, () => line.closed(1006).delay);
  };
  assert.deepEqual(delays(1), [0.5, 1, 2, 4, 8, 15, 15]);
  assert.deepEqual(delays(0), [0.25, 0.5, 1, 2, 4, 7.5, 7.5]);
});

test("tries are bounded, and counted anew after a success", () => {
  const line = new Reconnection({ attempts: 2 }, () => 0);
  line.closed(1006);
  line.succeeded();
  assert.equal(line.closed(1006).reason, "lost");
  assert.equal(line.closed(1006).reason, "lost");
  assert.deepEqual(line.closed(1006), { reason: "gave_up", delay: null });
});

test("what the server asks for is obeyed within reason", () => {
  assert.equal(new Reconnection({}, () => 0).closed(1013, 7).delay, 7);
  assert.equal(new Reconnection({}, () => 0).closed(1013, 3_600).delay, 15);
});
