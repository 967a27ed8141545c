/** A core and a model server with a network between them that delays and cuts. No sockets, no clocks: the test says what happens. */

import type { Command, Timer } from "../src/core/commands.js";
import { Reconnection } from "../src/core/reconnection.js";
import { Session, type SessionOptions } from "../src/core/session.js";
import type { EventName, VoiceEvents } from "../src/events.js";
import type { ModelServer, Visit } from "./model-server.js";

type Upward = string | Int16Array | null;
type Downward = string | ArrayBuffer | { close: number } | null;

/** One connection: what is under way, in order. `null` is the end of it. */
class Cable {
  readonly up: Upward[] = [];
  readonly down: Downward[] = [];
  opened = false;
  clientGone = false;
  serverGone = false;
  visit: Visit | null = null;
}

export class Network {
  readonly session: Session;
  readonly timers = new Set<Timer>();
  readonly events: { event: EventName; value: unknown }[] = [];
  /** What the output was given: every generation's samples, in order; and where one was not. */
  readonly output = new Map<number, number[]>();
  readonly cables: Cable[] = [];
  congested = false;
  chance = 0.5;
  private cable: Cable | null = null;
  private clock = 0;

  constructor(
    private readonly server: ModelServer,
    options: Partial<SessionOptions> = {},
  ) {
    this.session = new Session(
      {
        inputRate: 16_000,
        backlogSeconds: 10,
        queueLength: 64,
        audio: { input_rate: 16_000, output_rate: 24_000 },
        acknowledge: true,
        wishes: {},
        media: false,
        ...options,
        congested: () => this.congested,
        now: () => (this.clock += 1),
      },
      new Reconnection({ attempts: Number.POSITIVE_INFINITY }, () => this.chance),
      (command) => this.obey(command),
    );
  }

  of<K extends EventName>(event: K): VoiceEvents[K][] {
    // Put there under its own name.
    return this.events.filter((one) => one.event === event).map(({ value }) => value as VoiceEvents[K]);
  }

  /** The connection breaks: what is under way is lost; each side finds out when its end of the queue is read. */
  cut(): void {
    const { cable } = this;
    if (!cable) return;
    cable.up.splice(0, cable.up.length, null);
    cable.down.splice(0, cable.down.length, null);
  }

  /** The next thing under way to the server arrives. False where there is none. */
  deliverUp(cable: Cable | null = this.cable): boolean {
    if (!cable?.visit || cable.serverGone) return false;
    const item = cable.up.shift();
    if (item === undefined) return false;
    if (item === null) {
      cable.serverGone = true;
      cable.visit.lost();
    } else if (typeof item === "string") cable.visit.message(item);
    else cable.visit.audio(item);
    return true;
  }

  deliverDown(cable: Cable | null = this.cable): boolean {
    if (!cable || cable.clientGone || cable !== this.cable) return false;
    if (!cable.opened && cable.down.length === 0) {
      cable.opened = true;
      this.session.opened();
      return true;
    }
    const item = cable.down.shift();
    if (item === undefined) return false;
    if (item === null) this.end(cable, 1006);
    else if (typeof item === "string") this.session.message(item);
    else if (item instanceof ArrayBuffer) this.session.audio(item);
    else this.end(cable, item.close);
    return true;
  }

  fire(timer: Timer): boolean {
    if (!this.timers.delete(timer)) return false;
    this.session.timer(timer);
    return true;
  }

  /** Everything under way arrives, and connections that are gone are made again, until nothing moves. */
  settle(): void {
    this.congested = false;
    for (let moved = true; moved; ) {
      moved = this.cables.some((cable) => this.deliverUp(cable)) || this.deliverDown();
      moved ||= this.fire("retry") || this.fire("drain");
    }
  }

  private end(cable: Cable, code: number): void {
    cable.clientGone = true;
    this.cable = null;
    this.session.closed(code);
  }

  private obey(command: Command): void {
    switch (command.do) {
      case "emit":
        this.events.push({ event: command.event, value: command.value });
        return;
      case "connect":
        return this.dial();
      case "send":
        this.cable?.up.push(JSON.stringify(command.message));
        return;
      case "sendAudio":
        this.cable?.up.push(command.pcm);
        return;
      case "close":
        this.cable?.up.push(null);
        this.cable = null;
        return;
      case "arm":
        this.timers.add(command.timer);
        return;
      case "disarm":
        this.timers.delete(command.timer);
        return;
      case "output":
        if (command.command.do === "open") this.output.clear();
        if (command.command.do === "push") this.play(command.command);
    }
  }

  private play({ generation, offset, pcm }: { generation: number; offset: number; pcm: Int16Array }): void {
    const heard = this.output.get(generation) ?? [];
    if (heard.length !== offset) throw new Error(`reply ${generation} goes on at ${offset}, not at ${heard.length}`);
    heard.push(...pcm);
    this.output.set(generation, heard);
  }

  private dial(): void {
    const cable = new Cable();
    cable.visit = this.server.visit({
      message: (text) => void (cable.down.at(-1) !== null && cable.down.push(text)),
      audio: (data) => void (cable.down.at(-1) !== null && cable.down.push(data)),
      close: (code) => void (cable.down.at(-1) !== null && cable.down.push({ close: code })),
    });
    this.cables.push(cable);
    this.cable = cable;
  }
}
