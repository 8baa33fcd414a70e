/**
 * How values and differences look in the messages of assertions.
 *
 * @module
 */

/** Lines of agreement shown around a difference. */
const CONTEXT_LINES = 3;

/** A value as text: everything of it, keys in order. */
export function format(value: unknown): string {
  return Deno.inspect(value, {
    depth: Infinity,
    sorted: true,
    trailingComma: true,
    compact: false,
    iterableLimit: Infinity,
    strAbbreviateSize: Infinity,
  });
}

/** What the caller adds to a message, with the colon before it. */
export function suffix(msg: string | undefined): string {
  return msg ? `: ${msg}` : ".";
}

/**
 * Both texts line by line: `-` is only in the actual one, `+` only in the
 * expected one. What they share at the beginning and the end is cut down to a
 * few lines.
 */
export function difference(actual: string, expected: string): string {
  const a = actual.split("\n");
  const b = expected.split("\n");
  const shorter = Math.min(a.length, b.length);
  let head = 0;
  while (head < shorter && a[head] === b[head]) head++;
  let tail = 0;
  while (tail < shorter - head && a.at(-1 - tail) === b.at(-1 - tail)) tail++;

  const lines: string[] = [];
  if (head > CONTEXT_LINES) lines.push("    ...");
  for (const line of a.slice(Math.max(0, head - CONTEXT_LINES), head)) {
    lines.push(`    ${line}`);
  }
  for (const line of a.slice(head, a.length - tail)) lines.push(`-   ${line}`);
  for (const line of b.slice(head, b.length - tail)) lines.push(`+   ${line}`);
  const after = a.slice(a.length - tail);
  for (const line of after.slice(0, CONTEXT_LINES)) lines.push(`    ${line}`);
  if (after.length > CONTEXT_LINES) lines.push("    ...");
  return `    [Diff] Actual / Expected\n\n${lines.join("\n")}`;
}
