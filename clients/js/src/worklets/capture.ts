/** Microphone to PCM16 frames: downmixes, resamples where the context has another rate, cuts, measures the level. */

import { Framer } from "../audio/framer.js";
import { Resampler } from "../audio/resampler.js";
import { CAPTURE, type FromCapture, type ToCapture } from "./messages.js";

class CaptureProcessor extends AudioWorkletProcessor {
  private readonly framer: Framer;
  private readonly resampler: Resampler | null;

  constructor(options: AudioWorkletNodeOptions) {
    super();
    // What the page puts there (`AudioProcessor`), copied by the browser.
    const { rate, frame } = options.processorOptions as { rate: number; frame: number };
    this.resampler = sampleRate === rate ? null : new Resampler(sampleRate, rate);
    this.framer = new Framer(frame, ({ pcm, level }) => {
      this.say({ type: "frame", pcm, level }, [pcm.buffer]);
    });
    this.port.onmessage = (event: MessageEvent<ToCapture>) => {
      if (event.data.type !== "flush") return;
      this.framer.flush();
      this.say({ type: "flushed" });
    };
  }

  process(inputs: Float32Array[][]): boolean {
    const channel = inputs[0]?.[0];
    if (channel) this.framer.push(this.resampler ? this.resampler.process(channel) : channel);
    return true;
  }

  private say(message: FromCapture, transfer: Transferable[] = []): void {
    this.port.postMessage(message, transfer);
  }
}

registerProcessor(CAPTURE, CaptureProcessor);
