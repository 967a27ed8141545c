/** The microphone: asks for it, runs the capture worklet, hands out 20 ms frames. */

import { FRAME_SECONDS, INPUT_RATE } from "./protocol";
import { CAPTURE, type FromCapture, type ToCapture } from "./worklets/messages";

export type MicrophoneProblem = "insecure" | "refused" | "absent" | "busy" | "unplugged" | "failed";

/** The microphone cannot be had; `problem` says why. */
export class MicrophoneError extends Error {
  constructor(
    readonly problem: MicrophoneProblem,
    options?: ErrorOptions,
  ) {
    super(problem, options);
  }
}

const PROBLEMS: Record<string, MicrophoneProblem> = {
  NotAllowedError: "refused",
  SecurityError: "insecure",
  NotFoundError: "absent",
  OverconstrainedError: "absent",
  NotReadableError: "busy",
  AbortError: "busy",
};

export interface CaptureEvents {
  frame(pcm: Int16Array, level: number): void;
  ended(problem: MicrophoneProblem): void;
}

export class Capture {
  private flushed: (() => void) | null = null;

  private constructor(
    private readonly stream: MediaStream,
    private readonly context: AudioContext,
    private readonly node: AudioWorkletNode,
  ) {}

  /** Raises MicrophoneError. */
  static async open(events: CaptureEvents): Promise<Capture> {
    const stream = await microphone();
    let context: AudioContext | null = null;
    try {
      let source: MediaStreamAudioSourceNode;
      [context, source] = connect(stream);
      await context.audioWorklet.addModule(new URL("worklets/capture.js", document.baseURI));
      const node = new AudioWorkletNode(context, CAPTURE, {
        numberOfOutputs: 0,
        channelCount: 1,
        channelCountMode: "explicit",
        processorOptions: { rate: INPUT_RATE, frame: INPUT_RATE * FRAME_SECONDS },
      });
      const capture = new Capture(stream, context, node);
      capture.listen(events);
      source.connect(node);
      await context.resume();
      return capture;
    } catch (error) {
      stopTracks(stream);
      await context?.close();
      throw new MicrophoneError("failed", { cause: error });
    }
  }

  /** Resolves when everything heard so far has been handed out, the last piece of a frame included. */
  flush(): Promise<void> {
    return new Promise((resolve) => {
      this.flushed = resolve;
      const message: ToCapture = { type: "flush" };
      this.node.port.postMessage(message);
    });
  }

  async close(): Promise<void> {
    this.node.port.onmessage = null;
    for (const track of this.stream.getTracks()) track.onended = null;
    stopTracks(this.stream);
    this.flushed?.();
    await this.context.close();
  }

  private listen(events: CaptureEvents): void {
    this.node.port.onmessage = (event: MessageEvent<FromCapture>) => {
      if (event.data.type === "frame") events.frame(event.data.pcm, event.data.level);
      else this.flushed?.();
    };
    for (const track of this.stream.getAudioTracks()) track.onended = () => events.ended("unplugged");
  }
}

async function microphone(): Promise<MediaStream> {
  // Browsers hide the microphone from pages that came over plain HTTP from another machine.
  if (!navigator.mediaDevices) throw new MicrophoneError("insecure");
  try {
    return await navigator.mediaDevices.getUserMedia({
      audio: { channelCount: 1, echoCancellation: true, noiseSuppression: true, autoGainControl: true },
    });
  } catch (error) {
    const name = error instanceof DOMException ? error.name : "";
    throw new MicrophoneError(PROBLEMS[name] ?? "failed", { cause: error });
  }
}

function connect(stream: MediaStream): [AudioContext, MediaStreamAudioSourceNode] {
  const wanted = new AudioContext({ sampleRate: INPUT_RATE, latencyHint: "interactive" });
  try {
    return [wanted, wanted.createMediaStreamSource(stream)];
  } catch {
    // Firefox refuses to mix rates: take the device's own and resample in the worklet.
    void wanted.close();
    const own = new AudioContext({ latencyHint: "interactive" });
    return [own, own.createMediaStreamSource(stream)];
  }
}

function stopTracks(stream: MediaStream): void {
  for (const track of stream.getTracks()) track.stop();
}
