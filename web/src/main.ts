/** Starts the page: defines its elements and gives each the app. */

import { App } from "./app";
import { LineChart } from "./charts/line";
import { WaterfallChart } from "./charts/waterfall";
import { Announcer } from "./components/announcer";
import { Composer } from "./components/composer";
import { Conversation } from "./components/conversation";
import { View } from "./components/dom";
import { Key } from "./components/key";
import { KeyDialog } from "./components/key-dialog";
import { Latency } from "./components/latency";
import { Link } from "./components/link";
import { Nav } from "./components/nav";
import { Notice } from "./components/notice";
import { Numbers } from "./components/numbers";
import { Settings } from "./components/settings";
import { Talk } from "./components/talk";
import { ThemeButton } from "./components/theme-button";
import { Wave } from "./components/wave";
import { keeperOfThisTab, Keys } from "./key";
import { Shell } from "./shell";
import { applyTheme, theme } from "./theme";
import { Providers } from "./views/providers";
import { SessionsView } from "./views/sessions";
import { Configuration } from "./views/settings";
import { Speak } from "./views/speak";
import { System } from "./views/system";
import { Transcribe } from "./views/transcribe";
import { TurnView } from "./views/turn";
import { Turns } from "./views/turns";

const ELEMENTS: Record<string, CustomElementConstructor> = {
  "vv-announcer": Announcer,
  "vv-composer": Composer,
  "vv-configuration": Configuration,
  "vv-conversation": Conversation,
  "vv-key": Key,
  "vv-key-dialog": KeyDialog,
  "vv-latency": Latency,
  "vv-line-chart": LineChart,
  "vv-link": Link,
  "vv-nav": Nav,
  "vv-notice": Notice,
  "vv-numbers": Numbers,
  "vv-providers": Providers,
  "vv-sessions": SessionsView,
  "vv-settings": Settings,
  "vv-speak": Speak,
  "vv-system": System,
  "vv-talk": Talk,
  "vv-theme": ThemeButton,
  "vv-transcribe": Transcribe,
  "vv-turn": TurnView,
  "vv-turns": Turns,
  "vv-waterfall": WaterfallChart,
  "vv-wave": Wave,
};

applyTheme(theme());

// The small ones first: the larger make some of them.
for (const name of Object.keys(ELEMENTS).sort((a, b) => rank(a) - rank(b))) {
  customElements.define(name, ELEMENTS[name] as CustomElementConstructor);
}

function rank(name: string): number {
  return ["vv-line-chart", "vv-waterfall", "vv-wave", "vv-turn", "vv-latency"].includes(name) ? 0 : 1;
}

// Relative to the page, so that it also works behind a proxy that serves it under a path.
const url = new URL("ws/audio", document.baseURI);
url.protocol = url.protocol === "https:" ? "wss:" : "ws:";

const tokens = new URL("api/token", document.baseURI);
const app = new App(url, new Keys(tokens, keeperOfThisTab(), (address, init) => fetch(address, init)));
for (const element of document.querySelectorAll("*")) {
  if (element instanceof View) element.start(app);
}
for (const touch of ["pointerdown", "keydown"]) document.addEventListener(touch, () => app.touched());

// Beside the conversation where there is room for it, folded away where there is not.
const wide = matchMedia("(min-width: 76rem)");
const panel = document.querySelector<HTMLDetailsElement>("#panel");
const fold = (): void => {
  if (panel) panel.open = wide.matches;
};
wide.addEventListener("change", fold);
fold();

const [nav, main, skip] = [
  document.querySelector<Nav>("vv-nav"),
  document.querySelector<HTMLElement>("main"),
  document.querySelector<HTMLElement>(".skip"),
];
if (nav && main && skip) new Shell(nav, main, skip).start();

window.addEventListener("pagehide", (event) => {
  if (!event.persisted) app.leave();
});
app.start();
