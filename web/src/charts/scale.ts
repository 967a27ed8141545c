/** Round numbers for axes. */

/** A top for an axis that fits `most`, and evenly spaced marks from 0 to it. */
export function marks(most: number, count = 4): number[] {
  if (!(most > 0)) return [0, 1];
  const raw = most / count;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((candidate) => candidate * count >= most * 0.999) ?? raw;
  const found = [0];
  while ((found.at(-1) ?? 0) < most * 0.999) found.push(Number((found.length * step).toPrecision(12)));
  return found;
}

/** Epoch seconds at round times of the local day between two moments. */
export function times(from: number, to: number, count = 4): number[] {
  const steps = [10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400, 172_800];
  const step = steps.find((candidate) => (to - from) / candidate <= count + 1) ?? 172_800;
  const offset = new Date(from * 1000).getTimezoneOffset() * 60;
  const first = Math.ceil((from - offset) / step) * step + offset;
  const found: number[] = [];
  for (let at = first; at <= to; at += step) found.push(at);
  return found;
}
