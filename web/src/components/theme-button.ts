/** Dark or light, at once; the settings have the third choice, which is to follow the system. */

import { setTheme, theme } from "../theme";
import { h } from "./dom";
import { icon } from "./svg";

export class ThemeButton extends HTMLElement {
  private readonly button = h("button", { type: "button", className: "theme" });

  connectedCallback(): void {
    this.append(this.button);
    this.button.addEventListener("click", () => setTheme(dark() ? "light" : "dark"));
    document.addEventListener("vv-theme", () => this.draw());
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
    this.draw();
  }

  private draw(): void {
    const label = dark() ? "Switch to light" : "Switch to dark";
    this.button.title = label;
    this.button.setAttribute("aria-label", label);
    this.button.replaceChildren(icon(dark() ? "light" : "dark"));
  }
}

function dark(): boolean {
  const chosen = theme();
  return chosen === "system" ? matchMedia("(prefers-color-scheme: dark)").matches : chosen === "dark";
}
