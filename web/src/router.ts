/** Which view the address names: `#/turns/sess_1.4` is the view `turns` with the argument `sess_1.4`. */

export const VIEWS = ["talk", "speak", "transcribe", "turns", "sessions", "providers", "system", "settings"] as const;
export type ViewName = (typeof VIEWS)[number];

export interface Route {
  view: ViewName;
  argument: string;
}

/** Anything unknown is the view to talk. */
export function parseRoute(hash: string): Route {
  const [name = "", ...rest] = hash.replace(/^#\/?/, "").split("/");
  const view = VIEWS.find((known) => known === name);
  if (!view) return { view: "talk", argument: "" };
  return { view, argument: decoded(rest.join("/")) };
}

export function routeTo(view: ViewName, argument = ""): string {
  return argument ? `#/${view}/${encodeURIComponent(argument)}` : `#/${view}`;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
