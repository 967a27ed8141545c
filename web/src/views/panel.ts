/** A view of the dashboard: built when it is first looked at, refreshed only while somebody looks. */

import { words } from "../api";
import { h, setText } from "../components/dom";

export abstract class Panel extends HTMLElement {
  protected abstract readonly heading: string;
  protected readonly problem = h("p", { className: "problem", hidden: true, attributes: { role: "alert" } });
  private built = false;
  private timer: number | undefined;
  private shownFor = new AbortController();

  /** Look at it; `argument` is the rest of the address. */
  show(argument: string): void {
    if (!this.built) {
      this.built = true;
      const title = h("h1", { textContent: this.heading, tabIndex: -1 });
      this.append(h("header", { className: "view-head" }, title, ...this.tools()), this.problem);
      this.build();
    }
    this.hidden = false;
    this.shownFor = new AbortController();
    this.shown(argument);
  }

  hide(): void {
    this.hidden = true;
    this.shownFor.abort();
    clearInterval(this.timer);
    this.timer = undefined;
    this.left();
  }

  /** What stands beside the title. */
  protected tools(): Node[] {
    return [];
  }

  protected abstract build(): void;
  protected abstract shown(argument: string): void;
  protected left(): void {}

  /** Ends when the view is left. */
  protected get signal(): AbortSignal {
    return this.shownFor.signal;
  }

  /** Do it now, and again every so many milliseconds while the view is looked at. Failures are shown. */
  protected keep(work: () => Promise<void>, every: number): void {
    const guarded = async (): Promise<void> => {
      if (document.hidden) return;
      await this.attempt(work);
    };
    void guarded();
    clearInterval(this.timer);
    this.timer = setInterval(() => void guarded(), every);
  }

  /** Whether it worked; what went wrong is told above the view. */
  protected async attempt(work: () => Promise<void>): Promise<boolean> {
    try {
      await work();
      this.complain("");
      return true;
    } catch (error) {
      if (this.hidden) return false;
      this.complain(words(error));
      return false;
    }
  }

  protected complain(text: string): void {
    setText(this.problem, text);
    this.problem.hidden = text === "";
  }
}
