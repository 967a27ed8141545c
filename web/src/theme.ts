/** Dark, light, or as the system says. Kept on this device. */

export const THEMES = ["system", "dark", "light"] as const;
export type Theme = (typeof THEMES)[number];

const KEPT = "vivavoce.theme";

export function theme(): Theme {
  const kept = read();
  return THEMES.find((known) => known === kept) ?? "system";
}

export function setTheme(chosen: Theme): void {
  try {
    localStorage.setItem(KEPT, chosen);
  } catch {
    // A browser that keeps nothing: it holds for this visit.
  }
  applyTheme(chosen);
}

export function applyTheme(chosen: Theme): void {
  const root = document.documentElement;
  if (chosen === "system") delete root.dataset["theme"];
  else root.dataset["theme"] = chosen;
  document.dispatchEvent(new Event("vv-theme"));
}

function read(): string | null {
  try {
    return localStorage.getItem(KEPT);
  } catch {
    return null;
  }
}
