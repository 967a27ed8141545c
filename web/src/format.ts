/** Numbers and times as people read them. */

export function milliseconds(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined) return "–";
  const value = seconds * 1000;
  if (value >= 10_000) return `${seconds.toFixed(1)} s`;
  return value < 10 ? `${value.toFixed(1)} ms` : `${Math.round(value)} ms`;
}

/** For the marks of an axis. */
export function tick(seconds: number): string {
  if (seconds === 0) return "0";
  return seconds >= 1 ? `${Number(seconds.toFixed(2))} s` : `${Number((seconds * 1000).toFixed(1))} ms`;
}

export function duration(seconds: number): string {
  if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${Math.floor(seconds % 60)} s`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

export function bytes(count: number): string {
  if (count < 1_000) return `${count} B`;
  if (count < 1_000_000) return `${(count / 1_000).toFixed(0)} kB`;
  if (count < 1_000_000_000) return `${(count / 1_000_000).toFixed(count < 10_000_000 ? 1 : 0)} MB`;
  return `${(count / 1_000_000_000).toFixed(1)} GB`;
}

export function megabytes(count: number | null): string {
  return count === null ? "–" : bytes(count * 1_000_000);
}

/** Of the local day; the date too where it is another one. */
export function clock(epoch: number, now = Date.now() / 1000): string {
  const time = new Date(epoch * 1000);
  const today = new Date(now * 1000).toDateString() === time.toDateString();
  const hours = time.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
  return today ? hours : `${time.toLocaleDateString([], { month: "short", day: "numeric" })} ${hours}`;
}

/** `00:01:02,345`, with the mark before the thousandths. */
export function timecode(seconds: number, mark: "," | "."): string {
  const all = Math.max(0, Math.round(seconds * 1000));
  const two = (value: number): string => String(value).padStart(2, "0");
  const [h, m, s] = [Math.floor(all / 3_600_000), Math.floor(all / 60_000) % 60, Math.floor(all / 1000) % 60];
  return `${two(h)}:${two(m)}:${two(s)}${mark}${String(all % 1000).padStart(3, "0")}`;
}

/** `1:02`. */
export function minutes(seconds: number): string {
  const whole = Math.floor(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

export function language(tag: string): string {
  try {
    return new Intl.DisplayNames(["en"], { type: "language" }).of(tag) ?? tag;
  } catch {
    return tag; // not a tag this browser can name
  }
}
