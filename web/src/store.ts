/** Holds the state and tells views that it changed, gathered: many messages of one moment are one rendering. */

import type { State } from "./state";

export class Store {
  private readonly views: ((state: State) => void)[] = [];
  private scheduled = false;

  constructor(private current: State) {}

  get state(): State {
    return this.current;
  }

  update(change: Partial<State> | ((state: State) => State)): void {
    this.current = typeof change === "function" ? change(this.current) : { ...this.current, ...change };
    if (this.scheduled) return;
    this.scheduled = true;
    // Not requestAnimationFrame: a hidden page is to stay up to date for whoever listens to it.
    setTimeout(() => {
      this.scheduled = false;
      for (const view of this.views) view(this.current);
    });
  }

  subscribe(view: (state: State) => void): void {
    this.views.push(view);
    view(this.current);
  }
}
