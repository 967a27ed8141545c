/** The microphone of a browser: asks for it, runs the capture worklet, hands out 16 ms frames of PCM16. */

import { VoiceError } from "../errors.js";
import { CAPTURE, type FromCapture, type ToCapture } from "../worklets/messages.js";
import type { AudioInput, AudioInputEvents } from "./ports.js";

/** Half a frame of voice activity detection: one that ends at the server is complete there, and waits for no other. */
export const FRAME_SECONDS = 0.016;

const PROBLEMS: Record<string, [code: string, message: string]> = {
  NotAllowedError: ["microphone_refused", "the microphone is blocked for this page: allow it in the browser's address bar"],
  SecurityError: ["microphone_insecure", "browsers give the microphone only to secure pages (https or localhost)"],
  NotFoundError: ["microphone_absent", "no microphone was found: plug one in"],
  OverconstrainedError: ["microphone_absent", "no microphone does what was asked for"],
  NotReadableError: ["microphone_busy", "the microphone did not start: another program may hold it"],
  AbortError: ["microphone_busy", "the microphone did not start: another program may hold it"],
};

export interface AudioProcessorOptions {
  /** Where the capture worklet lies. Default: `worklets/capture.js` beside this library's file. */
  readonly workletUrl?: string | URL;
  /** Constraints on the microphone. Default: mono, with echo cancellation, noise suppression and gain control. */
  readonly constraints?: MediaTrackConstraints;
}

interface Open {
  readonly stream: MediaStream;
  readonly context: AudioContext;
  readonly node: AudioWorkletNode;
}

/** AudioWorklet capture: Float32 to Int16, resampled in the worklet where the browser does not give the rate asked for. */
export class AudioProcessor implements AudioInput {
  private open: Open | null = null;
  private flushed: (() => void) | null = null;

  constructor(private readonly options: AudioProcessorOptions = {}) {}

  async start(rate: number, events: AudioInputEvents): Promise<void> {
    await this.stop();
    const stream = await microphone(this.options.constraints);
    let context: AudioContext | null = null;
    try {
      const made = connect(stream, rate);
      context = made.context;
      await context.audioWorklet.addModule(this.options.workletUrl ?? new URL("./worklets/capture.js", import.meta.url));
      const node = new AudioWorkletNode(context, CAPTURE, {
        numberOfOutputs: 0,
        channelCount: 1,
        channelCountMode: "explicit",
        processorOptions: { rate, frame: Math.round(rate * FRAME_SECONDS) },
      });
      this.open = { stream, context, node };
      this.listen(this.open, events);
      made.source.connect(node);
      await context.resume();
    } catch (cause) {
      this.open = null;
      stopTracks(stream);
      await context?.close();
      throw new VoiceError("microphone_failed", "the microphone could not be opened", { cause });
    }
  }

  flush(): Promise<void> {
    const { open } = this;
    if (open === null) return Promise.resolve();
    return new Promise((resolve) => {
      this.flushed = resolve;
      const message: ToCapture = { type: "flush" };
      open.node.port.postMessage(message);
    });
  }

  async stop(): Promise<void> {
    const { open } = this;
    this.open = null;
    if (open === null) return;
    open.node.port.onmessage = null;
    for (const track of open.stream.getTracks()) track.onended = null;
    stopTracks(open.stream);
    this.flushed?.();
    await open.context.close();
  }

  private listen({ stream, node }: Open, events: AudioInputEvents): void {
    node.port.onmessage = (event: MessageEvent<FromCapture>) => {
      if (event.data.type === "frame") events.frame(event.data.pcm, event.data.level);
      else this.flushed?.();
    };
    const gone = new VoiceError("microphone_unplugged", "the microphone was unplugged: plug it in and start again");
    for (const track of stream.getAudioTracks()) track.onended = () => events.ended(gone);
  }
}

/** @throws VoiceError `microphone_…` */
export async function microphone(constraints: MediaTrackConstraints = {}): Promise<MediaStream> {
  // Browsers hide the microphone from pages that came over plain HTTP from another machine.
  const devices: MediaDevices | undefined = navigator.mediaDevices;
  if (devices === undefined) throw problem("SecurityError");
  try {
    return await devices.getUserMedia({
      audio: { channelCount: 1, echoCancellation: true, noiseSuppression: true, autoGainControl: true, ...constraints },
    });
  } catch (cause) {
    throw problem(cause instanceof DOMException ? cause.name : "", cause);
  }
}

function problem(name: string, cause?: unknown): VoiceError {
  const [code, message] = PROBLEMS[name] ?? ["microphone_failed", "the microphone could not be opened"];
  return new VoiceError(code, message, { cause });
}

function connect(stream: MediaStream, rate: number): { context: AudioContext; source: MediaStreamAudioSourceNode } {
  const wanted = new AudioContext({ sampleRate: rate, latencyHint: "interactive" });
  try {
    return { context: wanted, source: wanted.createMediaStreamSource(stream) };
  } catch {
    // Firefox refuses to mix rates: take the device's own and resample in the worklet.
    void wanted.close();
    const own = new AudioContext({ latencyHint: "interactive" });
    return { context: own, source: own.createMediaStreamSource(stream) };
  }
}

function stopTracks(stream: MediaStream): void {
  for (const track of stream.getTracks()) track.stop();
}
