/**
 * Lines about how a tool comes along, for people: once a second, on standard
 * error.
 *
 * @module
 */

const EVERY_MS = 1000;
const ENCODER = new TextEncoder();

/** Tells how far a tool has come. */
export class Progress {
  /** Keys done. */
  keys = 0;
  readonly #unit: string;
  readonly #startMs = performance.now();
  #toldMs = performance.now();

  /** `unit` is what `done` counts. */
  constructor(unit: string) {
    this.#unit = unit;
  }

  /** Perhaps writes a line: `done` of `total` are done. */
  tell(done: number, total: number): void {
    const nowMs = performance.now();
    if (nowMs - this.#toldMs < EVERY_MS) return;
    this.#toldMs = nowMs;
    const seconds = (nowMs - this.#startMs) / 1000;
    const percent = total === 0 ? "100" : (done * 100 / total).toFixed(1);
    const left = done === 0 ? "?" : Math.ceil(seconds * (total - done) / done);
    say(
      `${percent}% of ${total} ${this.#unit}, ${this.keys} keys, ` +
        `${Math.round(this.keys / seconds)} keys/s, ${left} s left`,
    );
  }

  /** Seconds since it was made. */
  get seconds(): string {
    return ((performance.now() - this.#startMs) / 1000).toFixed(1);
  }
}

/** Writes a line to standard error. */
export function say(line: string): void {
  Deno.stderr.writeSync(ENCODER.encode(`${line}\n`));
}
