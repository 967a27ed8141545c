/**
 * The key of a server that wants one: kept for this tab alone, and exchanged for a token for each connection, because a
 * browser's socket carries no headers and an address is no place for a key.
 */

/** What stands between the page and the server; the words for people are the view's. */
export type KeyProblem = "wanted" | "wrong" | "ended" | "weak" | "bound" | "blocked";

export type Admission =
  | { admitted: true; token: string }
  | { admitted: false; problem: KeyProblem }
  /** Nobody answered, or nothing that makes sense: it is no matter of keys. */
  | { admitted: false; problem: "away" };

/** The little of a storage that is needed; `sessionStorage` is one. */
export interface Keeper {
  getItem(name: string): string | null;
  setItem(name: string, value: string): void;
  removeItem(name: string): void;
}

export type Ask = (url: URL, init: RequestInit) => Promise<Response>;

const NAME = "vivavoce.key";
/** Ephemeral keys are bound to a session of another protocol. */
const EPHEMERAL = "ek_";
/** Scopes that allow a conversation. */
const ENOUGH = ["converse", "admin"];

export class Keys {
  private key: string;
  /** Whether the key was good once: one that is refused now was revoked, or its time is over. */
  private proven: boolean;

  constructor(
    private readonly url: URL,
    private readonly keeper: Keeper | null,
    private readonly ask: Ask,
  ) {
    this.key = keptKey(keeper);
    this.proven = this.needed;
  }

  /** Whether there is a key, and so every connection needs a token. */
  get needed(): boolean {
    return this.key !== "";
  }

  /** From now on this one; nothing is known of it yet. */
  use(key: string): void {
    this.key = key.trim();
    this.proven = false;
  }

  /** Exchange the key for a token. A key that is right is kept, one that is wrong is forgotten. */
  async admit(): Promise<Admission> {
    let answer: Response;
    try {
      answer = await this.ask(this.url, { method: "POST", headers: this.headers(), cache: "no-store" });
    } catch {
      return { admitted: false, problem: "away" };
    }
    switch (answer.status) {
      case 200:
        return this.admitted(answer);
      case 401:
        return this.forgotten(!this.key ? "wanted" : this.proven ? "ended" : "wrong");
      case 403:
        return this.refused(this.key.startsWith(EPHEMERAL) ? "bound" : "weak");
      case 429:
        return { admitted: false, problem: "blocked" };
      default:
        return { admitted: false, problem: "away" };
    }
  }

  private headers(): Record<string, string> {
    return this.key ? { Authorization: `Bearer ${this.key}` } : {};
  }

  private async admitted(answer: Response): Promise<Admission> {
    let body: unknown;
    try {
      body = await answer.json();
    } catch {
      return { admitted: false, problem: "away" };
    }
    const { token, scopes } = body as { token?: unknown; scopes?: unknown };
    if (typeof token !== "string") return { admitted: false, problem: "away" };
    if (Array.isArray(scopes) && !ENOUGH.some((scope) => scopes.includes(scope))) return this.refused("weak");
    this.proven = this.needed;
    if (this.key) this.keeper?.setItem(NAME, this.key);
    return { admitted: true, token };
  }

  private forgotten(problem: KeyProblem): Admission {
    this.keeper?.removeItem(NAME);
    return this.refused(problem);
  }

  /** What is kept stays: a key that does not allow a conversation may open other views. */
  private refused(problem: KeyProblem): Admission {
    this.key = "";
    return { admitted: false, problem };
  }
}

/** The key kept in a tab; empty where there is none. */
export function keptKey(keeper: Keeper | null): string {
  return keeper?.getItem(NAME) ?? "";
}

export function keepKey(keeper: Keeper | null, key: string): void {
  keeper?.setItem(NAME, key);
}

/** What this tab keeps by itself, unless the browser forbids it: then a key lasts as long as the page. */
export function keeperOfThisTab(): Keeper | null {
  try {
    return sessionStorage;
  } catch {
    return null;
  }
}
