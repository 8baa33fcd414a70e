/**
 * What V8 would otherwise throw compiled code away for, in the middle of a command:
 * code that is interpreted again takes ten times as long, under latches.
 *
 * @module
 */

/**
 * The first value of a field that is to hold doubles. If that is 0, V8 takes it for a
 * field of small integers; the first other number makes another hidden class of the
 * object's, and what was compiled for the one before is thrown away. This zero is a
 * double.
 */
export const DOUBLE_ZERO: number = -0;

/**
 * For the beginning of a thread that will transfer buffers of which there are several
 * views. Until the first one is, compiled code takes for granted that no buffer goes
 * away under it (that of a single view, V8 finds), and all of it would be thrown away
 * then. What is compiled after this looks at each buffer, which takes a twentieth off a
 * SET: workers transfer copies with one view instead.
 */
export function expectTransfers(): void {
  const buffer = new ArrayBuffer(8);
  new Uint8Array(buffer);
  new DataView(buffer);
  buffer.transfer();
}
