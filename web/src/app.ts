/** Ties connection, microphone and loudspeaker to the state; its methods are what a person can do. */

import { Capture, MicrophoneError } from "./capture";
import { Connection } from "./connection";
import type { Keys } from "./key";
import { Playback } from "./playback";
import type { AudioFrame, Mode, ProviderKind, ServerMessage, Wishes } from "./protocol";
import { currentReply, initial, onLost, onMicrophoneProblem, onServer } from "./state";
import { Store } from "./store";
import { Tabs } from "./tabs";

export interface Counts {
  /** Microphone frames (20 ms) sent, and dropped because the line did not take them. */
  sent: number;
  unsent: number;
  /** Gaps heard in replies. */
  underruns: number;
  /** Reply frames dropped because their generation was over. */
  stale: number;
  /** Milliseconds of the last ping. */
  roundTrip: number | null;
}

export class App {
  readonly store = new Store(initial);
  /** Levels of the moment (root mean square, 0 to 1), for meters that draw at their own pace. */
  readonly levels = { microphone: 0, reply: 0 };
  /** Running numbers of this page, for whoever polls them: they change fifty times a second. */
  readonly counts: Counts = { sent: 0, unsent: 0, underruns: 0, stale: 0, roundTrip: null };

  private readonly connection: Connection;
  private readonly playback: Playback;
  private capture: Capture | null = null;
  private readonly tabs = new Tabs(() => void this.giveUp());
  private wishes: Wishes = {};
  /** Newest generation heard of in this session; acknowledgements of an older session stay unsent. */
  private newest = 0;

  constructor(
    url: URL,
    private readonly keys: Keys,
  ) {
    this.connection = new Connection(url, keys, () => this.wishes, {
      connecting: () => this.store.update({ link: "connecting" }),
      keyWanted: (key) => this.store.update((state) => ({ ...state, key, link: "refused", settings: null, notice: null })),
      message: (message) => this.onMessage(message),
      audio: (frame) => this.onAudio(frame),
      wireError: (error) => this.complain(`The server said something this page does not understand: ${error.message}.`),
      lost: (verdict) => this.store.update((state) => onLost(state, verdict)),
      roundTrip: (milliseconds) => {
        this.counts.roundTrip = milliseconds;
      },
    });
    this.playback = new Playback({
      played: (generation, samples) => {
        if (generation > 0 && generation <= this.newest) this.connection.send({ type: "played", generation, samples });
      },
      level: (level) => {
        this.levels.reply = level;
      },
      counts: ({ underruns, stale }) => Object.assign(this.counts, { underruns, stale }),
      blocked: (soundBlocked) => this.store.update({ soundBlocked }),
      failed: () => this.complain("Sound could not be started. Check the loudspeaker of this device and reload the page."),
    });
  }

  /** Try this key from now on. */
  useKey(key: string): void {
    this.keys.use(key);
    this.connection.connect();
  }

  start(): void {
    this.connection.connect();
  }

  /** Browsers allow sound only from a click or key press: call this from one. */
  touched(): void {
    if (this.store.state.soundBlocked) void this.playback.unlock();
  }

  async toggleMicrophone(): Promise<void> {
    const { microphone } = this.store.state;
    if (microphone === "off") await this.openMicrophone();
    if (microphone === "on") await this.closeMicrophone();
  }

  /** Push-to-talk: key or button down. */
  async press(): Promise<void> {
    if (this.store.state.held) return;
    this.store.update({ held: true });
    if (this.store.state.microphone === "off") await this.openMicrophone();
  }

  /** Push-to-talk: key or button up. */
  async release(): Promise<void> {
    if (!this.store.state.held) return;
    // The last piece of a frame goes out before the commit.
    await this.capture?.flush();
    this.store.update({ held: false });
    this.levels.microphone = 0;
    if (this.capture) this.commit();
  }

  /** The user's turn is over. */
  commit(): void {
    this.connection.send({ type: "commit" });
  }

  interrupt(): void {
    if (currentReply(this.store.state)) this.connection.send({ type: "interrupt" });
  }

  /** False where it could not be sent. */
  say(text: string): boolean {
    void this.playback.unlock();
    return this.connection.send({ type: "text", text });
  }

  forget(): void {
    if (this.connection.send({ type: "reset" })) this.store.update({ turns: [] });
  }

  setMode(mode: Mode): void {
    this.choose({ mode }, { mode });
    this.connection.send({ type: "setMode", mode });
  }

  setLanguage(language: string): void {
    // A voice belongs to a language: the server picks one of the new language.
    delete this.wishes.voice;
    this.choose({ language }, { language, voice: "" });
    this.connection.send({ type: "setLanguage", language });
  }

  setVoice(voice: string): void {
    this.choose({ voice }, { voice });
    this.connection.send({ type: "setVoice", voice });
  }

  setProvider(kind: ProviderKind, name: string): void {
    this.choose({ provider: { ...this.wishes.provider, [kind]: name } }, { [kind]: name });
    if (kind === "tts") {
      // Its voices are known with the next session only.
      delete this.wishes.voice;
      this.store.update({ voices: [] });
    }
    this.connection.send({ type: "setProvider", kind, name });
  }

  dismiss(): void {
    this.store.update({ notice: null });
  }

  /** Keep a choice for the time after a reconnection, and show it at once. */
  private choose(wish: Wishes, setting: object): void {
    this.wishes = { ...this.wishes, ...wish };
    this.store.update((state) =>
      state.settings ? { ...state, settings: { ...state.settings, ...setting } } : state,
    );
  }

  private onMessage(message: ServerMessage): void {
    switch (message.type) {
      case "ready":
        this.newest = 0;
        this.playback.session(message.audio.output.rate);
        break;
      case "paused":
        this.newest = Math.max(this.newest, message.generation);
        this.playback.pause(message.generation);
        break;
      case "resumed":
        this.playback.resume(message.generation);
        break;
      case "interrupted":
        this.playback.clear(message.generation);
        break;
      case "error":
        this.withoutWishes();
        break;
    }
    this.store.update((state) => onServer(state, message));
  }

  /** A restarted server may not know a voice or provider any more: that must not keep the page out. */
  private withoutWishes(): void {
    if (this.store.state.settings || Object.keys(this.wishes).length === 0) return;
    this.wishes = {};
    this.connection.hello();
  }

  private onAudio(frame: AudioFrame): void {
    this.newest = Math.max(this.newest, frame.generation);
    this.playback.push(frame);
  }

  private onFrame(pcm: Int16Array, level: number): void {
    const { settings, held } = this.store.state;
    if (!settings || (settings.mode === "push_to_talk" && !held)) {
      this.levels.microphone = 0;
      return;
    }
    this.levels.microphone = level;
    if (this.connection.sendAudio(pcm)) this.counts.sent += 1;
    this.counts.unsent = this.connection.unsent;
  }

  private async openMicrophone(): Promise<void> {
    void this.playback.unlock();
    this.store.update({ microphone: "asking", notice: null });
    try {
      this.capture = await Capture.open({
        frame: (pcm, level) => this.onFrame(pcm, level),
        ended: (problem) => {
          void this.closeMicrophone();
          this.store.update((state) => onMicrophoneProblem(state, problem));
        },
      });
      this.store.update({ microphone: "on" });
      this.tabs.take();
    } catch (error) {
      const problem = error instanceof MicrophoneError ? error.problem : "failed";
      this.store.update((state) => onMicrophoneProblem(state, problem));
    }
  }

  private async closeMicrophone(): Promise<void> {
    const { speech, settings } = this.store.state;
    // Nothing will follow, not even silence: what was being said is over.
    if (speech && settings?.mode === "auto") this.commit();
    this.levels.microphone = 0;
    this.store.update({ microphone: "off", held: false, speech: false });
    await this.capture?.close();
    this.capture = null;
  }

  /** Another tab listens now: two of them would hear, and answer, the same words. */
  private async giveUp(): Promise<void> {
    if (this.store.state.microphone !== "on") return;
    await this.closeMicrophone();
    this.store.update({ notice: { tone: "hint", text: "The microphone is in use in another tab of this page." } });
  }

  private complain(text: string): void {
    this.store.update({ notice: { tone: "error", text } });
  }
}
