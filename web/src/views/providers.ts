/** Who serves each purpose, in which order, and how each is. */

import { ApiError, get } from "../api";
import { h } from "../components/dom";
import { card, chip } from "../components/widgets";
import type { ClientConfig } from "../shapes";
import { Panel } from "./panel";

const EVERY = 5_000;
const KINDS = [
  ["stt", "Speech to text"],
  ["llm", "Answers"],
  ["tts", "Text to speech"],
] as const;

export class Providers extends Panel {
  protected readonly heading = "Providers";
  private readonly chains = h("div", { className: "chains" });

  protected build(): void {
    const note = "The first of each chain serves; where it fails, the next one goes on. `vivavoce connect` adds a service, Models in System an engine.";
    this.append(h("p", { className: "note lead", textContent: note.replaceAll("`", "") }), this.chains);
  }

  protected shown(): void {
    this.keep(async () => this.draw(await names(this.signal)), EVERY);
  }

  private draw(found: Record<string, string[]>): void {
    this.chains.replaceChildren(
      ...KINDS.map(([kind, title]) => {
        const steps = (found[kind] ?? []).map((name, index) => h("li", {}, h("strong", { textContent: name }), " ", chip(index ? "next" : "first", index ? "plain" : "good")));
        return card(title, h("ol", { className: "chain" }, ...(steps.length ? steps : [h("li", { className: "nothing", textContent: "None." })])));
      }),
    );
  }
}

async function names(signal: AbortSignal): Promise<Record<string, string[]>> {
  try {
    return (await get<ClientConfig>("api/config", signal)).providers;
  } catch (error) {
    if (error instanceof ApiError && error.code === "not_found") return {};
    throw error;
  }
}
