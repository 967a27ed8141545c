/** Whether and when to connect again. Pure: chance is handed in. */

export const FIRST_DELAY = 0.5;
export const LONGEST_DELAY = 15;

/** Close codes (RFC 6455 and its registry) that another try would not change. */
const HOPELESS = new Set([1002, 1003, 1007, 1008, 1010]);
const FULL = 1013;
const FAILED = 1011;

export type Verdict =
  | { retry: false; reason: "refused" }
  | { retry: true; reason: "full" | "failed" | "gone"; delay: number };

/**
 * Exponential back-off with "equal jitter": half of the delay is certain, half by chance, so that the clients of a server
 * that restarts do not come back in one crowd.
 */
export class Reconnection {
  private failures = 0;

  constructor(private readonly chance: () => number = Math.random) {}

  get attempts(): number {
    return this.failures;
  }

  /** The session stands: the next loss counts as the first. */
  succeeded(): void {
    this.failures = 0;
  }

  closed(code: number): Verdict {
    if (HOPELESS.has(code)) return { retry: false, reason: "refused" };
    const ceiling = Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** this.failures);
    this.failures += 1;
    const delay = ceiling / 2 + (ceiling / 2) * this.chance();
    return { retry: true, reason: reasonOf(code), delay };
  }
}

function reasonOf(code: number): "full" | "failed" | "gone" {
  if (code === FULL) return "full";
  return code === FAILED ? "failed" : "gone";
}
