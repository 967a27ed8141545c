// Records all it hears, for tests: every block goes to the page as it is.
registerProcessor(
  "tap",
  class extends AudioWorkletProcessor {
    process(inputs) {
      const channel = inputs[0]?.[0];
      if (channel) this.port.postMessage(channel.slice());
      return true;
    }
  },
);
