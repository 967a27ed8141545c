/** Whether and when to connect again. Pure: chance is handed in. */

import type { Disconnected } from "../events.js";

export interface ReconnectOptions {
  /** Seconds before the first try. Default 0.5. */
  readonly firstDelay?: number;
  /** Most seconds between two tries. Default 15. */
  readonly longestDelay?: number;
  /** Tries before giving up; 0 makes none. Default 20: about four minutes. */
  readonly attempts?: number;
}

export interface Verdict {
  readonly reason: Disconnected["reason"];
  /** Seconds; null: do not come back. */
  readonly delay: number | null;
}

/** Close codes (RFC 6455 and its registry) that another try would not change. */
const HOPELESS = new Set([1002, 1003, 1007, 1008, 1010]);
const NORMAL = 1000;
const FULL = 1013;
const FAILED = 1011;
const TAKEN_OVER = 4001;

/**
 * Exponential back-off with "equal jitter": half of the delay is certain, half by chance, so that the clients of a server
 * that restarts do not come back in one crowd.
 */
export class Reconnection {
  attempts = 0;
  private readonly first: number;
  private readonly longest: number;
  private readonly most: number;

  constructor(
    options: ReconnectOptions = {},
    private readonly chance: () => number = Math.random,
  ) {
    this.first = options.firstDelay ?? 0.5;
    this.longest = options.longestDelay ?? 15;
    this.most = options.attempts ?? 20;
  }

  /** The session stands: the next loss counts as the first. */
  succeeded(): void {
    this.attempts = 0;
  }

  /** `retryAfter`: what the server asked for, in seconds; it is obeyed within reason. */
  closed(code: number, retryAfter: number | null = null): Verdict {
    if (code === NORMAL) return { reason: "ended", delay: null };
    if (code === TAKEN_OVER) return { reason: "taken_over", delay: null };
    if (HOPELESS.has(code)) return { reason: "refused", delay: null };
    if (this.attempts >= this.most) return { reason: "gave_up", delay: null };
    const ceiling = Math.min(this.longest, this.first * 2 ** this.attempts);
    this.attempts += 1;
    const delay = ceiling / 2 + (ceiling / 2) * this.chance();
    const least = Math.min(retryAfter ?? 0, this.longest);
    return { reason: reasonOf(code), delay: Math.max(delay, least) };
  }
}

function reasonOf(code: number): Disconnected["reason"] {
  if (code === FULL) return "full";
  return code === FAILED ? "failed" : "lost";
}
