/** The server's HTTP API: one place that adds the key, reads errors, and says in words what went wrong. */

import { keeperOfThisTab, keptKey } from "./key";

/** `code` is the server's stable word; `offline` where nobody answered. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

export interface Asked {
  method?: string;
  json?: unknown;
  signal?: AbortSignal;
}

/** Told `wanted` when the server does not take the key it was given, or was given none; `given` when somebody entered one. */
export const keyWanted = new EventTarget();

/** The key that is kept for this tab, where there is one: the same as for conversations. */
export function headers(): Record<string, string> {
  const key = keptKey(keeperOfThisTab());
  return key ? { Authorization: `Bearer ${key}` } : {};
}

/** Where a path of the API is: relative to the page, so that it also works behind a proxy that serves it under a path. */
export function address(path: string): URL {
  return new URL(path.replace(/^\//, ""), document.baseURI);
}

/** Raises ApiError. */
export async function ask(path: string, asked: Asked = {}): Promise<Response> {
  const { method = "GET", json, signal } = asked;
  const init: RequestInit = { method, headers: { ...headers(), ...(json ? { "Content-Type": "application/json" } : {}) } };
  if (json) init.body = JSON.stringify(json);
  if (signal) init.signal = signal;
  let response: Response;
  try {
    response = await fetch(address(path), init);
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError(0, "offline", "The server does not answer. Is “vivavoce serve” running?");
  }
  if (response.ok) return response;
  throw await failure(response.status, await response.text());
}

export async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  return (await (await ask(path, signal ? { signal } : {})).json()) as T;
}

export async function send<T>(method: string, path: string, json?: unknown): Promise<T> {
  return (await (await ask(path, { method, json })).json()) as T;
}

/** The error in an answer, in the server's own words where it has some. */
export function failure(status: number, body: string): ApiError {
  const error = parsed(body);
  if (status === 401) keyWanted.dispatchEvent(new Event("wanted"));
  if (status === 401) return new ApiError(status, "invalid_api_key", "This server asks for an API key.");
  if (status === 403 && error.code === "insufficient_scope") {
    return new ApiError(status, error.code, "This key may not do that. Ask for one with the scope “admin”.");
  }
  return new ApiError(status, error.code, error.message || `The server answered ${status}.`);
}

function parsed(body: string): { code: string; message: string } {
  try {
    const { error } = JSON.parse(body) as { error?: { code?: string; message?: string } };
    return { code: error?.code ?? "", message: error?.message ?? "" };
  } catch {
    return { code: "", message: "" };
  }
}

/** What to tell a person about anything that was thrown. */
export function words(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
