// What the JavaScript drivers share. They run with the folder of their packages as the working directory.
import fs from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const here = createRequire(pathToFileURL(process.cwd() + "/package.json"));

/** A package of that folder, not of the driver's own. */
export const load = (name) => import(pathToFileURL(here.resolve(name)).href);

export const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

/** Do it; what it throws is a result, too. */
export async function act(work) {
  try {
    return { got: await work() };
  } catch (error) {
    const { status, code, param, type, requestID } = error;
    const name = error.constructor.name;
    const traceback = error.stack;
    return { raised: { class: name, message: error.message, status, code, param, type, requestID }, traceback };
  }
}

/** All of them at the same time. */
export async function acts(table) {
  const entries = Object.entries(table).map(async ([name, work]) => [name, await act(work)]);
  return Object.fromEntries(await Promise.all(entries));
}

/** Samples of a WAV file with a plain header, two seconds of silence behind them. */
export function recorded(path) {
  const file = fs.readFileSync(path);
  return Buffer.concat([file.subarray(file.indexOf("data") + 8), Buffer.alloc(96_000)]);
}

/** 100 ms at a time. */
export async function speak(pcm, send, pace = 0) {
  for (let start = 0; start < pcm.length; start += 4_800) {
    send(pcm.subarray(start, start + 4_800));
    await pause(pace);
  }
}

/** What comes, waited for. */
export class Inbox {
  constructor() {
    this.events = [];
    this.waiting = [];
  }

  put(event) {
    this.events.push(event);
    this.waiting = this.waiting.filter(({ wanted, done }) => !(wanted(event) && (done(event), true)));
  }

  /** The next event like that. */
  next(wanted, name, seconds = 120) {
    return new Promise((done, fail) => {
      const timer = setTimeout(() => {
        const seen = this.events.map((event) => event.type).join(", ");
        fail(new Error(`no ${name} within ${seconds} s; there was ${seen}`));
      }, seconds * 1000);
      this.waiting.push({ wanted, done: (event) => (clearTimeout(timer), done(event)) });
    });
  }

  type(kind) {
    return this.next((event) => event.type === kind, kind);
  }
}
