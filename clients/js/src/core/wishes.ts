/** What a session is asked to be like, and how it changes while it stands. */

import type { Hello } from "../wire/messages.js";
import type { Control } from "./outgoing.js";

/** What a `hello` may ask for besides formats. */
export type Wishes = Omit<Hello, "type" | "version" | "audio" | "acknowledge">;

/** The wishes of a session to come, after this was said in the present one. */
export function wished(wishes: Wishes, said: Control): Wishes {
  switch (said.type) {
    case "setLanguage": {
      // A voice belongs to a language: the server picks one of the new language.
      const { voice: _, ...rest } = wishes;
      return { ...rest, language: said.language };
    }
    case "setVoice":
      return { ...wishes, voice: said.voice };
    case "setMode":
      return { ...wishes, mode: said.mode };
    case "setProvider": {
      const name = said.name ?? said.provider ?? null;
      return { ...wishes, provider: { ...wishes.provider, [said.kind ?? "llm"]: name } };
    }
    default:
      return wishes;
  }
}
