/**
 * An index of glob patterns: finds the patterns that match a text without
 * trying all of them.
 *
 * Patterns are kept by the bytes before their first wildcard. A text is looked
 * up once for every length that such a beginning has; only patterns whose
 * beginning is that of the text are tried.
 *
 * Cost of a lookup: one for each different length of a beginning, and the
 * patterns that begin as the text does. Texts are Latin-1 strings, one character
 * a byte.
 *
 * @module
 */

import { latin1BytesOf } from "../../core/base/bytes.ts";
import { globLiteralPrefix, globMatch } from "../../core/base/glob.ts";

interface Entry<T> {
  readonly bytes: Uint8Array;
  readonly value: T;
}

/** Values by pattern. */
export class PatternIndex<T> {
  readonly #byPattern = new Map<string, T>();
  readonly #byPrefix = new Map<string, Entry<T>[]>();
  /** How many beginnings there are of each length. */
  readonly #lengths = new Map<number, number>();

  /** How many patterns there are. */
  get size(): number {
    return this.#byPattern.size;
  }

  /** The value of exactly this pattern. */
  get(pattern: string): T | undefined {
    return this.#byPattern.get(pattern);
  }

  /** Adds a pattern that is not there. */
  add(pattern: string, value: T): void {
    const bytes = latin1BytesOf(pattern);
    const prefix = prefixOf(pattern, bytes);
    this.#byPattern.set(pattern, value);
    const entries = this.#byPrefix.get(prefix);
    if (entries !== undefined) entries.push({ bytes, value });
    else {
      this.#byPrefix.set(prefix, [{ bytes, value }]);
      const length = prefix.length;
      this.#lengths.set(length, (this.#lengths.get(length) ?? 0) + 1);
    }
  }

  /** Removes a pattern that is there. */
  remove(pattern: string): void {
    const value = this.#byPattern.get(pattern)!;
    this.#byPattern.delete(pattern);
    const prefix = prefixOf(pattern, latin1BytesOf(pattern));
    const entries = this.#byPrefix.get(prefix)!;
    const at = entries.findIndex((entry) => entry.value === value);
    entries.splice(at, 1);
    if (entries.length > 0) return;
    this.#byPrefix.delete(prefix);
    const left = this.#lengths.get(prefix.length)! - 1;
    if (left > 0) this.#lengths.set(prefix.length, left);
    else this.#lengths.delete(prefix.length);
  }

  /** Visits the values of the patterns that match a text. */
  match(text: string, bytes: Uint8Array, visit: (value: T) => void): void {
    for (const length of this.#lengths.keys()) {
      if (length > text.length) continue;
      const entries = this.#byPrefix.get(text.slice(0, length));
      if (entries === undefined) continue;
      for (const entry of entries) {
        const pattern = entry.bytes;
        if (
          globMatch(pattern, 0, pattern.length, bytes, 0, bytes.length, false)
        ) visit(entry.value);
      }
    }
  }

  /** All patterns. */
  patterns(): IterableIterator<string> {
    return this.#byPattern.keys();
  }
}

/**
 * The beginning of a pattern that stands for itself. A match may skip stars, so
 * only what comes before the first wildcard is certain.
 */
function prefixOf(pattern: string, bytes: Uint8Array): string {
  return pattern.slice(0, globLiteralPrefix(bytes, 0, bytes.length));
}
