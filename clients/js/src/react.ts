/**
 * A conversation as a React hook.
 *
 * @packageDocumentation
 */

import { useEffect, useState, useSyncExternalStore } from "react";
import { RealtimeVoiceClient, type VoiceClientOptions } from "./client.js";
import type { Levels } from "./events.js";
import { EMPTY_VIEW, onMessage, type VoiceView } from "./view.js";

export type { TurnView, VoiceView } from "./view.js";

export interface UseVoiceOptions extends VoiceClientOptions {
  /** A client of your own; it is then yours to disconnect, and the other options are its own affair. */
  readonly client?: RealtimeVoiceClient;
  /** Connect when the component appears. Default true. */
  readonly autoConnect?: boolean;
}

export interface Voice extends VoiceView {
  /** For everything else: `voice.client.setVoice(…)`, `voice.client.on("tool", …)`. */
  readonly client: RealtimeVoiceClient;
}

/** Keeps a view of a client up to date. */
class Store {
  private view: VoiceView = EMPTY_VIEW;
  private readonly watchers = new Set<() => void>();

  constructor(readonly client: RealtimeVoiceClient) {}

  readonly subscribe = (watcher: () => void): (() => void) => {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  };

  readonly snapshot = (): VoiceView => this.view;

  /** Returns what detaches it again. */
  attach(): () => void {
    const { client } = this;
    const offs = [
      client.on("message", (message) => this.set(onMessage(this.view, message))),
      client.on("statechange", ({ to }) => this.set({ ...this.view, state: to })),
      client.on("listening_started", () => this.set({ ...this.view, listening: true })),
      client.on("listening_stopped", () => this.set({ ...this.view, listening: false, speech: false })),
      client.on("error", (error) => this.set({ ...this.view, error })),
      client.on("sound_blocked", (soundBlocked) => this.set({ ...this.view, soundBlocked })),
    ];
    this.set({ ...this.view, state: client.state, listening: client.listening, settings: client.settings });
    return () => {
      for (const off of offs) off();
    };
  }

  private set(view: VoiceView): void {
    this.view = view;
    for (const watcher of this.watchers) watcher();
  }
}

/** The options count when the component appears; change a running session through `client`. */
export function useVoice(options: UseVoiceOptions = {}): Voice {
  const { client: own, autoConnect = true, ...rest } = options;
  const [store] = useState(() => new Store(own ?? new RealtimeVoiceClient(rest)));
  const { client } = store;
  useEffect(() => {
    const detach = store.attach();
    // What goes wrong is in the view.
    if (autoConnect) client.connect().catch(() => undefined);
    return () => {
      detach();
      if (own === undefined) void client.disconnect();
    };
  }, [store]);
  const view = useSyncExternalStore(store.subscribe, store.snapshot, () => EMPTY_VIEW);
  return { ...view, client };
}

/** Levels of the moment, for a meter: they change up to fifty times a second, so give them to a small component. */
export function useLevels(client: RealtimeVoiceClient): Levels {
  const [levels, setLevels] = useState<Levels>({});
  useEffect(() => client.on("level", (change) => setLevels((known) => ({ ...known, ...change }))), [client]);
  return levels;
}
