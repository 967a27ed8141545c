/** Models: what is here, what suits this machine, fetching with progress, removing. */

import { get, send } from "../api";
import { h, setText } from "../components/dom";
import { button, card, chip, confirmed, Progress, Segments } from "../components/widgets";
import { bytes, language } from "../format";
import type { ModelInfo, ModelList } from "../shapes";

type Shown = "installed" | "recommended" | "all";
const BUSY = 1_000;
const QUIET = 15_000;
const KINDS: Record<string, string> = {
  stt: "Speech to text",
  tts: "Text to speech",
  vad: "Voice activity",
  turn: "End of turn",
  wake: "Wake word",
};

export class Models {
  private readonly list = h("ul", { className: "models" });
  private readonly where = h("p", { className: "note" });
  private readonly search = h("input", { type: "search", placeholder: "Name, language, engine", ariaLabel: "Find a model" });
  readonly element: HTMLElement;
  private items = new Map<string, ModelItem>();
  private found: ModelList | null = null;
  private shown: Shown = "recommended";
  private timer: number | undefined;

  constructor(
    private readonly attempt: (work: () => Promise<void>) => Promise<boolean>,
    private readonly signal: () => AbortSignal,
  ) {
    const options = [
      ["recommended", "For this machine"],
      ["installed", "Installed"],
      ["all", "All"],
    ] as const;
    const segments = new Segments<Shown>("Which models", options, this.shown, (value) => {
      this.shown = value;
      this.draw();
    });
    this.search.addEventListener("input", () => this.draw());
    this.element = card("Models", h("div", { className: "row" }, segments.element, this.search), this.list, this.where);
  }

  start(): void {
    this.stop();
    const look = async (): Promise<void> => {
      await this.attempt(async () => {
        this.found = await get<ModelList>("api/models", this.signal());
        this.draw();
      });
      if (this.signal().aborted) return;
      const busy = this.found?.models.some((model) => under_way(model)) ?? false;
      this.timer = setTimeout(() => void look(), busy ? BUSY : QUIET);
    };
    void look();
  }

  stop(): void {
    clearTimeout(this.timer);
  }

  private draw(): void {
    if (!this.found) return;
    const sought = this.search.value.trim().toLowerCase();
    const models = this.found.models.filter((model) => this.wanted(model) && matches(model, sought));
    const before = this.items;
    this.items = new Map();
    const elements = models.map((model) => {
      const item = before.get(model.name) ?? new ModelItem(this.act);
      item.show(model, this.found?.offline ?? false);
      this.items.set(model.name, item);
      return item.element;
    });
    const same = elements.length === this.list.children.length && elements.every((one, index) => one === this.list.children[index]);
    if (!same) this.list.replaceChildren(...(elements.length ? elements : [h("li", { className: "nothing", textContent: "None of these." })]));
    const offline = this.found.offline ? " The server is offline by configuration: it fetches nothing." : "";
    setText(this.where, `Kept in ${this.found.directory}. A new model is used from the next start of the server.${offline}`);
  }

  private wanted(model: ModelInfo): boolean {
    if (this.shown === "installed") return model.installed || under_way(model);
    return this.shown === "all" || model.recommended || model.in_use || under_way(model);
  }

  private readonly act = async (model: ModelInfo, what: "pull" | "cancel" | "remove"): Promise<void> => {
    const path = `api/models/${encodeURIComponent(model.name)}`;
    if (what === "remove" && !(await confirmed(`Remove ${model.name} and its files (${bytes(model.bytes)})?`, "Remove"))) return;
    const licence = `The licence of ${model.name} restricts its use: ${model.restricted}. Fetch it and accept that?`;
    if (what === "pull" && model.restricted && !(await confirmed(licence, "Accept and fetch"))) return;
    await this.attempt(async () => {
      if (what === "pull") await send("POST", `${path}/pull`, { accept_licence: model.restricted !== "" });
      if (what === "cancel") await send("DELETE", `${path}/pull`);
      if (what === "remove") await send("DELETE", path);
    });
    this.start();
  };
}

type Act = (model: ModelInfo, what: "pull" | "cancel" | "remove") => Promise<void>;

class ModelItem {
  private readonly name = h("strong");
  private readonly chips = h("span", { className: "chips" });
  private readonly about = h("p", { className: "about" });
  private readonly facts = h("p", { className: "note" });
  private readonly progress = new Progress("Download");
  private readonly actions = h("div", { className: "row end" });
  readonly element: HTMLElement;
  private model: ModelInfo | null = null;
  private drawn = "";

  constructor(act: Act) {
    const doing = (what: "pull" | "cancel" | "remove") => () => {
      if (this.model) void act(this.model, what);
    };
    const pull = button("Fetch", doing("pull"), { icon: "down" });
    const cancel = button("Stop", doing("cancel"));
    const remove = button("Remove", doing("remove"));
    this.actions.append(pull, cancel, remove);
    this.progress.element.hidden = true;
    const words = h("div", {}, h("p", {}, this.name, " ", this.chips), this.about, this.facts, this.progress.element);
    this.element = h("li", { className: "model" }, words, this.actions);
  }

  show(model: ModelInfo, offline: boolean): void {
    const key = JSON.stringify([model, offline]);
    if (key === this.drawn) return;
    this.drawn = key;
    this.model = model;
    setText(this.name, model.name);
    this.chips.replaceChildren(...chips(model));
    setText(this.about, model.description);
    const tongues = model.languages.map(language).slice(0, 6).join(", ") || "any language";
    setText(this.facts, `${bytes(model.bytes)} · ${tongues} · ${model.licence}${model.restricted ? ` (${model.restricted})` : ""}`);
    const [pull, cancel, remove] = this.actions.children as unknown as HTMLButtonElement[];
    const busy = under_way(model);
    if (pull) pull.hidden = model.installed || busy || offline;
    if (cancel) cancel.hidden = !busy;
    if (remove) remove.hidden = !model.installed || busy || model.in_use;
    this.showPull(model);
    for (const control of [pull, cancel, remove]) control?.setAttribute("aria-label", `${control.textContent} ${model.name}`);
  }

  private showPull(model: ModelInfo): void {
    const { pull } = model;
    this.progress.element.hidden = !pull || pull.state === "done" || pull.state === "cancelled";
    if (!pull || this.progress.element.hidden) return;
    if (pull.state === "failed") this.progress.show(0, pull.error?.message ?? pull.message);
    else if (pull.state === "queued") this.progress.show(null, "Waits for another download.");
    else this.progress.show(pull.bytes ? pull.received / pull.bytes : null, `${bytes(pull.received)} of ${bytes(pull.bytes)}`);
  }
}

function chips(model: ModelInfo): HTMLElement[] {
  const found = [chip(KINDS[model.kind] ?? model.kind)];
  if (model.in_use) found.push(chip("in use", "good"));
  else if (model.installed) found.push(chip("installed", "good"));
  if (model.recommended) found.push(chip("recommended", "busy"));
  if (model.restricted) found.push(chip("restricted licence", "bad"));
  return found;
}

function under_way(model: ModelInfo): boolean {
  return model.pull?.state === "queued" || model.pull?.state === "running";
}

function matches(model: ModelInfo, sought: string): boolean {
  const text = [model.name, model.engine, KINDS[model.kind], model.description, ...model.languages.map(language), ...model.languages];
  return text.join(" ").toLowerCase().includes(sought);
}
