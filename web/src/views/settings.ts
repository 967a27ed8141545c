/** The configuration in force with its origins, the keys, and how the page looks. */

import { get, send } from "../api";
import { h, setText } from "../components/dom";
import { button, card, chip, confirmed, Segments } from "../components/widgets";
import { clock } from "../format";
import type { KeyInfo, KeyList, SettingsReport, SettingValue } from "../shapes";
import { setTheme, type Theme, theme } from "../theme";
import { Panel } from "./panel";

const SCOPES = ["speak", "listen", "converse", "admin"] as const;

export class Configuration extends Panel {
  protected readonly heading = "Settings";
  private readonly search = h("input", { type: "search", placeholder: "Find a setting", ariaLabel: "Find a setting" });
  private readonly changed = h("input", { type: "checkbox", id: "changed-only" });
  private readonly sections = h("div", { className: "sections" });
  private readonly files = h("p", { className: "note" });
  private readonly keys = new Keys((work) => this.attempt(work), () => this.signal);
  private found: SettingValue[] = [];

  protected build(): void {
    const themes = [
      ["system", "As the system"],
      ["dark", "Dark"],
      ["light", "Light"],
    ] as const;
    const looks = new Segments<Theme>("Appearance", themes, theme(), setTheme);
    document.addEventListener("vv-theme", () => {
      looks.value = theme();
    });
    const only = h("label", { className: "check", htmlFor: "changed-only" }, this.changed, "Only what differs from the default");
    this.search.addEventListener("input", () => this.draw());
    this.changed.addEventListener("change", () => this.draw());
    this.append(
      card("Appearance", looks.element),
      this.keys.element,
      card("Configuration", h("div", { className: "row" }, this.search, only), this.files, this.sections),
    );
  }

  protected shown(): void {
    void this.attempt(async () => {
      const report = await get<SettingsReport>("api/settings", this.signal);
      this.found = report.settings;
      const read = report.files.length ? `Read from ${report.files.join(", ")}.` : "No configuration file was found; these are the defaults.";
      setText(this.files, `${read} Changes in the files count from the next start; secrets are shown as ***.`);
      this.draw();
      await this.keys.load();
    });
  }

  protected override left(): void {
    this.keys.conceal();
  }

  private draw(): void {
    const sought = this.search.value.trim().toLowerCase();
    const wanted = this.found.filter((setting) => {
      if (this.changed.checked && same(setting)) return false;
      return `${setting.key} ${setting.help} ${setting.environment}`.toLowerCase().includes(sought);
    });
    const groups = new Map<string, SettingValue[]>();
    for (const setting of wanted) {
      const name = setting.key.includes(".") ? (setting.key.split(".")[0] ?? "") : "top level";
      groups.set(name, [...(groups.get(name) ?? []), setting]);
    }
    const open = sought !== "" || this.changed.checked;
    this.sections.replaceChildren(
      ...[...groups].map(([name, settings]) => section(name, settings, open)),
      ...(wanted.length ? [] : [h("p", { className: "nothing", textContent: "No setting matches." })]),
    );
  }
}

function section(name: string, settings: SettingValue[], open: boolean): HTMLElement {
  const differ = settings.filter((setting) => !same(setting)).length;
  const summary = h("summary", {}, h("span", { textContent: name }), h("span", { className: "note", textContent: `${settings.length}${differ ? `, ${differ} changed` : ""}` }));
  return h("details", { open: open || differ > 0 }, summary, h("dl", { className: "settings" }, ...settings.map(row)));
}

function row(setting: SettingValue): HTMLElement {
  const { origin } = setting;
  const from = origin.layer === "default" ? "default" : `${origin.layer}${origin.source ? `: ${origin.source}${origin.line ? `:${origin.line}` : ""}` : ""}`;
  const value = h("code", { textContent: shown(setting.value) });
  const head = h("dt", {}, h("code", { textContent: setting.key }), " ", chip(from, origin.layer === "default" ? "plain" : "good"));
  const type = [setting.type, setting.range].filter(Boolean).join(", ");
  const rest = same(setting) ? type : `${type}; default ${shown(setting.default)}`;
  const about = h("p", { className: "note", textContent: `${setting.help} (${rest}) ` });
  about.append(h("code", { textContent: setting.environment }));
  return h("div", {}, head, h("dd", {}, value, about));
}

function same(setting: SettingValue): boolean {
  return JSON.stringify(setting.value) === JSON.stringify(setting.default);
}

function shown(value: unknown): string {
  return value === "" ? "“”" : typeof value === "string" ? value : JSON.stringify(value);
}

/** API keys: listed, made and revoked where they are in force. */
class Keys {
  private readonly list = h("ul", { className: "keys" });
  private readonly note = h("p", { className: "note" });
  private readonly name = h("input", { type: "text", required: true, maxLength: 100, placeholder: "What it is for", ariaLabel: "What the key is for" });
  private readonly scopes = SCOPES.map((scope) => h("input", { type: "checkbox", value: scope, checked: scope === "converse" }));
  private readonly made = h("p", { className: "made", hidden: true, attributes: { role: "status" } });
  private readonly form = h("form", {});
  readonly element = card("API keys", this.note, this.list, this.form, this.made);

  constructor(
    private readonly attempt: (work: () => Promise<void>) => Promise<boolean>,
    private readonly signal: () => AbortSignal,
  ) {
    const checks = this.scopes.map((box) => h("label", { className: "check" }, box, box.value));
    const make = h("button", { type: "submit", className: "quiet", textContent: "Make a key" });
    const legend = h("legend", { className: "unseen", textContent: "What the key may do" });
    this.form.append(h("div", { className: "row" }, this.name, h("fieldset", { className: "row plain" }, legend, ...checks), make));
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.make();
    });
  }

  async load(): Promise<void> {
    const found = await get<KeyList>("api/keys", this.signal());
    this.form.hidden = !found.in_force;
    const open = "Nobody needs a key: this server belongs to whoever can reach it. The first one is made on the command line, with “vivavoce key create NAME --scope admin”; from then on everybody is asked for one.";
    setText(this.note, found.in_force ? "Only hashes are kept: a key is shown once, when it is made." : open);
    this.list.replaceChildren(...found.keys.map((key) => this.row(key)));
  }

  private row(key: KeyInfo): HTMLElement {
    const revoke = button("Revoke", () => void this.revoke(key), { className: "danger" });
    revoke.setAttribute("aria-label", `Revoke ${key.name}`);
    const about = h("span", {}, h("strong", { textContent: key.name }), " ", h("code", { textContent: key.id }), " ", ...key.scopes.map((scope) => chip(scope)));
    return h("li", { className: "row between" }, about, h("span", { className: "row" }, h("span", { className: "note", textContent: clock(key.created) }), revoke));
  }

  private async make(): Promise<void> {
    const scopes = this.scopes.filter((box) => box.checked).map((box) => box.value);
    await this.attempt(async () => {
      const made = await send<KeyInfo & { key: string }>("POST", "api/keys", { name: this.name.value.trim(), scopes });
      this.made.hidden = false;
      const code = h("code", { textContent: made.key });
      const copy = button("Copy", () => void this.copy(code, copy));
      this.made.replaceChildren("Copy it now, it is not shown again: ", code, " ", copy);
      this.name.value = "";
      await this.load();
    });
  }

  /** What was shown once is shown no more. */
  conceal(): void {
    this.made.hidden = true;
    this.made.replaceChildren();
  }

  private async copy(code: HTMLElement, copy: HTMLElement): Promise<void> {
    try {
      await navigator.clipboard.writeText(code.textContent);
      setText(copy, "Copied");
    } catch {
      // No clipboard without a secure page: selected, it takes one key press.
      getSelection()?.selectAllChildren(code);
    }
  }

  private async revoke(key: KeyInfo): Promise<void> {
    if (!(await confirmed(`Revoke the key “${key.name}”? Whoever uses it is refused from now on.`, "Revoke"))) return;
    await this.attempt(async () => {
      await send("DELETE", `api/keys/${encodeURIComponent(key.id)}`);
      this.conceal();
      await this.load();
    });
  }
}
