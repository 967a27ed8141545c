/** A turn counts its steps from its begin, its waterfall from the end of the user's speech. */

import type { TurnDetail } from "./shapes";

/** Seconds after the turn began at which the user's last word ended. */
export function speechEnd(turn: TurnDetail): number {
  const released = turn.steps.findLast((step) => step.kind === "transcript")?.at;
  const { decision } = turn.waterfall;
  return released === undefined || decision === null ? 0 : released - decision;
}

