/** Ties the client library to the state; its methods are what a person can do. */

import {
  AudioPlayback,
  AudioProcessor,
  type Disconnected,
  RealtimeVoiceClient,
  VoiceError,
} from "../../clients/js/src/index";
import type { KeyProblem, Keys } from "./key";
import type { Mode, ProviderKind, ServerMessage } from "./protocol";
import { canType, currentReply, initial, microphoneProblem, onBack, onLost, onMicrophoneProblem, onServer } from "./state";
import { Store } from "./store";
import { Tabs } from "./tabs";

export interface Counts {
  /** Seconds of microphone sent, and lost because the line did not take them. */
  sent: number;
  lost: number;
  /** Gaps heard in replies. */
  underruns: number;
  /** Reply frames dropped because their generation was over. */
  stale: number;
  /** Milliseconds of the last ping. */
  roundTrip: number | null;
}

const INPUT_RATE = 16_000;
/** The page comes back whenever its server does, however long that takes. */
const FOR_EVER = Number.MAX_SAFE_INTEGER;
const NEVER_OPENED = 1006;
/** Root mean square from which sound may have been speech: −40 dBFS. */
const AUDIBLE = 0.01;

export class App {
  readonly store = new Store(initial);
  /** Levels of the moment (root mean square, 0 to 1), for meters that draw at their own pace. */
  readonly levels = { microphone: 0, reply: 0 };

  private readonly client: RealtimeVoiceClient;
  private readonly tabs = new Tabs(() => void this.giveUp());
  /** The loudest that was heard since there is no connection. */
  private unheard = 0;
  /** Whether the connection of the moment ever stood. */
  private opened = false;

  constructor(
    private readonly url: URL,
    private readonly keys: Keys,
  ) {
    const worklet = (name: string): URL => new URL(`worklets/${name}.js`, document.baseURI);
    this.client = new RealtimeVoiceClient({
      url: () => this.address(),
      input: new AudioProcessor({ workletUrl: worklet("capture") }),
      output: new AudioPlayback({ workletUrl: worklet("playback") }),
      reconnect: { attempts: FOR_EVER },
    });
    this.listen();
  }

  /** Running numbers of this page, for whoever polls them. */
  get counts(): Counts {
    const { samplesSent, samplesLost, underruns, stale, roundTripMs } = this.client.metrics;
    return { sent: samplesSent / INPUT_RATE, lost: samplesLost / INPUT_RATE, underruns, stale, roundTrip: roundTripMs };
  }

  /** Use this key from now on. */
  useKey(key: string): void {
    this.keys.use(key);
    const { link, key: problem } = this.store.state;
    // A conversation that goes on goes on; one that was ended is not begun again by this.
    if (link === "open" || (link === "refused" && !problem)) return;
    this.store.update({ key: null, link: "connecting" });
    this.start();
  }

  /** The page goes away for good: without a goodbye the server would wait for it to come back. */
  leave(): void {
    void this.client.disconnect();
  }

  start(): void {
    // What goes wrong is told as an event.
    this.client.connect().catch(() => {});
  }

  /** Browsers allow sound only from a click or key press: call this from one. */
  touched(): void {
    if (this.store.state.soundBlocked) void this.client.unlock();
  }

  async toggleMicrophone(): Promise<void> {
    const { microphone } = this.store.state;
    if (microphone === "off") await this.openMicrophone(() => this.client.startListening());
    if (microphone === "on") await this.client.stopListening();
  }

  /** Push-to-talk: key or button down. */
  async press(): Promise<void> {
    if (this.store.state.held) return;
    this.store.update({ held: true });
    if (this.store.state.microphone === "off") await this.openMicrophone(() => this.client.press());
    else await this.client.press();
  }

  /** Push-to-talk: key or button up. */
  async release(): Promise<void> {
    if (!this.store.state.held) return;
    await this.client.release();
    this.store.update({ held: false });
  }

  /** The user's turn is over. */
  commit(): void {
    this.client.commit();
  }

  interrupt(): void {
    if (currentReply(this.store.state)) this.client.interrupt();
  }

  /** Where the connection is away it waits. False where it could not be taken. */
  say(text: string): boolean {
    void this.client.unlock();
    if (!canType(this.store.state)) return false;
    try {
      this.client.sendText(text);
    } catch (error) {
      if (!(error instanceof VoiceError)) throw error;
      this.complain(error.message);
      return false;
    }
    this.store.update({ unsent: this.client.unsent });
    return true;
  }

  forget(): void {
    this.client.reset();
    this.store.update({ turns: [] });
  }

  setMode(mode: Mode): void {
    this.client.setMode(mode);
    this.show({ mode });
  }

  setLanguage(language: string): void {
    this.client.setLanguage(language);
    this.show({ language, voice: "" });
  }

  setVoice(voice: string): void {
    this.client.setVoice(voice);
    this.show({ voice });
  }

  setProvider(kind: ProviderKind, name: string): void {
    this.client.setProvider(kind, name);
    this.show({ [kind]: name });
    // Its voices are known with the next session only.
    if (kind === "tts") this.store.update({ voices: [] });
  }

  dismiss(): void {
    this.store.update({ notice: null });
  }

  /** A choice is shown at once. */
  private show(setting: object): void {
    this.store.update((state) => (state.settings ? { ...state, settings: { ...state.settings, ...setting } } : state));
  }

  private listen(): void {
    const { client, store } = this;
    client.on("statechange", ({ to }) => {
      if (to === "RECONNECTING" && store.state.link === "open") this.unheard = 0;
      if ((to === "CONNECTING" || to === "RECONNECTING") && !store.state.key) store.update({ link: "connecting" });
    });
    client.on("message", (message) => {
      this.opened = true;
      // Of what the server says the page looks at a part; the rest passes by.
      store.update((state) => ({ ...onServer(state, message as ServerMessage), unsent: client.unsent }));
    });
    client.on("session_resumed", () => store.update((state) => onBack(state, client.settings)));
    client.on("audio_gap", ({ seconds }) => {
      if (this.unheard > AUDIBLE) this.complain(`${seconds.toFixed(1)} s of what was said did not reach the server. Say it again.`);
    });
    client.on("disconnected", (gone) => void this.lost(gone));
    client.on("level", (levels) => {
      Object.assign(this.levels, levels);
      if (store.state.link !== "open") this.unheard = Math.max(this.unheard, this.levels.microphone);
    });
    client.on("sound_blocked", (soundBlocked) => store.update({ soundBlocked }));
    client.on("listening_stopped", () => store.update({ microphone: "off", held: false, speech: false }));
    client.on("error", (error) => this.failed(error));
  }

  private async lost(gone: Disconnected): Promise<void> {
    // This page itself went.
    if (gone.reason === "closed") return;
    this.store.update((state) => ({ ...onLost(state, gone), unsent: this.client.unsent }));
    // Browsers do not say why a socket was refused: find out whether it is for want of a key.
    if (this.opened || this.keys.needed || gone.code !== NEVER_OPENED) return;
    const admission = await this.keys.admit();
    if (!admission.admitted && admission.problem !== "away") this.wantKey(admission.problem);
  }

  /** Where a key is needed: first a token, then the socket. */
  private async address(): Promise<URL> {
    this.opened = false;
    if (this.store.state.key) throw notAdmitted(false);
    if (!this.keys.needed) return this.url;
    const admission = await this.keys.admit();
    if (!admission.admitted) {
      if (admission.problem === "away") throw notAdmitted(true);
      this.wantKey(admission.problem);
      throw notAdmitted(false);
    }
    const url = new URL(this.url);
    url.searchParams.set("token", admission.token);
    return url;
  }

  /** Nothing is tried until there is another; what was typed waits for it. */
  private wantKey(key: KeyProblem): void {
    void this.client.stopListening();
    this.store.update({ key, link: "refused", settings: null, notice: null });
  }

  private async openMicrophone(open: () => Promise<void>): Promise<void> {
    void this.client.unlock();
    this.store.update({ microphone: "asking", notice: null });
    try {
      await open();
      this.store.update({ microphone: "on" });
      this.tabs.take();
    } catch (error) {
      const code = error instanceof VoiceError ? error.code : "";
      this.store.update((state) => onMicrophoneProblem(state, microphoneProblem(code) ?? "failed"));
    }
  }

  /** Another tab listens now: two of them would hear, and answer, the same words. */
  private async giveUp(): Promise<void> {
    if (this.store.state.microphone !== "on") return;
    await this.client.stopListening();
    this.store.update({ notice: { tone: "hint", text: "The microphone is in use in another tab of this page." } });
  }

  /** What the server complains of is told by its message, a lost connection by its own event. */
  private failed(error: VoiceError): void {
    const problem = microphoneProblem(error.code);
    if (problem) this.store.update((state) => onMicrophoneProblem(state, problem));
    else if (error.code === "output_failed") this.complain("Sound could not be started. Check the loudspeaker of this device and reload the page.");
    else if (error.code === "wire_error") this.complain(`The server said something this page does not understand: ${error.message}.`);
  }

  private complain(text: string): void {
    this.store.update({ notice: { tone: "error", text } });
  }
}

function notAdmitted(retryable: boolean): VoiceError {
  return new VoiceError("not_admitted", "the server did not let this page in", { retryable });
}
