/** Starts the page: defines its elements and gives each the app. */

import { App } from "./app";
import { Announcer } from "./components/announcer";
import { Composer } from "./components/composer";
import { Conversation } from "./components/conversation";
import { View } from "./components/dom";
import { Key } from "./components/key";
import { Latency } from "./components/latency";
import { Link } from "./components/link";
import { Notice } from "./components/notice";
import { Numbers } from "./components/numbers";
import { Settings } from "./components/settings";
import { Talk } from "./components/talk";
import { Keys, keeperOfThisTab } from "./key";

const ELEMENTS: Record<string, CustomElementConstructor> = {
  "vv-announcer": Announcer,
  "vv-composer": Composer,
  "vv-conversation": Conversation,
  "vv-key": Key,
  "vv-latency": Latency,
  "vv-link": Link,
  "vv-notice": Notice,
  "vv-numbers": Numbers,
  "vv-settings": Settings,
  "vv-talk": Talk,
};

for (const [name, element] of Object.entries(ELEMENTS)) customElements.define(name, element);

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
const wide = matchMedia("(min-width: 60rem)");
const panel = document.querySelector<HTMLDetailsElement>("#panel");
const fold = (): void => {
  if (panel) panel.open = wide.matches;
};
wide.addEventListener("change", fold);
fold();

app.start();
